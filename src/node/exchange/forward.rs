//! Forwarding, where it is worth it and never twice (R8 to R11).

use alloc::vec;

use crate::contract;
use crate::id::{LinkId, NodeId, RequestId};
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::node::state::walks::Downstream;
use crate::wire::{Digest, Request, Walk};

impl Exchange {
    /// The request was answered from the table; if that was cold, it also goes on.
    pub(crate) fn consider_forwarding(
        &mut self,
        base: &mut Base,
        downstream: LinkId,
        request: &Request,
    ) {
        let Some(asker) = base.links.node(downstream) else {
            return;
        };
        let walk = request.walk.clone().unwrap_or_else(|| Walk {
            origin: asker,
            path: vec![asker],
        });
        if let Some(at) = walk.path.iter().position(|n| *n == base.cx.id) {
            // The request has met itself (R13).
            base.found_cycle(walk.path[at..].to_vec());
            return;
        }
        let may_go_on = request.hop_limit > 0
            && walk.path.len() < contract::HOPS
            && self.walks.is_new(walk.origin, request.id, base.cx.now)
            && is_cold_for(base, &walk);
        if may_go_on {
            self.forward(base, downstream, request, walk);
        }
    }

    fn forward(&mut self, base: &mut Base, downstream: LinkId, request: &Request, walk: Walk) {
        let Some(upstream) = idle_upstream(base, &walk) else {
            return;
        };
        let Walk { origin, mut path } = walk;
        path.push(base.cx.id);
        let walk = Walk { origin, path };
        if !base.forward(upstream, request.id, request.hop_limit - 1, walk) {
            return;
        }
        base.cx.stats.requests_forwarded += 1;
        let downstream = Downstream {
            link: downstream,
            request: request.id,
            upstream,
            answered_from: base.table.version(),
        };
        self.walks.forwarded(origin, downstream, base.cx.now);
    }

    /// News from the upstream goes to the downstreams that asked while this node was cold (R9).
    pub(crate) fn send_late_knowledge(&mut self, base: &mut Base, upstream: LinkId) {
        let (version, now) = (base.table.version(), base.cx.now);
        for downstream in self.walks.take_late(upstream, version, now) {
            send_late(
                base,
                downstream.link,
                downstream.request,
                downstream.answered_from,
            );
        }
    }
}

/// No live record but self, origin and path.
fn is_cold_for(base: &Base, walk: &Walk) -> bool {
    let on_walk = |n: &NodeId| *n == base.cx.id || walk.path.contains(n);
    let mut entries = base.table.entries();
    base.table.live() <= walk.path.len() + 1
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
        (free && walk.path.last() != Some(&node)).then_some(link)
    })
}

/// Tells a downstream what has come since it was answered.
fn send_late(base: &mut Base, downstream: LinkId, request: RequestId, since: u64) {
    let Some(node) = base.links.node(downstream) else {
        return;
    };
    let theirs = Digest {
        count: base.table.len() as u32,
        ..Digest::default()
    };
    let delta = base.changes(since, &theirs, &node);
    base.send_delta(downstream, Some(request), delta);
}
