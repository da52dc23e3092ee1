//! When entries are overdue, and when they expire: a binary heap of slot numbers whose positions the
//! entries know, so that a renewal moves its place and leaves no tombstone behind.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::table::slab::Slab;
use crate::table::{Entry, Slot};
use crate::time::Instant;

/// Records whose renewal has not come by, by the seconds of the lifetime: the shortest life is in the greatest hurry.
#[derive(Default)]
pub(super) struct Overdue(pub(super) BTreeSet<(u32, Slot)>);

impl Overdue {
    pub(super) fn insert(&mut self, entry: &Entry, slot: Slot) {
        self.0.insert((entry.lifetime_s(), slot));
    }

    pub(super) fn remove(&mut self, entry: &Entry, slot: Slot) {
        self.0.remove(&(entry.lifetime_s(), slot));
    }

    pub(super) fn check(&self, overdue: impl Iterator<Item = (u32, Slot)>) {
        assert_eq!(self.0, overdue.collect());
    }
}

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

    /// It is due at another time.
    pub(super) fn moved(&mut self, entries: &mut Slab, slot: Slot) {
        if let Some(pos) = position(entries, slot) {
            self.settle(entries, pos);
        }
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
        let due = at(entries, slot);
        while pos > 0 {
            let parent = (pos - 1) / 2;
            let other = self.heap[parent];
            if at(entries, other) <= due {
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
        let due = at(entries, slot);
        loop {
            let left = 2 * pos + 1;
            let children = [left, left + 1]
                .into_iter()
                .filter(|c| *c < self.heap.len());
            let Some(child) = children.min_by_key(|c| at(entries, self.heap[*c])) else {
                break;
            };
            let other = self.heap[child];
            if at(entries, other) >= due {
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
    entries.get(slot).map_or(Instant::ZERO, Entry::due)
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
