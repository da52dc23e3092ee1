//! Where a node's knowledge of who asks whom ends (R43): there most is to be learned.

use alloc::vec;
use alloc::vec::Vec;

use crate::id::{NodeId, Prefix};
use crate::record;
use crate::rng::Stream;
use crate::table::{Entry, Slot, Table};

/// The step back is at most one in so many of the table,
const BACK: usize = 128;
/// and no more than this. [Without it, all that have heard the same ask the same one: 217 of 1,024.]
const MOST_BACK: usize = 16;

impl Table {
    /// One of the newest live nodes that name an upstream which is not in the table, or who leads to it
    /// in a few steps, chosen at random; of those for which `accept` holds. In a cold start nothing has
    /// gone yet, and the newest is in the highest slot. [Always the very newest: in a tree, where nobody
    /// is known to lead there, the 383 that one update had told the same asked the same one.]
    pub(crate) fn frontier(
        &self,
        random: &mut Stream,
        accept: impl Fn(&NodeId) -> bool,
    ) -> Option<NodeId> {
        let known = Known::of(self, random.next_u64());
        let slots = (0..self.entries.slots() as Slot).rev();
        let live = slots.filter_map(|slot| self.get(slot).filter(|e| !e.is_tombstone()));
        let open = |e: &Entry<'_>| known.lacks_an_upstream_of(*e) && accept(&e.node);
        let back = (self.live / BACK).min(MOST_BACK);
        let newest: Vec<NodeId> = live.filter(open).take(back + 1).map(|e| e.node).collect();
        let newest = *newest.get(random.below(newest.len().max(1)))?;
        let steps = random.below(back + 1);
        let back = self.step_back(newest, steps, random);
        Some(back.filter(accept).unwrap_or(newest))
    }

    /// Whether this node names an upstream that is not in the table.
    pub(crate) fn leads_out(&self, node: &NodeId) -> bool {
        let entry = self.lookup(node);
        entry.is_some_and(|e| {
            let mut upstreams = record::upstreams(e.body());
            upstreams.any(|u| {
                u != self.own.prefix() && self.entries.rows().all(|(_, row)| row.node.prefix() != u)
            })
        })
    }

    /// Whether all upstreams that live nodes name, this one too, are in the table. Looks at each entry for each.
    pub(crate) fn names_nobody_else(&self) -> bool {
        self.live_nodes().all(|node| !self.leads_out(&node))
    }

    /// Who leads to this node in so many steps along upstreams, or in as many as there are.
    fn step_back(&self, node: NodeId, steps: usize, random: &mut Stream) -> Option<NodeId> {
        if steps == 0 {
            return None;
        }
        let live = self.entries.iter().filter(|(_, e)| !e.is_tombstone());
        let named: Vec<(u64, Slot)> = live
            .flat_map(|(slot, e)| record::upstreams(e.body()).map(move |u| (u.number(), slot)))
            .collect();
        let mut at = node;
        for _ in 0..steps {
            let number = at.prefix().number();
            let names_it = |(upstream, slot): &(u64, Slot)| (*upstream == number).then_some(*slot);
            let mut by = named.iter().filter_map(names_it);
            let count = by.clone().count();
            let Some(slot) = by.nth(random.below(count.max(1))) else {
                break;
            };
            at = self.get(slot)?.node;
        }
        (at != node && at != self.own).then_some(at)
    }
}

/// The beginnings of the IDs in a table, as a filter (Bloom 1970) of three bits in one word each: a few in
/// 10,000 that are not there seem to be, others with each salt.
struct Known {
    words: Vec<u64>,
    salt: u64,
}

impl Known {
    /// There is a word for each record, and these at least.
    const LEAST_WORDS: usize = 64;

    fn of(table: &Table, salt: u64) -> Self {
        let words = table.len().next_power_of_two().max(Self::LEAST_WORDS);
        let mut known = Self {
            words: vec![0; words],
            salt: salt | 1,
        };
        known.insert(&table.own);
        let rows = table.entries.rows();
        rows.for_each(|(_, row)| known.insert(&row.node));
        known
    }

    fn insert(&mut self, node: &NodeId) {
        let (word, bits) = self.place(node.prefix());
        self.words[word] |= bits;
    }

    /// The product with the salt. IDs that differ in their first bits alone may coincide with any: then
    /// somebody else is asked.
    fn place(&self, prefix: Prefix) -> (usize, u64) {
        let hash = prefix.number().wrapping_mul(self.salt);
        let word = (hash >> 40) as usize & (self.words.len() - 1);
        let bits = [16, 22, 28].map(|shift| 1 << ((hash >> shift) & 63));
        (word, bits[0] | bits[1] | bits[2])
    }

    fn lacks_an_upstream_of(&self, entry: Entry<'_>) -> bool {
        let mut upstreams = record::upstreams(entry.body());
        upstreams.any(|u| {
            let (word, bits) = self.place(u);
            self.words[word] & bits != bits
        })
    }
}
