//! Samples for nodes with full tables, and what such a node wants of one (R22).

use alloc::vec::Vec;

use crate::id::Prefix;
use crate::limits::caps;
use crate::rng::Stream;
use crate::table::{Entry, Slot, Table};
use crate::wire::Nodes;

/// The lowest byte of a record's version.
fn low(entry: Entry<'_>) -> u8 {
    entry.sequence().version as u8
}

/// Of two such bytes, round the clock.
fn is_newer(version: u8, than: u8) -> bool {
    version.wrapping_sub(than) as i8 > 0
}

/// Those that are named, in order, each once.
fn sorted(named: &Nodes) -> Vec<(u64, u8)> {
    let named = named.iter().take(caps::SAMPLE);
    let mut sorted: Vec<_> = named
        .map(|(bytes, version)| (u64::from_be_bytes(bytes), version))
        .collect();
    sorted.sort_unstable_by_key(|(beginning, _)| *beginning);
    sorted.dedup_by_key(|(beginning, _)| *beginning);
    sorted
}

impl Table {
    /// Some of the entries, at random: as many as a sample has, the own record among them.
    pub(crate) fn some(&self, random: &mut Stream) -> Vec<Slot> {
        const MOST: usize = caps::SAMPLE;
        if self.len() <= MOST {
            return self.all();
        }
        let slots = self.entries.slots();
        let mut drawn: Vec<_> = (1..MOST).map(|_| random.below(slots) as Slot).collect();
        drawn.extend(self.own_slot);
        drawn.sort_unstable();
        drawn.dedup();
        drawn.retain(|slot| self.get(*slot).is_some_and(|e| !e.is_tombstone()));
        drawn
    }

    /// Names the nodes of these entries.
    pub(crate) fn nodes(&self, slots: &[Slot]) -> Nodes {
        let entries = slots.iter().filter_map(|slot| self.get(*slot));
        Nodes::of(entries.map(|e| (e.node, e.sequence().version)))
    }

    /// Of the nodes named, those whose records would be taken in: of unknown ones as many as there
    /// is room for, and whoever ranks better than somebody here; and other versions than are known.
    pub(crate) fn wanted_of(&self, named: &Nodes) -> Vec<Prefix> {
        let mut named: Vec<_> = sorted(named)
            .into_iter()
            .map(|(beginning, version)| (beginning, version, Wish::Unknown))
            .collect();
        for (_, entry) in self.entries.iter() {
            let it = entry.node.prefix().number();
            if let Ok(i) = named.binary_search_by_key(&it, |(b, _, _)| *b) {
                let (_, version, wish) = &mut named[i];
                *wish = if is_newer(*version, low(entry)) {
                    Wish::Newer
                } else {
                    Wish::Known
                };
            }
        }
        let worst = self.evictor.worst();
        let mut room = self.capacity.saturating_sub(self.live());
        named.retain(|(beginning, _, wish)| match wish {
            Wish::Known => false,
            Wish::Newer => true,
            Wish::Unknown => {
                let rank = || self.evictor.rank_of(&beginning.to_be_bytes());
                let ranks = worst.is_none_or(|worst| rank() < worst);
                let fits = !ranks && room > 0;
                room -= usize::from(fits);
                ranks || fits
            }
        });
        let prefixes = named.iter().map(|(b, _, _)| Prefix(b.to_be_bytes()));
        prefixes.collect()
    }
}

/// What is known of a node that has been named.
#[derive(Clone, Copy)]
enum Wish {
    Unknown,
    Known,
    Newer,
}
