//! What a member can claim: answers, refusals, cycles, paths.

use std::time::Duration;

use peer_exchange::wire::{Content, Delta, Goodbye, GoodbyeReason, LoopFound, Message, Trace};
use peer_exchange::{CloseReason, Event, LinkId, NodeId, PeerFault, RequestId, limits::caps};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config, refused_in};

fn rig() -> Rig {
    Rig::new(1, config(|_| {}))
}

fn loops(rig: &mut Rig) -> usize {
    let found = |e: &Event| matches!(e, Event::LoopDetected { .. });
    rig.take_events(found).len()
}

#[test]
fn an_unsolicited_response_has_no_effect_and_the_17th_closes_the_link() {
    let mut rig = rig();
    let (link, other) = (rig.link(2), rig.link(4));
    rig.message(other, rumour(&[rec(4)]));
    let before = (rig.node.sequence(), rig.node.fingerprint());
    rig.take(other);
    for n in 0..17 {
        assert!(rig.is_up(link));
        let mut forged = answer(RequestId::new(n), 5, &[rec(3)]);
        if let Message::Response(r) = &mut forged {
            r.refusals = refusals(&[(id(1), seq(9, 9)), (id(4), seq(9, 9))]);
        }
        rig.message(link, forged);
    }
    assert_eq!((rig.node.sequence(), rig.node.fingerprint()), before);
    assert!(rig.take_updates(other).is_empty(), "nothing was passed on");
    assert_eq!(rig.node.stats().unsolicited, 17);
    assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
}

#[test]
fn refusals_about_others_change_nothing_here() {
    let mut rig = rig();
    let (liar, subject) = (rig.link(2), rig.link(4));
    rig.message(subject, rumour(&[rec(4)]));
    rig.message(liar, rumour(&[rec(5)]));
    let before = rig.node.fingerprint();
    rig.take(subject);
    rig.message(liar, refuse(&[(id(4), seq(7, 0)), (id(5), seq(7, 0))]));
    assert_eq!(rig.node.fingerprint(), before);
    assert!(rig.knows(4) && rig.knows(5));
    // It is the subject's to judge.
    let passed = rig.take(subject);
    let about: Vec<_> = passed
        .iter()
        .filter_map(refused_in)
        .flat_map(|r| r.iter().collect::<Vec<_>>())
        .collect();
    assert_eq!(about, [(id(4), seq(7, 0))]);
}

#[test]
fn a_forged_refusal_costs_versions_at_the_rate_of_recovery() {
    let mut rig = rig();
    let link = rig.link(2);
    for _ in 0..100 {
        let now = rig.node.sequence();
        rig.message(link, refuse(&[(id(1), now)]));
    }
    assert_eq!(rig.node.stats().recoveries, 3);
    rig.message(link, refuse(&[(id(1), seq(u64::MAX, u32::MAX))]));
    assert!(rig.node.sequence().version <= 5);
}

/// Records that end at once, so that each leaves a certificate with a long sequence; then the
/// same IDs below it, so that each is refused.
#[test]
fn a_page_that_is_refused_whole_is_answered_within_the_cap_of_a_message() {
    let mut rig = rig();
    let link = rig.link(2);
    rig.checks = false;
    let dead = |n: u32| {
        rec(10_000 + n)
            .body(Vec::new())
            .life(1)
            .version((1 << 39) + u64::from(n))
    };
    for batch in 0..2 {
        let page: Vec<_> = (batch * 1_000..batch * 1_000 + 1_000).map(dead).collect();
        rig.message(link, rumour(&page));
    }
    rig.pass_s(5);
    assert_eq!(rig.node.stats().certificates, 2_000);
    rig.take(link);
    let stale: Vec<_> = (0..2_000).map(|n| dead(n).version(1)).collect();
    rig.message(link, rumour(&stale));
    let refused: usize = rig
        .take(link)
        .iter()
        .filter_map(refused_in)
        .map(peer_exchange::wire::Refusals::len)
        .sum();
    assert_eq!(refused, caps::REFUSALS);
    rig.check();
}

fn loop_found(path: &[NodeId]) -> Message {
    Message::LoopFound(LoopFound {
        path: path.to_vec(),
        hops: 60,
    })
}

#[test]
fn a_cycle_without_this_node_is_blamed() {
    let mut rig = Rig::new(1, below(9));
    let (upstream, liar) = (rig.upstream(9), rig.link(2));
    rig.take(upstream);
    for _ in 0..17 {
        rig.message(liar, loop_found(&[id(2), id(3), id(9)]));
    }
    assert_eq!(loops(&mut rig), 0);
    assert!(
        !rig.sent
            .iter()
            .any(|(_, m)| matches!(m, Message::LoopFound(_)))
    );
    assert_eq!(rig.why_closed(liar), Some(CloseReason::Misbehaviour));
}

