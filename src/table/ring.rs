//! The ring of node IDs: who comes next (R21).

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::table::Table;

/// The next live nodes round the ring, nearest first. Several are kept, so that the whole table is
/// looked through once for as many as have gone.
#[derive(Default)]
pub(super) struct Ring {
    next: Vec<NodeId>,
}

impl Ring {
    const KEPT: usize = 16;

    pub(super) fn successor(&self) -> Option<NodeId> {
        self.next.first().copied()
    }
}

impl Table {
    pub(super) fn ring_added(&mut self, node: NodeId) {
        if node == self.own {
            return;
        }
        let place = self.place(&node);
        // Behind the last one kept there may be others that are nearer.
        let own = self.own().is_some_and(|e| !e.is_tombstone());
        let others = self.live.saturating_sub(1 + usize::from(own));
        let next = &mut self.ring.next;
        let at = next.partition_point(|n| (*n < self.own, *n) < place);
        if at < next.len() || next.len() == others {
            next.insert(at, node);
            next.truncate(Ring::KEPT);
        }
    }

    pub(super) fn ring_removed(&mut self, node: NodeId) {
        let before = self.ring.next.len();
        self.ring.next.retain(|n| *n != node);
        if self.ring.next.is_empty() && before > 0 {
            self.look_round();
        }
    }

    fn look_round(&mut self) {
        let live = self
            .entries()
            .filter(|e| !e.is_tombstone() && e.node != self.own);
        let mut next: Vec<_> = live.map(|e| self.place(&e.node)).collect();
        if next.len() > Ring::KEPT {
            next.select_nth_unstable(Ring::KEPT);
            next.truncate(Ring::KEPT);
        }
        next.sort_unstable();
        self.ring.next = next.into_iter().map(|(_, node)| node).collect();
    }

    /// Whether the own node is this one's successor. Looks at every entry.
    pub(crate) fn is_predecessor(&self, node: &NodeId) -> bool {
        let between = |n: &NodeId| *n != self.own && self.place(n) > self.place(node);
        !self
            .entries()
            .any(|e| !e.is_tombstone() && between(&e.node))
    }

    /// What orders nodes by their distance round the ring.
    fn place(&self, node: &NodeId) -> (bool, NodeId) {
        (*node < self.own, *node)
    }

    /// `all`: live peers, nearest first.
    pub(super) fn check_ring(&self, all: &[NodeId]) {
        let kept = &self.ring.next;
        assert_eq!(kept[..], all[..kept.len()]);
        assert_eq!(kept.is_empty(), all.is_empty());
    }
}
