//! Cycles of configured upstreams: found by traces, told to all on them (R12, R13).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::Event;
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::node::link::Link;
use crate::node::links::Class;
use crate::node::{Node, Timer};
use crate::time::Instant;
use crate::wire::{LoopFound, Message, Trace};

/// A trace of its own that a node starts because a higher one has arrived: not within a second of
/// its last, and seldom. A cycle that closes late is found at once, though the node has sent its
/// trace of this interval already.
const PROVOKED: Rate = Rate::new(4, Duration::from_secs(150));
const PROVOKED_GAP: Duration = Duration::from_secs(1);
/// A trace waits for the end of the news, at most so long.
const RUSH: Duration = Duration::from_secs(1);
/// With so few records there is no rush that a trace could be in the way of.
const SMALL: usize = 16;
/// Traces of others that a node forwards beyond each downstream's share: what bounds the cost where
/// many rings share nodes, at the price of finding some of them later.
const FORWARDED: Rate = Rate::new(26, Duration::from_secs(60));
/// For so long a link may be about to go, and what was sent on it with it.
const RETOLD: Duration = Duration::from_secs(5);

/// A cycle as it is remembered.
pub(super) struct Cycle {
    /// The smallest node ID first.
    pub(super) path: Vec<NodeId>,
    pub(super) first_seen: Instant,
    pub(super) last_seen: Instant,
    pub(super) times: u64,
    reported_at: Instant,
}

#[derive(Default)]
pub(super) struct Loops {
    seen: BTreeMap<(NodeId, u64), Instant>,
    /// The last trace of each lower origin, for upstreams that are not up yet.
    held: Vec<Trace>,
    last_own: Option<Instant>,
    /// The trace for upstreams that have just come up.
    fresh: Option<(u64, Instant)>,
    /// To be forwarded when the rush of news is over.
    waiting: Vec<Trace>,
    periodic_at: Instant,
    /// When somebody last asked this node as its upstream: a trace of its own came.
    asked_at: Option<Instant>,
    forwarded: Bucket,
    provoked: Bucket,
    pub(super) cycles: Vec<Cycle>,
    /// Reports whose next node could not be told: its link is just being replaced.
    untold: Vec<(NodeId, LoopFound)>,
    /// The reports that were told last: a link that is replaced may have lost them.
    told: VecDeque<Told>,
}

struct Told {
    link: LinkId,
    at: Instant,
    next: NodeId,
    found: LoopFound,
}

impl Loops {
    pub(super) fn expire(&mut self, now: Instant, interval: Duration) {
        let kept = |at: Instant| now.saturating_since(at) < interval;
        self.seen.retain(|_, at| kept(*at));
        // Held traces go with the memory of them.
        let seen = &self.seen;
        self.held.retain(|t| {
            t.path
                .first()
                .is_some_and(|o| seen.contains_key(&(*o, t.id)))
        });
    }

    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (
            self.seen.len(),
            self.held
                .len()
                .max(self.waiting.len())
                .max(self.untold.len())
                .max(self.told.len()),
            self.cycles.len(),
        )
    }

    fn hold(&mut self, trace: Trace) {
        self.held.retain(|t| t.path.first() != trace.path.first());
        if self.held.len() >= caps::HELD_TRACES {
            self.held.remove(0);
        }
        self.held.push(trace);
    }
}

impl Node {
    pub(super) fn schedule_trace(&mut self) {
        let wait = self.cx.choices.jitter(self.cx.config.trace_interval, 80);
        self.loops.periodic_at = self.cx.now + wait;
        self.cx.timers.set(Timer::Trace, self.loops.periodic_at);
    }

    pub(super) fn on_trace_timer(&mut self) {
        self.send_waiting_traces();
        if self.loops.periodic_at > self.cx.now {
            self.cx.timers.set(Timer::Trace, self.loops.periodic_at);
            return;
        }
        // What is still there is found anew.
        self.loops.untold.clear();
        // Whom nobody asks is on no cycle: its trace would only be carried along. Those who ask
        // have said so with a trace of their own in the last two intervals.
        let asked = self
            .loops
            .asked_at
            .is_some_and(|at| self.cx.now.saturating_since(at) < self.cx.config.trace_interval * 2);
        if asked {
            self.start_trace(false);
        }
        self.schedule_trace();
    }

    fn start_trace(&mut self, fresh: bool) {
        let links = self.upstream_links();
        self.loops.last_own = Some(self.cx.now);
        let trace = Trace {
            id: self.cx.request_ids.next_u64(),
            path: vec![self.cx.id],
            fresh,
        };
        for link in links {
            self.send_trace(link, trace.clone());
        }
    }