#[test]
fn a_cycle_whose_next_is_no_upstream_has_no_effect_and_no_blame() {
    // The teller cannot know which links are up here: an honest one may say so.
    let mut rig = Rig::new(1, below(9));
    let liar = rig.link(2);
    for _ in 0..40 {
        rig.message(liar, loop_found(&[id(1), id(9), id(2)]));
        // R13: a link to the next one is not enough.
        rig.message(liar, loop_found(&[id(1), id(2), id(9)]));
    }
    assert_eq!(loops(&mut rig), 0);
    assert!(rig.is_up(liar));
}

#[test]
fn forged_cycles_are_few_in_memory_and_in_time() {
    let mut rig = Rig::new(1, below(9));
    let (upstream, liar) = (rig.upstream(9), rig.link(2));
    rig.take(upstream);
    for n in 0..1_000 {
        rig.message(liar, loop_found(&[id(1), id(9), id(100 + n)]));
    }
    assert_eq!(loops(&mut rig), 64, "the bucket of traces");
    assert!(rig.node.stats().traces_dropped >= 936);
    assert!(
        rig.is_up(liar),
        "no blame: many honest ones may meet on a link"
    );
    assert_eq!(rig.node.loops().count(), caps::LOOPS);
    let passed_on = rig.take(upstream);
    let passed_on = passed_on
        .iter()
        .filter(|m| matches!(m, Message::LoopFound(_)));
    assert!(passed_on.count() <= 64);
}

#[test]
fn the_same_cycle_is_reported_once_in_an_interval_and_counted_each_time() {
    let mut rig = Rig::new(1, below(9));
    let (_, peer) = (rig.upstream(9), rig.link(2));
    // In every rotation.
    for path in [
        [id(1), id(9), id(2)],
        [id(9), id(2), id(1)],
        [id(2), id(1), id(9)],
    ] {
        rig.message(peer, loop_found(&path));
    }
    assert_eq!(loops(&mut rig), 1);
    assert_eq!(rig.node.stats().loops, 3);
    rig.pass_answering(601);
    rig.message(peer, loop_found(&[id(1), id(9), id(2)]));
    assert_eq!(loops(&mut rig), 1);
}

#[test]
fn a_storm_of_traces_is_dropped_without_blame() {
    let mut rig = Rig::new(50, below(900));
    let (upstream, peer) = (rig.upstream(900), rig.link(2));
    rig.take(upstream);
    for n in 0..1_000 {
        let trace = Trace {
            id: n,
            path: vec![id(n as u32 % 49), id(2)],
            fresh: true,
        };
        let doubled = n % 49 == 2;
        if !doubled {
            rig.message(peer, Message::Trace(trace));
        }
    }
    assert!(rig.is_up(peer));
    let traces = rig.take(upstream);
    let traces = traces.iter().filter(|m| matches!(m, Message::Trace(_)));
    assert!((1..=64).contains(&traces.count()));
}

/// Eight links full of forged traces, for ten minutes, over and over: the trace of an honest
/// downstream goes on nevertheless, and what is remembered stays small.
#[test]
fn forged_traces_do_not_keep_out_an_honest_one() {
    let mut rig = Rig::new(50_000, below(90_000));
    let upstream = rig.upstream(90_000);
    rig.answers = true;
    rig.checks = false;
    let liars = 2..10;
    let mut forged = 0;
    // Not quite: at the end of the tenth minute there would be a token for all.
    for _ in 0..59 {
        for n in liars.clone() {
            // A new link each time: the bucket outlives it (R12).
            let link = rig.link(n);
            for _ in 0..80 {
                forged += 1;
                let trace = Trace {
                    id: forged,
                    path: vec![id(100 + forged as u32 % 40_000), id(n)],
                    fresh: true,
                };
                rig.message(link, Message::Trace(trace));
            }
            rig.input(peer_exchange::Input::LinkDown {
                link,
                orderly: true,
            });
        }
        rig.pass_s(10);
    }
    let sizes = rig.node.sizes();
    let seen = sizes.iter().find(|(what, ..)| *what == "traces").unwrap();
    assert!(seen.1 < 100, "{} traces remembered", seen.1);
    let stats = rig.node.stats();
    // A bucket of 64 for each of the eight, and one a second.
    let dropped_at_the_door = forged - 8 * (64 + 600);
    assert!(stats.traces_dropped >= dropped_at_the_door, "{stats:?}");
    let honest = rig.link(20);
    rig.take(upstream);
    let trace = Trace {
        id: 7,
        path: vec![id(20)],
        fresh: false,
    };
    rig.message(honest, Message::Trace(trace));
    rig.pass_s(2);
    let goes_on = |m: &Message| matches!(m, Message::Trace(t) if t.path[0] == id(20));
    assert!(rig.take(upstream).iter().any(goes_on));
}

