//! What an operator is told: one log line per event worth an eye.

use super::flaps::Flaps;
use super::log::{Burst, Seldom, again};
use crate::config::Cycles;
use crate::libp2p;
use crate::live::Agent;
use crate::names;
use crate::topology::canonical;
use peer_exchange::addr::Protocol;
use peer_exchange::driver::{Ended, Notices};
use peer_exchange::{
    CloseReason, Event, Mismatch, Multiaddr, NodeId, Notice, OwnAddressView, PeerView, Target, addr,
};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tracing::{debug, info, warn};

/// Peers that are down, of which it is remembered whether that was told.
const DOWNS: usize = peer_exchange::limits::caps::DOWNS;

/// Tells what happens until the driver stops.
pub(super) async fn tell(agent: Arc<Agent>, mut notices: Notices) {
    let interval = agent.settings().core.report_interval;
    let mut teller = Teller {
        agent,
        names: HashMap::new(),
        seldom: Seldom::new(interval),
        peers: Burst::new(Instant::now()),
        downs: HashMap::new(),
        flaps: Flaps::new(interval),
    };
    while let Some(notice) = notices.next().await {
        teller.tell(notice).await;
    }
}

/// What is to be opened in a firewall.
const fn transport(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Quic => "QUIC (UDP)",
        _ => "UDP",
    }
}

struct Teller {
    agent: Arc<Agent>,
    /// Names of known peers, for when they are known no more; as many as the table has.
    names: HashMap<NodeId, String>,
    seldom: Seldom,
    /// Lines about peers that come and go.
    peers: Burst,
    /// Those that are down, and whether that was told: one that crashes all the time is told once
    /// per interval.
    downs: HashMap<NodeId, bool>,
    flaps: Flaps,
}

