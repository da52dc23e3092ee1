//! Upstreams: aliases of one node, forwarding, and late knowledge (R9 to R13).

use std::time::Duration;

use peer_exchange::wire::{Message, Request, Walk};
use peer_exchange::{Config, Event, Input, LinkId, UpstreamState, limits::caps};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config, records_in};

#[test]
fn two_addresses_of_one_node_are_one_upstream() {
    let two = config(|c| c.upstreams = vec![address(8), address(9)]);
    let mut rig = Rig::new(50, two);
    let first = rig.upstream(9);
    while rig.dials.is_empty() {
        rig.pass(Duration::from_millis(10));
    }
    let second = rig.upstream(9);
    assert!(rig.is_up(first) && !rig.is_up(second), "it answers");
    let states: Vec<_> = rig.node.upstreams().map(|u| (u.node, u.state)).collect();
    assert_eq!(states, [(Some(id(9)), UpstreamState::Up); 2]);
    // A forwarded request goes there once.
    rig.pass_answering(5);
    let asker = rig.link(2);
    rig.take(first);
    rig.message(asker, Message::Request(request(77)));
    let sent = rig.take(first);
    let walks = sent
        .iter()
        .filter(|m| matches!(m, Message::Request(r) if r.walk.is_some()));
    assert_eq!(walks.count(), 1);
}

/// The alert about an upstream that is down has to end, whoever connects first.
#[test]
fn an_upstream_that_comes_back_by_itself_is_up() {
    let mut rig = Rig::new(50, below(9));
    let first = rig.upstream(9);
    let up = |e: &Event| matches!(e, Event::UpstreamUp { node, .. } if *node == id(9));
    let down = |e: &Event| matches!(e, Event::UpstreamDown { .. });
    assert_eq!(rig.take_events(up).len(), 1);
    let orderly = true;
    let link = first;
    rig.input(Input::LinkDown { link, orderly });
    assert_eq!(rig.take_events(down).len(), 1);
    // Its dial comes before this node's.
    rig.link(9);
    assert_eq!(rig.take_events(up).len(), 1);
    rig.dials.clear();
    rig.pass(Duration::from_millis(600));
    assert!(rig.dials.is_empty(), "it is connected");
    assert_eq!(rig.take_events(up).len(), 0, "told once");
}

/// Two nodes of one key replace each other's links at their upstream for ever; not in a storm.
#[test]
fn links_that_are_replaced_again_and_again_are_dialled_ever_more_seldom() {
    let mut rig = Rig::new(1, below(9));
    let mut links = 0;
    for _ in 0..6_000 {
        if let Some((dial, _)) = rig.dials.pop() {
            let link = rig.land(dial, id(9), 1);
            links += 1;
            let orderly = true;
            rig.input(Input::LinkDown { link, orderly });
        }
        rig.pass(Duration::from_millis(20));
    }
    // In two minutes: each wait is double the one before, up to 16 s.
    assert!((8..=24).contains(&links), "{links}");
}

fn walks(sent: &[Message]) -> Vec<&Request> {
    sent.iter()
        .filter_map(|m| match m {
            Message::Request(r) if r.walk.is_some() => Some(r),
            _ => None,
        })
        .collect()
}

#[test]
fn a_cold_node_answers_at_once_forwards_once_and_tells_later() {
    let mut rig = Rig::new(50, below(9));
    let upstream = rig.upstream(9);
    rig.pass_answering(2);
    let (asker, other) = (rig.link(2), rig.link(3));
    rig.pass_answering(2);
    rig.sent.clear();
    rig.message(asker, Message::Request(request(77)));
    // The answer does not wait.
    let answers = rig.take_responses(asker);
    assert_eq!(answers.len(), 1);
    let sent = rig.take(upstream);
    let forwarded = walks(&sent);
    assert_eq!(forwarded.len(), 1);
    let walk = forwarded[0].walk.as_ref().unwrap();
    assert_eq!((walk.origin(), walk.path()), (id(2), &[id(2), id(50)][..]));
    assert_eq!((forwarded[0].id.get(), forwarded[0].hop_limit), (77, 15));
    // The same walk by another way is answered and not forwarded.
    let again = Request {
        walk: Walk::of(vec![id(2), id(3)]),
        ..request(77)
    };
    rig.message(other, Message::Request(again));
    assert!(!rig.take_responses(other).is_empty());
    // Late knowledge goes to who asked.
    rig.message(upstream, answer(forwarded[0].id, &[rec(100)]));
    assert!(walks(&rig.take(upstream)).is_empty());
    let late = rig.take_updates(asker);
    let late: Vec<_> = late.iter().filter(|u| u.request.is_some()).collect();
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].request.unwrap().get(), 77);
    let message = Message::Update(late[0].clone());
    assert!(
        records_in(&message)
            .unwrap()
            .iter()
            .any(|r| r.node == id(100))
    );
    // Warm, it forwards nothing.
    rig.message(asker, Message::Request(request(78)));
    assert!(walks(&rig.take(upstream)).is_empty());
}

