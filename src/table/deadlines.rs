//! When entries expire: a binary heap of slot numbers whose positions the entries know, so that a
//! renewal moves its place and leaves no tombstone behind.

use alloc::vec::Vec;

use crate::table::slab::Slab;
use crate::table::{Entry, Slot};
use crate::time::Instant;

#[derive(Default)]
pub(super) struct Deadlines {
    heap: Vec<Slot>,
}

impl Deadlines {
    /// The position of an entry that is not in the heap.
    pub(super) const NOWHERE: u32 = u32::MAX;

    pub(super) fn heap_bytes(&self) -> usize {
        self.heap.capacity() * size_of::<Slot>()
    }

    pub(super) fn first(&self, entries: &Slab) -> Option<Instant> {
        self.heap.first().map(|slot| at(entries, *slot))
    }

    pub(super) fn first_slot(&self) -> Option<Slot> {
        self.heap.first().copied()
    }

    pub(super) fn insert(&mut self, entries: &mut Slab, slot: Slot) {
        if self.heap.len() == self.heap.capacity() {
            self.heap.reserve_exact(self.heap.len() / 8 + 16);
        }
        self.heap.push(slot);
        self.up(entries, self.heap.len() - 1);
    }

    pub(super) fn remove(&mut self, entries: &mut Slab, slot: Slot) {
        let Some(pos) = position(entries, slot) else {
            return;
        };
        let last = self.heap.len() - 1;
        self.heap.swap(pos, last);
        self.heap.pop();
        place(entries, slot, Self::NOWHERE);
        if pos < self.heap.len() {
            self.settle(entries, pos);
        }
    }

    /// The entry's deadline has changed.
    pub(super) fn moved(&mut self, entries: &mut Slab, slot: Slot) {
        if let Some(pos) = position(entries, slot) {
            self.settle(entries, pos);
        }
    }

    /// Up to `most` entries for which `due` holds; `due` holds for no entry below one for which
    /// it does not.
    pub(super) fn collect(
        &self,
        entries: &Slab,
        most: usize,
        mut due: impl FnMut(&Entry) -> bool,
    ) -> Vec<Slot> {
        let mut found = Vec::new();
        let mut open = alloc::vec![0];
        while let Some(pos) = open.pop() {
            let Some(&slot) = self.heap.get(pos) else {
                continue;
            };
            let Some(entry) = entries.get(slot) else {
                continue;
            };
            if found.len() < most && due(entry) {
                found.push(slot);
                open.extend([2 * pos + 1, 2 * pos + 2]);
            }
        }
        found
    }

    fn settle(&mut self, entries: &mut Slab, pos: usize) {
        let slot = self.heap[pos];
        self.up(entries, pos);
        if let Some(pos) = position(entries, slot) {
            self.down(entries, pos);
        }
    }

    fn up(&mut self, entries: &mut Slab, mut pos: usize) {
        let slot = self.heap[pos];
        let deadline = at(entries, slot);
        while pos > 0 {
            let parent = (pos - 1) / 2;
            let other = self.heap[parent];
            if at(entries, other) <= deadline {
                break;
            }
            self.heap[pos] = other;
            place(entries, other, pos as u32);
            pos = parent;
        }
        self.heap[pos] = slot;
        place(entries, slot, pos as u32);
    }

    fn down(&mut self, entries: &mut Slab, mut pos: usize) {
        let slot = self.heap[pos];
        let deadline = at(entries, slot);
        loop {
            let left = 2 * pos + 1;
            let children = [left, left + 1]
                .into_iter()
                .filter(|c| *c < self.heap.len());
            let Some(child) = children.min_by_key(|c| at(entries, self.heap[*c])) else {
                break;
            };
            let other = self.heap[child];
            if at(entries, other) >= deadline {
                break;
            }
            self.heap[pos] = other;
            place(entries, other, pos as u32);
            pos = child;
        }
        self.heap[pos] = slot;
        place(entries, slot, pos as u32);
    }
}

fn at(entries: &Slab, slot: Slot) -> Instant {
    entries.get(slot).map_or(Instant::ZERO, |e| e.deadline)
}

fn position(entries: &Slab, slot: Slot) -> Option<usize> {
    let pos = entries.get(slot)?.heap_pos;
    (pos != Deadlines::NOWHERE).then_some(pos as usize)
}

fn place(entries: &mut Slab, slot: Slot, pos: u32) {
    if let Some(entry) = entries.get_mut(slot) {
        entry.heap_pos = pos;
    }
}
