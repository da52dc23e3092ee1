//! Cycles of configured upstreams, out of the table (R13, R47).

use alloc::vec::Vec;

use crate::effect::Event;
use crate::id::NodeId;
use crate::node::base::Base;
use crate::node::timers::Timer;

/// Records of a table that is looked at whenever one of them says something new of upstreams.
const SMALL: usize = 64;

impl Base {
    /// What is said of upstreams is looked at when it is calm; in a small table, where it takes
    /// microseconds, at once (N5: three servers know their cycle within ten hops).
    pub(crate) fn notice_edges(&mut self) {
        // Where a table is full of linked nodes it does not change any more.
        let crowded = u64::from(self.table.is_crowded());
        let edges = self.table.edges() + self.upstreams.changes() + crowded;
        let Some(at) = self.cycles.notice(edges, self.cx.now) else {
            return;
        };
        if self.table.len() <= SMALL {
            self.look_for_cycles();
        } else {
            self.cx.timers.set(Timer::Cycles, at);
        }
    }

    /// The shortest cycle through each upstream is reported; those that stay are once in an interval.
    pub(crate) fn look_for_cycles(&mut self) {
        self.look_ahead();
        self.cycles.look();
        if !self.upstreams.iter().any(|u| u.times_itself() > 0) {
            self.cycles.not_itself();
        }
        let found = self.table.cycles(&self.upstreams.nodes());
        if !found.is_empty() {
            let again = self.cx.now + self.cx.config.report_interval;
            self.cx.timers.set(Timer::Cycles, again);
        }
        for cycle in found {
            self.report_cycle(cycle);
        }
    }

    /// A request has met itself: `cycle` begins with this node. Its next must be one of this node's
    /// upstreams: the first hop of a request may have gone to any partner.
    pub(crate) fn found_cycle(&mut self, cycle: Vec<NodeId>) {
        let next = cycle.get(1).or(cycle.first());
        if next.is_some_and(|next| self.upstreams.contains(next)) {
            self.report_cycle(cycle);
        }
    }

    /// Counts a cycle, and reports it once in an interval.
    pub(crate) fn report_cycle(&mut self, path: Vec<NodeId>) {
        self.cx.stats.loops += 1;
        let interval = self.cx.config.report_interval;
        if let Some(path) = self.cycles.found(path, self.cx.now, interval) {
            self.cx.event(Event::LoopDetected { path });
        }
    }
}
