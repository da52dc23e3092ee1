//! The JSON of the admin interface. `peerx peers` reads the same types.

use super::listing::{Listing, Place};
use super::{health, pages};
use crate::libp2p;
use crate::live::{Agent, advice, from_smallest_name, unexpected};
use crate::names::{self, Namesakes};
use peer_exchange::addr::Protocol;
use peer_exchange::driver::Stopped;
use peer_exchange::{
    Instant, LearnedFrom, LinkView, Node, NodeId, PeerView, Stats, UpstreamState, UpstreamView,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// `/v1/peers`
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Peers {
    /// This node's ID, in 64 hexadecimal digits.
    pub(crate) node: String,
    pub(crate) name: String,
    /// Sorted by name. Of a part (`?limit=`) with more behind it, `next` follows: what to ask next.
    pub(crate) peers: Vec<Peer>,
}

/// One peer that is remembered.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Peer {
    pub(crate) node: String,
    /// What it calls itself; `null` if it does not, or has left.
    pub(crate) name: Option<String>,
    /// So many nodes have this name, if more than one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) one_of: Option<usize>,
    /// `up`, `suspect`, `down`, `left`
    pub(crate) state: String,
    /// Since when it has been that here, RFC 3339; and how long that is.
    pub(crate) since: String,
    pub(crate) since_s: u64,
    /// The IDs of those who accuse it, where it is suspect or down.
    pub(crate) accused_by: Vec<String>,
    /// Multiaddrs, most preferred first; of one that is down, the last ones.
    pub(crate) addresses: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// Since it became known here.
    pub(crate) age_s: u64,
    /// `itself`, `snapshot` (of an earlier run), `forgotten`, or the ID of who told.
    pub(crate) learned_from: String,
    /// Its record is signed, and the signature was checked.
    #[serde(default)]
    pub(crate) signed: bool,
    /// The lifetime of its record, and what is left of it unless it is renewed.
    pub(crate) lifetime_s: u64,
    pub(crate) lifetime_left_s: u64,
    /// No dial to it has failed since the last that succeeded.
    pub(crate) reachable: bool,
    /// There is a connection to it now.
    pub(crate) linked: bool,
    /// The last connection broke, and it has not been dialled since.
    pub(crate) link_lost: bool,
}

/// `/v1/loops`
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Loops {
    pub(crate) loops: Vec<Loop>,
}

/// A cycle of upstreams that this node is on.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Loop {
    /// Names in the order of asking; one that several nodes have is followed by the start of the ID.
    pub(crate) path: Vec<String>,
    /// Their IDs.
    pub(crate) nodes: Vec<String>,
    /// RFC 3339.
    pub(crate) first_seen: String,
    pub(crate) last_seen: String,
    pub(crate) times: u64,
    /// Seen in the last two searches for cycles.
    pub(crate) present: bool,
    /// What to change.
    pub(crate) advice: String,
}

/// `/v1/status`
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Status {
    pub(crate) node: String,
    pub(crate) name: String,
    /// So many nodes have this name, if more than one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) one_of: Option<usize>,
    pub(crate) version: String,
    pub(crate) uptime_s: u64,
    /// `quic://IP:PORT`, `tcp://IP:PORT`
    pub(crate) listen: Vec<String>,
    /// Multiaddrs that others are told.
    pub(crate) advertised: Vec<String>,
    /// The own addresses, those at which others see this node included, and what came of trying them.
    #[serde(default)]
    pub(crate) own_addresses: Vec<OwnAddress>,
    /// The live ones.
    pub(crate) peers: usize,
    /// All that are remembered.
    pub(crate) peers_by_state: States,
    /// It hears nobody.
    pub(crate) isolated: bool,
    /// `quic`, `tcp`: peers do not answer over it that do over another one.
    #[serde(default)]
    pub(crate) blocked_transports: Vec<String>,
    /// The time in which a node that is silent is found out; `null` where nobody is watched.
    pub(crate) detection_s: Option<f64>,
    /// `ready`, `alone`, `waiting`, `island`
    #[serde(default)]
    pub(crate) readiness: String,
    /// The same as a sentence.
    #[serde(default)]
    pub(crate) standing: String,
    /// Cycles present now.
    pub(crate) loops: usize,
    /// Between rounds of asking, at the moment.
    pub(crate) pace_s: f64,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) links: Vec<Link>,
}

/// One address of this node.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct OwnAddress {
    pub(crate) address: String,
    /// The configuration or the libp2p service names it; else others see this node there.
    pub(crate) configured: bool,
    /// Others are told.
    pub(crate) advertised: bool,
    /// `proven`, `unproven`, `unreachable`
    pub(crate) state: String,
    /// Since when it is that, RFC 3339; and how long that is.
    pub(crate) since: String,
    pub(crate) since_s: u64,
    /// Names, as in a cycle, or IDs, of the latest of those that have found this node there, and have
    /// not.
    pub(crate) reached_by: Vec<String>,
    pub(crate) missed_by: Vec<String>,
}

