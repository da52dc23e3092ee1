//! Where an upstream's address leads: to another node, to this one, to one with its key (R36, R37).

use std::time::Duration;

use peer_exchange::wire::{Goodbye, GoodbyeReason, Message, Update};
use peer_exchange::{CloseReason, Event, Input, Instant, LinkId, Readiness, UpstreamState};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

#[test]
fn an_upstream_that_is_this_node_is_the_cycle_of_length_one() {
    // Its own address, where that is certain.
    let mut rig = Rig::new(1, below(1));
    rig.pass(Duration::from_millis(50));
    let (dial, _) = rig.dials.remove(0);
    let link = rig.meet_itself(dial);
    assert_eq!(rig.why_closed(link), Some(CloseReason::SelfConnection));
    let found = Event::LoopDetected { path: vec![id(1)] };
    assert_eq!(rig.take_events(|e| *e == found).len(), 1);
    let state = rig.node.upstreams().next().unwrap().state;
    assert_eq!(state, UpstreamState::Itself);
}

/// R37: a balancer may lead to another node at the next dial.
#[test]
fn an_address_that_leads_to_this_node_is_tried_again_and_reported_after_five_times() {
    let mut rig = Rig::new(1, below(9));
    let mut met = Vec::new();
    while rig.now < Instant::from_millis(60_000) {
        if let Some((dial, _)) = rig.dials.pop() {
            let link = rig.meet_itself(dial);
            assert_eq!(rig.why_closed(link), Some(CloseReason::SelfConnection));
            met.push(rig.now);
            let reports = |e: &Event| {
                let cycle = matches!(e, Event::LoopDetected { path } if *path == [id(1)]);
                cycle || matches!(e, Event::UpstreamIsItself { address: a } if *a == address(9))
            };
            let reported = rig.take_events(reports).len();
            assert_eq!(reported, if met.len() == 5 { 2 } else { 0 }, "{met:?}");
        }
        rig.pass(Duration::from_millis(100));
    }
    assert!(met[1].saturating_since(met[0]) <= Duration::from_millis(1_100));
    assert!((6..=12).contains(&met.len()), "not in a loop: {met:?}");
    let view = rig.node.readiness();
    assert_eq!((view.state, view.only_itself), (Readiness::Alone, true));
    while rig.dials.is_empty() {
        rig.pass(Duration::from_millis(100));
    }
    let (dial, _) = rig.dials.remove(0);
    rig.land(dial, id(9), 10);
    let view = rig.node.readiness();
    assert_eq!((view.state, view.only_itself), (Readiness::Ready, false));
}

/// R37: 1, 4, 16 and 60 s after the start, and every ten minutes; its link stays where it answers.
#[test]
fn where_an_upstream_leads_is_looked_at_again_and_again() {
    let mut rig = Rig::new(1, below(9));
    let first = rig.upstream(9);
    let mut looks = Vec::new();
    for _ in 0..3_600 {
        rig.pass_answering(1);
        let Some((dial, _)) = rig.dials.pop() else {
            continue;
        };
        looks.push(rig.now);
        // Something has just come.
        rig.message(first, hello(10));
        let other = rig.land(dial, id(9), 10);
        assert!(rig.is_up(first) && !rig.is_up(other), "{looks:?}");
    }
    assert_eq!(
        looks
            .iter()
            .filter(|at| **at < Instant::from_millis(70_000))
            .count(),
        4
    );
    assert!((9..=12).contains(&looks.len()), "{looks:?}");
    // The first link may be dead at the other end.
    while rig.dials.is_empty() {
        rig.pass_s(1);
    }
    let (dial, _) = rig.dials.remove(0);
    let other = rig.land(dial, id(9), 10);
    assert!(!rig.is_up(first) && rig.is_up(other));
}

/// R37: what is cut off is told from what is alone.
#[test]
fn whoever_was_linked_and_knows_others_is_an_island() {
    let mut rig = Rig::new(1, below(9));
    let state = |rig: &Rig| rig.node.readiness().state;
    assert_eq!(state(&rig), Readiness::Waiting);
    rig.pass_s(10);
    assert_eq!(state(&rig), Readiness::Alone, "nobody is there");
    let link = rig.link(2);
    assert_eq!(state(&rig), Readiness::Ready);
    rig.message(link, push(1, &[rec(2)]));
    let orderly = true;
    rig.input(Input::LinkDown { link, orderly });
    rig.fail_dials();
    rig.pass_s(9);
    assert_eq!(state(&rig), Readiness::Ready, "for a moment");
    rig.pass_s(1);
    assert_eq!(state(&rig), Readiness::Island);
    assert!(!state(&rig).is_ready());
    assert_eq!(
        Rig::new(1, config(|_| {})).node.readiness().state,
        Readiness::Alone
    );
}

