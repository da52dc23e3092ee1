//! Standing links: to the nodes at the ranks +1, +2, +4, … of the ring, over which news goes (R46).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::table::Ranked;
use crate::time::Instant;

/// With so many others or fewer, everybody is linked.
const FEW: usize = 8;
/// The first rank that the table does not keep up to date itself, counted from 0: that at +32.
const FIRST_FAR: usize = 31;
/// The ring is calm when fewer than one node in so many has come or gone since the last look.
const CALM: u64 = 16;
/// So long after a loss a node is told by another, too.
const DOUBT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Standing {
    /// The nodes at the ranks +32, +64, …, as of the last look.
    far: Vec<Ranked>,
    /// The changes of the ring before the last look, and before the last time that it was due.
    looked_at: u64,
    due_at: u64,
    /// Nodes whose link was lost, or that did not answer, and when.
    doubts: BTreeMap<NodeId, Instant>,
}

/// Who is to be linked.
impl Standing {
    /// The ranks +32, +64, …, counted from 0.
    pub(crate) fn far_ranks() -> impl Iterator<Item = usize> {
        let far =
            core::iter::successors(Some(FIRST_FAR), |rank| rank.checked_mul(2)?.checked_add(1));
        far.take(caps::FAR_RANKS)
    }

    /// Whether the ring has changed since the last look.
    pub(crate) fn is_outdated(&self, changes: u64) -> bool {
        changes != self.looked_at
    }

    /// A look is due. Whether the ring of so many others has become calm: while it fills, whoever
    /// is linked today stands elsewhere tomorrow.
    pub(crate) fn is_calm(&mut self, changes: u64, others: usize) -> bool {
        let recent = changes.wrapping_sub(self.due_at);
        self.due_at = changes;
        recent == 0 || recent.saturating_mul(CALM) < others as u64
    }

    /// What a look has found.
    pub(crate) fn looked(&mut self, changes: u64, far: Vec<Ranked>) {
        self.looked_at = changes;
        self.far = far;
    }

    /// Whom to keep linked, nearest first, `most` at most. `next`: the next few of so many others.
    pub(crate) fn wanted(&self, next: &[Ranked], others: usize, most: usize) -> Vec<Ranked> {
        let everybody = others <= FEW;
        let ranks = next
            .iter()
            .enumerate()
            .filter(|(rank, _)| everybody || (rank + 1).is_power_of_two())
            .map(|(_, ranked)| *ranked);
        let last = next.last().map_or(0, |(distance, _)| *distance);
        let far = self.far.iter().filter(|(distance, _)| *distance > last);
        ranks.chain(far.copied()).take(most).collect()
    }

    /// How many of them there are in a ring of so many others.
    pub(crate) fn ranks_of(others: usize) -> usize {
        if others <= FEW {
            others
        } else {
            (usize::BITS - others.leading_zeros()) as usize
        }
    }
}

/// Who may not hear (R46).
impl Standing {
    /// A link to this node was lost, or a request on it was not answered.
    pub(crate) fn doubt(&mut self, node: NodeId, now: Instant) {
        if self.doubts.len() >= caps::DOUBTS && !self.doubts.contains_key(&node) {
            self.doubts
                .retain(|_, at| now.saturating_since(*at) < DOUBT);
            let oldest = self.doubts.iter().min_by_key(|(_, at)| **at);
            if let Some(oldest) = oldest.map(|(node, _)| *node) {
                if self.doubts.len() >= caps::DOUBTS {
                    self.doubts.remove(&oldest);
                }
            }
        }
        self.doubts.insert(node, now);
    }

    /// Whether that was in the last minute.
    pub(crate) fn is_doubted(&self, node: &NodeId, now: Instant) -> bool {
        let at = self.doubts.get(node);
        at.is_some_and(|at| now.saturating_since(*at) < DOUBT)
    }

