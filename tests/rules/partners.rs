//! Whom a round asks, and what it brings along (R20).

use std::time::Duration;

use peer_exchange::Input;
use peer_exchange::wire::{Content, Cursor, Message};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

#[test]
fn whoever_has_just_been_asked_or_answered_is_not_asked_again_before_something_has_changed() {
    let mut rig = Rig::new(50, config(|_| {}));
    rig.pass_s(1);
    let link = rig.link(5);
    // It asks, brings its record, and has the answer: each knows what the other knew.
    let mut asks = request(77);
    asks.push = Some(delta(0, 1, &[rec(5)]));
    let asked = |rig: &Rig| rig.node.stats().requests_sent;
    let before = asked(&rig);
    let answer = rig.ask(link, asks);
    assert!(answer.delta.is_some() && rig.knows(5));
    rig.pass(Duration::from_millis(90));
    assert_eq!(asked(&rig), before, "there is no more to learn");
    // The embedder's wish comes first.
    rig.input(Input::Discover);
    rig.pass(Duration::from_millis(90));
    assert_eq!(asked(&rig), before + 1);
    let before = before + 1;
    // With other news there is something to tell.
    let other = rig.link(6);
    rig.message(other, push(1, &[rec(6), rec(7), rec(8)]));
    for _ in 0..20 {
        rig.fail_dials();
        rig.pass(Duration::from_millis(90));
    }
    assert!(asked(&rig) > before);
}

#[test]
fn a_wish_during_a_round_is_for_the_next_one() {
    let mut rig = Rig::new(50, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(1, &[rec(5)]));
    let under_way = rig.asked(link);
    rig.input(Input::Discover);
    let before = rig.node.stats().requests_sent;
    rig.message(link, Message::Response(response(under_way.id)));
    for _ in 0..20 {
        for request in rig.take_requests(link) {
            rig.message(link, Message::Response(response(request.id)));
        }
        rig.pass(Duration::from_millis(4));
    }
    assert!(rig.node.stats().requests_sent > before);
}

#[test]
fn without_any_change_a_partner_is_still_asked_at_the_quiet_pace() {
    let mut rig = Rig::new(50, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(1, &[rec(5)]));
    rig.pass_answering(600);
    let asked = rig.node.stats().requests_sent;
    assert!((8..=30).contains(&asked), "{asked} in ten minutes");
}

#[test]
fn at_a_first_contact_only_the_own_record_goes_along() {
    let mut rig = Rig::new(50, config(|_| {}));
    let teller = rig.link(5);
    rig.message(teller, push(5, &[rec(5), rec(6), rec(7)]));
    let stranger = rig.link(8);
    let hello = rig.take(stranger).into_iter().find_map(|m| match m {
        Message::Hello(hello) => Some(hello.epoch),
        _ => None,
    });
    let asked = rig.asked(stranger);
    assert!(asked.push.is_none(), "it may know all of them");
    // Once it has told how far it has come, it is told what has changed since.
    let mut answer = response(asked.id);
    answer.cursor = Some(Cursor {
        epoch: hello.unwrap(),
        version: asked.digest.version,
    });
    answer.digest.count = 1;
    rig.message(stranger, Message::Response(answer));
    rig.message(teller, push(7, &[rec(9), rec(10)]));
    let push = rig.asked(stranger).push.expect("two changes");
    assert!(matches!(&push.content, Content::Records(r) if r.len() == 2));
}

/// News that is told to two at random stops short of some; the ring reaches all.
#[test]
fn before_it_rests_a_node_asks_its_ring_successor() {
    for own in [20, 40, 60, 80] {
        let distance = |n: &u32| place(*n).get().wrapping_sub(place(own).get());
        let mut rig = Rig::new(own, config(|_| {}));
        let others: Vec<_> = (1..=12).map(|n| 10 * n + 1).collect();
        let links: Vec<_> = others.iter().map(|n| rig.link(*n)).collect();
        let all: Vec<_> = others.iter().map(|n| rec(*n)).collect();
        rig.message(links[own as usize % 12], push(20, &all));
        let mut asked = Vec::new();
        for _ in 0..20 {
            for (link, n) in links.iter().zip(&others) {
                for request in rig.take_requests(*link) {
                    asked.push(*n);
                    rig.message(*link, Message::Response(response(request.id)));
                }
            }
            rig.pass(Duration::from_millis(4));
        }
        let next = others.iter().copied().min_by_key(distance).unwrap();
        assert!(asked.contains(&next), "{own} asked {asked:?}");
        assert!(asked.len() <= 8, "{own} asked {asked:?}");
    }
}

/// R19: whatever there is to hurry for, the first round begins when the jitter of the start is over.
#[test]
fn the_first_round_waits_for_its_jitter() {
    let mut rig = Rig::new(1, config(|c| c.start_jitter = Duration::from_secs(60)));
    let link = rig.link(2);
    rig.input(Input::Discover);
    rig.message(link, push(1, &[rec(2), rec(3)]));
    rig.pass(Duration::from_millis(20));
    assert!(rig.take_requests(link).is_empty());
    rig.pass_s(60);
    assert!(!rig.take_requests(link).is_empty());
}

/// R44: an upstream is asked together with its Hello.
#[test]
fn no_jitter_keeps_a_node_from_its_upstream() {
    let slow = |c: &mut peer_exchange::Config| {
        *c = below(9);
        c.start_jitter = Duration::from_secs(60);
    };
    let mut rig = Rig::new(1, config(slow));
    rig.pass(Duration::from_millis(1));
    let link = rig.upstream(9);
    rig.pass(Duration::from_millis(1));
    assert!(!rig.take_requests(link).is_empty());
}

/// Both have dialled: it was a peer before its address turned out to be the upstream's.
#[test]
fn an_upstream_that_is_linked_already_gets_no_second_request() {
    let mut rig = Rig::new(50, below(9));
    rig.pass(Duration::from_millis(1));
    let peer = rig.link(9);
    let mut asks = request(77);
    asks.push = Some(delta(0, 1, &[rec(9)]));
    rig.ask(peer, asks);
    // Until the own record has gone there, though nobody has answered the dial (R47).
    rig.pass(Duration::from_millis(1_100));
    rig.take(peer);
    let upstream = rig.upstream(9);
    let sent: Vec<_> = [peer, upstream]
        .map(|l| rig.take(l))
        .into_iter()
        .flatten()
        .collect();
    let requests = sent.iter().filter(|m| matches!(m, Message::Request(_)));
    assert_eq!(requests.count(), 0, "they have exchanged already");
}
