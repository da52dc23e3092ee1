//! The ring on which all nodes of a cluster stand, and the parts of it that news goes through (R30,
//! R46).

use alloc::vec::Vec;

use siphasher::sip::SipHasher24;

use crate::id::NodeId;

/// A place on the ring. It has 2^64 of them, and after the last comes the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(u64);

impl Position {
    /// The place with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// How many places on from here `other` is; 0 if it is here.
    pub(crate) const fn distance_to(self, other: Self) -> u64 {
        other.0.wrapping_sub(self.0)
    }

    /// The place so many on from here.
    pub(crate) const fn ahead(self, distance: u64) -> Self {
        Self(self.0.wrapping_add(distance))
    }

    /// How far the part that begins here and ends before `until` goes beyond this place. Where both
    /// are one place, that is the whole ring.
    pub(crate) const fn reach(self, until: Self) -> u64 {
        self.distance_to(until).wrapping_sub(1)
    }

    /// Of two ends of parts that begin here, the further one.
    pub(crate) fn further(self, a: Self, b: Self) -> Self {
        if self.reach(a) >= self.reach(b) { a } else { b }
    }

    /// The end of the part that goes so far beyond this place.
    pub(crate) const fn until(self, reach: u64) -> Self {
        self.ahead(reach.wrapping_add(1))
    }
}

/// The order of a cluster's nodes: SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input
/// PRF", 2012) of their IDs under a key that follows from the cluster's name. So an ID that is near
/// another in one cluster is not near it in the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingKey(u64, u64);

impl RingKey {
    /// That of the cluster of this name: the halves of the key are SipHash-2-4 of the name under the
    /// keys (0, 0) and (0, 1).
    #[must_use]
    pub fn new(cluster: &str) -> Self {
        let half = |k1| hash((0, k1), cluster.as_bytes());
        Self(half(0), half(1))
    }

    /// Where this node stands.
    #[must_use]
    pub fn position(&self, node: &NodeId) -> Position {
        Position(hash((self.0, self.1), node.as_bytes()))
    }
}

/// Where some nodes stand, to count those between two others.
pub(crate) struct Places(Vec<Position>);

impl Places {
    pub(crate) fn new(places: impl Iterator<Item = Position>) -> Self {
        let mut places: Vec<_> = places.collect();
        places.sort_unstable_by_key(|place| place.get());
        Self(places)
    }

    /// How many stand after the first and before the second, round the ring.
    pub(crate) fn between(&self, from: Position, to: Position) -> usize {
        let places = &self.0;
        let up_to_from = places.partition_point(|p| p.get() <= from.get());
        let before_to = places.partition_point(|p| p.get() < to.get());
        if from.get() < to.get() {
            before_to - up_to_from
        } else {
            places.len() - up_to_from + before_to
        }
    }
}

/// How far from the sender each of the nodes at these distances, which rise, is to pass something on
/// that goes as far as `reach`: up to the next of them.
pub(crate) fn pieces(distances: &[u64], reach: u64) -> impl Iterator<Item = u64> + '_ {
    let next = distances.iter().skip(1).map(|next| next - 1);
    next.chain([reach]).take(distances.len())
}

