//! Two links to one node, in every order (R23), and links to refused nodes.

use peer_exchange::{CloseReason, Input, LinkId, Target};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

/// Node 10 is linked to node `other` over an incoming and a dialled link, in this order; the
/// Hellos come in the order of `hellos`. Says which survive.
fn survivors(other: u32, dialled: [bool; 2], hellos: [usize; 2], epochs: [u64; 2]) -> Vec<usize> {
    let mut rig = Rig::new(10, below(other));
    let links = dialled.map(|d| bare(&mut rig, other, d));
    for at in hellos {
        rig.message(links[at], hello(epochs[at]));
    }
    for (at, link) in links.iter().enumerate() {
        if !rig.is_up(*link) {
            assert_eq!(rig.why_closed(*link), Some(CloseReason::Duplicate), "{at}");
        }
    }
    (0..2).filter(|at| rig.is_up(links[*at])).collect()
}

/// A link without Hello.
fn bare(rig: &mut Rig, other: u32, dialled: bool) -> LinkId {
    if !dialled {
        return rig.mute_link(other);
    }
    // However many dials are made, this one was.
    rig.pass_s(1);
    let dial = match rig.dials.pop() {
        Some((dial, _)) => dial,
        None => peer_exchange::DialId::new(u64::MAX),
    };
    let link = rig.next_link();
    rig.input(Input::LinkUp {
        link,
        node: id(other),
        remote: None,
        dial: Some(dial),
    });
    link
}

/// R18: blame outlives the link.
#[test]
fn two_bad_messages_a_link_are_refused_at_the_third_link() {
    let mut rig = Rig::new(1, config(|_| {}));
    for _ in 0..2 {
        let link = rig.link(2);
        rig.raw(link, vec![0xff; 9]);
        assert!(rig.is_up(link), "one may be an accident");
        rig.input(Input::LinkDown {
            link,
            orderly: true,
        });
    }
    let link = rig.link(2);
    rig.raw(link, vec![0xff; 9]);
    assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
    let again = rig.mute_link(2);
    assert_eq!(rig.why_closed(again), Some(CloseReason::Refused));
    // For ten minutes, and blame has leaked away by then.
    rig.pass_s(601);
    let later = rig.link(2);
    rig.raw(later, vec![0xff; 9]);
    assert!(rig.is_up(later));
}

/// Whoever is refused loses every link, not only the one on which it went too far.
#[test]
fn a_refused_node_keeps_no_other_link() {
    let mut rig = Rig::new(1, config(|_| {}));
    let links = [rig.mute_link(2), rig.mute_link(2)];
    for _ in 0..3 {
        rig.raw(links[0], vec![0xff; 9]);
    }
    for link in links {
        assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
    }
}

#[test]
fn the_link_dialled_by_the_smaller_id_stays() {
    for hellos in [[0, 1], [1, 0]] {
        for dialled in [[true, false], [false, true]] {
            let own = usize::from(!dialled[0]);
            // Node 10 is smaller than 20: its own dial stays. It is larger than 5: the other's.
            assert_eq!(survivors(20, dialled, hellos, [7, 7]), [own]);
            assert_eq!(survivors(5, dialled, hellos, [7, 7]), [1 - own]);
        }
    }
}

#[test]
fn of_two_by_the_same_dialler_the_newer_stays() {
    for hellos in [[0, 1], [1, 0]] {
        for other in [5, 20] {
            assert_eq!(survivors(other, [false, false], hellos, [7, 7]), [1]);
            assert_eq!(survivors(other, [true, true], hellos, [7, 7]), [1]);
        }
    }
}

#[test]
fn another_epoch_replaces_the_older_link_whoever_dialled() {
    for dialled in [[true, false], [false, true], [false, false]] {
        for hellos in [[0, 1], [1, 0]] {
            for other in [5, 20] {
                assert_eq!(survivors(other, dialled, hellos, [7, 8]), [1]);
            }
        }
    }
}

#[test]
fn of_any_number_in_any_order_of_hellos_one_stays() {
    for hellos in [
        [0, 1, 2],
        [1, 2, 0],
        [2, 1, 0],
        [1, 0, 2],
        [2, 0, 1],
        [0, 2, 1],
    ] {
        let mut rig = Rig::new(10, config(|_| {}));
        let links = [0; 3].map(|_| rig.mute_link(20));
        for at in hellos {
            rig.message(links[at], hello(7));
        }
        let up = links.map(|l| rig.is_up(l));
        assert_eq!(up, [false, false, true], "{hellos:?}");
    }
}

#[test]
fn a_second_link_that_stays_mute_goes() {
    let mut rig = Rig::new(10, config(|_| {}));
    let (first, mute) = (rig.link(20), rig.mute_link(20));
    rig.pass_answering(21);
    assert!(rig.is_up(first) && !rig.is_up(mute));
}

#[test]
fn what_was_lost_with_the_other_link_is_no_failure() {
    let mut rig = Rig::new(10, config(|_| {}));
    let first = rig.link(20);
    let asked = rig.asked(first);
    let second = rig.link(20);
    assert!(!rig.is_up(first));
    let again = rig.take_requests(second);
    assert_eq!(again.len(), 1, "asked again at once on the link that stays");
    assert_ne!(again[0].id, asked.id);
}

/// A node refused for misbehaviour is dialled all the same, for instance as an upstream or by an
/// embedder's dial that was under way: the round goes on without it.
#[test]
fn a_dial_that_leads_to_a_refused_node_does_not_stop_the_round() {
    let mut rig = Rig::new(10, config(|_| {}));
    let (bad, teller) = (rig.link(20), rig.link(30));
    rig.message(teller, push(1, &[rec(20), rec(30)]));
    for _ in 0..3 {
        rig.raw(bad, &b"\xff"[..]);
    }
    assert_eq!(rig.why_closed(bad), Some(CloseReason::Misbehaviour));
    rig.input(Input::LinkDown {
        link: teller,
        orderly: true,
    });
    // Whoever is dialled from now on is node 20.
    for _ in 0..100 {
        for (dial, target) in std::mem::take(&mut rig.dials) {
            match target {
                Target::Peer { node, .. } if node == id(20) => {
                    rig.land(dial, id(20), 1);
                }
                _ => rig.input(Input::DialFailed { dial }),
            }
        }
        rig.pass_s(1);
    }
    // The refusal has ended, and node 30 is there: it is asked.
    let honest = rig.link(30);
    rig.pass_answering(40);
    rig.asked(honest);
}

#[test]
fn an_upstream_that_is_refused_is_tried_again_later_and_not_all_the_time() {
    let mut rig = Rig::new(10, below(20));
    let bad = rig.upstream(20);
    for _ in 0..3 {
        rig.raw(bad, &b"\xff"[..]);
    }
    let mut dials = 0;
    for second in 0..1_200 {
        for (dial, _) in std::mem::take(&mut rig.dials) {
            dials += 1;
            rig.land(dial, id(20), 1);
        }
        if rig.node.links().count() > 0 {
            assert!(second >= 590, "back after {second} s");
            assert!(dials < 20, "{dials} dials");
            return;
        }
        rig.pass_s(1);
    }
    panic!("never tried again");
}
