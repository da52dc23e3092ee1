//! What a node knows: records, their deadlines, the change log, and what is refused.
//!
//! One slab of entries, indexed by a keyed hash of the node ID. The change log is a list threaded
//! through the entries in the order of change, so that a delta costs what it contains (R15). The
//! deadlines are a heap of slot numbers. A record with one IPv4 address takes about 135 bytes, all
//! included.

mod dead;
mod deadlines;
mod delta;
mod entry;
mod evict;
mod log;
mod merge;
mod renew;
mod ring;
mod sample;
mod sets;
mod slab;

use alloc::vec::Vec;

use hashbrown::HashTable;

pub(crate) use self::delta::{Differences, Listed};
pub(crate) use self::entry::Entry;
pub(crate) use self::merge::{Merged, Via};
pub(crate) use self::renew::Renewed;
pub(crate) use self::slab::Slot;

use self::dead::Dead;
use self::deadlines::Deadlines;
use self::evict::Evictor;
use self::log::Log;
use self::ring::Ring;
use self::slab::Slab;
use crate::id::NodeId;
use crate::record::Sequence;
use crate::rng::{Keyed, Purpose, Stream};
use crate::sketch::Strata;
use crate::time::Instant;

pub(crate) struct Table {
    own: NodeId,
    own_slot: Option<Slot>,
    entries: Slab,
    index: HashTable<Slot>,
    keyed: Keyed,
    deadlines: Deadlines,
    log: Log,
    dead: Dead,
    evictor: Evictor,
    capacity: usize,
    fingerprint: u64,
    strata: Strata,
    /// For sets of short IDs that others choose.
    set_key: u64,
    live: usize,
    ring: Ring,
    evicted: Option<NodeId>,
}

impl Table {
    pub(crate) fn new(own: NodeId, capacity: usize, seed: &[u8; 32]) -> Self {
        Self {
            own,
            own_slot: None,
            entries: Slab::default(),
            index: HashTable::new(),
            keyed: Keyed::new(seed, Purpose::Index),
            deadlines: Deadlines::default(),
            log: Log::default(),
            dead: Dead::default(),
            evictor: Evictor::new(Keyed::new(seed, Purpose::Eviction), capacity),
            capacity,
            fingerprint: 0,
            strata: Strata::default(),
            set_key: Keyed::new(seed, Purpose::Index).hash(b"sets"),
            live: 0,
            ring: Ring::default(),
            evicted: None,
        }
    }

    /// Number of records, the own one and tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Number of live records, the own one included.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// The wrapping sum of the hashes of all (node, version).
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The version of the change log.
    pub(crate) fn version(&self) -> u64 {
        self.log.version()
    }

