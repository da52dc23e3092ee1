//! Upstreams: aliases of one node, this node itself, forwarding and late knowledge (R9 to R13).

use std::time::Duration;

use peer_exchange::wire::{LoopFound, Message, Request, Trace, Walk};
use peer_exchange::{CloseReason, Config, Event, Input, LinkId, UpstreamState, limits::caps};

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
    assert!(!rig.is_up(first) && rig.is_up(second), "the newer stays");
    let states: Vec<_> = rig.node.upstreams().map(|u| (u.node, u.state)).collect();
    assert_eq!(states, [(Some(id(9)), UpstreamState::Up); 2]);
    // Each trace, and each forwarded request, goes there once.
    rig.pass_answering(5);
    let asker = rig.link(2);
    rig.take(second);
    let trace = Trace {
        id: 5,
        path: vec![id(1), id(2)],
        fresh: false,
    };
    rig.message(asker, Message::Trace(trace));
    rig.message(asker, Message::Request(request(77)));
    let sent = rig.take(second);
    let traces = sent.iter().filter(|m| matches!(m, Message::Trace(_)));
    assert_eq!(traces.count(), 1);
    let walks = sent
        .iter()
        .filter(|m| matches!(m, Message::Request(r) if r.walk.is_some()));
    assert_eq!(walks.count(), 1);
}

#[test]
fn an_upstream_that_is_this_node_is_the_cycle_of_length_one() {
    let mut rig = Rig::new(1, below(9));
    let link = rig.upstream(1);
    assert_eq!(rig.why_closed(link), Some(CloseReason::SelfConnection));
    let found = Event::LoopDetected { path: vec![id(1)] };
    assert_eq!(rig.take_events(|e| *e == found).len(), 1);
    let state = rig.node.upstreams().next().unwrap().state;
    assert_eq!(state, UpstreamState::Itself);
    rig.dials.clear();
    rig.pass_s(120);
    assert!(rig.dials.is_empty(), "not dialled in a loop");
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
    rig.pass_answering(5);
    assert!(rig.dials.is_empty(), "it is connected");
    assert_eq!(rig.take_events(up).len(), 0, "told once");
}

/// A link that is just being replaced must not cost a cycle its report (R13).
#[test]
fn a_report_waits_for_the_next_nodes_link() {
    let mut rig = Rig::new(50, below(9));
    let link = rig.upstream(9);
    let teller = rig.link(2);
    rig.pass_answering(2);
    let orderly = true;
    rig.input(Input::LinkDown { link, orderly });
    let path = vec![id(2), id(50), id(9)];
    rig.message(teller, Message::LoopFound(LoopFound { path, hops: 2 }));
    let found = |e: &Event| matches!(e, Event::LoopDetected { .. });
    assert_eq!(rig.take_events(found).len(), 1);
    let again = rig.link(9);
    let sent = rig.take(again);
    let told = sent.iter().filter(|m| matches!(m, Message::LoopFound(_)));
    assert_eq!(told.count(), 1, "{sent:?}");
}