fn hash(key: (u64, u64), bytes: &[u8]) -> u64 {
    SipHasher24::new_with_keys(key.0, key.1).hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};
    use alloc::collections::BTreeSet;

    const fn place(number: u64) -> Position {
        Position::new(number)
    }

    /// R30: the vector of docs/protocol.md.
    #[test]
    fn positions_follow_from_the_name_of_the_cluster() {
        let node = NodeId::new(core::array::from_fn(|i| i as u8));
        let at = |cluster| RingKey::new(cluster).position(&node).get();
        assert_eq!(at(""), 0x86b6_db6c_2cda_fa1c);
        assert_eq!(at("example"), 0x5da8_7997_184c_0602);
    }

    /// R46: a part has its first place and not its end; one that ends where it begins is the ring.
    #[test]
    fn a_part_reaches_to_the_place_before_its_end() {
        assert_eq!(place(5).reach(place(6)), 0, "itself only");
        assert_eq!(place(5).reach(place(9)), 3);
        assert_eq!(place(5).reach(place(5)), u64::MAX, "all");
        assert_eq!(place(5).reach(place(4)), u64::MAX - 1, "all but one");
        assert_eq!(place(u64::MAX).reach(place(2)), 2, "past the last place");
        assert_eq!(place(0).reach(place(0)), u64::MAX);
    }

    /// R46: whatever the places, end and reach say the same.
    #[test]
    fn the_end_follows_from_the_reach_and_the_reach_from_the_end() {
        let mut random = Stream::new(&[3; 32], Purpose::Choices);
        for _ in 0..1_000 {
            let (from, until) = (place(random.next_u64()), place(random.next_u64()));
            assert_eq!(from.until(from.reach(until)), until);
            let reach = random.next_u64();
            assert_eq!(from.reach(from.until(reach)), reach);
        }
        for reach in [0, 1, u64::MAX - 1, u64::MAX] {
            assert_eq!(place(7).reach(place(7).until(reach)), reach);
        }
    }

    /// R46: cut anywhere, the pieces of a part hold each of its places once, and none beside it.
    #[test]
    fn the_pieces_of_a_part_are_the_part() {
        let mut random = Stream::new(&[4; 32], Purpose::Choices);
        for _ in 0..200 {
            // A ring of few places, spread over the large one, so that ends meet nodes.
            let step = u64::MAX / 16;
            let places: Vec<_> = (0..16).map(|i| place(i * step)).collect();
            let from = places[random.below(16)];
            let until = places[random.below(16)];
            let inside = |from: Position, until: Position| -> BTreeSet<_> {
                let within = |p: &&Position| from.distance_to(**p) <= from.reach(until);
                places.iter().filter(within).copied().collect()
            };
            let all = inside(from, until);
            let cut = *all.iter().nth(random.below(all.len())).unwrap();
            let (low, high) = (inside(from, cut), inside(cut, until));
            if cut == from {
                assert_eq!(high, all);
                continue;
            }
            assert!(low.is_disjoint(&high));
            assert_eq!(low.union(&high).copied().collect::<BTreeSet<_>>(), all);
        }
    }

    /// R46: the larger part counts, as seen from where both begin.
    #[test]
    fn of_two_ends_the_further_counts() {
        assert_eq!(place(5).further(place(9), place(7)), place(9));
        assert_eq!(place(5).further(place(9), place(2)), place(2), "past 0");
        assert_eq!(place(5).further(place(5), place(4)), place(5), "all");
    }

    /// R32: counted one by one, it is the same.
    #[test]
    fn those_between_two_places_are_counted() {
        let mut random = Stream::new(&[6; 32], Purpose::Choices);
        let some: Vec<_> = (0..40).map(|_| place(random.next_u64())).collect();
        let places = Places::new(some.iter().copied());
        for _ in 0..500 {
            let (from, to) = (some[random.below(40)], some[random.below(40)]);
            let reach = from.distance_to(to);
            let inside = |p: &&Position| (1..reach).contains(&from.distance_to(**p));
            if from != to {
                assert_eq!(places.between(from, to), some.iter().filter(inside).count());
            }
        }
        assert_eq!(Places::new([].into_iter()).between(place(1), place(9)), 0);
    }

    /// R46: the pieces of a part, from the first receiver on, are all of it, and each place is in one.
    #[test]
    fn pieces_cover_the_part_without_overlap() {
        let mut random = Stream::new(&[5; 32], Purpose::Choices);
        for _ in 0..500 {
            let own = place(random.next_u64());
            let reach = match random.below(3) {
                0 => u64::MAX,
                _ => random.next_u64() | 1,
            };
            let mut distances: Vec<u64> = (0..random.below(6))
                .map(|_| (random.next_u64() % reach).max(1))
                .collect();
            distances.sort_unstable();
            distances.dedup();
            let ends: Vec<u64> = pieces(&distances, reach).collect();
            assert_eq!(ends.len(), distances.len());
            let mut next = distances.first().copied();
            for (from, end) in distances.iter().zip(&ends) {
                assert_eq!(next, Some(*from), "no gap and no overlap");
                assert!(end >= from);
                // As the receiver reads it.
                let receiver = own.ahead(*from);
                assert_eq!(receiver.reach(own.until(*end)), end - from);
                next = end.checked_add(1);
            }
            if let Some(last) = ends.last() {
                assert_eq!(*last, reach);
            }
        }
    }

    /// R46: whoever is linked with whom, whoever is told over links to the ranks +1, +2, +4 … is told
    /// once, and everybody is.
    #[test]
    fn a_tree_over_the_ranks_reaches_everybody_once() {
        for n in [1_usize, 2, 3, 7, 8, 9, 64, 100] {
            let mut random = Stream::new(&[n as u8; 32], Purpose::Choices);
            let places: BTreeSet<u64> = (0..n).map(|_| random.next_u64()).collect();
            let places: Vec<_> = places.into_iter().map(place).collect();
            let mut told = alloc::vec![0; n];
            let mut hops = 0;
            let mut now = alloc::vec![(0, places[0])];
            while !now.is_empty() {
                let mut next = Vec::new();
                for (at, until) in now {
                    let reach = places[at].reach(until);
                    let ranks =
                        core::iter::successors(Some(1), |r| Some(r * 2)).take_while(|r| *r < n);
                    let targets = ranks.map(|rank| (at + rank) % n);
                    let within = |i: &usize| places[at].distance_to(places[*i]) <= reach;
                    let targets: Vec<_> = targets.filter(within).collect();
                    let distances: Vec<_> = targets
                        .iter()
                        .map(|i| places[at].distance_to(places[*i]))
                        .collect();
                    for (i, end) in targets.iter().zip(pieces(&distances, reach)) {
                        told[*i] += 1;
                        next.push((*i, places[at].until(end)));
                    }
                }
                hops += usize::from(!next.is_empty());
                now = next;
            }
            assert_eq!(told[0], 0, "not back to where it began");
            assert!(told[1..].iter().all(|times| *times == 1), "{told:?}");
            let log = n.next_power_of_two().trailing_zeros() as usize;
            assert!(hops <= log, "{n}: {hops}");
        }
    }
}
