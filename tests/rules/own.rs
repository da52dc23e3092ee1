//! A node's own record: kept against others (R5, R6), left behind (R4), changed.

use std::time::Duration;

use peer_exchange::wire::{GoodbyeReason, Message, Request};
use peer_exchange::{Event, Input, Instant, LinkId, Node};

use crate::support::build::*;
use crate::support::pair::Pair;
use crate::support::rig::{Rig, SEED, config, identity, records_in, refused_in};

fn rig(n: u32) -> Rig {
    Rig::new(n, config(|_| {}))
}

fn told(record: Rec) -> Rig {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.take(link);
    rig.message(link, rumour(&[record]));
    rig
}

#[test]
fn a_higher_sequence_is_exceeded_and_announced() {
    let mut rig = told(rec(1).version(40));
    assert_eq!(rig.node.sequence(), seq(41, 0));
    assert_eq!(rig.node.stats().recoveries, 1);
    let sent = std::mem::take(&mut rig.sent);
    let announced = sent.iter().filter_map(|(_, m)| records_in(m));
    let own: Vec<_> = announced
        .flat_map(|r| r.iter().map(|r| (r.node, r.sequence)).collect::<Vec<_>>())
        .collect();
    assert!(own.contains(&(id(1), seq(41, 0))), "{own:?}");
}

#[test]
fn whoever_leaves_asks_nobody_any_more() {
    // R4: closing the link that a request is under way on does not turn to the next one.
    let is_request = |(_, m): &(LinkId, Message)| matches!(m, Message::Request(_));
    let mut rig = rig(1);
    let busy = rig.link(2);
    rig.pass(Duration::from_millis(50));
    assert!(rig.sent.iter().any(is_request), "a round is under way");
    let idle = rig.link(3);
    rig.sent.clear();
    rig.input(Input::Leave);
    assert!(!rig.is_up(busy) && !rig.is_up(idle));
    assert!(!rig.sent.iter().any(is_request), "{:?}", rig.sent);
}

#[test]
fn other_content_at_the_own_sequence_is_exceeded() {
    assert_eq!(told(rec(1).body(body_of(66))).node.sequence(), seq(2, 0));
    // A tombstone of itself is other content too.
    assert_eq!(told(rec(1).body(Vec::new())).node.sequence(), seq(2, 0));
}

#[test]
fn an_echo_of_the_own_record_is_nothing() {
    // Else healthy nodes would race: every pull echoes the asker's record.
    let rig = told(rec(1));
    assert_eq!(rig.node.sequence(), seq(1, 0));
    assert_eq!(rig.node.stats().recoveries, 0);
}

/// The next version under the node's own ID, from elsewhere. How often it has recovered.
fn forge(rig: &mut Rig, link: LinkId) -> u64 {
    let version = rig.node.sequence().version;
    rig.message(link, rumour(&[rec(1).version(version + 1)]));
    rig.node.stats().recoveries
}

fn reports(rig: &mut Rig) -> usize {
    rig.take_events(|e| matches!(e, Event::DuplicateIdentity { at: None }))
        .len()
}

/// So do two nodes of one key that both keep to their rate: neither is ever refused a step.
#[test]
fn one_challenge_a_period_is_reported_when_it_goes_on() {
    let mut rig = rig(1);
    let link = rig.link(2);
    for recoveries in 1..=4 {
        assert_eq!(reports(&mut rig), 0);
        assert_eq!(forge(&mut rig, link), recoveries);
        rig.pass_answering(601);
    }
    assert_eq!(reports(&mut rig), 1);
}

#[test]
fn a_challenge_now_and_then_is_no_twin() {
    let mut rig = rig(1);
    let link = rig.link(2);
    for recoveries in 1..=8 {
        assert_eq!(forge(&mut rig, link), recoveries);
        rig.pass_answering(1_300);
    }
    assert_eq!(reports(&mut rig), 0);
}

#[test]
fn three_at_once_then_one_a_period_and_it_is_reported() {
    let mut rig = rig(1);
    let link = rig.link(2);
    for recoveries in [1, 2, 3, 3] {
        assert_eq!(reports(&mut rig), 0);
        assert_eq!(forge(&mut rig, link), recoveries);
    }
    assert_eq!(reports(&mut rig), 1);
    // It never stops: what is pending is done as soon as that is allowed.
    rig.pass_answering(601);
    assert_eq!(rig.node.stats().recoveries, 4);
    assert_eq!(rig.node.sequence().version, 9);
}

#[test]
fn a_node_that_lost_its_state_is_accepted_again() {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(2));
    for n in 0..5 {
        pair.b.input(Input::SetMetadata(vec![n]));
        pair.settle();
    }
    assert!(pair.agree());
    assert_eq!(pair.b.node.sequence(), seq(6, 0));
    // It comes back with nothing, at version 1.
    let mut pair = Pair::new(pair.a, rig(2));
    pair.pass(Duration::from_secs(2));
    assert!(pair.agree());
    assert_eq!(pair.b.node.sequence().version, 7);
    assert_eq!(pair.b.node.stats().recoveries, 1);
}