/// R36: who has this node's ID and another epoch is another node, with a copy of its key. Whoever
/// has dialled, both say so, and this one is not dialled for it.
#[test]
fn another_node_with_this_key_is_told_from_this_one() {
    let reports = |e: &Event| matches!(e, Event::DuplicateIdentity { at: Some(_) });
    let mut rig = Rig::new(1, below(9));
    rig.pass(Duration::from_millis(50));
    let (dial, _) = rig.dials.remove(0);
    let link = LinkId::new(77);
    let at = address(9).socket_addr();
    let (node, remote) = (id(1), at);
    rig.input(Input::LinkUp {
        link,
        node,
        remote,
        dial: Some(dial),
    });
    rig.message(link, hello(5));
    assert_eq!(rig.why_closed(link), Some(CloseReason::SameKey));
    assert_eq!(rig.take_events(reports), [Event::DuplicateIdentity { at }]);
    rig.dials.clear();
    rig.pass_s(290);
    assert!(rig.dials.is_empty(), "not for this");
    // The other one is dialled by it.
    let mut rig = Rig::new(1, config(|_| {}));
    for (link, expected) in [(78, 1), (79, 0)] {
        let link = LinkId::new(link);
        rig.input(Input::LinkUp {
            link,
            node,
            remote,
            dial: None,
        });
        rig.message(link, hello(5));
        assert_eq!(rig.why_closed(link), Some(CloseReason::SameKey));
        assert_eq!(rig.take_events(reports).len(), expected, "once in a while");
    }
}

/// A link from node 9, which says Hello in this epoch.
fn in_epoch(rig: &mut Rig, epoch: u64) -> LinkId {
    let link = rig.mute_link(9);
    rig.message(link, hello(epoch));
    link
}

/// R36: who is back twice in an epoch that it had left is two nodes. The older link stays, and each is
/// told where the other is.
#[test]
fn of_two_with_one_key_a_third_node_keeps_the_first() {
    let mut rig = Rig::new(1, config(|_| {}));
    let links = [7, 8, 7].map(|epoch| in_epoch(&mut rig, epoch));
    assert_eq!(rig.why_closed(links[0]), Some(CloseReason::Duplicate));
    assert_eq!(rig.why_closed(links[1]), Some(CloseReason::Duplicate));
    for _ in 0..3 {
        rig.sent.clear();
        let newer = in_epoch(&mut rig, 8);
        assert_eq!(rig.why_closed(newer), Some(CloseReason::SameKey));
        assert_eq!(rig.why_closed(links[2]), None, "the older one");
        let at = address(9).socket_addr();
        let told = rig.sent.iter().filter_map(|(link, message)| match message {
            Message::Update(update) => update.same_key.map(|other| (*link, other)),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [(links[2], at), (newer, at)]);
    }
    assert_eq!(rig.node.stats().clones_parted, 3);
    // It is a link of the same node like any other.
    let again = in_epoch(&mut rig, 7);
    assert_ne!(rig.why_closed(again), Some(CloseReason::SameKey));
}

/// R36: leaving and quick return, or a crash and a restart twice within a minute, is none of that.
#[test]
fn who_starts_again_and_again_is_one_node() {
    let mut rig = Rig::new(1, config(|_| {}));
    let mut last = in_epoch(&mut rig, 7);
    for epoch in 8..14 {
        rig.pass_s(3);
        if epoch % 2 == 0 {
            let orderly = true;
            rig.input(Input::LinkDown {
                link: last,
                orderly,
            });
        }
        last = in_epoch(&mut rig, epoch);
        assert_eq!(rig.why_closed(last), None);
    }
    assert_eq!(rig.node.stats().clones_parted, 0);
}

/// R36: who is told that another has its key says so once in a while, and leaves whoever has closed
/// its link for it alone.
#[test]
fn who_is_told_of_another_with_its_key_reports_it() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, push(1, &[rec(2)]));
    let at = Some("10.9.8.7:5001".parse().unwrap());
    for _ in 0..3 {
        rig.message(
            link,
            Message::Update(Update {
                same_key: Some(at),
                ..Update::default()
            }),
        );
    }
    let reports = |e: &Event| matches!(e, Event::DuplicateIdentity { .. });
    assert_eq!(rig.take_events(reports), [Event::DuplicateIdentity { at }]);
    rig.message(
        link,
        Message::Goodbye(Goodbye {
            reason: GoodbyeReason::SameKey,
            retry_after: Duration::ZERO,
        }),
    );
    rig.dials.clear();
    rig.pass_s(200);
    assert!(rig.dials.is_empty(), "{:?}", rig.dials);
}
