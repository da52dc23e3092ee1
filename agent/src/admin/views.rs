//! The JSON of the admin interface. `peerx peers` reads the same types.

use crate::libp2p;
use crate::live::{Agent, Presence, advice, from_smallest_name};
use crate::names;
use peer_exchange::driver::Stopped;
use peer_exchange::{
    Instant, LearnedFrom, LinkView, Node, NodeId, PeerView, UpstreamState, UpstreamView,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// `/v1/peers`
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Peers {
    /// This node's ID, in 64 hexadecimal digits.
    pub(crate) node: String,
    pub(crate) name: String,
    /// Sorted by name.
    pub(crate) peers: Vec<Peer>,
}

/// One known peer.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Peer {
    pub(crate) node: String,
    /// What it calls itself; `null` if it does not.
    pub(crate) name: Option<String>,
    /// Multiaddrs, most preferred first.
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
}

/// `/v1/loops`
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Loops {
    pub(crate) loops: Vec<Loop>,
}

/// A cycle of upstreams that this node is on.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Loop {
    /// Names in the order of asking.
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
    pub(crate) version: String,
    pub(crate) uptime_s: u64,
    /// `quic://IP:PORT`, `tcp://IP:PORT`
    pub(crate) listen: Vec<String>,
    /// Multiaddrs that others are told.
    pub(crate) advertised: Vec<String>,
    pub(crate) peers: usize,
    /// Cycles present now.
    pub(crate) loops: usize,
    /// Between rounds of asking, at the moment.
    pub(crate) pace_s: f64,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) links: Vec<Link>,
}

/// One configured upstream.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Upstream {
    pub(crate) address: String,
    pub(crate) node: Option<String>,
    pub(crate) name: Option<String>,
    /// `up`, `dialing`, `waiting`, `itself`
    pub(crate) state: String,
    /// Until the next try, when it is waiting.
    pub(crate) retry_in_s: Option<f64>,
    /// In a row.
    pub(crate) failures: u8,
    /// Since it last brought news.
    pub(crate) last_news_s: Option<u64>,
}

/// One connection.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Link {
    pub(crate) node: String,
    pub(crate) name: Option<String>,
    pub(crate) remote: Option<String>,
    pub(crate) dialled: bool,
    pub(crate) round_trip_ms: Option<f64>,
    pub(crate) up_s: u64,
}

impl Peers {
    pub(super) async fn of(agent: &Agent) -> Result<Self, Stopped> {
        let mut peers: Vec<_> = agent
            .handle
            .read(|node| {
                node.peers()
                    .map(|peer| Peer::of(peer, node.now()))
                    .collect()
            })
            .await?;
        let key = |p: &Peer| (p.name.is_none(), p.name.clone(), p.node.clone());
        peers.sort_by_cached_key(key);
        Ok(Self {
            node: agent.node.to_string(),
            name: agent.settings().node_name.clone(),
            peers,
        })
    }
}

impl Peer {
    fn of(view: PeerView, now: Instant) -> Self {
        Self {
            node: view.node.to_string(),
            name: names::name(&view.metadata),
            addresses: view.addresses.iter().map(libp2p::shown).collect(),
            labels: names::labels(&view.metadata),
            age_s: now.saturating_since(view.first_seen).as_secs(),
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
        }
    }
}

impl Loops {
    pub(super) async fn of(agent: &Agent) -> Result<Self, Stopped> {
        let settings = agent.settings();
        let (own, presence) = (settings.node_name.clone(), Presence::of(&settings));
        let now = SystemTime::now();
        let loops = agent.handle.read(move |node| {
            let name = |id: &NodeId| {
                if *id == node.id() {
                    return own.clone();
                }
                name_of(node, id).unwrap_or_else(|| format!("{id:?}"))
            };
            let shown = |at: Instant| {
                let at = now.checked_sub(node.now().saturating_since(at));
                humantime::format_rfc3339_seconds(at.unwrap_or(now)).to_string()
            };
            let loops = node.loops().map(|found| {
                let named = found.path.iter().map(|id| (name(id), id.to_string()));
                let (path, nodes) = from_smallest_name(named.collect());
                Loop {
                    nodes,
                    first_seen: shown(found.first_seen),
                    last_seen: shown(found.last_seen),
                    times: found.times,
                    present: presence.has(node, found.last_seen),
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
        let presence = Presence::of(&settings);
        let mut status = agent
            .handle
            .read(move |node| Self {
                node: node.id().to_string(),
                name: String::new(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                uptime_s: 0,
                listen: Vec::new(),
                advertised: node.addresses().iter().map(libp2p::shown).collect(),
                peers: node.peer_count(),
                loops: presence.count(node),
                pace_s: node.pace().as_secs_f64(),
                upstreams: node.upstreams().map(|u| Upstream::of(node, &u)).collect(),
                links: node.links().map(|l| Link::of(node, &l)).collect(),
            })
            .await?;
        status.name.clone_from(&settings.node_name);
        status.uptime_s = agent.started.elapsed().as_secs();
        let listen = agent.sockets.bound.iter();
        status.listen = listen
            .map(|(transport, at)| format!("{}://{at}", transport.name()))
            .collect();
        Ok(status)
    }
}

impl Upstream {
    fn of(node: &Node, view: &UpstreamView) -> Self {
        let (state, retry) = match view.state {
            UpstreamState::Up => ("up", None),
            UpstreamState::Dialing => ("dialing", None),
            UpstreamState::Waiting(at) => ("waiting", Some(at.saturating_since(node.now()))),
            UpstreamState::Itself => ("itself", None),
            _ => ("unknown", None),
        };
        Self {
            address: view.address.to_string(),
            node: view.node.map(|id| id.to_string()),
            name: view.node.and_then(|id| name_of(node, &id)),
            state: state.to_owned(),
            retry_in_s: retry.map(|d| d.as_secs_f64()),
            failures: view.failures,
            last_news_s: view
                .last_news
                .map(|at| node.now().saturating_since(at).as_secs()),
        }
    }
}

impl Link {
    fn of(node: &Node, view: &LinkView) -> Self {
        Self {
            node: view.node.to_string(),
            name: name_of(node, &view.node),
            remote: view.remote.map(|at| at.to_string()),
            dialled: view.dialled,
            round_trip_ms: view.round_trip.map(|t| t.as_secs_f64() * 1e3),
            up_s: node.now().saturating_since(view.up_at).as_secs(),
        }
    }
}

fn name_of(node: &Node, id: &NodeId) -> Option<String> {
    names::name(&node.peer(id)?.metadata)
}
