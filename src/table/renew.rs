//! Batches of renewals (R26).

use alloc::vec::Vec;

use crate::id::{NodeId, Prefix};
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
    /// It names the node itself, with this sequence.
    Own(Renewal),
}

impl Table {
    /// Applies a batch, in one pass over the table: no index by prefix is worth its memory, since
    /// batches are few and large.
    pub(crate) fn apply_renewals(&mut self, now: Instant, batch: &Renewals) -> Vec<Renewed> {
        let mut wanted: Vec<(Prefix, Renewal, Renewed)> = batch
            .iter()
            .map(|r| (Prefix(r.prefix), r, Renewed::Missing(Prefix(r.prefix))))
            .collect();
        wanted.sort_by_key(|(prefix, _, _)| *prefix);
        let own_prefix = self.own.prefix();
        let mut hits: Vec<(usize, Slot)> = Vec::new();
        for (slot, entry) in self.entries.iter().enumerate() {
            let Some(entry) = entry else { continue };
            let prefix = entry.node.prefix();
            let first = wanted.partition_point(|(p, _, _)| *p < prefix);
            let same = wanted[first..]
                .iter()
                .take_while(|(p, _, _)| *p == prefix)
                .count();
            hits.extend((first..first + same).map(|i| (i, slot as Slot)));
        }
        for (i, slot) in hits {
            let renewal = wanted[i].1;
            let outcome = self.apply_renewal(now, slot, renewal);
            // Of two nodes with one prefix, the one that fits decides.
            if let Some(outcome) = outcome {
                wanted[i].2 = outcome;
            }
        }
        let as_own = |(prefix, renewal, outcome): (Prefix, Renewal, Renewed)| match outcome {
            Renewed::Missing(_) if prefix == own_prefix => Renewed::Own(renewal),
            other => other,
        };
        wanted.into_iter().map(as_own).collect()
    }

    fn apply_renewal(&mut self, now: Instant, slot: Slot, renewal: Renewal) -> Option<Renewed> {
        let entry = self.get(slot)?;
        let (sequence, check) = (entry.sequence(), entry.hash as u16);
        if entry.node == self.own {
            let above = renewal.sequence > sequence;
            return Some(if above {
                Renewed::Own(renewal)
            } else {
                Renewed::Known
            });
        }
        if renewal.sequence.version < sequence.version {
            return Some(Renewed::Known);
        }
        if renewal.sequence.version > sequence.version || renewal.check != check {
            return None;
        }
        if renewal.sequence.beat <= sequence.beat || renewal.remaining_s == 0 {
            return Some(Renewed::Known);
        }
        self.renew(now, slot, renewal.sequence.beat, renewal.remaining_s);
        Some(Renewed::Applied(slot))
    }

    /// The live entries whose node ID begins with one of these prefixes.
    pub(crate) fn by_prefix(&self, prefixes: &[u8]) -> Vec<Slot> {
        let mut sorted: Vec<&[u8]> = prefixes.chunks_exact(Prefix::LEN).collect();
        sorted.sort_unstable();
        let named = |node: &NodeId| {
            sorted
                .binary_search(&&node.as_bytes()[..Prefix::LEN])
                .is_ok()
        };
        let all = self.entries.iter().enumerate();
        let named = all.filter(|(_, e)| e.as_ref().is_some_and(|e| named(&e.node)));
        named.map(|(i, _)| i as Slot).collect()
    }
}