    fn upstream_links(&self) -> Vec<LinkId> {
        let nodes = self.dialer.upstream_nodes();
        nodes
            .iter()
            .filter_map(|node| self.links.of(node))
            .collect()
    }

    /// An upstream is there: it gets a trace, and those that passed before it was. Upstreams that
    /// come up together get one, not a flood each.
    pub(super) fn upstream_came_up(&mut self, link: LinkId) {
        self.tell_untold();
        let recent = |(_, at): &(u64, Instant)| self.cx.now.saturating_since(*at) < PROVOKED_GAP;
        let same = self.loops.fresh.filter(recent);
        let (id, at) = same.unwrap_or_else(|| (self.cx.request_ids.next_u64(), self.cx.now));
        self.loops.fresh = Some((id, at));
        self.loops.last_own = Some(self.cx.now);
        let own = Trace {
            id,
            path: vec![self.cx.id],
            fresh: true,
        };
        let held: Vec<_> = self.loops.held.iter().map(|t| self.extended(t)).collect();
        for trace in core::iter::once(own).chain(held) {
            self.send_trace(link, trace);
        }
    }

    /// Many records are new just now: news first, traces of others afterwards. One round without
    /// news is no end: it may have met a partner who knew no more.
    pub(super) fn is_rushing(&self) -> bool {
        self.table.len() > SMALL && self.ask.interval() <= self.cx.config.round * 2
    }

    /// Forwards what has waited for the end of the rush.
    pub(super) fn send_waiting_traces(&mut self) {
        for trace in core::mem::take(&mut self.loops.waiting) {
            self.forward_trace(&trace);
        }
    }

    fn forward_trace(&mut self, trace: &Trace) {
        let extended = self.extended(trace);
        for link in self.upstream_links() {
            self.send_trace(link, extended.clone());
        }
    }

    /// At once, or when the link has room: at a start it is full of news.
    fn send_trace(&mut self, id: LinkId, trace: Trace) {
        if let Some(link) = self.links.get_mut(id) {
            if link.add_trace(trace) {
                self.send_traces_of(id);
            } else {
                self.cx.stats.traces_dropped += 1;
            }
        }
    }

    /// The traces that have waited for room on this link.
    pub(super) fn send_traces_of(&mut self, id: LinkId) {
        while let Some(trace) = self.links.get_mut(id).and_then(Link::next_trace) {
            self.send(id, Message::Trace(trace), Class::Push);
        }
    }

    fn extended(&self, trace: &Trace) -> Trace {
        let mut path = trace.path.clone();
        path.push(self.cx.id);
        Trace {
            id: trace.id,
            path,
            fresh: trace.fresh,
        }
    }

    pub(super) fn on_trace(&mut self, id: LinkId, trace: Trace) {
        if !self.admit_trace(id) {
            return;
        }
        let teller = self.links.get(id).map(|l| l.node);
        if trace.path.last() != teller.as_ref() {
            self.blame(id, PeerFault::PathNotItsOwn);
            return;
        }
        let Some(origin) = trace.path.first().copied() else {
            return;
        };
        if origin == self.cx.id {
            self.found_loop(trace.path);
            return;
        }
        if trace.path.len() == 1 {
            self.loops.asked_at = Some(self.cx.now);
        }
        if trace.path.contains(&self.cx.id) {
            // A ring beside the origin: its own smallest ID finds it.
            return;
        }
        if origin > self.cx.id {
            if trace.fresh {
                self.provoke_trace();
            }
            return;
        }
        let key = (origin, trace.id);
        let room = self.loops.seen.len() < caps::SEEN_TRACES;
        if !room || trace.path.len() >= caps::HOPS || self.loops.seen.contains_key(&key) {
            return;
        }
        if !self.may_forward(&trace) {
            self.cx.stats.traces_dropped += 1;
            return;
        }
        self.loops.seen.insert(key, self.cx.now);
        if self.is_rushing() && self.loops.waiting.len() < caps::HELD_TRACES {
            self.loops.waiting.push(trace.clone());
            self.cx.timers.at_latest(Timer::Trace, self.cx.now + RUSH);
        } else {
            self.forward_trace(&trace);
        }
        self.loops.hold(trace);
    }

    /// Out of the share of whoever has sent it, or out of what is there for all.
    fn may_forward(&mut self, trace: &Trace) -> bool {
        let now = self.cx.now;
        let shared = |teller: &NodeId| self.conducts.take_share(now, *teller);
        trace.path.last().is_some_and(shared)
            || self.loops.forwarded.take(FORWARDED, now, 1).is_ok()
    }

