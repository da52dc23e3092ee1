//! Several links: which stays of two to one node, and which go when they are looked at.

use super::*;
use crate::node::testing::{at, node};
use crate::rng::Purpose;
use crate::wire::{self, Hello};

const NANOSECOND: Duration = Duration::from_nanos(1);
const IDLE: Duration = Duration::from_secs(90);

/// A link to a node; it was dialled, its Hello has come, and there was room for it.
struct Given {
    node: u32,
    dialled: bool,
    epoch: Option<u32>,
    over_cap: bool,
    replaces: bool,
}

impl Given {
    fn to(node: u32) -> Self {
        Self {
            node,
            dialled: true,
            epoch: Some(1),
            over_cap: false,
            replaces: false,
        }
    }

    fn replacing(self) -> Self {
        Self {
            replaces: true,
            ..self
        }
    }

    fn accepted(self) -> Self {
        Self {
            dialled: false,
            ..self
        }
    }

    fn dialled_by_us(self, dialled: bool) -> Self {
        Self { dialled, ..self }
    }

    fn in_epoch(self, epoch: u32) -> Self {
        Self {
            epoch: Some(epoch),
            ..self
        }
    }

    fn mute(self) -> Self {
        Self {
            epoch: None,
            ..self
        }
    }

    fn over_cap(self) -> Self {
        Self {
            over_cap: true,
            ..self
        }
    }

    fn add(self, links: &mut Links, id: u64, now: Instant) {
        let new = NewLink {
            node: node(self.node),
            remote: None,
            dialled: self.dialled,
            round_trip: None,
            over_cap: self.over_cap,
            replaces: self.replaces && self.dialled,
        };
        links.add(LinkId::new(id), new, now);
        if let Some(epoch) = self.epoch {
            let hello = Hello {
                min_version: 1,
                max_version: 1,
                features: if self.replaces { wire::REPLACES } else { 0 },
                epoch,
                cluster: 0,
                seen: None,
            };
            links.get_mut(LinkId::new(id)).unwrap().greeted(&hello);
        }
    }
}

/// These links, numbered from 1 in the order in which they came up, all at once.
fn links(given: impl IntoIterator<Item = Given>) -> Links {
    let mut links = Links::default();
    for (id, link) in (1..).zip(given) {
        link.add(&mut links, id, at(0));
    }
    links
}

/// Which of the links 1 and 2 stays at the node `own`, whichever is named first.
fn stays(links: &Links, own: u32) -> u64 {
    let (a, b) = (LinkId::new(1), LinkId::new(2));
    let (stays, goes) = links.survivor(a, b, &node(own)).unwrap();
    assert_eq!(links.survivor(b, a, &node(own)), Some((stays, goes)));
    assert_ne!(stays, goes);
    stays.get()
}

fn closed(sweep: &Sweep) -> Vec<(u64, GoodbyeReason)> {
    let close = sweep.close.iter();
    close.map(|(id, goodbye, _)| (id.get(), *goodbye)).collect()
}

/// R23: the dialler has lost the older one and does not know yet, or it would not have dialled.
#[test]
fn of_two_links_by_one_dialler_the_newer_stays() {
    for dialled in [true, false] {
        let two = links([5, 5].map(|n| Given::to(n).dialled_by_us(dialled)));
        assert_eq!((stays(&two, 1), stays(&two, 9)), (2, 2));
    }
}

/// R23: the node has restarted, and the older link leads to nobody.
#[test]
fn of_two_links_in_two_epochs_the_newer_stays_whoever_dialled() {
    for dialled in [true, false] {
        for other in [true, false] {
            let two = links([
                Given::to(5).dialled_by_us(dialled).in_epoch(8),
                Given::to(5).dialled_by_us(other).in_epoch(7),
            ]);
            assert_eq!((stays(&two, 1), stays(&two, 9)), (2, 2));
        }
    }
}

/// R32: nothing comes over the older one, which the other end may not know but from the Hello.
#[test]
fn a_link_that_was_dialled_since_the_other_is_mute_stays() {
    for dialled in [true, false] {
        let two = links([
            Given::to(5).dialled_by_us(!dialled),
            Given::to(5).dialled_by_us(dialled).replacing(),
        ]);
        assert_eq!((stays(&two, 1), stays(&two, 9)), (2, 2));
        let own = node(if dialled { 9 } else { 1 });
        assert_eq!(two.likely_survivor(LinkId::new(2), &own), LinkId::new(2));
        // That one was, some time ago, and is mute now itself.
        let mut two = links([Given::to(5).dialled_by_us(!dialled).replacing()]);
        let newer = Given::to(5).dialled_by_us(dialled).replacing();
        newer.add(&mut two, 2, at(60));
        assert_eq!((stays(&two, 1), stays(&two, 9)), (2, 2));
    }
}