pub(crate) fn announce(ids: usize, to: u64) -> Message {
    // A list of short IDs is made by the node only: by hand, eight bytes each.
    let mut list = vec![0x0d, 1, 0, 0, 0];
    varint_field(2, 8, &mut list);
    let flat: Vec<u8> = (0..ids as u64).flat_map(u64::to_le_bytes).collect();
    bytes_field(3, &flat, &mut list);
    let (mut delta, mut update, mut out) = (Vec::new(), Vec::new(), Vec::new());
    varint_field(2, to, &mut delta);
    bytes_field(4, &list, &mut delta);
    bytes_field(3, &delta, &mut update);
    varint_field(1, 1, &mut out);
    bytes_field(5, &update, &mut out);
    match peer_exchange::wire::decode(out.into()) {
        Ok(peer_exchange::wire::Decoded::Message(m)) => m,
        other => panic!("{other:?}"),
    }
}

fn give(rig: &mut Rig, link: LinkId, to: RequestId, records: &[Rec]) {
    let response = peer_exchange::wire::Response {
        delta: Some(Delta {
            from: 0,
            to: 0,
            content: Content::Records(page(records)),
        }),
        ..response(to)
    };
    rig.message(link, Message::Response(response));
}

/// Fetches go one at a time: an announcer that answers with rubbish must not keep the others out.
#[test]
fn a_fetch_that_brings_nothing_announced_ends() {
    let mut rig = rig();
    let (liar, honest) = (rig.link(2), rig.link(3));
    rig.take(liar);
    rig.message(liar, announce(1_000, 9));
    rig.message(honest, announce(1, 9));
    let mut fetches = 0;
    while let Some(fetch) = rig
        .take_requests(liar)
        .into_iter()
        .find(|r| r.want.is_some())
    {
        fetches += 1;
        assert!(fetches < 5, "fetched from the same liar for ever");
        give(&mut rig, liar, fetch.id, &[rec(7)]);
    }
    let next = rig.take_requests(honest);
    assert!(next.iter().any(|r| r.want.is_some()));
}

/// Pages are asked for one after the other, but not for ever: a log without an end would keep
/// the node from all its other partners.
#[test]
fn a_log_without_an_end_does_not_hold_the_round() {
    let mut rig = Rig::new(1, below(9));
    rig.checks = false;
    let (liar, honest) = (rig.upstream(9), rig.link(3));
    rig.message(honest, rumour(&[rec(3)]));
    rig.take(honest);
    let mut pages = 0;
    for _ in 0..2_000 {
        if !rig.take_requests(honest).is_empty() && pages > 0 {
            assert!((2..=200).contains(&pages), "{pages}");
            return;
        }
        for (dial, _) in std::mem::take(&mut rig.dials) {
            rig.input(peer_exchange::Input::DialFailed { dial });
        }
        match rig.take_requests(liar).pop() {
            Some(asked) => {
                pages += 1;
                let news = [rec(100).version(pages)];
                let Message::Response(mut page) = answer(asked.id, pages, &news) else {
                    unreachable!()
                };
                page.digest.version = u64::MAX;
                rig.message(liar, Message::Response(page));
            }
            None => rig.pass(Duration::from_millis(10)),
        }
    }
    panic!("nobody else was asked, after {pages} pages");
}

#[test]
fn a_goodbye_for_weeks_is_not_believed() {
    let mut rig = Rig::new(1, below(9));
    let upstream = rig.upstream(9);
    let asked = rig.asked(upstream);
    rig.message(upstream, Message::Response(response(asked.id)));
    let goodbye = Goodbye {
        reason: GoodbyeReason::Full,
        retry_after: Duration::from_millis(u64::from(u32::MAX)),
    };
    rig.message(upstream, Message::Goodbye(goodbye));
    assert_eq!(rig.why_closed(upstream), Some(CloseReason::Goodbye));
    rig.dials.clear();
    rig.pass_s(3_600);
    assert!(!rig.dials.is_empty(), "tried again within the hour");
}

#[test]
fn walks_that_name_this_node_find_no_cycle_beyond_its_upstreams() {
    let mut rig = rig();
    let link = rig.link(2);
    let walk = peer_exchange::wire::Walk {
        origin: id(5),
        path: vec![id(5), id(1), id(2)],
    };
    let asked = peer_exchange::wire::Request {
        walk: Some(walk),
        ..request(3)
    };
    rig.ask(link, asked);
    assert_eq!(loops(&mut rig), 0);
    let blamed = |e: &Event| {
        let fault = PeerFault::PathNotItsOwn;
        matches!(e, Event::Blamed { fault: f, .. } if *f == fault)
    };
    assert!(rig.take_events(blamed).is_empty());
}