    fn admit_trace(&mut self, id: LinkId) -> bool {
        let Some(node) = self.links.get(id).map(|l| l.node) else {
            return false;
        };
        // No blame: below a hub, many honest traces meet on one link.
        let ok = self.conducts.admit_trace(self.cx.now, node);
        self.cx.stats.traces_dropped += u64::from(!ok);
        ok
    }

    fn provoke_trace(&mut self) {
        let recent = |at: Instant| self.cx.now.saturating_since(at) < PROVOKED_GAP;
        if self.loops.last_own.is_some_and(recent) {
            return;
        }
        if self.loops.provoked.take(PROVOKED, self.cx.now, 1).is_ok() {
            self.start_trace(true);
        }
    }

    /// `cycle` begins with this node. Its next must be one of this node's upstreams: the first
    /// hop of a request may have gone to any partner.
    pub(super) fn found_loop(&mut self, cycle: Vec<NodeId>) {
        let Some(next) = cycle.get(1).or(cycle.first()).copied() else {
            return;
        };
        if !self.dialer.is_upstream(&next) {
            return;
        }
        let hops = (cycle.len() - 1) as u8;
        self.report_loop(cycle.clone());
        if hops > 0 {
            self.tell_next(next, LoopFound { path: cycle, hops });
        }
    }

    /// Passes a report on. One that is lost is a cycle of which some hear an interval later; so it
    /// goes with the answers, and waits for a link that is just not there.
    fn tell_next(&mut self, next: NodeId, found: LoopFound) {
        self.tell_since(self.cx.now, next, found);
    }

    fn tell_since(&mut self, at: Instant, next: NodeId, found: LoopFound) {
        let message = || Message::LoopFound(found.clone());
        let linked = self.links.of(&next);
        let link = linked.filter(|link| self.send(*link, message(), Class::Answer));
        if let Some(link) = link {
            if self.loops.told.len() >= caps::HELD_TRACES {
                self.loops.told.pop_front();
            }
            self.loops.told.push_back(Told {
                link,
                at,
                next,
                found,
            });
        } else if self.loops.untold.len() < caps::HELD_TRACES {
            self.loops.untold.push((next, found));
        }
    }

    fn tell_untold(&mut self) {
        for (next, found) in core::mem::take(&mut self.loops.untold) {
            self.tell_next(next, found);
        }
        for told in core::mem::take(&mut self.loops.told) {
            if self.cx.now.saturating_since(told.at) >= RETOLD {
                continue;
            }
            if self.links.get(told.link).is_some() {
                self.loops.told.push_back(told);
            } else {
                self.tell_since(told.at, told.next, told.found);
            }
        }
    }

    pub(super) fn on_loop_found(&mut self, id: LinkId, found: LoopFound) {
        if !self.admit_trace(id) {
            return;
        }
        let path = &found.path;
        let Some(at) = path.iter().position(|n| *n == self.cx.id) else {
            self.blame(id, PeerFault::NotMyLoop);
            return;
        };
        // No blame: the teller cannot know which upstreams there are here.
        let next = path[(at + 1) % path.len()];
        if !self.dialer.is_upstream(&next) {
            return;
        }
        let hops = found.hops.min(path.len() as u8);
        self.report_loop(found.path.clone());
        if hops > 1 {
            let on = LoopFound {
                path: found.path,
                hops: hops - 1,
            };
            self.tell_next(next, on);
        }
    }

    /// Counts a cycle, and reports it once in an interval, in its canonical rotation.
    pub(super) fn report_loop(&mut self, mut path: Vec<NodeId>) {
        self.cx.stats.loops += 1;
        let first = path
            .iter()
            .enumerate()
            .min_by_key(|(_, n)| **n)
            .map_or(0, |(i, _)| i);
        path.rotate_left(first);
        let now = self.cx.now;
        let due = match self.loops.cycles.iter_mut().find(|c| c.path == path) {
            Some(cycle) => {
                cycle.last_seen = now;
                cycle.times += 1;
                let due = now.saturating_since(cycle.reported_at) >= self.cx.config.report_interval;
                if due {
                    cycle.reported_at = now;
                }
                due
            }
            None => {
                self.remember_cycle(path.clone());
                true
            }
        };
        if due {
            self.event(Event::LoopDetected { path });
        }
    }

    fn remember_cycle(&mut self, path: Vec<NodeId>) {
        if self.loops.cycles.len() >= caps::LOOPS {
            let oldest = self
                .loops
                .cycles
                .iter()
                .enumerate()
                .min_by_key(|(_, c)| c.last_seen);
            if let Some((i, _)) = oldest {
                self.loops.cycles.swap_remove(i);
            }
        }
        let now = self.cx.now;
        let cycle = Cycle {
            path,
            first_seen: now,
            last_seen: now,
            times: 1,
            reported_at: now,
        };
        self.loops.cycles.push(cycle);
    }
}
