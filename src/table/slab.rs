//! Where entries are kept, under numbers that stay.

use alloc::vec::Vec;

use crate::table::{Entry, Slot};

/// Entries in chunks: growing moves none of them, asks for no large piece of memory, and leaves
/// less than a chunk unused, where doubling wastes up to the size of the table.
#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Vec<Option<Entry>>>,
    free: Vec<Slot>,
}

impl Slab {
    /// Entries of a chunk: 7.5 KiB.
    const CHUNK: usize = 64;

    /// Slots that there are, free ones included.
    pub(super) fn slots(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * Self::CHUNK + last
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Entry> {
        let (chunk, at) = split(slot);
        self.chunks.get(chunk)?.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        let (chunk, at) = split(slot);
        self.chunks.get_mut(chunk)?.get_mut(at)?.as_mut()
    }

    pub(super) fn insert(&mut self, entry: Entry) -> Slot {
        if let Some(slot) = self.free.pop() {
            let (chunk, at) = split(slot);
            self.chunks[chunk][at] = Some(entry);
            return slot;
        }
        let slot = self.slots() as Slot;
        let (chunk, at) = split(slot);
        if at == 0 {
            // The first one grows from little: most tables are small.
            let room = if chunk == 0 { 4 } else { Self::CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        self.chunks[chunk].push(Some(entry));
        slot
    }

    pub(super) fn take(&mut self, slot: Slot) -> Option<Entry> {
        let (chunk, at) = split(slot);
        let entry = self.chunks.get_mut(chunk)?.get_mut(at)?.take()?;
        self.free.push(slot);
        Some(entry)
    }

    /// In the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        let all = self.chunks.iter().flatten().enumerate();
        all.filter_map(|(slot, entry)| Some((slot as Slot, entry.as_ref()?)))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let slots: usize = self.chunks.iter().map(Vec::capacity).sum();
        slots * size_of::<Option<Entry>>()
            + self.chunks.capacity() * size_of::<Vec<Option<Entry>>>()
            + self.free.capacity() * size_of::<Slot>()
    }
}

fn split(slot: Slot) -> (usize, usize) {
    (slot as usize / Slab::CHUNK, slot as usize % Slab::CHUNK)
}
