//! Many addresses, such as those of one name: whom to dial first (R44).

use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::NodeId;
use crate::node::cx::Cx;
use crate::rng;

/// With more addresses than these some come first.
const FEW: usize = 8;
/// The others follow within so many seconds of the start, unless somebody is known there by then.
const REST: usize = 10;

/// Of each address, whether it is among the first: all of a few. Of many those at the ranks +1, +2,
/// +4, … of their hashed order, as far as half round it, seen from this node's own place: whoever has the
/// same list dials another part of it, and all together are one graph of few hops. [A full mesh of 300, each of
/// which dials all: 284 messages a node while a single change goes round, which takes 17 hops. Further than half: of ten each dials
/// the one at +8, which dials it at +2, and one of the two links goes.]
pub(super) fn first(addresses: &[&Multiaddr], own: &[Multiaddr], id: &NodeId) -> Vec<bool> {
    let count = addresses.len();
    if count <= FEW {
        return alloc::vec![true; count];
    }
    let place = |n: usize| (rng::place(addresses[n].as_bytes()), addresses[n]);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_unstable_by_key(|n| place(*n));
    let here = order.iter().position(|n| own.contains(addresses[*n]));
    // Whoever is not in the list stands before the next one.
    let next = here.map_or_else(
        || order.partition_point(|n| place(*n).0 < rng::place(id.as_bytes())),
        |here| here + 1,
    );
    let ranks = count - usize::from(here.is_some());
    let mut first = alloc::vec![false; count];
    let steps = core::iter::successors(Some(1), |rank| Some(rank * 2));
    for rank in steps.take_while(|rank| *rank <= (ranks / 2).max(1)) {
        first[order[(next + rank - 1) % count]] = true;
    }
    first
}

/// When an address is dialled for the first time, from the start on: the first ones at once.
pub(super) fn wait(first: bool, cx: &mut Cx) -> Duration {
    if first {
        Duration::ZERO
    } else {
        // Whole seconds, so that those of one node are looked up together.
        Duration::from_secs(1 + cx.choices.below(REST) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx, node};

    fn list(count: u8) -> Vec<Multiaddr> {
        (0..count)
            .map(|n| Multiaddr::tcp(([10, 0, 0, n], 7_000).into()))
            .collect()
    }

    fn first_of(list: &[Multiaddr], own: &[Multiaddr]) -> Vec<usize> {
        let addresses: Vec<&Multiaddr> = list.iter().collect();
        let first = first(&addresses, own, &node(7));
        (0..list.len()).filter(|n| first[*n]).collect()
    }

    /// R44.
    #[test]
    fn of_a_few_all_come_first() {
        assert_eq!(first_of(&list(8), &[]).len(), 8);
        assert_eq!(first_of(&list(0), &[]).len(), 0);
    }

    /// R44: those at the ranks +1, +2, +4, +8, +16, +32, and never oneself.
    #[test]
    fn of_many_as_many_come_first_as_there_are_ranks() {
        let list = list(100);
        let own = &list[40..41];
        let first = first_of(&list, own);
        assert_eq!(first.len(), 6);
        assert!(!first.contains(&40));
        assert_eq!(first_of(&list, &[]).len(), 6, "not in the list");
    }

    /// R44: whom nobody dialled would wait for the rest.
    #[test]
    fn everybody_of_a_list_is_dialled_by_as_many_as_it_dials() {
        let list = list(64);
        let mut dialled = [0; 64];
        for own in &list {
            for n in first_of(&list, core::slice::from_ref(own)) {
                dialled[n] += 1;
            }
        }
        assert_eq!(dialled, [5; 64]);
    }

    /// R19, R44.
    #[test]
    fn the_others_follow_within_ten_seconds() {
        let mut cx = cx(at(0));
        let waits: Vec<u64> = (0..200).map(|_| wait(false, &mut cx).as_secs()).collect();
        assert!(waits.iter().all(|wait| (1..=10).contains(wait)));
        assert!((1..=10).all(|second| waits.contains(&second)));
        assert_eq!(wait(true, &mut cx), Duration::ZERO);
    }
}
