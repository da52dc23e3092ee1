//! Batches of renewals (R26).

use alloc::vec::Vec;

use crate::id::{NodeId, Prefix};
use crate::limits::caps;
use crate::rng;
use crate::table::{Slot, Table};
use crate::time::Instant;
use crate::wire::{Renewal, Renewals};

/// What became of one renewal of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Renewed {
    /// Applied.
    Applied(Slot),
    /// Known already, or older than what the table has.
    Known,
    /// The table lacks that version: fetch the record.
    Missing(Prefix),
    /// The table has no such node: likewise, if there is room.
    Unknown(Prefix),
}

/// Renewals of one prefix that are looked at: nodes that share one are rare, and a batch of nothing
/// else against a table of nothing else would cost the product.
const TWINS: usize = 4;

impl Table {
    /// Applies a batch, but where records are `signed`: in one pass over the table: no index by prefix is worth its memory, since
    /// batches are few and large.
    pub(crate) fn apply_renewals(
        &mut self,
        now: Instant,
        batch: &Renewals,
        signed: bool,
    ) -> Vec<Renewed> {
        let mut wanted: Vec<(Prefix, Renewal, Renewed)> = batch
            .iter()
            .take(caps::BATCH)
            .map(|r| (Prefix(r.prefix), r, Renewed::Unknown(Prefix(r.prefix))))
            .collect();
        wanted.sort_by_key(|(prefix, _, _)| *prefix);
        for slot in 0..self.entries.slots() as Slot {
            let Some(entry) = self.entries.get(slot) else {
                continue;
            };
            let prefix = entry.node.prefix();
            let first = wanted.partition_point(|(p, _, _)| *p < prefix);
            let same = wanted[first..].iter_mut().take(TWINS);
            for (_, renewal, outcome) in same.take_while(|(p, _, _)| *p == prefix) {
                // Of two nodes with one prefix, the one that fits decides.
                let found = self.apply_renewal(now, slot, *renewal, signed);
                let fits = !matches!(found, Renewed::Missing(_) | Renewed::Unknown(_));
                if fits || matches!(outcome, Renewed::Unknown(_)) {
                    *outcome = found;
                }
            }
        }
        wanted.into_iter().map(|(_, _, outcome)| outcome).collect()
    }

    fn apply_renewal(
        &mut self,
        now: Instant,
        slot: Slot,
        renewal: Renewal,
        signed: bool,
    ) -> Renewed {
        let missing = Renewed::Missing(Prefix(renewal.prefix));
        let Some(entry) = self.get(slot) else {
            return missing;
        };
        let sequence = entry.sequence();
        if entry.node == self.own {
            // Above the own sequence it is about a node with the same prefix, or the own identity
            // is at stake: the record itself will tell (R5).
            return if renewal.sequence <= sequence {
                Renewed::Known
            } else {
                missing
            };
        }
        if renewal.sequence.version < sequence.version {
            return Renewed::Known;
        }
        let fits = renewal.check == rng::body_check(entry.body());
        if renewal.sequence.version > sequence.version || !fits {
            return missing;
        }
        if renewal.sequence.beat <= sequence.beat || renewal.remaining_s == 0 {
            return Renewed::Known;
        }
        if signed {
            // A beat is its node's word, too: the record itself brings it (R50).
            return missing;
        }
        self.renew(now, slot, renewal.sequence.beat, renewal.remaining_s, None);
        Renewed::Applied(slot)
    }

    /// The live entries whose node ID begins with one of these prefixes.
    pub(crate) fn by_prefix(&self, prefixes: &[u8]) -> Vec<Slot> {
        // As numbers: the whole table is compared with them.
        let mut sorted: Vec<_> = prefixes
            .chunks_exact(Prefix::LEN)
            .map(|p| u32::from_be_bytes([p[0], p[1], p[2], p[3]]))
            .collect();
        sorted.sort_unstable();
        let named = |node: &NodeId| {
            let prefix = u32::from_be_bytes(node.prefix().0);
            sorted.binary_search(&prefix).is_ok()
        };
        let named = self.entries.iter().filter(|(_, e)| named(&e.node));
        named.map(|(slot, _)| slot).collect()
    }
}