    pub(crate) fn find(&self, node: &NodeId) -> Option<Slot> {
        let hash = self.keyed.hash(node.as_bytes());
        self.index
            .find(hash, |slot| self.is_at(*slot, node))
            .copied()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot)
    }

    pub(crate) fn lookup(&self, node: &NodeId) -> Option<&Entry> {
        self.get(self.find(node)?)
    }

    pub(crate) fn own(&self) -> Option<&Entry> {
        self.get(self.own_slot?)
    }

    /// All entries, in the order of the slab: the same for the same history.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// A random entry that `accept` likes, of a bounded number drawn.
    pub(crate) fn random(
        &self,
        random: &mut Stream,
        mut accept: impl FnMut(Slot, &Entry) -> bool,
    ) -> Option<Slot> {
        const DRAWS: usize = 16;
        let n = self.entries.slots();
        if n == 0 {
            return None;
        }
        let mut ok = |slot: usize| {
            let slot = slot as Slot;
            accept(slot, self.entries.get(slot)?).then_some(slot)
        };
        if n > DRAWS {
            if let Some(slot) = (0..DRAWS).find_map(|_| ok(random.below(n))) {
                return Some(slot);
            }
        }
        // A walk from a random place: few entries, or few that are liked. It is bounded, since
        // it is on the path of every round of a node whose peers are all unreachable.
        let start = random.below(n);
        (0..n.min(64 * DRAWS)).find_map(|i| ok((start + i) % n))
    }

    /// The next live node in the order of IDs, round the ring (R21).
    pub(crate) fn successor(&self) -> Option<NodeId> {
        self.ring.successor()
    }

    /// The sequence at or below which records of `node` are refused.
    pub(crate) fn certificate(&self, node: &NodeId) -> Option<Sequence> {
        self.dead.get(node)
    }

    /// All dead certificates with their ends.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = (NodeId, Sequence, Instant)> + '_ {
        self.dead.iter()
    }

    pub(crate) fn certificate_count(&self) -> usize {
        self.dead.len()
    }

    pub(crate) fn restore_certificate(&mut self, node: NodeId, sequence: Sequence, until: Instant) {
        self.dead.insert(node, sequence, until);
    }

    /// The next time at which an entry expires.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first(&self.entries)
    }

    /// Bytes on the heap, for the memory benchmark.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes()
            + self.index.allocation_size()
            + self.deadlines.heap_bytes()
            + self.dead.heap_bytes()
            + self.evictor.heap_bytes()
    }

    /// The live peer that had to go for the last record merged.
    pub(crate) fn take_evicted(&mut self) -> Option<NodeId> {
        self.evicted.take()
    }

    /// Marks whether dialling this peer has failed.
    pub(crate) fn set_reachable(&mut self, node: &NodeId, reachable: bool) {
        if let Some(slot) = self.find(node) {
            if let Some(entry) = self.entries.get_mut(slot) {
                entry.reachable = reachable;
            }
        }
    }

    fn is_at(&self, slot: Slot, node: &NodeId) -> bool {
        self.entries.get(slot).is_some_and(|e| e.node == *node)
    }

    /// Puts a new entry into slab, index, log, heap and ring.
    fn insert(&mut self, mut entry: Entry) -> Slot {
        let node = entry.node;
        entry.heap_pos = Deadlines::NOWHERE;
        self.fingerprint = self.fingerprint.wrapping_add(entry.hash);
        self.strata.toggle(entry.hash);
        let live = !entry.is_tombstone();
        let slot = self.entries.insert(entry);
        self.evictor.added(slot, &self.entries);
        let hash = self.keyed.hash(node.as_bytes());
        let (keyed, entries) = (&self.keyed, &self.entries);
        self.index.insert_unique(hash, slot, |s| {
            entries.get(*s).map_or(0, |e| keyed.hash(e.node.as_bytes()))
        });
        self.log.push(&mut self.entries, slot);
        if node == self.own {
            self.own_slot = Some(slot);
        } else {
            self.deadlines.insert(&mut self.entries, slot);
        }
        if live {
            self.live += 1;
            self.ring_added(node);
        }
        slot
    }

    /// Takes an entry out of everything.
    fn remove(&mut self, slot: Slot) -> Option<Entry> {
        let node = self.get(slot)?.node;
        self.deadlines.remove(&mut self.entries, slot);
        self.log.unlink(&mut self.entries, slot);
        let hash = self.keyed.hash(node.as_bytes());
        if let Ok(found) = self.index.find_entry(hash, |s| *s == slot) {
            found.remove();
        }
        let entry = self.entries.take(slot)?;
        self.fingerprint = self.fingerprint.wrapping_sub(entry.hash);
        self.strata.toggle(entry.hash);
        self.evictor.removed(&entry);
        if self.own_slot == Some(slot) {
            self.own_slot = None;
        }
        if !entry.is_tombstone() {
            self.live -= 1;
            self.ring_removed(node);
        }
        Some(entry)
    }

    /// Checks every index against the entries themselves, for tests and fuzzing.
    pub(crate) fn check(&self) {
        let entries = || self.entries().filter(|e| e.node != self.own);
        assert_eq!(self.len(), self.entries().count());
        assert!(
            self.len() <= self.capacity.max(1),
            "{} > {}",
            self.len(),
            self.capacity
        );
        assert_eq!(
            self.live,
            self.entries().filter(|e| !e.is_tombstone()).count()
        );
        let sum = self
            .entries()
            .fold(0_u64, |sum, e| sum.wrapping_add(e.hash));
        assert_eq!(self.fingerprint, sum);
        let mut strata = Strata::default();
        self.entries().for_each(|e| strata.toggle(e.hash));
        assert_eq!(self.strata, strata);
        assert_eq!(self.next_deadline(), entries().map(|e| e.deadline).min());
        let mut ring: Vec<_> = entries()
            .filter(|e| !e.is_tombstone())
            .map(|e| e.node)
            .collect();
        ring.sort_unstable_by_key(|n| (*n < self.own, *n));
        self.check_ring(&ring);
        self.log.check(&self.entries);
    }
}

#[cfg(test)]
mod tests;
