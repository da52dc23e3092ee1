//! What changed, as records or as short IDs (R15, R27).

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::sketch::{Plan, Strata, Syndromes};
use crate::table::sets::IdSet;
use crate::table::{Entry, Slot, Table};
use crate::time::Instant;
use crate::wire::{Records, RecordsBuilder, ShortIdScheme, ShortIds, Sketch};

/// Slots with the version of the log up to which they are complete.
pub(crate) struct Listed {
    /// In the order of change, oldest first.
    pub(crate) slots: Vec<Slot>,
    pub(crate) to: u64,
}

/// What a sketch tells.
pub(crate) struct Differences {
    /// The short IDs of what is not here.
    pub(crate) missing: ShortIds,
    /// What the other table lacks.
    pub(crate) only_ours: Vec<Slot>,
    /// Nothing else differs, as far as short IDs tell.
    pub(crate) complete: bool,
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

    /// Those of these entries that have changed after `version`, in the order of change.
    pub(crate) fn of_these_since(&self, slots: &[Slot], version: u64) -> Listed {
        let stamp = |slot: &Slot| self.get(*slot).map_or(0, |e| e.stamp);
        let mut slots: Vec<_> = slots.to_vec();
        slots.retain(|slot| stamp(slot) > version);
        slots.sort_unstable_by_key(stamp);
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

    /// Announces these entries.
    pub(crate) fn announce(&self, slots: &[Slot], scheme: ShortIdScheme) -> ShortIds {
        // Exactly as long as the list: a filter would hide its length.
        let id = |slot: &Slot| self.get(*slot).map_or(0, |e| scheme.id(e.hash));
        ShortIds::of(scheme, slots.iter().map(id))
    }

    /// Bytes of a short ID such that two sets of this size seldom collide: 64 times the table.
    pub(crate) fn short_width(&self, other: u32) -> usize {
        let n = self.len().max(other as usize).max(1);
        let bits = usize::BITS - (n - 1).leading_zeros() + 6;
        (bits as usize).div_ceil(8).clamp(2, 8)
    }

    /// The announced IDs that no entry here has.
    pub(crate) fn missing(&self, announced: &ShortIds) -> Vec<u64> {
        let scheme = announced.scheme();
        let ours = self.entries().map(|e| scheme.id(e.hash));
        let ours = IdSet::collect(scheme.width, self.len(), ours, self.set_key);
        announced.iter().filter(|id| !ours.contains(*id)).collect()
    }

    /// The slots, of those given, that an announcement does not name.
    pub(crate) fn unannounced(&self, slots: &[Slot], announced: &ShortIds) -> Vec<Slot> {
        let (theirs, scheme) = (IdSet::of(announced, self.set_key), announced.scheme());
        let lacks = |slot: &Slot| {
            self.get(*slot)
                .is_some_and(|e| !theirs.contains(scheme.id(e.hash)))
        };
        slots.iter().copied().filter(lacks).collect()
    }

    /// The entries that a fetch names.
    pub(crate) fn wanted(&self, want: &ShortIds) -> Vec<Slot> {
        let (theirs, scheme) = (IdSet::of(want, self.set_key), want.scheme());
        let named = |e: &Entry| theirs.contains(scheme.id(e.hash));
        let all = self.entries.iter();
        all.filter(|(_, e)| named(e))
            .map(|(slot, _)| slot)
            .collect()
    }

    /// A sketch of the table.
    pub(crate) fn sketch(&self, salt: u32, plan: Plan) -> Sketch {
        let scheme = ShortIdScheme::for_sketch(salt, plan.parts);
        let sums = Syndromes::of(plan, self.entries().map(|e| scheme.id(e.hash) as u32));
        Sketch::new(salt, plan.parts, sums.to_bytes())
    }

    /// What this table and the one that was sketched differ by.
    pub(crate) fn differences(&self, sketch: &Sketch) -> Differences {
        let (scheme, parts, capacity) = (sketch.scheme(), sketch.parts(), sketch.capacity());
        let ours = || self.entries().map(|e| scheme.id(e.hash) as u32);
        let (mut found, complete) =
            Syndromes::of(Plan { parts, capacity }, ours()).differences(sketch.sums());
        found.sort_unstable();
        let wanted = IdSet::collect(2, 0, found.iter().map(|id| u64::from(id & 0xffff)), 0);
        let mut missing = found.clone();
        let mut only_ours = Vec::new();
        for (slot, entry) in self.entries.iter() {
            let id = scheme.id(entry.hash);
            if !wanted.contains(id & 0xffff) {
                continue;
            }
            if let Ok(i) = found.binary_search(&(id as u32)) {
                missing[i] = u32::MAX;
                only_ours.push(slot);
            }
        }
        missing.retain(|id| *id != u32::MAX);
        Differences {
            missing: ShortIds::of(scheme, missing.into_iter().map(u64::from)),
            only_ours,
            complete,
        }
    }

    /// What another node needs to estimate how much its table differs from this one.
    pub(crate) fn strata(&self) -> Strata {
        self.strata
    }
}
