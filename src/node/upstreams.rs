//! Upstreams: which node answers at a configured address, and what becomes of its links (R13, R17).

use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::effect::{CloseReason, Effect, Event};
use crate::error::UsageError;
use crate::id::{LinkId, NodeId};
use crate::limits::backoff::Backoff;
use crate::limits::caps;
use crate::node::Node;
use crate::node::dial::Dialer;
use crate::time::Instant;

/// Before an upstream that turned out to be this node is tried again.
const SELF_CONNECTION: Duration = Duration::from_secs(300);
/// Doublings of the wait after links that ended in an orderly way and had not held: 16 s by default.
const MOST_BRIEF: u32 = 5;

pub(super) struct Upstream {
    pub(super) address: Multiaddr,
    /// Learned on connecting.
    pub(super) node: Option<NodeId>,
    pub(super) backoff: Backoff,
    pub(super) dialing: bool,
    /// An exchange with it has completed since it came up.
    pub(super) completed: bool,
    /// Reported as up, and not as down since.
    pub(super) told_up: bool,
    /// Orderly ends in a row of links that had not held.
    brief: u32,
    pub(super) last_news: Option<Instant>,
}

impl Upstream {
    pub(super) fn new(address: Multiaddr, first: Duration, now: Instant) -> Self {
        let mut backoff = Backoff::default();
        backoff.hold(now, first);
        Self {
            address,
            node: None,
            backoff,
            dialing: false,
            completed: false,
            told_up: false,
            brief: 0,
            last_news: None,
        }
    }
}

impl Dialer {
    pub(super) fn is_upstream(&self, node: &NodeId) -> bool {
        self.upstreams.iter().any(|u| u.node == Some(*node))
    }

    /// Upstreams with which no exchange has completed.
    pub(super) fn incomplete(&self) -> impl Iterator<Item = &NodeId> {
        self.upstreams
            .iter()
            .filter(|u| !u.completed)
            .filter_map(|u| u.node.as_ref())
    }

    /// The node IDs of the upstreams, each once: two addresses of one node are one (R13).
    pub(super) fn upstream_nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.upstreams.iter().filter_map(|u| u.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    pub(super) fn completed(&mut self, node: &NodeId, news: bool, now: Instant) {
        for upstream in self.upstreams.iter_mut().filter(|u| u.node == Some(*node)) {
            upstream.completed = true;
            if news {
                upstream.last_news = Some(now);
            }
        }
    }

    /// Whether an exchange with this node, if it is an upstream, has completed.
    pub(super) fn has_completed(&self, node: &NodeId) -> bool {
        self.upstreams
            .iter()
            .all(|u| u.node != Some(*node) || u.completed)
    }

    pub(super) fn held(&mut self, node: &NodeId) {
        for upstream in self.upstreams.iter_mut().filter(|u| u.node == Some(*node)) {
            upstream.backoff.reset();
            upstream.brief = 0;
        }
    }

    pub(super) fn hold_upstream(&mut self, node: &NodeId, until: Instant) {
        for upstream in self.upstreams.iter_mut().filter(|u| u.node == Some(*node)) {
            upstream.backoff.hold(until, Duration::ZERO);
        }
    }
}

impl Node {
    /// Over a link that it still has.
    pub(super) fn has_exchanged(&self, node: &NodeId) -> bool {
        let link = self.links.of(node).and_then(|l| self.links.get(l));
        link.is_some_and(|l| l.epoch.is_some() && self.partners.cursor(node, l.epoch).is_some())
    }

    /// Whoever has dialled: an upstream that restarts may be the first to connect.
    pub(super) fn tell_upstream_up(&mut self, node: NodeId) {
        for i in 0..self.dialer.upstreams.len() {
            let upstream = &mut self.dialer.upstreams[i];
            if upstream.node == Some(node) && !upstream.told_up {
                upstream.told_up = true;
                let address = upstream.address.clone();
                self.event(Event::UpstreamUp { address, node });
            }
        }
    }

    pub(super) fn on_self_connection(&mut self, link: LinkId) {
        self.cx.effects.push_back(Effect::Close {
            link,
            reason: CloseReason::SelfConnection,
        });
        let mut own = false;
        for upstream in self
            .dialer
            .upstreams
            .iter_mut()
            .filter(|u| u.node == Some(self.cx.id))
        {
            upstream.completed = true;
            upstream.backoff.hold(self.cx.now, SELF_CONNECTION);
            own = true;
        }
        if own {
            self.report_loop(alloc::vec![self.cx.id]);
        }
        self.schedule_redial();
    }

    pub(super) fn upstream_index(&self, address: &Multiaddr) -> Option<usize> {
        self.dialer
            .upstreams
            .iter()
            .position(|u| u.address == *address)
    }

    pub(super) fn upstream_failed(&mut self, i: usize) {
        let (now, base, cap) = (
            self.cx.now,
            self.cx.config.backoff_base,
            self.cx.config.backoff_cap,
        );
        self.cx.stats.backoffs += 1;
        let upstream = &mut self.dialer.upstreams[i];
        upstream.backoff.fail(now, base, cap, &mut self.cx.choices);
        upstream.completed = false;
        upstream.told_up = false;
        let retry_in = upstream.backoff.retry_at().saturating_since(now);
        let address = upstream.address.clone();
        self.event(Event::UpstreamDown { address, retry_in });
    }

    /// The last link to this node is gone.
    pub(super) fn upstream_link_gone(&mut self, node: NodeId, held: bool, failed: bool) {
        for i in 0..self.dialer.upstreams.len() {
            if self.dialer.upstreams[i].node != Some(node) {
                continue;
            }
            if held {
                self.dialer.upstreams[i].backoff.reset();
                self.dialer.upstreams[i].brief = 0;
            }
            if failed {
                self.upstream_failed(i);
            } else {
                // An orderly close is no failure; yet nobody is dialled in a tight loop, such as by
                // two nodes of one key that replace each other.
                let base = self.cx.config.backoff_base;
                let upstream = &mut self.dialer.upstreams[i];
                let wait = base.saturating_mul(1 << upstream.brief.min(MOST_BRIEF));
                upstream.brief = upstream.brief.saturating_add(1);
                let wait = self.cx.choices.jitter(wait, 50);
                let upstream = &mut self.dialer.upstreams[i];
                upstream.told_up = false;
                upstream.backoff.hold(self.cx.now, wait);
                let retry_in = upstream.backoff.retry_at().saturating_since(self.cx.now);
                let address = upstream.address.clone();
                self.event(Event::UpstreamDown { address, retry_in });
            }
        }
        self.schedule_redial();
    }

    pub(super) fn set_upstreams(&mut self, addresses: Vec<Multiaddr>) -> Result<(), UsageError> {
        if addresses.len() > caps::UPSTREAMS {
            return Err(UsageError::TooManyUpstreams);
        }
        let old = core::mem::take(&mut self.dialer.upstreams);
        let mut kept: Vec<_> = old
            .into_iter()
            .filter(|u| addresses.contains(&u.address))
            .collect();
        for address in addresses {
            if !kept.iter().any(|u| u.address == address) {
                kept.push(Upstream::new(address, Duration::ZERO, self.cx.now));
            }
        }
        self.dialer.upstreams = kept;
        self.schedule_redial();
        Ok(())
    }
}
