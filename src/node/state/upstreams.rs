//! Configured upstreams: which node answers at an address, and when it is dialled again (R13, R17).

use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::effect::Event;
use crate::id::NodeId;
use crate::limits::backoff::Backoff;
use crate::node::cx::Cx;
use crate::time::Instant;

/// Before an upstream that turned out to be this node is tried again.
const SELF_CONNECTION: Duration = Duration::from_secs(300);
/// Doublings of the wait after links that ended in an orderly way and had not lasted: 16 s by
/// default.
const MOST_BRIEF: u32 = 5;

pub(crate) struct Upstream {
    address: Multiaddr,
    /// Learned on connecting.
    node: Option<NodeId>,
    backoff: Backoff,
    dialing: bool,
    /// An exchange with it has completed since it came up.
    synced: bool,
    /// Reported as up, and not as down since.
    reported_up: bool,
    /// Orderly ends in a row of links that had not lasted.
    brief: u32,
    last_news: Option<Instant>,
}

impl Upstream {
    fn new(address: Multiaddr, first: Duration, now: Instant) -> Self {
        let mut backoff = Backoff::default();
        backoff.hold(now, first);
        Self {
            address,
            node: None,
            backoff,
            dialing: false,
            synced: false,
            reported_up: false,
            brief: 0,
            last_news: None,
        }
    }

    /// As configured.
    pub(crate) fn address(&self) -> &Multiaddr {
        &self.address
    }

    /// Who has answered there.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.node
    }

    pub(crate) fn is_dialing(&self) -> bool {
        self.dialing
    }

    pub(crate) fn failures(&self) -> u8 {
        self.backoff.failures()
    }

    pub(crate) fn retry_at(&self) -> Instant {
        self.backoff.retry_at()
    }

    pub(crate) fn last_news(&self) -> Option<Instant> {
        self.last_news
    }

    fn is(&self, node: &NodeId) -> bool {
        self.node == Some(*node)
    }

    fn is_linked(&self, linked: impl Fn(&NodeId) -> bool) -> bool {
        self.node.is_some_and(|node| linked(&node))
    }

    fn failed(&mut self, cx: &mut Cx) {
        cx.fail(&mut self.backoff);
        self.synced = false;
        self.down(cx);
    }

    /// An orderly close is no failure; yet nobody is dialled in a tight loop, such as by two nodes
    /// of one key that replace each other.
    fn closed(&mut self, cx: &mut Cx) {
        let base = cx.config.backoff_base;
        let wait = base.saturating_mul(1 << self.brief.min(MOST_BRIEF));
        self.brief = self.brief.saturating_add(1);
        let wait = cx.jitter(wait, 50);
        self.backoff.hold(cx.now, wait);
        self.down(cx);
    }

    fn down(&mut self, cx: &mut Cx) {
        self.reported_up = false;
        cx.event(Event::UpstreamDown {
            address: self.address.clone(),
            retry_in: self.retry_at().saturating_since(cx.now),
        });
    }

    fn lasted(&mut self) {
        self.backoff.reset();
        self.brief = 0;
    }
}

pub(crate) struct Upstreams(Vec<Upstream>);

impl Upstreams {
    /// As configured; each is dialled within the jitter of the start (R19).
    pub(crate) fn new(cx: &mut Cx) -> Self {
        let mut distinct: Vec<Upstream> = Vec::new();
        for address in cx.config.upstreams.clone() {
            if !distinct.iter().any(|u| u.address == address) {
                let first = cx.jitter(cx.config.start_jitter, 0);
                distinct.push(Upstream::new(address, first, cx.now));
            }
        }
        Self(distinct)
    }

