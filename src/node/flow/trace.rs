//! Traces of others, and reports of cycles (R12, R13).

use crate::contract;
use crate::error::PeerFault;
use crate::id::LinkId;
use crate::node::Node;
use crate::wire::{LoopFound, Trace};

impl Node {
    pub(crate) fn on_trace(&mut self, id: LinkId, trace: Trace) {
        if !self.admit_trace(id) {
            return;
        }
        let teller = self.base.links.node(id);
        if trace.path.last() != teller.as_ref() {
            self.penalise(id, PeerFault::PathNotItsOwn);
            return;
        }
        let Some(origin) = trace.path.first().copied() else {
            return;
        };
        let base = &mut self.base;
        let own = base.cx.id;
        if origin == own {
            base.found_cycle(trace.path);
            return;
        }
        if trace.path.len() == 1 {
            base.traces.asked(base.cx.now);
        }
        if trace.path.contains(&own) {
            // This node is on a cycle that the origin is not on: the smallest ID of that cycle
            // finds it.
            return;
        }
        if origin > own {
            if trace.fresh && base.traces.is_provoked(base.cx.now) {
                base.start_trace(true);
            }
            return;
        }
        if trace.path.len() >= contract::HOPS || !base.traces.is_new(origin, &trace) {
            return;
        }
        if !self.may_forward(&trace) {
            self.base.cx.stats.traces_dropped += 1;
            return;
        }
        self.base.relay_trace(origin, trace);
    }

    /// Out of the share of whoever has sent it, or out of what is there for all.
    fn may_forward(&mut self, trace: &Trace) -> bool {
        let base = &mut self.base;
        let now = base.cx.now;
        let mut shared = |teller| self.guard.reputation.take_share(now, teller);
        trace.path.last().copied().is_some_and(&mut shared) || base.traces.may_forward(now)
    }

    fn admit_trace(&mut self, id: LinkId) -> bool {
        let base = &mut self.base;
        let Some(node) = base.links.node(id) else {
            return false;
        };
        // No blame: below a hub, many honest traces meet on one link.
        let admitted = self.guard.reputation.admit_trace(base.cx.now, node);
        base.cx.stats.traces_dropped += u64::from(!admitted);
        admitted
    }

    pub(crate) fn on_loop_found(&mut self, id: LinkId, found: LoopFound) {
        if !self.admit_trace(id) {
            return;
        }
        let base = &mut self.base;
        let path = &found.path;
        let Some(at) = path.iter().position(|n| *n == base.cx.id) else {
            self.penalise(id, PeerFault::NotMyLoop);
            return;
        };
        // No blame: the teller cannot know which upstreams there are here.
        let next = path[(at + 1) % path.len()];
        if !base.upstreams.contains(&next) {
            return;
        }
        let hops = found.hops.min(path.len() as u8);
        base.report_cycle(found.path.clone());
        if hops > 1 {
            let path = found.path;
            let hops = hops - 1;
            base.send_report(next, LoopFound { path, hops });
        }
    }
}
