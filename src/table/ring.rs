//! The ring of node IDs: who comes next (R21).

use alloc::vec::Vec;

use crate::id::NodeId;

/// The next live nodes round the ring, nearest first. Several are kept, so that the whole table is
/// looked through once for as many as have gone.
pub(super) struct Ring {
    own: NodeId,
    next: Vec<NodeId>,
}

impl Ring {
    const KEPT: usize = 16;

    pub(super) fn new(own: NodeId) -> Self {
        Self {
            own,
            next: Vec::new(),
        }
    }

    pub(super) fn successor(&self) -> Option<NodeId> {
        self.next.first().copied()
    }

    /// A live node has come, beside so many others.
    pub(super) fn added(&mut self, node: NodeId, others: usize) {
        let place = self.place(&node);
        let at = self.next.partition_point(|n| self.place(n) < place);
        // Behind the last one kept there may be others that are nearer.
        if at < self.next.len() || self.next.len() == others {
            self.next.insert(at, node);
            self.next.truncate(Self::KEPT);
        }
    }

    /// A live node has gone. Whether none is left of those kept, and [`refill`](Self::refill) is due.
    pub(super) fn removed(&mut self, node: NodeId) -> bool {
        let before = self.next.len();
        self.next.retain(|n| *n != node);
        self.next.is_empty() && before > 0
    }

    /// Takes the nearest of all live nodes but the own one.
    pub(super) fn refill(&mut self, live: impl Iterator<Item = NodeId>) {
        let mut next: Vec<_> = live.map(|node| self.place(&node)).collect();
        if next.len() > Self::KEPT {
            next.select_nth_unstable(Self::KEPT);
            next.truncate(Self::KEPT);
        }
        next.sort_unstable();
        self.next = next.into_iter().map(|(_, node)| node).collect();
    }

    /// Whether a node of these live ones lies between `node` and the own one.
    pub(super) fn is_between(&self, node: &NodeId, mut live: impl Iterator<Item = NodeId>) -> bool {
        let place = self.place(node);
        live.any(|n| n != self.own && self.place(&n) > place)
    }

    /// What orders nodes by their distance round the ring.
    fn place(&self, node: &NodeId) -> (bool, NodeId) {
        (*node < self.own, *node)
    }

    /// `all`: live peers, nearest first.
    pub(super) fn check(&self, all: &[NodeId]) {
        assert_eq!(self.next[..], all[..self.next.len()]);
        assert_eq!(self.next.is_empty(), all.is_empty());
    }
}
