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

    fn is_nearer(&self, a: &NodeId, b: &NodeId) -> bool {
        (*a < self.own, a) < (*b < self.own, b)
    }
}
