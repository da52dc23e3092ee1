//! Forwarding, where it is worth it and never twice (R8 to R11).

use alloc::vec;

use crate::contract;
use crate::id::LinkId;
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::wire::{Request, Walk};

impl Exchange {
    /// Where the table is cold, the request also goes on: the next pull to an upstream carries it
    /// (R41). Whether it does.
    pub(crate) fn consider_forwarding(
        &mut self,
        base: &mut Base,
        downstream: LinkId,
        request: &Request,
    ) -> bool {
        let Some(asker) = base.links.node(downstream) else {
            return false;
        };
        let walk = request.walk.clone().or_else(|| Walk::of(vec![asker]));
        let Some(walk) = walk else { return false };
        if let Some(at) = walk.path().iter().position(|n| *n == base.cx.id) {
            // The request has met itself (R13).
            base.found_cycle(walk.path()[at..].to_vec());
            return false;
        }
        let may_go_on = request.hop_limit > 0
            && walk.path().len() < contract::HOPS
            && self.walks.is_new(walk.origin(), request.id, base.cx.now)
            && is_cold_for(base, &walk);
        may_go_on && self.forward(base, request, walk)
    }

    fn forward(&mut self, base: &mut Base, request: &Request, walk: Walk) -> bool {
        let Some(upstream) = idle_upstream(base, &walk) else {
            return false;
        };
        let origin = walk.origin();
        let walk = walk.through(base.cx.id);
        if !base.forward(upstream, request.id, request.hop_limit - 1, walk) {
            return false;
        }
        base.cx.stats.requests_forwarded += 1;
        self.walks.forwarded(origin, request.id, base.cx.now);
        true
    }
}

/// No live record but self, origin and path.
fn is_cold_for(base: &Base, walk: &Walk) -> bool {
    let on_walk = |n: &crate::id::NodeId| *n == base.cx.id || walk.path().contains(n);
    let mut entries = base.table.entries();
    base.table.live() <= walk.path().len() + 1
        && entries.all(|e| e.is_tombstone() || on_walk(&e.node))
}

/// A connected upstream that is not on the walk, not backing off, with nothing under way.
fn idle_upstream(base: &Base, walk: &Walk) -> Option<LinkId> {
    base.upstreams.nodes().into_iter().find_map(|node| {
        let link = base.links.of(&node)?;
        let idle = base.links.get(link)?.is_idle();
        let free = idle && base.peers.is_ready(&node, base.cx.now);
        // Not back to who has just sent it. To an earlier node of the path it may go: there the
        // request meets itself and the cycle is found (R13).
        (free && walk.path().last() != Some(&node)).then_some(link)
    })
}
