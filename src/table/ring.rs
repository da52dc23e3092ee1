//! The live nodes in the order of the ring: who comes next, and who stands where (R30, R46).

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::ring::{Position, RingKey};

/// A live node, and how far round the ring it is from the own one.
pub(crate) type Ranked = (u64, NodeId);

/// The next live nodes round the ring, nearest first, are kept up to date. The others are looked
/// for in the whole table when somebody asks: their places in memory would cost every record more
/// than the look costs now and then.
pub(super) struct Ring {
    own: NodeId,
    key: RingKey,
    at: Position,
    next: Vec<Ranked>,
    /// So many of them.
    kept: usize,
    /// Rises whenever a live node comes or goes.
    changes: u64,
}

impl Ring {
    const KEPT: usize = 16;

    pub(super) fn new(own: NodeId, key: RingKey) -> Self {
        Self {
            own,
            key,
            at: key.position(&own),
            next: Vec::new(),
            kept: Self::KEPT,
            changes: 0,
        }
    }

    /// From now on so many of those next are kept, or as few as usual.
    pub(super) fn keep(&mut self, many: usize) {
        self.kept = many.max(Self::KEPT);
        self.next.truncate(self.kept);
    }

    pub(super) fn next(&self) -> &[Ranked] {
        &self.next
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn at(&self) -> Position {
        self.at
    }

    /// Where this node stands.
    pub(super) fn position_of(&self, node: &NodeId) -> Position {
        self.key.position(node)
    }

    /// How far round the ring this node is from the own one.
    pub(super) fn distance(&self, node: &NodeId) -> u64 {
        self.at.distance_to(self.position_of(node))
    }

    fn ranked(&self, node: NodeId) -> Ranked {
        (self.distance(&node), node)
    }

    /// A live node has come, beside so many others.
    pub(super) fn added(&mut self, node: NodeId, others: usize) {
        self.changes += 1;
        let place = self.ranked(node);
        let at = self.next.partition_point(|n| *n < place);
        // Behind the last one kept there may be others that are nearer.
        if at < self.next.len() || self.next.len() == others {
            self.next.insert(at, place);
            self.next.truncate(self.kept);
        }
    }

    /// A live node has gone. Whether none is left of those kept, and a [look](Self::look) is due.
    pub(super) fn removed(&mut self, node: NodeId) -> bool {
        self.changes += 1;
        let before = self.next.len();
        self.next.retain(|(_, n)| *n != node);
        self.next.is_empty() && before > 0
    }

    /// Looks at all live nodes but the own one: those next are kept, and the nodes of these ranks
    /// (0 is the next), which rise, are returned as far as there are so many.
    pub(super) fn look(
        &mut self,
        live: impl Iterator<Item = NodeId>,
        ranks: impl Iterator<Item = usize>,
    ) -> Vec<Ranked> {
        let mut all: Vec<_> = live.map(|node| self.ranked(node)).collect();
        let mut ranks: Vec<_> = ranks.take_while(|rank| *rank < all.len()).collect();
        let mut found = Vec::with_capacity(ranks.len());
        // From the last on: what lies beyond one is not looked at for the one before.
        let mut below = all.len();
        while let Some(rank) = ranks.pop() {
            found.push(*all[..below].select_nth_unstable(rank).1);
            below = rank;
            if rank >= self.kept {
                all.truncate(rank);
            }
        }
        found.reverse();
        if all.len() > self.kept {
            all.select_nth_unstable(self.kept);
            all.truncate(self.kept);
        }
        all.sort_unstable();
        // Not all the room that there was for everybody.
        self.next = all.as_slice().into();
        found
    }

    /// Whether a node of these live ones lies between `node` and the own one.
    pub(super) fn is_between(&self, node: &NodeId, mut live: impl Iterator<Item = NodeId>) -> bool {
        let place = self.ranked(*node);
        live.any(|n| n != self.own && self.ranked(n) > place)
    }

    /// Whether this node is, or would be, one of the next so many.
    pub(super) fn is_among(&self, node: &NodeId, many: usize) -> bool {
        let Some(last) = many.checked_sub(1) else {
            return false;
        };
        let place = self.ranked(*node);
        self.next.get(last).is_none_or(|last| place <= *last)
    }

    /// The one of these live nodes that comes next after this one.
    pub(super) fn next_after(
        &self,
        node: &NodeId,
        live: impl Iterator<Item = NodeId>,
    ) -> Option<NodeId> {
        let from = self.key.position(node);
        let distance = |n: &NodeId| from.distance_to(self.key.position(n));
        live.filter(|n| n != node).min_by_key(distance)
    }

    /// How far round the ring the second is from the first.
    pub(super) fn distance_between(&self, from: &NodeId, to: &NodeId) -> u64 {
        let from = self.key.position(from);
        from.distance_to(self.key.position(to))
    }

    /// The nearest of these live nodes that is further than `after` and not further than `reach`.
    pub(super) fn first_beyond(
        &self,
        after: u64,
        reach: u64,
        live: impl Iterator<Item = NodeId>,
    ) -> Option<Ranked> {
        let all = live.map(|node| self.ranked(node));
        all.filter(|(d, _)| *d > after && *d <= reach).min()
    }

    /// `all`: live peers.
    pub(super) fn check(&self, all: impl Iterator<Item = NodeId>) {
        let mut all: Vec<_> = all.map(|node| self.ranked(node)).collect();
        all.sort_unstable();
        assert_eq!(self.next[..], all[..self.next.len()]);
        assert_eq!(self.next.is_empty(), all.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u8) -> NodeId {
        NodeId::new([n; 32])
    }

    fn ring() -> Ring {
        Ring::new(node(0), RingKey::new("test"))
    }

    /// All nodes but the own one, in the order of the ring.
    fn in_order(ring: &Ring, n: u8) -> Vec<Ranked> {
        let mut all: Vec<_> = (1..n).map(|n| ring.ranked(node(n))).collect();
        all.sort_unstable();
        all
    }

    /// R30: a look finds the nodes of the ranks that were asked for, and those that come next.
    #[test]
    fn a_look_finds_ranks_and_who_comes_next() {
        let mut ring = ring();
        for n in [1, 2, 3, 17, 18, 40, 200] {
            let all = in_order(&ring, n);
            for ranks in [&[0_usize, 1, 3, 7][..], &[31, 63, 127], &[]] {
                let found = ring.look((1..n).map(node), ranks.iter().copied());
                let expected: Vec<_> = ranks.iter().filter_map(|r| all.get(*r).copied()).collect();
                assert_eq!(found, expected, "{n} {ranks:?}");
                assert_eq!(ring.next(), &all[..all.len().min(Ring::KEPT)], "{n}");
            }
        }
    }

    /// R39: after the loss of many, more of those next are at hand.
    #[test]
    fn more_are_kept_while_they_are_wanted() {
        let mut ring = ring();
        let all = in_order(&ring, 200);
        for many in [64, 0, 300] {
            ring.keep(many);
            ring.look((1..200).map(node), core::iter::empty());
            let kept = many.clamp(Ring::KEPT, all.len());
            assert_eq!(ring.next(), &all[..kept], "{many}");
        }
        ring.keep(0);
        assert_eq!(ring.next(), &all[..Ring::KEPT]);
    }

    /// R30: in another cluster the order is another.
    #[test]
    fn each_cluster_has_an_order_of_its_own() {
        let order = |cluster| {
            let ring = Ring::new(node(0), RingKey::new(cluster));
            let nodes = in_order(&ring, 50).into_iter().map(|(_, node)| node);
            nodes.collect::<Vec<_>>()
        };
        assert_ne!(order("a"), order("b"));
        assert_eq!(order("a"), order("a"));
    }

    /// R46: those who come next are told from the others, newcomers too.
    #[test]
    fn whoever_would_come_next_is_told() {
        let mut ring = ring();
        let all = in_order(&ring, 50);
        for (_, node) in &all[10..] {
            ring.added(*node, ring.next.len());
        }
        for (i, (_, node)) in all.iter().enumerate() {
            assert_eq!(ring.is_among(node, 4), i < 14, "{i}");
            assert!(!ring.is_among(node, 0));
            let next = ring.next_after(node, (1..50).map(super::tests::node));
            assert_eq!(next, Some(all[(i + 1) % all.len()].1));
        }
    }

    /// R46: the one who stands in for another comes after it, within the part.
    #[test]
    fn the_first_beyond_is_the_next_in_the_ring() {
        let ring = ring();
        let all = in_order(&ring, 50);
        let live = || (1..50).map(node);
        let reach = all[30].0;
        assert_eq!(ring.first_beyond(0, reach, live()), Some(all[0]));
        assert_eq!(ring.first_beyond(all[4].0, reach, live()), Some(all[5]));
        assert_eq!(ring.first_beyond(all[29].0, reach, live()), Some(all[30]));
        assert_eq!(ring.first_beyond(all[30].0, reach, live()), None);
    }
}
