//! Where a node's knowledge of who asks whom ends (R43): there most is to be learned.

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::record;
use crate::rng::Stream;
use crate::table::{Entry, Slot, Table};

/// The step back is at most one in so many of the table,
const BACK: usize = 64;
/// and no more than this. [Without it, all that have heard the same ask the same one: 217 of 1,024.]
const MOST_BACK: usize = 16;

impl Table {
    /// The newest live node that names an upstream which is not in the table, or one that leads to it
    /// in a few steps, chosen at random; of those for which `accept` holds. In a cold start nothing has
    /// gone yet, and the newest is in the highest slot.
    pub(crate) fn frontier(
        &self,
        random: &mut Stream,
        accept: impl Fn(&NodeId) -> bool,
    ) -> Option<NodeId> {
        let mut known: Vec<u64> = self.entries().map(|e| e.node.prefix().number()).collect();
        known.push(self.own.prefix().number());
        known.sort_unstable();
        let slots = (0..self.entries.slots() as Slot).rev();
        let live = slots.filter_map(|slot| self.get(slot).filter(|e| !e.is_tombstone()));
        let open = |e: &&Entry| leads_out(e, &known) && accept(&e.node);
        let newest = live.into_iter().find(open)?.node;
        let steps = random.below((self.live / BACK).min(MOST_BACK) + 1);
        let back = self.step_back(newest, steps, random);
        Some(back.filter(accept).unwrap_or(newest))
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

/// Whether this node names an upstream that is not among those known, whose beginnings are sorted.
fn leads_out(entry: &Entry, known: &[u64]) -> bool {
    let mut upstreams = record::upstreams(entry.body());
    upstreams.any(|u| known.binary_search(&u.number()).is_err())
}
