//! Configured upstreams: which node answers at an address, and when it is dialled again (R13, R17,
//! R37).
//!
//! An address is a rendezvous, not a node: behind a load balancer, or a name, it may lead to another
//! node at each dial, or to this one.

mod crowd;
mod looks;
mod named;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::effect::Event;
use crate::id::NodeId;
use crate::limits::backoff::Backoff;
use crate::limits::bucket::{Bucket, Rate};
use crate::node::cx::Cx;
use crate::time::Instant;

use self::looks::{ALWAYS, Looks};

/// Looks at addresses whose node is linked: in a burst, and the time in which one comes back.
/// [With a thousand upstreams the looks of the first minute would use up all dials for half an hour.]
const LOOKS: Rate = Rate::new(32, Duration::from_secs(2));
/// Where a peer's record lists the address of one that is not among the first (R44).
const SPARED: Duration = Duration::from_secs(600);
/// An address where nobody else was met for so long is silent (R37).
const SILENT: Duration = Duration::from_secs(10);
/// Doublings of the wait after links that ended in an orderly way and had not lasted: 16 s by
/// default.
const MOST_BRIEF: u32 = 5;

pub(crate) struct Upstream {
    address: Multiaddr,
    /// It is dialled whatever records say (R44).
    first: bool,
    /// It is not dialled, since a record lists its address.
    spared: bool,
    /// The last other node that a dial has led to.
    node: Option<NodeId>,
    looks: Looks,
    /// When it last led to another node, or since when it is configured.
    met_at: Instant,
    /// When it was last reported that it leads to this node alone.
    reported_itself: Option<Instant>,
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
    fn new(address: Multiaddr, cx: &mut Cx) -> Self {
        Self {
            address,
            first: true,
            spared: false,
            node: None,
            looks: Looks::new(cx),
            met_at: cx.now,
            reported_itself: None,
            backoff: Backoff::default(),
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

    /// Who has answered there last, beside this node itself.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.node
    }

    /// How many dials in a row have led to this node itself.
    pub(crate) fn times_itself(&self) -> u8 {
        self.looks.times_itself()
    }

    /// Whether it has led to nobody but this node, again and again.
    pub(crate) fn is_only_itself(&self) -> bool {
        self.looks.times_itself() >= ALWAYS
    }

    /// Whether nobody else was met there for a while, given that nobody is linked.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        now.saturating_since(self.met_at) >= SILENT
    }

    pub(crate) fn is_dialing(&self) -> bool {
        self.dialing
    }