/// How many peers are what.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct States {
    pub(crate) up: u64,
    pub(crate) suspect: u64,
    pub(crate) down: u64,
    pub(crate) left: u64,
}

/// One configured upstream.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Upstream {
    pub(crate) address: String,
    pub(crate) node: Option<String>,
    pub(crate) name: Option<String>,
    /// So many nodes have this name, if more than one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) one_of: Option<usize>,
    /// `up`, `dialing`, `waiting`, `listed`, `itself`
    pub(crate) state: String,
    /// Until the next try, when it is waiting.
    pub(crate) retry_in_s: Option<f64>,
    /// In a row.
    pub(crate) failures: u8,
    /// Dials in a row that have led to this node itself.
    #[serde(default)]
    pub(crate) times_itself: u8,
    /// Since it last brought news.
    pub(crate) last_news_s: Option<u64>,
}

/// One connection.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Link {
    pub(crate) node: String,
    pub(crate) name: Option<String>,
    /// So many nodes have this name, if more than one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) one_of: Option<usize>,
    pub(crate) remote: Option<String>,
    pub(crate) dialled: bool,
    pub(crate) round_trip_ms: Option<f64>,
    pub(crate) up_s: u64,
}

impl Peers {
    /// All that are remembered.
    pub(super) async fn listing(agent: Arc<Agent>) -> Result<Listing, Stopped> {
        let read = agent.handle.read(|node| {
            let now = Moment::of(node);
            (now, node.members().collect::<Vec<_>>())
        });
        let (now, peers) = read.await?;
        let empty = Self {
            node: agent.node.to_string(),
            name: agent.settings().node_name.clone(),
            peers: Vec::new(),
        };
        let name = |peer: &PeerView| names::name(&peer.metadata);
        let place =
            move |peer: &PeerView| Place::new(name(peer).as_deref(), &peer.node.to_string());
        pages::listed(move || {
            let others = peers.iter().filter_map(name);
            let namesakes = Namesakes::among(others.chain([empty.name.clone()]));
            let shown = |peer| Peer::of(peer, &now, &namesakes);
            Listing::new("/v1/peers", &empty, peers, place, shown)
        })
        .await
    }
}

impl Peer {
    fn of(view: PeerView, now: &Moment, namesakes: &Namesakes) -> Self {
        let name = names::name(&view.metadata);
        Self {
            node: view.node.to_string(),
            one_of: name.as_ref().and_then(|name| namesakes.several(name)),
            name,
            state: view.state.name().to_owned(),
            since: now.shown(view.since),
            since_s: now.age_s(view.since),
            accused_by: view.accused_by.iter().map(NodeId::to_string).collect(),
            addresses: view.addresses.iter().map(libp2p::shown).collect(),
            labels: names::labels(&view.metadata),
            age_s: now.age_s(view.first_seen),
            learned_from: match view.learned_from {
                LearnedFrom::Itself => "itself".to_owned(),
                LearnedFrom::Relay(node) => node.to_string(),
                LearnedFrom::Snapshot => "snapshot".to_owned(),
                // Not remembered, or in a way that this agent does not know.
                _ => "forgotten".to_owned(),
            },
            signed: view.signed,
            lifetime_s: view.lifetime.as_secs(),
            lifetime_left_s: view.lifetime_left.as_secs(),
            reachable: view.reachable,
            linked: view.linked,
            link_lost: view.link_lost,
        }
    }
}

impl Loops {
    pub(super) async fn of(agent: &Agent) -> Result<Self, Stopped> {
        let settings = agent.settings();
        let own = settings.node_name.clone();
        let loops = agent.handle.read(move |node| {
            let namesakes = Namesakes::known_to(node, &own);
            let name = |id: &NodeId| {
                let name = match *id == node.id() {
                    true => Some(own.clone()),
                    false => name_of(node, id),
                };
                let begins = format!("{id:?}");
                match name {
                    Some(name) => namesakes.call(&name, &begins),
                    None => begins,
                }
            };
            let now = Moment::of(node);
            let loops = node.loops().map(|found| {
                let named = found.path.iter().map(|id| (name(id), id.to_string()));
                let (path, nodes) = from_smallest_name(named.collect());
                Loop {
                    nodes,
                    first_seen: now.shown(found.first_seen),
                    last_seen: now.shown(found.last_seen),
                    times: found.times,
                    present: found.present,
                    advice: advice(&path),
                    path,
                }
            });
            loops.collect()
        });
        Ok(Self {
            loops: loops.await?,
        })
    }
}