/// R23.
#[test]
fn of_two_links_that_crossed_the_one_dialled_by_the_smaller_id_stays() {
    for (first_is_ours, smaller, larger) in [(true, 1, 2), (false, 2, 1)] {
        let two = links([
            Given::to(5).dialled_by_us(first_is_ours),
            Given::to(5).dialled_by_us(!first_is_ours),
        ]);
        assert_eq!(stays(&two, 1), smaller, "1 is the smaller");
        assert_eq!(stays(&two, 9), larger, "5 is the smaller");
    }
}

/// R23: dials that cross come up in either order at either end, and both ends keep the same link.
#[test]
fn both_ends_keep_the_same_of_two_links_that_crossed() {
    let end = |other, first_dialled, swapped: bool| {
        let (a, b) = if swapped { (2, 1) } else { (1, 2) };
        let mut end = Links::default();
        let dialled = first_dialled == (a == 1);
        Given::to(other)
            .dialled_by_us(dialled)
            .add(&mut end, a, at(0));
        Given::to(other)
            .dialled_by_us(!dialled)
            .add(&mut end, b, at(1));
        end
    };
    for swapped_here in [false, true] {
        for swapped_there in [false, true] {
            let here = end(5, true, swapped_here);
            let there = end(3, false, swapped_there);
            assert_eq!(stays(&here, 3), stays(&there, 5));
        }
    }
}

/// R23: before both Hellos have come, nothing is decided.
#[test]
fn a_link_without_its_hello_is_not_compared() {
    let two = links([Given::to(5), Given::to(5).mute()]);
    assert_eq!(two.survivor(LinkId::new(1), LinkId::new(2), &node(1)), None);
    assert_eq!(two.survivor(LinkId::new(2), LinkId::new(1), &node(1)), None);
    assert_eq!(two.survivor(LinkId::new(1), LinkId::new(9), &node(1)), None);
}

/// R23.
#[test]
fn the_twin_is_another_greeted_link_of_the_same_node() {
    let four = links([
        Given::to(5),
        Given::to(5).mute(),
        Given::to(6),
        Given::to(7).mute(),
    ]);
    let twins: Vec<_> = (1..=5)
        .map(|id| four.greeted_twin(LinkId::new(id)))
        .collect();
    assert_eq!(twins, [None, Some(LinkId::new(1)), None, None, None]);
}

/// R23: the Hello of a new link is yet to come, and most will tell the epoch that is known.
#[test]
fn of_links_that_crossed_the_survivor_is_foreseen() {
    for (own, likely) in [(1, 1), (9, 2)] {
        let two = links([Given::to(5), Given::to(5).accepted().mute()]);
        assert_eq!(
            two.likely_survivor(LinkId::new(2), &node(own)),
            LinkId::new(likely)
        );
    }
    for (own, likely) in [(1, 2), (9, 1)] {
        let two = links([Given::to(5).accepted(), Given::to(5).mute()]);
        assert_eq!(
            two.likely_survivor(LinkId::new(2), &node(own)),
            LinkId::new(likely)
        );
    }
}

/// R23.
#[test]
fn a_new_link_is_expected_to_stay_unless_it_crossed_a_greeted_one() {
    let cases = [
        links([Given::to(4), Given::to(5).mute()]),
        links([Given::to(5), Given::to(5).mute()]),
        links([Given::to(5).mute(), Given::to(5).accepted().mute()]),
    ];
    for two in cases {
        assert_eq!(
            two.likely_survivor(LinkId::new(2), &node(1)),
            LinkId::new(2)
        );
    }
    let none = Links::default();
    assert_eq!(
        none.likely_survivor(LinkId::new(2), &node(1)),
        LinkId::new(2)
    );
}

