//! What a member can claim: answers, refusals, cycles, paths.

use std::time::Duration;

use peer_exchange::wire::{Content, Delta, Goodbye, GoodbyeReason, Message};
use peer_exchange::{CloseReason, Event, LinkId, PeerFault, RequestId, limits::caps};

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
