//! What this table and another differ by, as the other shows itself: by a filter, a sketch, or all of
//! its records (R27, R40).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::id::{NodeId, Prefix};
use crate::rng;
use crate::sketch::{self, Plan, Strata, Syndromes};
use crate::table::{Entry, Slot, Table};
use crate::time::Instant;
use crate::wire::{Filter, Picks, Records, RecordsBuilder, Sketch};

/// What two tables differ by.
pub(crate) struct Differences {
    /// What the other lacks.
    pub(crate) only_ours: Vec<Slot>,
    /// What this one lacks, as the other names it.
    pub(crate) missing: Picks,
    /// Nothing else differs, as far as can be told.
    pub(crate) complete: bool,
}

impl Table {
    /// A page of these entries within `limit` encoded bytes, and how many of them it covers. What
    /// is about to expire is covered and left out (R3), as is the record of `except`.
    pub(crate) fn page(
        &self,
        now: Instant,
        slots: &[Slot],
        except: Option<&NodeId>,
        limit: usize,
    ) -> (Records, usize) {
        let entries = slots.iter().map(|slot| self.get(*slot));
        let told = |e: &Entry<'_>| Some(&e.node) != except;
        page_of(now, entries.map(|e| e.filter(told)), limit)
    }

    /// A page of the records that these eight bytes each name, those beyond the capacity too.
    pub(crate) fn fetched(&self, now: Instant, prefixes: &[u8], limit: usize) -> Records {
        let here = self.by_prefix(prefixes).into_iter();
        let here = here.map(|slot| self.get(slot));
        let beyond = Prefix::list(prefixes).map(|p| self.beyond.get(p.number()));
        page_of(now, here.chain(beyond), limit).0
    }

    /// All entries.
    pub(crate) fn all(&self) -> Vec<Slot> {
        self.entries.iter().map(|(slot, _)| slot).collect()
    }

    /// Those that another table lacks, which has these records and no others.
    pub(crate) fn all_but(&self, theirs: &Records) -> Vec<Slot> {
        let theirs: BTreeMap<_, _> = theirs.iter().map(|r| (r.node, r.sequence)).collect();
        let lacks = |slot: &Slot| {
            let entry = self.get(*slot);
            entry.is_some_and(|e| theirs.get(&e.node).is_none_or(|s| *s < e.sequence()))
        };
        let mut slots = self.all();
        slots.retain(lacks);
        slots
    }

    /// A filter of the table.
    pub(crate) fn filter(&self, salt: u64) -> Filter {
        Filter::of(
            salt,
            self.len(),
            self.entries.hashes().map(|(_, hash)| hash),
        )
    }

    /// What this table and the one with that filter differ by.
    pub(crate) fn filtered(&self, theirs: &Filter) -> Differences {
        let (only_ours, missing) = theirs.differences(self.entries.hashes());
        Differences {
            only_ours,
            missing,
            complete: theirs.is_whole(),
        }
    }

    /// What of a filter of this table is at these places, as far as it is here still.
    pub(crate) fn in_filter(&self, ours: &Filter, places: &Picks) -> Vec<Slot> {
        let values = ours.at(places);
        let picked = |hash| {
            ours.value(hash)
                .is_some_and(|v| values.binary_search(&v).is_ok())
        };
        let hashes = self.entries.hashes().filter(|(_, hash)| picked(*hash));
        hashes.map(|(slot, _)| slot).collect()
    }

    /// A sketch of the table.
    pub(crate) fn sketch(&self, salt: u64, plan: Plan) -> Sketch {
        let elements = self.entries.hashes();
        let elements = elements.map(|(_, hash)| element(hash, salt, plan.parts));
        Sketch::new(plan.parts, Syndromes::of(plan, elements).to_bytes())
    }

    /// What this table and the one that was sketched differ by.
    pub(crate) fn differences(&self, salt: u64, theirs: &Sketch) -> Differences {
        let (parts, capacity) = (theirs.parts(), theirs.capacity());
        let ours = self.entries.hashes();
        let ours = ours.map(|(_, hash)| element(hash, salt, parts));
        let (found, complete) =
            Syndromes::of(Plan { parts, capacity }, ours).differences(theirs.sums());
        let found = Picks::of(found);
        let only_ours = self.in_sketch(salt, parts, &found);
        let here = only_ours.iter().filter_map(|slot| self.get(*slot));
        let here = Picks::of(here.map(|e| element(e.hash, salt, parts)).collect());
        let missing = found.iter().filter(|e| !here.has(*e)).collect();
        Differences {
            only_ours,
            missing: Picks::of(missing),
            complete,
        }
    }

    /// The entries that are these elements of a sketch of so many parts.
    pub(crate) fn in_sketch(&self, salt: u64, parts: usize, elements: &Picks) -> Vec<Slot> {
        // Few of all: sixteen bits tell most of the others.
        let mut low = alloc::vec![0_u64; 1 << 10];
        for e in elements.iter() {
            low[(e & 0xffff) as usize >> 6] |= 1 << (e & 63);
        }
        let is_one = |hash| {
            let e = element(hash, salt, parts);
            low[(e & 0xffff) as usize >> 6] >> (e & 63) & 1 == 1 && elements.has(e)
        };
        let hashes = self.entries.hashes().filter(|(_, hash)| is_one(*hash));
        hashes.map(|(slot, _)| slot).collect()
    }

    /// What another node needs to estimate how much its table differs from this one.
    pub(crate) fn strata(&self) -> Strata {
        self.strata
    }
}

/// A page of these entries, and how many of them it covers.
fn page_of<'a>(
    now: Instant,
    entries: impl Iterator<Item = Option<Entry<'a>>>,
    limit: usize,
) -> (Records, usize) {
    let mut page = RecordsBuilder::with_capacity(entries.size_hint().0.min(limit / 40));
    let mut covered = 0;
    for entry in entries {
        let record = entry.and_then(|e| e.to_wire(now));
        if record.is_some_and(|record| !page.push(record, limit)) {
            break;
        }
        covered += 1;
    }
    (page.finish(), covered)
}

/// The element that a record is in a sketch: its part, and 16 bits of its salted hash.
fn element(hash: u64, salt: u64, parts: usize) -> u32 {
    let mixed = rng::mix(hash, salt);
    let parts = parts.min(sketch::PARTS) as u64;
    let part = ((mixed & 0xffff_ffff) * parts) >> 32;
    ((part as u32) << 16) | (mixed >> 48) as u32
}
