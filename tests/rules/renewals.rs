//! Renewals (R26) and lifetimes (R2, R3).

use std::time::Duration;

use peer_exchange::wire::{Message, Renewal, RenewalsBuilder, Request, Update};
use peer_exchange::{Input, NodeId};

use crate::support::build::*;
use crate::support::pair::Pair;
use crate::support::rig::{Rig, config, records_in};

fn rig(n: u32) -> Rig {
    Rig::new(n, config(|_| {}))
}

fn left(rig: &Rig, node: NodeId) -> u64 {
    rig.node.peer(&node).unwrap().lifetime_left.as_secs()
}

#[test]
fn a_node_is_kept_by_its_renewals_and_its_version_stays() {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(4 * 3_600));
    assert!(pair.agree());
    let view = pair.a.node.peer(&id(2)).unwrap();
    assert_eq!(view.sequence.version, 1);
    assert!(view.sequence.beat >= 20, "{:?}", view.sequence);
}

#[test]
fn a_node_that_is_gone_is_forgotten_within_its_lifetime() {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(700));
    let mut a = pair.a;
    let links: Vec<_> = a.node.links().map(|l| l.link).collect();
    for link in links {
        a.input(Input::LinkDown {
            link,
            orderly: false,
        });
    }
    a.pass_s(1_801);
    assert!(!a.knows(2));
}

/// The renewal that node 1 makes of node 7's record, taken from its answer to a pull.
fn renewal_of_7(beat: u32) -> Renewal {
    let mut rig = rig(1);
    let link = rig.link(7);
    rig.message(link, rumour(&[rec(7).beat(beat)]));
    let asked = Request {
        overdue: id(7).as_bytes()[..4].to_vec().into(),
        ..request(3)
    };
    rig.ask(link, asked).renewals.iter().next().unwrap()
}

fn batch(renewal: Renewal) -> Message {
    let mut batch = RenewalsBuilder::default();
    batch.push(renewal);
    Message::Update(Update {
        renewals: batch.finish(),
        ..Update::default()
    })
}

#[test]
fn a_batch_applies_to_exactly_its_version_and_content() {
    let renewal = renewal_of_7(5);
    let taken = |known: Rec, renewal: Renewal| {
        let mut rig = rig(1);
        let link = rig.link(2);
        rig.message(link, rumour(&[known.life(500)]));
        rig.take(link);
        rig.message(link, batch(renewal));
        let fetches = rig.take_requests(link).into_iter();
        let fetched = fetches.filter(|r| !r.fetch.is_empty()).count();
        (rig.node.peer(&id(7)).unwrap().sequence.beat, fetched)
    };
    assert_eq!(taken(rec(7), renewal), (5, 0));
    assert_eq!(taken(rec(7).beat(5), renewal), (5, 0), "known");
    assert_eq!(taken(rec(7).beat(9), renewal), (9, 0), "older");
    assert_eq!(
        taken(rec(7).version(2), renewal),
        (0, 0),
        "of an older version"
    );
    // Of a newer version, or of other content under this one: the record is fetched.
    let newer = Renewal {
        sequence: seq(2, 5),
        ..renewal
    };
    assert_eq!(taken(rec(7), newer), (0, 1));
    assert_eq!(taken(rec(7).body(body_of(66)), renewal), (0, 1));
}

#[test]
fn a_renewal_of_an_unknown_record_fetches_it() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.take(link);
    rig.message(link, batch(renewal_of_7(5)));
    let fetch = rig.take_requests(link).into_iter().find(|r| r.is_fetch());
    let fetch = fetch.unwrap();
    assert_eq!(&fetch.fetch[..], &id(7).as_bytes()[..4]);
    let Message::Response(mut response) = answer(fetch.id, 0, &[rec(7)]) else {
        unreachable!()
    };
    response.digest = Default::default();
    rig.message(link, Message::Response(response));
    assert!(rig.knows(7));
}

#[test]
fn what_is_overdue_is_listed_in_pulls() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(7), rec(8)]));
    rig.pass_answering(500);
    assert!(rig.asked(link).overdue.is_empty());
    rig.pass_answering(500);
    let overdue = rig.asked(link).overdue;
    let mut listed: Vec<_> = overdue.chunks(4).map(<[u8]>::to_vec).collect();
    listed.sort();
    assert_eq!(listed, [7_u32.to_be_bytes(), 8_u32.to_be_bytes()]);
}

#[test]
fn the_same_sequence_moves_no_deadline() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(7).life(500)]));
    for life in [1, 100, 1_799, 3_600] {
        rig.message(link, rumour(&[rec(7).life(life)]));
        assert_eq!(left(&rig, id(7)), 500);
    }
}

#[test]
fn a_life_shrinks_by_a_second_at_every_hop() {
    // Node 1 tells node 2 tells node 1 for ever: it ends when it would have ended.
    let mut pair = Pair::new(rig(1), rig(2));
    let link = pair.a.link(5);
    pair.a.message(link, push(1, &[rec(7).life(100)]));
    pair.a.input(Input::LinkDown {
        link,
        orderly: true,
    });
    pair.pass(Duration::from_secs(5));
    assert!(left(&pair.b, id(7)) < left(&pair.a, id(7)));
    pair.pass(Duration::from_secs(96));
    assert!(!pair.a.knows(7) && !pair.b.knows(7));
    // And stays dead, while a sequence above its own does not.
    let link = pair.a.link(5);
    pair.a.message(link, rumour(&[rec(7)]));
    assert!(!pair.a.knows(7));
    pair.a.message(link, rumour(&[rec(7).beat(1)]));
    assert!(pair.a.knows(7));
}

#[test]
fn nothing_is_relayed_in_its_last_moments() {
    let mut rig = rig(9);
    let (teller, asker) = (rig.link(2), rig.link(3));
    rig.message(teller, push(1, &[rec(7).life(100)]));
    let has_7 = |rig: &mut Rig| {
        let message = Message::Response(rig.ask(asker, request(1)));
        records_in(&message).is_some_and(|r| r.iter().any(|r| r.node == id(7)))
    };
    // A 500th of its half hour is 3.6 s.
    rig.pass_answering(96);
    assert!(has_7(&mut rig));
    rig.pass(Duration::from_millis(500));
    assert!(!has_7(&mut rig));
    assert!(rig.knows(7));
}

#[test]
fn two_contents_under_one_version_are_a_conflict_and_the_first_stays() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(7)]));
    for other in [rec(7), rec(7).beat(3)] {
        rig.message(link, rumour(&[other.body(body_of(66))]));
    }
    let view = rig.node.peer(&id(7)).unwrap();
    assert_eq!(
        (view.addresses, view.sequence),
        (vec![address(7)], seq(1, 0))
    );
    assert_eq!(rig.node.stats().records_conflicting, 2);
    let conflict = peer_exchange::Event::Conflict {
        node: id(7),
        version: 1,
    };
    assert!(rig.events.contains(&conflict));
}
