//! Forwarding, where it is worth it and never twice (R8 to R11).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use core::time::Duration;

use crate::id::{LinkId, NodeId, RequestId};
use crate::limits::caps;
use crate::node::Node;
use crate::time::Instant;
use crate::wire::{Head, Request, Walk};

/// How long a walk is remembered (R10).
const SEEN: Duration = Duration::from_secs(60);
/// How long a downstream waits for late knowledge.
const WAITING: Duration = Duration::from_secs(10);

/// A downstream that asked while this node was cold (R9).
struct Waiting {
    downstream: LinkId,
    id: RequestId,
    /// Over which its request was forwarded.
    upstream: LinkId,
    /// The version of the log that it was answered from.
    since: u64,
    until: Instant,
}

#[derive(Default)]
pub(super) struct Walks {
    seen: BTreeMap<(NodeId, RequestId), Instant>,
    waiting: VecDeque<Waiting>,
}

impl Walks {
    pub(super) fn expire(&mut self, now: Instant) {
        self.seen.retain(|_, until| *until > now);
        self.waiting.retain(|w| w.until > now);
    }

    pub(super) fn seen_count(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }
}

impl Node {
    /// The request was answered from the table; if that was cold, it also goes on.
    pub(super) fn consider_forwarding(&mut self, downstream: LinkId, request: &Request) {
        let Some(asker) = self.links.get(downstream).map(|l| l.node) else {
            return;
        };
        let walk = request.walk.clone().unwrap_or_else(|| Walk {
            origin: asker,
            path: vec![asker],
        });
        if let Some(at) = walk.path.iter().position(|n| *n == self.cx.id) {
            // The request has met itself (R12).
            self.found_loop(walk.path[at..].to_vec());
            return;
        }
        let key = (walk.origin, request.id);
        let room = self.walks.seen.len() < caps::SEEN_WALKS;
        if request.hop_limit == 0
            || walk.path.len() >= caps::HOPS
            || !room
            || self
                .walks
                .seen
                .get(&key)
                .is_some_and(|until| *until > self.cx.now)
            || !self.is_cold_for(&walk)
        {
            return;
        }
        let Some(upstream) = self.idle_upstream(&walk) else {
            return;
        };
        let Walk { origin, mut path } = walk;
        path.push(self.cx.id);
        let forwarded = (request.id, request.hop_limit - 1, Walk { origin, path });
        if !self.start_exchange(upstream, Some(forwarded)) {
            return;
        }
        self.cx.stats.requests_forwarded += 1;
        self.walks.seen.insert(key, self.cx.now + SEEN);
        if self.walks.waiting.len() < caps::WAITING_DOWNSTREAMS {
            let (id, since, until) = (request.id, self.table.version(), self.cx.now + WAITING);
            self.walks.waiting.push_back(Waiting {
                downstream,
                id,
                upstream,
                since,
                until,
            });
        }
    }

    /// No live record but self, origin and path.
    fn is_cold_for(&self, walk: &Walk) -> bool {
        let on_walk = |n: &NodeId| *n == self.cx.id || walk.path.contains(n);
        self.table.live() <= walk.path.len() + 1
            && self
                .table
                .entries()
                .all(|e| e.is_tombstone() || on_walk(&e.node))
    }

    /// A connected upstream that is not on the walk, not backing off, with nothing under way.
    fn idle_upstream(&self, walk: &Walk) -> Option<LinkId> {
        self.dialer.upstream_nodes().into_iter().find_map(|node| {
            let link = self.links.of(&node)?;
            let idle = self.links.get(link)?.asking.is_none();
            let free = idle && self.partners.is_ready(&node, self.cx.now);
            // One on the path but the origin's own edge would only be told of the cycle, which
            // the request finds there.
            (free && walk.path.last() != Some(&node)).then_some(link)
        })
    }

    /// News from the upstream goes to the downstreams that asked while this node was cold.
    pub(super) fn send_late_knowledge(&mut self, upstream: LinkId) {
        let now = self.cx.now;
        let mut kept = VecDeque::new();
        for mut waiting in core::mem::take(&mut self.walks.waiting) {
            if waiting.until <= now {
                continue;
            }
            if waiting.upstream == upstream && self.links.get(waiting.downstream).is_some() {
                let (downstream, id, since) = (waiting.downstream, waiting.id, waiting.since);
                waiting.since = self.table.version();
                self.send_late(downstream, id, since);
            }
            kept.push_back(waiting);
        }
        self.walks.waiting = kept;
    }

    fn send_late(&mut self, downstream: LinkId, id: RequestId, since: u64) {
        let Some(node) = self.links.get(downstream).map(|l| l.node) else {
            return;
        };
        let theirs = Head {
            count: self.table.len() as u32,
            ..Head::default()
        };
        let delta = self.changes(since, &theirs, &node);
        self.send_delta(downstream, Some(id), delta);
    }
}