impl Teller {
    async fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Node(event) => self.event(event).await,
            Notice::LinkUp { node, remote, .. } => {
                debug!("link to {} at {remote:?} is up", self.shown(&node).await);
            }
            Notice::LinkDown { node, ended, .. } => self.link_down(node, ended).await,
            Notice::DialFailed {
                target: Target::Back { node, address },
                error,
            } => debug!(
                "peer {} wanted to know whether it is reached at {address}: {error}",
                self.shown(&node).await
            ),
            Notice::DialFailed { target, error } => {
                self.agent.resolve_soon(&target);
                let (what, condition) = match target.node() {
                    None => {
                        let address = addr::join(target.addresses());
                        (format!("upstream {address}"), format!("dial {address}"))
                    }
                    Some(node) => (
                        format!("peer {}", self.shown(&node).await),
                        format!("dial {node}"),
                    ),
                };
                if let Some(more) = self.seldom.due(&condition, Instant::now()) {
                    if target.node().is_none() {
                        warn!("{what} cannot be reached: {error}{}", again(more));
                    } else {
                        info!("{what} cannot be reached: {error}{}", again(more));
                    }
                }
            }
            Notice::Missed(n) => {
                debug!("{n} events went by untold");
                self.agent.changed();
                self.look_again().await;
            }
            _ => {}
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::PeerEvicted { node } => {
                let shown = self.gone(&node);
                if let Some(more) = self.seldom.due("evicted", Instant::now()) {
                    warn!(
                        "the table is full, and peer {shown} was dropped to make room: raise `limits.capacity`{}",
                        again(more)
                    );
                }
            }
            Event::UpstreamUp { address, node } => {
                self.seldom.over(&format!("dial {address}"));
                if self.flaps.up(&address, Instant::now()) {
                    tokio::spawn(upstream(Arc::clone(&self.agent), address, node));
                }
            }
            Event::UpstreamDown { address, retry_in } => {
                if let Some(more) = self.flaps.down(&address, Instant::now()) {
                    warn!(
                        "no connection to upstream {address}: next try in {retry_in:.1?}{}",
                        again(more)
                    );
                }
            }
            Event::LoopDetected { path } => {
                tokio::spawn(cycle(Arc::clone(&self.agent), path));
            }
            event => self.state(event).await,
        }
    }

    /// What a peer is, or what this node hears, has changed.
    async fn state(&mut self, event: Event) {
        match event {
            Event::PeerUp { node } => {
                let shown = self.shown(&node).await;
                match self.downs.remove(&node) {
                    None => self.peer(&shown, "is known"),
                    Some(true) => self.peer(&shown, "is up again"),
                    Some(false) => self.agent.changed(),
                }
                self.names.insert(node, shown);
            }
            Event::PeerDown { node } => self.down(node).await,
            Event::OwnAddressReached { address } => self.reached(&address).await,
            Event::OwnAddressUnreachable { address } => self.unreachable(&address).await,
            Event::IsolationOver => info!("somebody is heard again"),
            Event::PeerChanged { node } => {
                let shown = self.shown(&node).await;
                self.peer(&shown, "has changed its addresses or labels");
                self.names.insert(node, shown);
            }
            Event::PeerExpired { node } => {
                let shown = self.gone(&node);
                self.peer(
                    &shown,
                    "is forgotten: its record was not renewed in its lifetime",
                );
            }
            Event::PeerLeft { node } => {
                let shown = self.gone(&node);
                self.downs.remove(&node);
                self.peer(&shown, "has left");
            }
            event => self.misbehaviour(event).await,
        }
    }

    async fn misbehaviour(&mut self, event: Event) {
        match event {
            Event::PeerUnreachable { node, retry_in } => {
                debug!(
                    "peer {} is unreachable, next try in {retry_in:.1?}",
                    self.shown(&node).await
                );
            }
            Event::Throttled { node, retry_after } => {
                warn!(
                    "peer {} asks too often, and was told to wait {retry_after:.1?}",
                    self.shown(&node).await
                );
            }
            Event::Deferred { node, retry_after } => {
                info!(
                    "peer {} is busy, and is left alone for {retry_after:.1?}",
                    self.shown(&node).await
                );
            }
            Event::UpstreamIsItself { address } => self.itself(&address),
            Event::TransportBlocked { protocol, node } => self.blocked(protocol, node).await,
            Event::TransportOpen { protocol } => {
                info!("peers answer over {} again", transport(protocol));
            }
            Event::Isolated => self.isolated(),
            Event::DuplicateIdentity { at } => self.duplicate(at),
            Event::Conflict { node, version } => self.conflict(node, version).await,
            Event::OtherCluster { node, what } => self.other_cluster(node, what).await,
            Event::Blamed { node, fault, .. } => {
                let condition = format!("blamed {node} {}", fault.reason());
                if let Some(more) = self.seldom.due(&condition, Instant::now()) {
                    warn!(
                        "peer {} has sent: {fault}{}",
                        self.shown(&node).await,
                        again(more)
                    );
                }
            }
            event => debug!("{event:?}"),
        }
    }

    async fn down(&mut self, node: NodeId) {
        let shown = self.gone(&node);
        let due = self.seldom.due(&format!("down {node}"), Instant::now());
        if self.downs.len() >= DOWNS && !self.downs.contains_key(&node) {
            // Some that return are told as if they were new.
            self.downs.clear();
        }
        self.downs.insert(node, due.is_some());
        let Some(more) = due else {
            return self.agent.changed();
        };
        let peer = self.agent.handle.member(node).await.ok().flatten();
        let mut by = Vec::new();
        for accuser in peer.map(|peer| peer.accused_by).unwrap_or_default() {
            by.push(match accuser == self.agent.node {
                true => "this node".to_owned(),
                false => self.shown(&accuser).await,
            });
        }
        let what = format!("is down: silent for {}{}", by.join(" and "), again(more));
        self.peer(&shown, &what);
    }

    async fn blocked(&self, protocol: Protocol, node: NodeId) {
        warn!(
            "over {} peers do not answer that do over another transport, {} for one: is it blocked on the way?",
            transport(protocol),
            self.shown(&node).await
        );
    }

    async fn own_address(&self, address: &Multiaddr) -> Option<OwnAddressView> {
        let address = address.clone();
        let view = self
            .agent
            .handle
            .read(move |node| node.own_addresses().find(|own| own.address == address));
        view.await.ok().flatten()
    }

    async fn names(&self, nodes: &[NodeId]) -> String {
        let mut names = Vec::new();
        for node in nodes {
            names.push(self.shown(node).await);
        }
        names.join(", ")
    }

    /// This node was found at an address of its own.
    async fn reached(&mut self, address: &Multiaddr) {
        let view = self.own_address(address).await;
        let by = self
            .names(&view.map(|v| v.reached_by).unwrap_or_default())
            .await;
        self.seldom.over(&format!("own {address}"));
        info!("own address {address}: others reach this node there: {by}");
        self.agent.changed();
    }

    async fn unreachable(&mut self, address: &Multiaddr) {
        let Some(view) = self.own_address(address).await else {
            return;
        };
        let by = self.names(&view.missed_by).await;
        let Some(more) = self.seldom.due(&format!("own {address}"), Instant::now()) else {
            return;
        };
        if view.configured {
            warn!(
                "own address {address}: nobody reaches this node there that has tried ({by}): is it right, and does a firewall let them in? It is named last from now on{}",
                again(more)
            );
        } else {
            warn!(
                "others see this node at {address}, and do not reach it there ({by}): behind NAT or a firewall, name in `advertise` where they do{}",
                again(more)
            );
        }
    }

    fn itself(&mut self, address: &Multiaddr) {
        let condition = format!("itself {address}");
        if let Some(more) = self.seldom.due(&condition, Instant::now()) {
            warn!(
                "upstream {address} leads to this node itself, again and again: if other nodes are behind it, it keeps them apart; name another upstream, or their own addresses{}",
                again(more)
            );
        }
    }

    fn isolated(&mut self) {
        if let Some(more) = self.seldom.due("isolated", Instant::now()) {
            warn!(
                "nobody is heard any more: this node is cut off, or all others are; every upstream is dialled anew{}",
                again(more)
            );
        }
    }

    fn duplicate(&mut self, at: Option<SocketAddr>) {
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        let settings = self.agent.settings();
        let here = self.agent.own_addresses(&settings);
        let here = match here.first() {
            Some(address) => libp2p::shown(address),
            None => "an address of which nothing is known".to_owned(),
        };
        if let Some(more) = self.seldom.due("duplicate", Instant::now()) {
            warn!(
                "another node announces itself under this node's key{at}, beside this one at {here}: was {} copied to another machine?{}",
                settings.key_file.display(),
                again(more)
            );
        }
    }

    async fn conflict(&mut self, node: NodeId, version: u64) {
        if let Some(more) = self.seldom.due(&format!("conflict {node}"), Instant::now()) {
            warn!(
                "two different records of peer {} under version {version}: is its key in use twice?{}",
                self.shown(&node).await,
                again(more)
            );
        }
    }

    async fn other_cluster(&mut self, node: NodeId, what: Mismatch) {
        let condition = format!("other cluster {node} {what:?}");
        if let Some(more) = self.seldom.due(&condition, Instant::now()) {
            warn!(
                "node {} is left alone: {what}; `cluster` and `signing` have to be the same on all nodes{}",
                self.shown(&node).await,
                again(more)
            );
        }
    }

    async fn link_down(&self, node: NodeId, ended: Ended) {
        match ended {
            Ended::Closed(CloseReason::Misbehaviour | CloseReason::Version) => {
                warn!(
                    "the link to {} was closed: {ended:?}",
                    self.shown(&node).await
                );
            }
            ended => debug!(
                "the link to {} has ended: {ended:?}",
                self.shown(&node).await
            ),
        }
    }

    /// One line about a peer, unless there are very many.
    fn peer(&mut self, shown: &str, what: &str) {
        self.agent.changed();
        match self.peers.due(Instant::now()) {
            Some(0) => info!("peer {shown} {what}"),
            Some(n) => info!("peer {shown} {what} ({n} more lines about peers were left out)"),
            None => {}
        }
    }

    /// Events were lost, and with them perhaps some peers' end.
    async fn look_again(&mut self) {
        if let Ok(peers) = self.agent.handle.peers().await {
            let shown = |p: PeerView| (p.node, names::shown(&p.node, Some(&p.metadata)));
            self.names = peers.into_iter().map(shown).collect();
        }
    }

    fn gone(&mut self, node: &NodeId) -> String {
        let name = self.names.remove(node);
        name.unwrap_or_else(|| names::shown(node, None))
    }

    async fn shown(&self, node: &NodeId) -> String {
        shown(&self.agent, node).await
    }
}

async fn shown(agent: &Agent, node: &NodeId) -> String {
    let peer = agent.handle.peer(*node).await;
    let metadata = peer.ok().flatten().map(|peer| peer.metadata);
    names::shown(node, metadata.as_deref())
}

async fn upstream(agent: Arc<Agent>, address: Multiaddr, node: NodeId) {
    agent.names_soon(&[node]).await;
    info!("upstream {address} is {}", shown(&agent, &node).await);
}

async fn cycle(agent: Arc<Agent>, path: Vec<NodeId>) {
    let names = canonical(agent.names_soon(&path).await);
    let Some(first) = names.first() else { return };
    if agent.settings().cycles == Cycles::Expected {
        debug!("cycle, as expected: {} → {first}", names.join(" → "));
        return;
    }
    if path.len() == 1 {
        warn!(
            "CYCLE in the upstreams: {first} asks itself: remove its own address, or the load balancer in front of it, from its `upstreams`"
        );
        return;
    }
    warn!(
        "CYCLE in the upstreams: {} → {first} (an arrow reads \"asks\"). It does no harm here; {}",
        names.join(" → "),
        crate::live::advice(&names)
    );
}