/// A cold node below node 9, and its link to that; its own asking has come to rest.
fn cold_below_9() -> (Rig, LinkId) {
    let mut rig = Rig::new(50, config_of_a_relay());
    let upstream = rig.upstream(9);
    rig.pass_answering(2);
    (rig, upstream)
}

fn config_of_a_relay() -> Config {
    let mut config = below(9);
    config.messages_per_second = 100_000;
    // Its own rounds would be in the way.
    config.quiet_round = Duration::from_secs(3_600);
    config.round = Duration::from_secs(10);
    config
}

/// Sends a request with this ID, and says how often it was forwarded. The upstream answers at
/// once, and knows nothing either.
fn forwards(rig: &mut Rig, asker: LinkId, upstream: LinkId, id: u32) -> usize {
    rig.take(upstream);
    rig.message(asker, Message::Request(request(id)));
    let sent = rig.take(upstream);
    let forwarded: Vec<_> = walks(&sent).iter().map(|w| w.id).collect();
    for id in &forwarded {
        rig.message(upstream, Message::Response(response(*id)));
    }
    rig.take(asker);
    forwarded.len()
}

#[test]
fn a_walk_is_forwarded_once_in_a_minute_though_everything_is_cold_and_idle() {
    let (mut rig, upstream) = cold_below_9();
    let asker = rig.link(2);
    rig.pass_answering(2);
    assert_eq!(forwards(&mut rig, asker, upstream, 77), 1);
    assert_eq!(forwards(&mut rig, asker, upstream, 77), 0);
    assert_eq!(forwards(&mut rig, asker, upstream, 78), 1);
    rig.pass_answering(75);
    assert_eq!(forwards(&mut rig, asker, upstream, 77), 1);
}

#[test]
fn a_full_memory_of_walks_forwards_nothing() {
    let (mut rig, upstream) = cold_below_9();
    rig.checks = false;
    let asker = rig.link(2);
    rig.pass_answering(2);
    let most = caps::SEEN_WALKS as u32;
    let forwarded: usize = (0..most + 50)
        .map(|id| forwards(&mut rig, asker, upstream, 1_000 + id))
        .sum();
    assert_eq!(forwarded, caps::SEEN_WALKS);
    rig.check();
    rig.pass_answering(75);
    assert_eq!(forwards(&mut rig, asker, upstream, 7), 1);
}

#[test]
fn a_request_without_hops_is_not_forwarded() {
    let mut rig = Rig::new(50, below(9));
    let upstream = rig.upstream(9);
    rig.pass_answering(2);
    let asker = rig.link(2);
    rig.pass_answering(2);
    let asked = Request {
        hop_limit: 0,
        ..request(77)
    };
    rig.ask(asker, asked);
    assert!(walks(&rig.take(upstream)).is_empty());
}

#[test]
fn a_request_that_meets_itself_reports_the_cycle_and_is_answered() {
    let mut rig = Rig::new(50, below(9));
    rig.upstream(9);
    rig.pass_answering(2);
    let peer = rig.link(2);
    rig.sent.clear();
    let asked = Request {
        walk: Walk::of(vec![id(50), id(9), id(2)]),
        ..request(77)
    };
    rig.ask(peer, asked);
    let path = vec![id(2), id(50), id(9)];
    let found = Event::LoopDetected { path };
    assert_eq!(rig.take_events(|e| *e == found).len(), 1);
}

#[test]
fn other_upstreams_may_be_set_and_old_ones_go() {
    let mut rig = Rig::new(1, below(9));
    let link = rig.upstream(9);
    rig.input(Input::SetUpstreams(vec![address(10), address(10)]));
    assert_eq!(rig.node.upstreams().count(), 1);
    assert!(rig.is_up(link), "its link is a link like any other");
    rig.pass_s(1);
    assert_eq!(rig.dials.len(), 1);
}
