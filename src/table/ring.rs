//! The ring of node IDs: who comes next (R21).

use crate::id::NodeId;
use crate::table::Table;

impl Table {
    pub(super) fn ring_added(&mut self, node: NodeId) {
        if node != self.own && self.successor.is_none_or(|s| self.is_nearer(&node, &s)) {
            self.successor = Some(node);
        }
    }

    pub(super) fn ring_removed(&mut self, node: NodeId) {
        if self.successor != Some(node) {
            return;
        }
        let others = self
            .entries()
            .filter(|e| !e.is_tombstone() && e.node != self.own);
        self.successor = others.map(|e| e.node).min_by_key(|n| (*n < self.own, *n));
    }

    /// Whether the own node is this one's successor. Looks at every entry.
    pub(crate) fn is_predecessor(&self, node: &NodeId) -> bool {
        let behind = |n: &NodeId| (*n < self.own, *n);
        let between = |n: &NodeId| *n != self.own && behind(n) > behind(node);
        !self
            .entries()
            .any(|e| !e.is_tombstone() && between(&e.node))
    }

    fn is_nearer(&self, a: &NodeId, b: &NodeId) -> bool {
        (*a < self.own, a) < (*b < self.own, b)
    }
}