    /// Whether it is not dialled because a peer is known there.
    pub(crate) fn is_spared(&self) -> bool {
        self.spared
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

    /// Whether it is to be dialled now, if nobody is linked through it, or looked at, if somebody is.
    fn is_due(&self, now: Instant, linked: bool) -> bool {
        let looks = self.looks.is_due(now);
        match linked {
            true => looks,
            false => self.backoff.is_ready(now) || looks && self.looks.is_urgent(),
        }
    }

    /// Somebody is known there, and it is none of the first.
    fn spare(&mut self, cx: &mut Cx) {
        let wait = cx.jitter(SPARED, 75);
        self.backoff.hold(cx.now, wait);
        self.looks.postpone(cx.now + wait);
        self.spared = true;
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

pub(crate) struct Upstreams {
    all: Vec<Upstream>,
    looks: Bucket,
    /// How often another node was met at one of them, or others were configured.
    changes: u64,
}

impl Upstreams {
    /// As configured; each is dialled at once, or of many the first (R44).
    /// `own`: where this node is found.
    pub(crate) fn new(own: &[Multiaddr], cx: &mut Cx) -> Self {
        let mut new = Self {
            all: Vec::new(),
            looks: Bucket::default(),
            changes: 0,
        };
        let addresses = cx.config.upstreams.clone();
        new.add(addresses, own, cx);
        new
    }

    /// Another configuration: what stays keeps its state, what is new is dialled at once, or of many
    /// the first.
    pub(crate) fn replace(&mut self, addresses: Vec<Multiaddr>, own: &[Multiaddr], cx: &mut Cx) {
        let wanted: BTreeSet<&Multiaddr> = addresses.iter().collect();
        self.all.retain(|u| wanted.contains(&u.address));
        self.changes += 1;
        self.add(addresses, own, cx);
    }

    /// Adds what is new, each once, to be dialled when the wait is over.
    fn add(&mut self, addresses: Vec<Multiaddr>, own: &[Multiaddr], cx: &mut Cx) {
        let known = self.all.len();
        let mut seen: BTreeSet<Multiaddr> = self.all.iter().map(|u| u.address.clone()).collect();
        for address in addresses {
            if seen.insert(address.clone()) {
                self.all.push(Upstream::new(address, cx));
            }
        }
        let all: Vec<&Multiaddr> = self.all.iter().map(|u| &u.address).collect();
        let first = crowd::first(&all, own, &cx.id);
        for (n, (upstream, first)) in self.all.iter_mut().zip(first).enumerate() {
            upstream.first = first;
            if n >= known {
                let wait = crowd::wait(first, cx);
                upstream.backoff.hold(cx.now, wait);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Upstream> {
        self.all.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether this node has been found at one of the addresses.
    pub(crate) fn contains(&self, node: &NodeId) -> bool {
        self.all.iter().any(|u| u.is(node))
    }

    /// The node IDs of the upstreams, each once: two addresses of one node are one (R13).
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.all.iter().filter_map(|u| u.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn of(&mut self, node: NodeId) -> impl Iterator<Item = &mut Upstream> {
        self.all.iter_mut().filter(move |u| u.is(&node))
    }

    fn at(&mut self, address: &Multiaddr) -> Option<&mut Upstream> {
        self.all.iter_mut().find(|u| u.address == *address)
    }

    /// How many are left alone at the moment.
    pub(crate) fn backing_off(&self, now: Instant) -> usize {
        let waits = |u: &&Upstream| !u.backoff.is_ready(now);
        self.all.iter().filter(waits).count()
    }
}

/// Exchanges with them.
impl Upstreams {
    /// Upstreams with which no exchange has completed.
    pub(crate) fn unsynced(&self) -> impl Iterator<Item = &NodeId> {
        let unsynced = self.all.iter().filter(|u| !u.synced);
        unsynced.filter_map(|u| u.node.as_ref())
    }

    /// Whether an exchange with this node, if it is an upstream, has completed.
    pub(crate) fn is_synced(&self, node: &NodeId) -> bool {
        self.all.iter().all(|u| !u.is(node) || u.synced)
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
    /// The addresses to be dialled now: nobody is linked through them, or it is time to look where
    /// they lead. `listed`: whether the record of a live node lists the address.
    pub(crate) fn take_due(
        &mut self,
        cx: &mut Cx,
        linked: impl Fn(&NodeId) -> bool,
        listed: impl Fn(&Multiaddr) -> bool,
    ) -> Vec<Multiaddr> {
        let mut due = Vec::new();
        for upstream in self.all.iter_mut().filter(|u| !u.dialing) {
            let is_linked = upstream.is_linked(&linked);
            if !upstream.is_due(cx.now, is_linked) {
                continue;
            }
            let urgent = upstream.looks.is_urgent();
            if !upstream.first && !urgent && listed(&upstream.address) {
                upstream.spare(cx);
                continue;
            }
            let room = match is_linked {
                true => self.looks.take(LOOKS, cx.now, 1),
                false => Ok(()),
            };
            match room {
                Ok(()) => due.push(upstream.address.clone()),
                Err(wait) => upstream.looks.postpone(cx.now + wait),
            }
        }
        due
    }

    /// When the next one is to be dialled.
    pub(crate) fn next_due(&self, linked: impl Fn(&NodeId) -> bool) -> Option<Instant> {
        let idle = self.all.iter().filter(|u| !u.dialing);
        let due = idle.map(|u| match u.is_linked(&linked) {
            true => u.looks.next(),
            false if u.looks.is_urgent() => u.looks.next().min(u.backoff.retry_at()),
            false => u.backoff.retry_at(),
        });
        due.min()
    }

    /// This node hears nobody (R34): every address is dialled at once, whatever it has led to.
    pub(crate) fn look_at_once(&mut self, now: Instant) {
        for upstream in &mut self.all {
            upstream.looks.at_once(now);
        }
    }

    pub(crate) fn dial_begun(&mut self, address: &Multiaddr, cx: &mut Cx) {
        if let Some(upstream) = self.at(address) {
            upstream.dialing = true;
            upstream.spared = false;
            upstream.looks.dialled(cx);
        }
    }

    /// There was no room for its dial: it waits for so long.
    pub(crate) fn dial_postponed(&mut self, address: &Multiaddr, now: Instant, wait: Duration) {
        if let Some(upstream) = self.at(address) {
            upstream.backoff.hold(now, wait);
            upstream.looks.postpone(now + wait);
        }
    }

    /// A dial has led to this other node. Whether that is known: it was reported as up there.
    pub(crate) fn dial_succeeded(
        &mut self,
        address: &Multiaddr,
        node: NodeId,
        cx: &mut Cx,
    ) -> bool {
        let Some(upstream) = self.at(address) else {
            return false;
        };
        upstream.dialing = false;
        upstream.looks.met_another();
        upstream.met_at = cx.now;
        if !upstream.reported_up {
            upstream.looks.start_anew(cx);
        }
        let changed = upstream.node != Some(node);
        if changed {
            upstream.synced = false;
            upstream.reported_up = false;
        }
        upstream.node = Some(node);
        let is_up = upstream.reported_up;
        self.changes += u64::from(changed);
        is_up
    }

    /// A dial has led to this node itself. The path of a cycle of one is reported where that is
    /// certain: at one of the `own` addresses, or once it was so again and again.
    pub(crate) fn met_itself(&mut self, address: &Multiaddr, own: bool, cx: &mut Cx) -> bool {
        let elsewhere = self.all.iter().any(|u| u.node.is_some());
        let Some(upstream) = self.at(address) else {
            return false;
        };
        upstream.dialing = false;
        let wait = upstream.looks.met_itself(cx);
        upstream.backoff.hold(cx.now, wait);
        let interval = cx.config.report_interval;
        let recently = |at: Instant| cx.now.saturating_since(at) < interval;
        let only = upstream.is_only_itself() && !elsewhere;
        if only && !upstream.reported_itself.is_some_and(recently) {
            upstream.reported_itself = Some(cx.now);
            cx.event(Event::UpstreamIsItself {
                address: address.clone(),
            });
        }
        own || only
    }

    /// A dial has led to another node with this node's key: it is not dialled for that (R36).
    pub(crate) fn leave_alone(&mut self, address: &Multiaddr, cx: &Cx) {
        if let Some(upstream) = self.at(address) {
            upstream.dialing = false;
            upstream.looks.met_another();
            upstream.backoff.hold(cx.now, cx.config.backoff_cap);
        }
    }

    /// A dial has failed. Another link through this address may be there all the same.
    pub(crate) fn dial_failed(&mut self, address: &Multiaddr, linked: bool, cx: &mut Cx) {
        if let Some(upstream) = self.at(address) {
            upstream.dialing = false;
            if !linked {
                upstream.failed(cx);
            }
        }
    }

    /// This node is linked. Whoever has dialled: an upstream that restarts may be the first to
    /// connect. Whether that is news.
    pub(crate) fn report_up(&mut self, node: NodeId, cx: &mut Cx) -> bool {
        let mut news = false;
        for upstream in self.of(node).filter(|u| !u.reported_up) {
            news = true;
            upstream.reported_up = true;
            let address = upstream.address.clone();
            cx.event(Event::UpstreamUp { address, node });
        }
        news
    }

    /// The last link to this node is gone.
    pub(crate) fn link_gone(&mut self, node: NodeId, lasted: bool, failed: bool, cx: &mut Cx) {
        for upstream in self.of(node) {
            upstream.met_at = cx.now;
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
}

#[cfg(test)]
mod tests;
