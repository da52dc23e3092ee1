//! What goes round cycles of upstreams: traces that find them, reports that tell of them (R12, R13).

use alloc::vec::Vec;

use crate::effect::Event;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::state::links::{Class, LinkState};
use crate::node::state::reports::Report;
use crate::wire::{LoopFound, Message, Trace};

/// Traces.
impl Base {
    /// The timer of traces: what has waited goes on, and a new one starts when it is time.
    pub(crate) fn on_trace_timer(&mut self) {
        self.send_pending_traces();
        if !self.traces.is_periodic_due(&mut self.cx) {
            return;
        }
        // The trace of this interval finds the cycles that are still there, and reports them.
        self.reports.forget_unsent();
        if self.traces.is_asked(&self.cx) {
            self.start_trace(false);
        }
        self.traces.schedule(&mut self.cx);
    }

    pub(crate) fn start_trace(&mut self, fresh: bool) {
        let trace = self.traces.begin(&mut self.cx, fresh);
        for link in self.upstream_links() {
            self.send_trace(link, trace.clone());
        }
    }

    fn upstream_links(&self) -> Vec<LinkId> {
        let nodes = self.upstreams.nodes();
        nodes
            .iter()
            .filter_map(|node| self.links.of(node))
            .collect()
    }

    /// An upstream is there: it gets a trace, and those that passed before it was.
    pub(crate) fn upstream_came_up(&mut self, link: LinkId) {
        self.send_reports();
        let own = self.traces.begin_on_link_up(&mut self.cx);
        let held: Vec<_> = self
            .traces
            .held()
            .iter()
            .map(|t| self.extended(t))
            .collect();
        for trace in core::iter::once(own).chain(held) {
            self.send_trace(link, trace);
        }
    }

    /// Forwards what has waited for the end of the burst of news.
    pub(crate) fn send_pending_traces(&mut self) {
        for trace in self.traces.take_pending() {
            self.forward_trace(&trace);
        }
    }

    /// Forwards a trace, now or after the burst of news, and remembers it.
    pub(crate) fn relay_trace(&mut self, origin: NodeId, trace: Trace) {
        let waits = self.is_bursting() && self.traces.postpone(&trace, &mut self.cx);
        if !waits {
            self.forward_trace(&trace);
        }
        self.traces.remember(origin, trace, self.cx.now);
    }

    fn forward_trace(&mut self, trace: &Trace) {
        let extended = self.extended(trace);
        for link in self.upstream_links() {
            self.send_trace(link, extended.clone());
        }
    }

    fn extended(&self, trace: &Trace) -> Trace {
        let mut path = trace.path.clone();
        path.push(self.cx.id);
        Trace { path, ..*trace }
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
    pub(crate) fn send_traces_of(&mut self, id: LinkId) {
        while let Some(trace) = self.links.get_mut(id).and_then(LinkState::next_trace) {
            self.send(id, Message::Trace(trace), Class::Push);
        }
    }
}

/// Reports.
impl Base {
    /// `cycle` begins with this node. Its next must be one of this node's upstreams: the first
    /// hop of a request may have gone to any partner.
    pub(crate) fn found_cycle(&mut self, cycle: Vec<NodeId>) {
        let Some(next) = cycle.get(1).or(cycle.first()).copied() else {
            return;
        };
        if !self.upstreams.contains(&next) {
            return;
        }
        let hops = (cycle.len() - 1) as u8;
        self.report_cycle(cycle.clone());
        if hops > 0 {
            self.send_report(next, LoopFound { path: cycle, hops });
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

    /// Passes a report on. One that is lost is a cycle of which some hear an interval later; so it
    /// goes with the answers, and waits for a link that is just not there.
    pub(crate) fn send_report(&mut self, next: NodeId, found: LoopFound) {
        let at = self.cx.now;
        self.try_report(Report { next, found, at });
    }

    fn send_reports(&mut self) {
        let links = &self.links;
        let is_up = |link| links.get(link).is_some();
        for report in self.reports.take_unsent(self.cx.now, is_up) {
            self.try_report(report);
        }
    }

    fn try_report(&mut self, report: Report) {
        let message = || Message::LoopFound(report.found.clone());
        let linked = self.links.of(&report.next);
        let link = linked.filter(|link| self.send(*link, message(), Class::Answer));
        match link {
            Some(link) => self.reports.sent(link, report),
            None => self.reports.could_not_send(report),
        }
    }
}