impl Status {
    pub(super) async fn of(agent: &Agent) -> Result<Self, Stopped> {
        let settings = agent.settings();
        let loops = unexpected(&settings);
        let own = settings.node_name.clone();
        let read = move |node: &Node| {
            let namesakes = Namesakes::known_to(node, &own);
            Self {
                node: node.id().to_string(),
                one_of: namesakes.several(&own),
                name: own,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                uptime_s: 0,
                listen: Vec::new(),
                advertised: node.addresses().iter().map(libp2p::shown).collect(),
                own_addresses: OwnAddress::all(node, &namesakes),
                peers: node.peer_count(),
                peers_by_state: States::of(&node.stats()),
                isolated: node.is_isolated(),
                blocked_transports: node.blocked_transports().map(transport).collect(),
                detection_s: node.config().detection.map(|d| d.as_secs_f64()),
                readiness: health::word(node.readiness().state).to_owned(),
                standing: health::standing(&node.readiness()),
                loops: loops(node),
                pace_s: node.pace().as_secs_f64(),
                upstreams: node
                    .upstreams()
                    .map(|u| Upstream::of(node, &u, &namesakes))
                    .collect(),
                links: node
                    .links()
                    .map(|l| Link::of(node, &l, &namesakes))
                    .collect(),
            }
        };
        let mut status = agent.handle.read(read).await?;
        status.uptime_s = agent.started.elapsed().as_secs();
        let listen = agent.sockets.bound.iter();
        status.listen = listen
            .map(|(transport, at)| format!("{}://{at}", transport.name()))
            .collect();
        Ok(status)
    }
}

fn transport(protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Quic => "quic",
        _ => "udp",
    }
    .to_owned()
}

impl OwnAddress {
    fn all(node: &Node, namesakes: &Namesakes) -> Vec<Self> {
        let now = Moment::of(node);
        let names = |ids: &[NodeId]| -> Vec<String> {
            let name = |id: &NodeId| match name_of(node, id) {
                Some(name) => namesakes.call(&name, &format!("{id:?}")),
                None => id.to_string(),
            };
            ids.iter().map(name).collect()
        };
        let all = node.own_addresses().map(|own| Self {
            address: libp2p::shown(&own.address),
            configured: own.configured,
            advertised: own.advertised,
            state: own.state.name().to_owned(),
            since: now.shown(own.since),
            since_s: now.age_s(own.since),
            reached_by: names(&own.reached_by),
            missed_by: names(&own.missed_by),
        });
        all.collect()
    }
}

impl States {
    fn of(stats: &Stats) -> Self {
        Self {
            up: stats.peers_up,
            suspect: stats.peers_suspect,
            down: stats.peers_down,
            left: stats.peers_left,
        }
    }
}

/// The node's clock beside that of the wall.
struct Moment {
    node: Instant,
    wall: SystemTime,
}

impl Moment {
    fn of(node: &Node) -> Self {
        Self {
            node: node.now(),
            wall: SystemTime::now(),
        }
    }

    fn age_s(&self, at: Instant) -> u64 {
        self.node.saturating_since(at).as_secs()
    }

    /// RFC 3339.
    fn shown(&self, at: Instant) -> String {
        let wall = self.wall.checked_sub(self.node.saturating_since(at));
        humantime::format_rfc3339_seconds(wall.unwrap_or(self.wall)).to_string()
    }
}

impl Upstream {
    fn of(node: &Node, view: &UpstreamView, namesakes: &Namesakes) -> Self {
        let name = view.node.and_then(|id| name_of(node, &id));
        let (state, retry) = match view.state {
            UpstreamState::Up => ("up", None),
            UpstreamState::Dialing => ("dialing", None),
            UpstreamState::Listed => ("listed", None),
            UpstreamState::Waiting(at) => ("waiting", Some(at.saturating_since(node.now()))),
            UpstreamState::Itself => ("itself", None),
            _ => ("unknown", None),
        };
        Self {
            address: view.address.to_string(),
            node: view.node.map(|id| id.to_string()),
            one_of: name.as_ref().and_then(|name| namesakes.several(name)),
            name,
            state: state.to_owned(),
            retry_in_s: retry.map(|d| d.as_secs_f64()),
            failures: view.failures,
            times_itself: view.times_itself,
            last_news_s: view
                .last_news
                .map(|at| node.now().saturating_since(at).as_secs()),
        }
    }
}

impl Link {
    fn of(node: &Node, view: &LinkView, namesakes: &Namesakes) -> Self {
        let name = name_of(node, &view.node);
        Self {
            node: view.node.to_string(),
            one_of: name.as_ref().and_then(|name| namesakes.several(name)),
            name,
            remote: view.remote.map(|at| at.to_string()),
            dialled: view.dialled,
            round_trip_ms: view.round_trip.map(|t| t.as_secs_f64() * 1e3),
            up_s: node.now().saturating_since(view.up_at).as_secs(),
        }
    }
}

fn name_of(node: &Node, id: &NodeId) -> Option<String> {
    names::name(&node.member(id)?.metadata)
}