#[test]
fn a_node_that_was_forgotten_is_accepted_again() {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(2));
    pair.b.input(Input::SetMetadata(vec![1]));
    pair.settle();
    // Only its certificate is left at node 1.
    let mut a = pair.a;
    let links: Vec<_> = a.node.links().map(|l| l.link).collect();
    for link in links {
        a.input(Input::LinkDown {
            link,
            orderly: false,
        });
    }
    a.pass_s(86_500);
    assert!(!a.knows(2));
    assert_eq!(a.node.stats().certificates, 1);
    let mut pair = Pair::new(a, rig(2));
    pair.pass(Duration::from_secs(2));
    assert!(pair.agree());
    assert!(pair.b.node.sequence().version > 2);
}

#[test]
fn a_refusal_names_the_refusing_sequence() {
    let mut rig = rig(1);
    let (teller, subject) = (rig.link(3), rig.link(2));
    rig.message(teller, rumour(&[rec(2).version(9)]));
    rig.take(subject);
    rig.message(subject, rumour(&[rec(2)]));
    let sent = rig.take(subject);
    let refused: Vec<_> = sent
        .iter()
        .filter_map(refused_in)
        .flat_map(|r| r.iter().collect::<Vec<_>>())
        .collect();
    assert_eq!(refused, [(id(2), seq(9, 0))]);
    // An answer says it too, whatever else it leaves out.
    let asked = Request {
        own: seq(1, 0),
        ..request(5)
    };
    let answer = rig.ask(subject, asked);
    assert_eq!(answer.refusals.iter().next(), Some((id(2), seq(9, 0))));
}

#[test]
fn leaving_tells_everybody_and_stays_left() {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(2));
    pair.b.input(Input::Leave);
    pair.settle();
    assert!(!pair.a.knows(2));
    assert!(pair.a.events.contains(&Event::PeerLeft { node: id(2) }));
    // Nor does somebody else's older record bring it back, now or later.
    let link = pair.a.link(3);
    pair.a.message(link, rumour(&[rec(2), rec(2).beat(9)]));
    assert!(!pair.a.knows(2));
    pair.a.pass_answering(3_800);
    pair.a.message(link, rumour(&[rec(2)]));
    assert!(!pair.a.knows(2));
}

/// R4: also by a node that was set to a shorter life and restarted.
#[test]
fn a_tombstone_outlives_what_an_earlier_life_announced() {
    let life = |hours: u64| config(|c| c.lifetime = Duration::from_secs(hours * 3_600));
    let before = Rig::new(2, life(100));
    let snapshot = before.node.snapshot(before.now);
    let restored = Node::restore(life(1), identity(2), SEED, before.now, &snapshot, None);
    let mut rig = Rig::of(restored.unwrap());
    let link = rig.link(1);
    let lives = |rig: &mut Rig| {
        let sent = rig.take(link);
        let page = sent.iter().rev().find_map(records_in).unwrap();
        let own = page.iter().find(|r| r.node == id(2)).unwrap();
        u64::from(own.remaining_s) + 1
    };
    rig.input(Input::SetMetadata(vec![1]));
    assert_eq!(lives(&mut rig), 3_600);
    rig.input(Input::Leave);
    assert_eq!(lives(&mut rig), 100 * 3_600 / 16 * 17);
}

#[test]
fn shutdown_says_so_and_keeps_the_record() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.take(link);
    rig.input(Input::Shutdown);
    let sent = rig.take(link);
    let reasons: Vec<_> = sent
        .iter()
        .filter_map(|m| match m {
            Message::Goodbye(g) => Some(g.reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [GoodbyeReason::Shutdown]);
    assert!(!sent.iter().any(|m| records_in(m).is_some()));
}

#[test]
fn without_addresses_it_is_announced_no_more() {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(2));
    pair.b.input(Input::SetAddresses(Vec::new()));
    pair.pass(Duration::from_secs(2));
    assert!(!pair.a.knows(2));
    assert!(pair.b.knows(1), "it still takes part");
    pair.b.input(Input::SetAddresses(vec![address(5)]));
    pair.pass(Duration::from_secs(2));
    let view = pair.a.node.peer(&id(2)).unwrap();
    assert_eq!(view.addresses, [address(5)]);
    assert_eq!(view.sequence, seq(3, 0));
}

#[test]
fn a_node_that_never_had_an_address_is_never_announced() {
    let silent = identity(2).with_addresses(Vec::new());
    let node = Node::new(Default::default(), silent, SEED, Instant::ZERO).unwrap();
    let mut pair = Pair::new(rig(1), Rig::of(node));
    pair.pass(Duration::from_secs(5));
    assert!(pair.b.knows(1));
    assert_eq!(pair.a.node.stats().records, 1);
}

#[test]
fn a_record_of_an_earlier_life_is_withdrawn_by_a_node_without_addresses() {
    let silent = identity(1).with_addresses(Vec::new());
    let node = Node::new(Default::default(), silent, SEED, Instant::ZERO).unwrap();
    let mut rig = Rig::of(node);
    let link = rig.link(2);
    for _ in 0..10 {
        rig.message(link, rumour(&[rec(1).version(4)]));
    }
    // A tombstone above it, once: it is not met again and again.
    assert_eq!(rig.node.sequence(), seq(5, 0));
    assert_eq!(rig.node.stats().recoveries, 1);
    assert!(!rig.events.contains(&Event::DuplicateIdentity { at: None }));
    let answer = rig.ask(link, request(7));
    let message = Message::Response(answer);
    let own = records_in(&message)
        .unwrap()
        .iter()
        .find(|r| r.node == id(1));
    assert_eq!(
        own.map(|r| (r.sequence, r.body.len())),
        Some((seq(5, 0), 0))
    );
}