    pub(crate) fn doubt_count(&self) -> usize {
        self.doubts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    /// Nodes at these ranks, counted from 0, the distance of each ten times its rank.
    fn ranked(ranks: impl IntoIterator<Item = u32>) -> Vec<Ranked> {
        let ranks = ranks.into_iter();
        ranks.map(|r| (10 * u64::from(r) + 10, node(r))).collect()
    }

    /// R46: in a small cluster everybody is linked with everybody.
    #[test]
    fn of_few_all_are_wanted() {
        let standing = Standing::default();
        for n in 0..=8 {
            let next = ranked(0..n);
            assert_eq!(standing.wanted(&next, n as usize, 256), next);
            assert_eq!(Standing::ranks_of(n as usize), n as usize);
        }
    }

    /// R46: the ranks +1, +2, +4, … are wanted, the far ones as of the last look.
    #[test]
    fn of_many_the_ranks_are_wanted() {
        let mut standing = Standing::default();
        assert_eq!(standing.wanted(&ranked(0..9), 9, 256), ranked([0, 1, 3, 7]));
        assert_eq!(Standing::ranks_of(9), 4);
        let far: Vec<_> = Standing::far_ranks().take_while(|r| *r < 99).collect();
        assert_eq!(far, [31, 63]);
        standing.looked(1, ranked([31, 63]));
        let wanted = standing.wanted(&ranked(0..16), 99, 256);
        assert_eq!(wanted, ranked([0, 1, 3, 7, 15, 31, 63]));
        assert_eq!(wanted.len(), Standing::ranks_of(99));
    }

    /// R22: where there is little room, the nearest are wanted first.
    #[test]
    fn with_little_room_the_nearest_are_wanted() {
        let standing = Standing::default();
        assert_eq!(standing.wanted(&ranked(0..16), 99, 2), ranked([0, 1]));
        assert_eq!(standing.wanted(&ranked(0..5), 5, 2), ranked([0, 1]));
    }

    /// R46: those of the last look that have come near since are not wanted twice.
    #[test]
    fn nobody_is_wanted_twice() {
        let mut standing = Standing::default();
        standing.looked(1, ranked([7, 31]));
        let wanted = standing.wanted(&ranked(0..16), 40, 256);
        assert_eq!(wanted, ranked([0, 1, 3, 7, 15, 31]));
    }

    /// R22, R46: the ranks of the largest table there can be.
    #[test]
    fn the_far_ranks_are_bounded() {
        let far: Vec<_> = Standing::far_ranks().collect();
        assert_eq!(far.len(), caps::FAR_RANKS);
        assert!(far.last().is_some_and(|last| *last >= caps::CAPACITY / 2));
    }

    /// R19, R46: while a ring fills, its ranks are not dialled.
    #[test]
    fn a_ring_that_fills_is_not_calm() {
        let mut standing = Standing::default();
        assert!(!standing.is_calm(50, 50));
        assert!(!standing.is_calm(100, 100));
        assert!(!standing.is_calm(107, 107), "seven are more than one in 16");
        assert!(standing.is_calm(113, 113), "six are not");
        assert!(standing.is_calm(113, 0), "nothing has changed");
        assert!(standing.is_outdated(113));
        standing.looked(113, Vec::new());
        assert!(!standing.is_outdated(113) && standing.is_outdated(114));
    }

    /// R46: for a minute.
    #[test]
    fn a_loss_is_remembered_for_a_minute() {
        let mut standing = Standing::default();
        standing.doubt(node(1), at(100));
        assert!(standing.is_doubted(&node(1), at(159)));
        assert!(!standing.is_doubted(&node(1), at(160)));
        assert!(!standing.is_doubted(&node(2), at(100)));
        standing.doubt(node(1), at(150));
        assert!(standing.is_doubted(&node(1), at(209)), "anew");
    }

    /// R22: beyond the cap the oldest is forgotten.
    #[test]
    fn what_is_doubted_is_bounded() {
        let mut standing = Standing::default();
        for n in 0..caps::DOUBTS as u32 + 1 {
            standing.doubt(node(n), at(100 + u64::from(n) / 64));
        }
        assert_eq!(standing.doubt_count(), caps::DOUBTS);
        assert!(!standing.is_doubted(&node(0), at(101)));
        assert!(standing.is_doubted(&node(caps::DOUBTS as u32), at(101)));
    }
}