#[test]
fn a_node_is_reached_by_its_oldest_link_and_by_the_other_when_that_is_gone() {
    let mut three = links([Given::to(5), Given::to(5), Given::to(6)]);
    assert_eq!(three.of(&node(5)), Some(LinkId::new(1)));
    assert_eq!(three.remove(LinkId::new(1)).unwrap().node(), node(5));
    assert_eq!(three.of(&node(5)), Some(LinkId::new(2)));
    assert!(three.remove(LinkId::new(1)).is_none(), "it is gone");
    three.remove(LinkId::new(2)).unwrap();
    assert!(!three.is_linked(&node(5)) && three.link_of(&node(5)).is_none());
    assert_eq!(three.of(&node(6)), Some(LinkId::new(3)));
    assert_eq!(three.len(), 1);
}

#[test]
fn the_newer_link_of_two_goes_without_a_trace() {
    let mut two = links([Given::to(5), Given::to(5)]);
    two.remove(LinkId::new(2)).unwrap();
    assert_eq!(two.of(&node(5)), Some(LinkId::new(1)));
    assert_eq!(two.ids(), [LinkId::new(1)]);
}

/// R20.
#[test]
fn a_random_link_is_drawn_among_those_that_are_accepted() {
    let all = links((1..=4).map(Given::to));
    let mut random = Stream::new(&[7; 32], Purpose::Choices);
    let mut drawn = BTreeSet::new();
    for _ in 0..100 {
        drawn.extend(all.random(&mut random, |id, link| {
            id != LinkId::new(2) && link.node() != node(3)
        }));
    }
    assert_eq!(drawn, BTreeSet::from([LinkId::new(1), LinkId::new(4)]));
    assert_eq!(all.random(&mut random, |_, _| false), None);
}

/// R23: else a second link that never says Hello would stay for ever.
#[test]
fn a_second_link_without_a_hello_is_closed_after_five_seconds() {
    let three = links([
        Given::to(5).accepted(),
        Given::to(5).accepted().mute(),
        Given::to(6).accepted().mute(),
    ]);
    let sweep = |now| closed(&three.sweep(now, IDLE, |_| false));
    assert_eq!(sweep(at(5)), []);
    assert_eq!(sweep(at(5) + NANOSECOND), [(2, GoodbyeReason::Duplicate)]);
}

/// R22: a node without room has had time to answer once.
#[test]
fn a_link_beyond_the_cap_is_closed_after_five_seconds() {
    let one = links([Given::to(5).accepted().over_cap()]);
    let sweep = |now| one.sweep(now, IDLE, |_| true);
    assert_eq!(closed(&sweep(at(5))), []);
    let full = (LinkId::new(1), GoodbyeReason::Full, CloseReason::Full);
    assert_eq!(sweep(at(5) + NANOSECOND).close, [full]);
}

/// R22: who has dialled a link closes it; the other end keeps what it has accepted.
#[test]
fn an_unused_link_is_closed_by_the_end_that_has_dialled_it() {
    let mut three = links([Given::to(5), Given::to(6).accepted(), Given::to(7)]);
    let used = three.get_mut(LinkId::new(3)).unwrap();
    assert!(used.take_room(Class::Answer, at(1)));
    let sweep = |now| closed(&three.sweep(now, IDLE, |_| false));
    assert_eq!(sweep(at(90)), []);
    assert_eq!(sweep(at(90) + NANOSECOND), [(1, GoodbyeReason::Idle)]);
    let both = [(1, GoodbyeReason::Idle), (3, GoodbyeReason::Idle)];
    assert_eq!(sweep(at(91) + NANOSECOND), both);
}

#[test]
fn an_unused_link_that_is_to_be_kept_stays() {
    let two = links([Given::to(5), Given::to(6)]);
    let sweep = two.sweep(at(1_000), IDLE, |n| *n == node(5));
    assert_eq!(closed(&sweep), [(2, GoodbyeReason::Idle)]);
    assert_eq!(sweep.lasted, [node(5)]);
}

/// R17: what is closed is not said to have lasted.
#[test]
fn links_have_lasted_after_thirty_seconds_unless_they_are_closed() {
    let mut three = links([Given::to(5), Given::to(6).over_cap()]);
    Given::to(7).add(&mut three, 3, at(1));
    let lasted = |now| three.sweep(now, IDLE, |_| false).lasted;
    assert_eq!(lasted(at(30) - NANOSECOND), []);
    assert_eq!(lasted(at(30)), [node(5)]);
    assert_eq!(lasted(at(31)), [node(5), node(7)]);
}
