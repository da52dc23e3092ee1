//! What an operator is told: one log line per event worth an eye.

use super::flaps::Flaps;
use super::log::{Burst, Seldom, again};
use crate::config::Cycles;
use crate::live::Agent;
use crate::names;
use crate::topology::canonical;
use peer_exchange::driver::{Ended, Notices};
use peer_exchange::{CloseReason, Event, Mismatch, Multiaddr, NodeId, Notice, PeerView, addr};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tracing::{debug, info, warn};

/// Tells what happens until the driver stops.
pub(super) async fn tell(agent: Arc<Agent>, mut notices: Notices) {
    let interval = agent.settings().core.report_interval;
    let mut teller = Teller {
        agent,
        names: HashMap::new(),
        seldom: Seldom::new(interval),
        peers: Burst::new(Instant::now()),
        flaps: Flaps::new(interval),
    };
    while let Some(notice) = notices.next().await {
        teller.tell(notice).await;
    }
}

struct Teller {
    agent: Arc<Agent>,
    /// Names of known peers, for when they are known no more; as many as the table has.
    names: HashMap<NodeId, String>,
    seldom: Seldom,
    /// Lines about peers that come and go.
    peers: Burst,
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
            Event::PeerUp { node } => {
                let shown = self.shown(&node).await;
                self.peer(&shown, "is known");
                self.names.insert(node, shown);
            }
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
                self.peer(&shown, "has left");
            }
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
            Event::DuplicateIdentity => {
                if let Some(more) = self.seldom.due("duplicate", Instant::now()) {
                    warn!(
                        "another node announces itself under this node's key: was {} copied to another machine?{}",
                        self.agent.settings().key_file.display(),
                        again(more)
                    );
                }
            }
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
