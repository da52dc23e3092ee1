//! What changed, as records or as short IDs (R15, R27).

use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::id::NodeId;
use crate::limits::caps;
use crate::rng;
use crate::table::{Entry, Slot, Table};
use crate::time::Instant;
use crate::wire::{Records, RecordsBuilder, ShortIds};

/// Slots with the version of the log up to which they are complete.
pub(crate) struct Listed {
    /// In the order of change, oldest first.
    pub(crate) slots: Vec<Slot>,
    pub(crate) to: u64,
}

impl Table {
    /// How many entries changed after `version`; it stops counting at `most`.
    pub(crate) fn count_since(&self, version: u64, most: usize) -> usize {
        self.log.since(&self.entries, version).take(most).count()
    }

    /// The entries changed after `version`, in the order of change.
    pub(crate) fn since(&self, version: u64) -> Listed {
        let mut slots: Vec<_> = self
            .log
            .since(&self.entries, version)
            .map(|(slot, _)| slot)
            .collect();
        slots.reverse();
        Listed {
            slots,
            to: self.log.version(),
        }
    }

    /// A page of these entries within `limit` encoded bytes, and how many of them it covers. What
    /// is about to expire is covered and left out (R3), as is the record of `except`.
    pub(crate) fn page(
        &self,
        now: Instant,
        slots: &[Slot],
        except: Option<&NodeId>,
        limit: usize,
    ) -> (Records, usize) {
        let mut page = RecordsBuilder::with_capacity(slots.len().min(limit / 40));
        for (i, slot) in slots.iter().enumerate() {
            let record = self.get(*slot).and_then(|e| e.to_wire(now));
            let Some(record) = record.filter(|r| Some(&r.node) != except) else {
                continue;
            };
            if !page.push(record, limit) {
                return (page.finish(), i);
            }
        }
        (page.finish(), slots.len())
    }

    /// Like `page`, with the version of the log up to which the page is complete.
    pub(crate) fn page_to(
        &self,
        now: Instant,
        listed: &Listed,
        except: Option<&NodeId>,
        limit: usize,
    ) -> (Records, u64) {
        let (records, covered) = self.page(now, &listed.slots, except, limit);
        let next = listed.slots.get(covered).and_then(|slot| self.get(*slot));
        (records, next.map_or(listed.to, |entry| entry.stamp - 1))
    }

    /// Announces these entries under `salt`.
    pub(crate) fn announce(&self, slots: &[Slot], salt: u32, width: usize) -> ShortIds {
        let hashes = slots
            .iter()
            .filter_map(|slot| self.get(*slot))
            .map(|e| e.hash);
        ShortIds::from_hashes(salt, width, hashes)
    }

    /// Bytes of a short ID such that two sets of this size seldom collide: 64 times the table.
    pub(crate) fn short_width(&self, other: u32) -> usize {
        let n = self.len().max(other as usize).max(1);
        let bits = usize::BITS - (n - 1).leading_zeros() + 6;
        (bits as usize).div_ceil(8).clamp(2, 8)
    }

    /// The announced IDs that no entry here has.
    pub(crate) fn missing(&self, announced: &ShortIds) -> Vec<u64> {
        let ours = IdSet::of_entries(self.len(), self.entries(), announced);
        announced.iter().filter(|id| !ours.contains(*id)).collect()
    }

    /// The slots, of those given, that an announcement does not name.
    pub(crate) fn unannounced(&self, slots: &[Slot], announced: &ShortIds) -> Vec<Slot> {
        let theirs = IdSet::of(announced);
        let (salt, width) = (announced.salt(), announced.width());
        let lacks = |slot: &Slot| {
            self.get(*slot)
                .is_some_and(|e| !theirs.contains(rng::short_id(e.hash, salt, width)))
        };
        slots.iter().copied().filter(lacks).collect()
    }

    /// The entries that a fetch names.
    pub(crate) fn wanted(&self, want: &ShortIds) -> Vec<Slot> {
        let theirs = IdSet::of(want);
        let (salt, width) = (want.salt(), want.width());
        let named = |e: &Entry| theirs.contains(rng::short_id(e.hash, salt, width));
        let all = self.entries.iter().enumerate();
        all.filter(|(_, e)| e.as_ref().is_some_and(named))
            .map(|(i, _)| i as Slot)
            .collect()
    }

    /// The entries whose renewal is overdue: half of a life has passed without one, where the
    /// author renews after a third.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<Slot> {
        let due = |e: &Entry| e.deadline.saturating_since(now) < e.lifetime() / 2;
        // The heap is ordered by deadline, not by this; with lifetimes of one length it is the
        // same, and with others some are found at a later round.
        let slots = self.deadlines.collect(&self.entries, caps::BATCH / 4, due);
        slots
            .into_iter()
            .filter(|s| self.get(*s).is_some_and(|e| !e.is_tombstone()))
            .collect()
    }
}

/// Short IDs of one list, for look-ups. They are random (R27), so they are their own hash.
struct IdSet(HashTable<u64>);

impl IdSet {
    fn of(list: &ShortIds) -> Self {
        Self::collect(list.len(), list.iter())
    }

    fn of_entries<'a>(n: usize, entries: impl Iterator<Item = &'a Entry>, like: &ShortIds) -> Self {
        let (salt, width) = (like.salt(), like.width());
        Self::collect(n, entries.map(|e| rng::short_id(e.hash, salt, width)))
    }

    fn collect(n: usize, ids: impl Iterator<Item = u64>) -> Self {
        let mut set = HashTable::with_capacity(n);
        for id in ids {
            // A list may be anything: the same ID a thousand times is stored once.
            if set.find(spread(id), |other| *other == id).is_none() {
                set.insert_unique(spread(id), id, |id| spread(*id));
            }
        }
        Self(set)
    }

    fn contains(&self, id: u64) -> bool {
        self.0.find(spread(id), |other| *other == id).is_some()
    }
}

/// hashbrown takes its control bits from the top and the place from the bottom.
fn spread(id: u64) -> u64 {
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ id
}
