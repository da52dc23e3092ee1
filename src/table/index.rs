//! Where in the slab a node's entry is.

use hashbrown::HashTable;

use crate::id::NodeId;
use crate::rng::Keyed;
use crate::table::entry::Slot;
use crate::table::slab::Slab;

/// Slots by a hash of the node IDs that is secret to this table (R22): four bytes and one for each.
pub(super) struct Index {
    slots: HashTable<Slot>,
    keyed: Keyed,
}

/// Where in the index a node belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u64);

impl Index {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            slots: HashTable::new(),
            keyed,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn place(&self, node: &NodeId) -> Place {
        Place(self.keyed.hash(node.as_bytes()))
    }

    /// The slot of the node that belongs at this place.
    pub(super) fn find(&self, at: Place, node: &NodeId, entries: &Slab) -> Option<Slot> {
        let is_it = |slot: &Slot| entries.row(*slot).is_some_and(|row| row.node == *node);
        self.slots.find(at.0, is_it).copied()
    }

    /// Makes it ready for so many in all: it grows at once instead of step by step, and in the order in
    /// which the rows are in memory.
    pub(super) fn expect(&mut self, entries: &Slab, many: usize) {
        if many <= self.slots.capacity() {
            return;
        }
        self.slots = HashTable::with_capacity(many);
        for (slot, row) in entries.rows() {
            self.insert(self.place(&row.node), slot, entries);
        }
    }

    /// A slot of a node that is in none.
    pub(super) fn insert(&mut self, at: Place, slot: Slot, entries: &Slab) {
        let keyed = &self.keyed;
        let place = |slot: &Slot| {
            let row = entries.row(*slot);
            row.map_or(0, |row| keyed.hash(row.node.as_bytes()))
        };
        self.slots.insert_unique(at.0, slot, place);
    }

    pub(super) fn remove(&mut self, at: Place, slot: Slot) {
        if let Ok(found) = self.slots.find_entry(at.0, |s| *s == slot) {
            found.remove();
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.allocation_size()
    }
}