    /// Another configuration: what stays keeps its state.
    pub(crate) fn replace(&mut self, addresses: Vec<Multiaddr>, now: Instant) {
        self.0.retain(|u| addresses.contains(&u.address));
        for address in addresses {
            if !self.0.iter().any(|u| u.address == address) {
                self.0.push(Upstream::new(address, Duration::ZERO, now));
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Upstream> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this node has been found at one of the addresses.
    pub(crate) fn contains(&self, node: &NodeId) -> bool {
        self.0.iter().any(|u| u.is(node))
    }

    /// The node IDs of the upstreams, each once: two addresses of one node are one (R13).
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.0.iter().filter_map(|u| u.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn of(&mut self, node: NodeId) -> impl Iterator<Item = &mut Upstream> {
        self.0.iter_mut().filter(move |u| u.is(&node))
    }

    fn at(&mut self, address: &Multiaddr) -> Option<&mut Upstream> {
        self.0.iter_mut().find(|u| u.address == *address)
    }

    /// How many are left alone at the moment.
    pub(crate) fn backing_off(&self, now: Instant) -> usize {
        let waits = |u: &&Upstream| !u.backoff.is_ready(now);
        self.0.iter().filter(waits).count()
    }
}

/// Exchanges with them.
impl Upstreams {
    /// Upstreams with which no exchange has completed.
    pub(crate) fn unsynced(&self) -> impl Iterator<Item = &NodeId> {
        let unsynced = self.0.iter().filter(|u| !u.synced);
        unsynced.filter_map(|u| u.node.as_ref())
    }

    /// Whether an exchange with this node, if it is an upstream, has completed.
    pub(crate) fn is_synced(&self, node: &NodeId) -> bool {
        self.0.iter().all(|u| !u.is(node) || u.synced)
    }

    /// An exchange with this node has completed, and has brought news or not.
    pub(crate) fn set_synced(&mut self, node: NodeId, news: bool, now: Instant) {
        for upstream in self.of(node) {
            upstream.synced = true;
            if news {
                upstream.last_news = Some(now);
            }
        }
    }
}

/// Dials and links.
impl Upstreams {
    /// The addresses to be dialled now.
    pub(crate) fn due(&self, now: Instant, linked: impl Fn(&NodeId) -> bool) -> Vec<Multiaddr> {
        let due = |u: &&Upstream| !u.dialing && u.backoff.is_ready(now) && !u.is_linked(&linked);
        self.0
            .iter()
            .filter(due)
            .map(|u| u.address.clone())
            .collect()
    }

    /// When the next one is to be dialled.
    pub(crate) fn next_due(&self, linked: impl Fn(&NodeId) -> bool) -> Option<Instant> {
        let down = self
            .0
            .iter()
            .filter(|u| !u.dialing && !u.is_linked(&linked));
        down.map(|u| u.backoff.retry_at()).min()
    }

    pub(crate) fn dial_begun(&mut self, address: &Multiaddr) {
        if let Some(upstream) = self.at(address) {
            upstream.dialing = true;
        }
    }

    /// There was no room for its dial: it waits for so long.
    pub(crate) fn dial_postponed(&mut self, address: &Multiaddr, now: Instant, wait: Duration) {
        if let Some(upstream) = self.at(address) {
            upstream.backoff.hold(now, wait);
        }
    }

    /// A dial has led to this node.
    pub(crate) fn dial_succeeded(&mut self, address: &Multiaddr, node: NodeId) {
        if let Some(upstream) = self.at(address) {
            upstream.dialing = false;
            if upstream.node != Some(node) {
                upstream.synced = false;
                upstream.reported_up = false;
            }
            upstream.node = Some(node);
        }
    }

    pub(crate) fn dial_failed(&mut self, address: &Multiaddr, cx: &mut Cx) {
        if let Some(upstream) = self.at(address) {
            upstream.dialing = false;
            upstream.failed(cx);
        }
    }

    /// This node is linked. Whoever has dialled: an upstream that restarts may be the first to
    /// connect.
    pub(crate) fn report_up(&mut self, node: NodeId, cx: &mut Cx) {
        for upstream in self.of(node).filter(|u| !u.reported_up) {
            upstream.reported_up = true;
            let address = upstream.address.clone();
            cx.event(Event::UpstreamUp { address, node });
        }
    }

    /// The last link to this node is gone.
    pub(crate) fn link_gone(&mut self, node: NodeId, lasted: bool, failed: bool, cx: &mut Cx) {
        for upstream in self.of(node) {
            if lasted {
                upstream.lasted();
            }
            if failed {
                upstream.failed(cx);
            } else {
                upstream.closed(cx);
            }
        }
    }

    /// A link to this node has lasted.
    pub(crate) fn lasted(&mut self, node: NodeId) {
        self.of(node).for_each(Upstream::lasted);
    }

    /// This node is left alone until then.
    pub(crate) fn hold(&mut self, node: NodeId, until: Instant) {
        for upstream in self.of(node) {
            upstream.backoff.hold(until, Duration::ZERO);
        }
    }

    /// A dial has led back to this node, `own`. Whether an upstream is meant by it.
    pub(crate) fn met_oneself(&mut self, own: NodeId, now: Instant) -> bool {
        let mut any = false;
        for upstream in self.of(own) {
            upstream.synced = true;
            upstream.backoff.hold(now, SELF_CONNECTION);
            any = true;
        }
        any
    }
}

#[cfg(test)]
mod tests;