/// What was sent on the link that goes may never have arrived.
#[test]
fn a_report_is_told_again_when_its_link_is_replaced() {
    let mut rig = Rig::new(50, below(9));
    let link = rig.upstream(9);
    let teller = rig.link(2);
    let path = vec![id(2), id(50), id(9)];
    rig.message(teller, Message::LoopFound(LoopFound { path, hops: 2 }));
    let told = |rig: &mut Rig, link| {
        let sent = rig.take(link);
        let is_report = |m: &&Message| matches!(m, Message::LoopFound(_));
        sent.iter().filter(is_report).count()
    };
    assert_eq!(told(&mut rig, link), 1);
    // Of another epoch: the newer one stays.
    let second = rig.mute_link(9);
    assert_eq!(told(&mut rig, second), 0, "the first may be well");
    rig.message(second, hello(77));
    assert_eq!(rig.why_closed(link), Some(CloseReason::Duplicate));
    assert_eq!(told(&mut rig, second), 1);
    // Later a new link is another matter.
    rig.pass_answering(6);
    let third = rig.mute_link(9);
    rig.message(third, hello(78));
    assert_eq!(told(&mut rig, third), 0);
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
    assert_eq!((walk.origin, &walk.path[..]), (id(2), &[id(2), id(50)][..]));
    assert_eq!((forwarded[0].id.get(), forwarded[0].hop_limit), (77, 15));
    // The same walk by another way is answered and not forwarded.
    let again = Request {
        walk: Some(Walk {
            origin: id(2),
            path: vec![id(2), id(3)],
        }),
        ..request(77)
    };
    rig.message(other, Message::Request(again));
    assert!(!rig.take_responses(other).is_empty());
    // Late knowledge goes to who asked.
    rig.message(upstream, answer(forwarded[0].id, 4, &[rec(100)]));
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
fn forwards(rig: &mut Rig, asker: LinkId, upstream: LinkId, id: u64) -> usize {
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
    let most = caps::SEEN_WALKS as u64;
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
    let upstream = rig.upstream(9);
    rig.pass_answering(2);
    let peer = rig.link(2);
    rig.sent.clear();
    let asked = Request {
        walk: Some(Walk {
            origin: id(50),
            path: vec![id(50), id(9), id(2)],
        }),
        ..request(77)
    };
    rig.ask(peer, asked);
    let path = vec![id(2), id(50), id(9)];
    let found = Event::LoopDetected { path };
    assert_eq!(rig.take_events(|e| *e == found).len(), 1);
    let told = rig.take(upstream);
    let told: Vec<_> = told
        .iter()
        .filter_map(|m| match m {
            Message::LoopFound(LoopFound { hops, .. }) => Some(*hops),
            _ => None,
        })
        .collect();
    assert_eq!(told, [2]);
}

#[test]
fn a_trace_goes_on_only_if_its_origin_is_lower() {
    let mut rig = Rig::new(50, below(900));
    let upstream = rig.upstream(900);
    rig.pass_answering(2);
    let peer = rig.link(60);
    rig.take(upstream);
    let mut sent_on = |origin: u32, n: u64| {
        let path = if origin == 60 {
            vec![id(60)]
        } else {
            vec![id(origin), id(60)]
        };
        let fresh = false;
        rig.message(peer, Message::Trace(Trace { id: n, path, fresh }));
        let sent = rig.take(upstream);
        let paths = sent.iter().filter_map(|m| match m {
            Message::Trace(t) => Some(t.path.clone()),
            _ => None,
        });
        paths.collect::<Vec<_>>()
    };
    assert_eq!(sent_on(40, 1), [vec![id(40), id(60), id(50)]]);
    assert_eq!(sent_on(40, 1), Vec::<Vec<_>>::new(), "seen");
    assert_eq!(sent_on(60, 2), Vec::<Vec<_>>::new(), "higher");
}

/// Nobody asks for a trace that is lost, and the next one comes ten minutes later.
#[test]
fn a_trace_waits_for_room() {
    let mut rig = Rig::new(50, below(900));
    let upstream = rig.upstream(900);
    let peer = rig.link(60);
    rig.pass_answering(2);
    rig.sent.clear();
    rig.credits = false;
    for origin in 1..=6 {
        let path = vec![id(origin), id(60)];
        let (id, fresh) = (u64::from(origin), true);
        rig.message(peer, Message::Trace(Trace { id, path, fresh }));
    }
    let is_trace = |m: &&Message| matches!(m, Message::Trace(_));
    let sent_on = |rig: &mut Rig| rig.take(upstream).iter().filter(is_trace).count();
    assert_eq!(sent_on(&mut rig), caps::IN_FLIGHT_PUSHED);
    let link = upstream;
    for _ in 0..2 {
        rig.input(Input::Sent { link });
        assert_eq!(sent_on(&mut rig), 1);
    }
    rig.input(Input::Sent { link });
    assert_eq!(sent_on(&mut rig), 0);
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

/// The own traces that went to the upstream in eleven minutes, and whether somebody asks this node.
fn periodic_traces(asked: bool) -> usize {
    let mut rig = Rig::new(50, below(9));
    let upstream = rig.upstream(9);
    rig.pass_answering(5);
    if asked {
        let asker = rig.link(60);
        let trace = Trace {
            id: 5,
            path: vec![id(60)],
            fresh: false,
        };
        rig.message(asker, Message::Trace(trace));
    }
    rig.take(upstream);
    rig.pass_answering(660);
    let sent = rig.take(upstream);
    let own = |m: &&Message| matches!(m, Message::Trace(t) if t.path == [id(50)]);
    sent.iter().filter(own).count()
}

#[test]
fn whoever_is_asked_looks_for_cycles_every_ten_minutes() {
    assert_eq!(periodic_traces(true), 1);
    assert_eq!(periodic_traces(false), 0, "nobody asks: it is on no cycle");
}
