//! Renewals and lifetimes (R2, R3).

use std::time::Duration;

use peer_exchange::wire::{Message, Request, Response};
use peer_exchange::{Input, LinkId, NodeId, Sequence};

use crate::support::build::*;
use crate::support::pair::Pair;
use crate::support::rig::{Rig, config, records_in};

/// The default life, in seconds.
const DAY: u64 = 86_400;

fn rig(n: u32) -> Rig {
    Rig::new(n, config(|_| {}))
}

fn left(rig: &Rig, node: NodeId) -> u64 {
    rig.node.peer(&node).unwrap().lifetime_left.as_secs()
}

#[test]
fn a_node_is_kept_by_its_renewals_and_its_version_stays() {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(4 * DAY));
    assert!(pair.agree());
    let view = pair.a.node.peer(&id(2)).unwrap();
    assert_eq!(view.sequence.version, 1);
    assert!(view.sequence.beat >= 4, "{:?}", view.sequence);
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
    a.pass_s(DAY + 1);
    assert!(!a.knows(2));
}

/// The records that go out on this link as rumours.
fn pushed(rig: &mut Rig, link: LinkId) -> Vec<(NodeId, Sequence, u32)> {
    let sent = rig.take(link);
    let updates = sent.iter().filter(|m| matches!(m, Message::Update(_)));
    let records = updates.filter_map(records_in).flat_map(|page| {
        let records = page.iter().map(|r| (r.node, r.sequence, r.remaining_s));
        records.collect::<Vec<_>>()
    });
    records.collect()
}

#[test]
fn a_renewal_is_the_whole_record_in_the_last_quarter_of_its_life() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.pass_answering(DAY * 3 / 4);
    assert_eq!(pushed(&mut rig, link), []);
    rig.pass_answering(DAY * 3 / 32);
    let renewed = (id(1), seq(1, 1), DAY as u32 - 1);
    assert_eq!(pushed(&mut rig, link), [renewed]);
}

/// R16: it goes on, once, and is no reason to ask.
#[test]
fn whoever_had_not_known_a_renewal_passes_it_on_and_keeps_calm() {
    let mut rig = rig(1);
    let (teller, other) = (rig.link(2), rig.link(3));
    rig.message(teller, push(1, &[rec(2), rec(3), rec(7)]));
    rig.pass_answering(3_600);
    rig.take(other);
    let asked = rig.node.stats().requests_sent;
    for _ in 0..2 {
        rig.message(teller, rumour(&[rec(7).beat(1)]));
    }
    rig.pass(Duration::from_secs(1));
    assert_eq!(pushed(&mut rig, other), [(id(7), seq(1, 1), 86_398)]);
    assert_eq!(rig.node.stats().renewals_applied, 1);
    assert!(rig.node.stats().requests_sent <= asked + 1);
}

#[test]
fn a_renewal_is_for_its_content_alone() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(7)]));
    rig.message(link, rumour(&[rec(7).beat(5).body(body_of(66))]));
    assert_eq!(rig.node.peer(&id(7)).unwrap().sequence, seq(1, 0));
    assert_eq!(rig.node.stats().records_conflicting, 1);
}

#[test]
fn what_is_overdue_is_listed_in_pulls_and_answered_by_whoever_has_it() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, push(1, &[rec(2), rec(7), rec(8)]));
    rig.pass_answering(DAY * 7 / 8 - 100);
    assert!(rig.asked(link).overdue.is_empty());
    rig.message(link, rumour(&[rec(2).beat(1)]));
    rig.pass_answering(200);
    let asked = rig.asked(link);
    rig.message(link, Message::Response(response(asked.id)));
    let mut listed: Vec<_> = asked.overdue.chunks(8).map(<[u8]>::to_vec).collect();
    listed.sort();
    assert_eq!(listed, [7, 8].map(|n| id(n).as_bytes()[..8].to_vec()));
    // Whoever has nothing newer says nothing; whoever has, the record.
    let asks = |n| Request {
        overdue: asked.overdue.clone(),
        ..request(n)
    };
    // Of a node with a smaller ID, which goes first when requests cross.
    let asker = rig.link(0);
    assert!(rig.ask(asker, asks(77)).renewed.is_empty());
    rig.message(link, rumour(&[rec(8).beat(1)]));
    let renewed = rig.ask(asker, asks(78)).renewed;
    let renewed: Vec<_> = renewed.iter().map(|r| (r.node, r.sequence)).collect();
    assert_eq!(renewed, [(id(8), seq(1, 1))]);
}

#[test]
fn a_renewal_in_an_answer_is_taken() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, push(1, &[rec(2), rec(7)]));
    rig.pass_answering(DAY * 7 / 8 + 200);
    let asked = rig.asked(link);
    let response = Response {
        renewed: page(&[rec(7).beat(1)]),
        ..response(asked.id)
    };
    rig.message(link, Message::Response(response));
    assert_eq!(left(&rig, id(7)), DAY - 1);
}

/// With the shortest life there are 75 s left, of which a quiet round is most.
#[test]
fn a_short_life_that_is_overdue_is_asked_for_sooner() {
    let mut rig = rig(1);
    let link = rig.link(2);
    let mut short = body_of(7);
    varint_field(3, 600, &mut short);
    rig.message(link, push(1, &[rec(2), rec(7).body(short)]));
    rig.pass_answering(524);
    let asked = rig.node.stats().requests_sent;
    rig.pass_answering(76);
    let asked = rig.node.stats().requests_sent - asked;
    assert!((14..=40).contains(&asked), "{asked}");
    // And no longer than until its end.
    assert!(!rig.knows(7));
    let before = rig.node.stats().requests_sent;
    rig.pass_answering(300);
    let after = rig.node.stats().requests_sent - before;
    assert!(after <= 12, "{after}");
}

#[test]
fn the_same_sequence_moves_no_deadline() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(7).life(500)]));
    for life in [1, 100, 1_799, 86_400, u32::MAX] {
        rig.message(link, rumour(&[rec(7).life(life)]));
        assert_eq!(left(&rig, id(7)), 500);
    }
}

#[test]
fn a_life_shrinks_by_a_second_at_every_hop() {
    // Node 1 tells node 2 tells node 1 for ever: it ends when it would have ended.
    let mut pair = Pair::new(rig(1), rig(2));
    let link = pair.a.link(5);
    pair.a.message(link, push(1, &[rec(7).life(300)]));
    pair.a.input(Input::LinkDown {
        link,
        orderly: true,
    });
    pair.pass(Duration::from_secs(5));
    assert!(left(&pair.b, id(7)) < left(&pair.a, id(7)));
    pair.pass(Duration::from_secs(296));
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
    rig.message(teller, push(1, &[rec(7).life(272)]));
    let has_7 = |rig: &mut Rig| {
        let message = Message::Response(rig.ask(asker, request(1)));
        records_in(&message).is_some_and(|r| r.iter().any(|r| r.node == id(7)))
    };
    // A 500th of its day is 172.8 s.
    rig.pass_answering(99);
    assert!(has_7(&mut rig));
    rig.pass(Duration::from_millis(500));
    assert!(!has_7(&mut rig));
    assert!(rig.knows(7));
}
