//! What a member can claim: answers, refusals, cycles, paths.

use std::time::Duration;

use peer_exchange::wire::{Goodbye, GoodbyeReason, Message};
use peer_exchange::{CloseReason, Event, PeerFault, RequestId, limits::caps};

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
        let mut forged = answer(RequestId::new(n), &[rec(3)]);
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

/// The node's next request that shows a filter: whoever has another table is asked in full.
fn whole(rig: &mut Rig, link: peer_exchange::LinkId) -> peer_exchange::wire::Request {
    let mut asked = rig.asked(link);
    while asked.state.is_some() {
        let differs = peer_exchange::wire::Response {
            count: 9,
            ..peer_exchange::wire::Response::to(asked.id)
        };
        rig.message(link, Message::Response(differs));
        asked = rig.take_requests(link).pop().expect("it asks again");
    }
    asked
}

/// R40: the places that an answerer wants of a filter are sent once, and as much of them as fits.
#[test]
fn whoever_wants_everything_gets_one_page() {
    let mut rig = rig();
    rig.checks = false;
    let liar = rig.link(2);
    for first in (0..6_000).step_by(600) {
        let page: Vec<_> = (first..first + 600)
            .map(|n| undialled(10_000 + n))
            .collect();
        rig.message(liar, push(&page));
    }
    let asked = whole(&mut rig, liar);
    // Each bit is a place; there are far more than the filter has.
    let all = [&[0b0000_0111][..], &[0xff; 4_000]].concat();
    let (mut response, mut envelope) = (vec![0x0d], Vec::new());
    response.extend(asked.id.get().to_le_bytes());
    bytes_field(5, &all, &mut response);
    bytes_field(3, &response, &mut envelope);
    for _ in 0..3 {
        rig.raw(liar, envelope.clone());
    }
    let updates = rig.take_updates(liar);
    let wanted = updates.iter().filter(|u| u.request == Some(asked.id));
    assert_eq!(wanted.count(), 1, "once");
    rig.check();
}

/// R18: and pays for it, as if it had asked.
#[test]
fn what_is_wanted_is_charged() {
    let mut rig = Rig::new(9, config(|c| c.bytes_per_second = 1_024));
    rig.checks = false;
    let liar = rig.link(2);
    for first in (0..1_200).step_by(300) {
        let page: Vec<_> = (first..first + 300)
            .map(|n| undialled(10_000 + n))
            .collect();
        let teller = rig.link(100 + first);
        rig.message(teller, push(&page));
    }
    let mut given = 0;
    for _ in 0..2 {
        let asked = whole(&mut rig, liar);
        let all = [&[0b0000_0111][..], &[0xff; 150]].concat();
        let (mut response, mut envelope) = (vec![0x0d], Vec::new());
        response.extend(asked.id.get().to_le_bytes());
        bytes_field(5, &all, &mut response);
        bytes_field(3, &response, &mut envelope);
        rig.raw(liar, envelope);
        let updates = rig.take_updates(liar).into_iter();
        given += updates.map(|u| u.records.len()).sum::<usize>();
    }
    assert!(given > 2_000, "{given}");
    rig.message(liar, Message::Request(request(1)));
    let answers = rig.take_responses(liar);
    assert!(answers.iter().any(|r| r.busy.is_some()));
}

/// R40: a filter of everything makes its sender poorer, and nobody else.
#[test]
fn whoever_claims_to_have_everything_is_told_nothing() {
    let mut rig = rig();
    let (liar, honest) = (rig.link(2), rig.link(3));
    let records: Vec<_> = (100..160).map(undialled).collect();
    rig.message(honest, push(&records));
    let mut shown = records;
    shown.push(rec(1).version(rig.node.sequence().version));
    let answer = rig.ask(
        liar,
        peer_exchange::wire::Request {
            shows: filter(9, &shown),
            ..request(9)
        },
    );
    assert!(answer.records.is_empty());
    let answer = rig.ask(honest, request(10));
    assert_eq!(answer.records.len(), 61);
}

/// R41: whoever promises an update and sends none holds up one exchange for four hops.
#[test]
fn a_promise_that_is_not_kept_holds_up_nobody() {
    let mut rig = rig();
    let (liar, honest) = (rig.link(2), rig.link(3));
    rig.message(honest, push(&[rec(3)]));
    let mut promised = 0;
    for _ in 0..2_000 {
        for asked in rig.take_requests(liar) {
            let mut answer = response(asked.id);
            (answer.same, answer.later) = (false, true);
            rig.message(liar, Message::Response(answer));
            promised += 1;
        }
        for asked in rig.take_requests(honest) {
            if promised > 0 {
                return;
            }
            rig.message(honest, Message::Response(response(asked.id)));
        }
        rig.fail_dials();
        rig.input(peer_exchange::Input::Discover);
        rig.pass(Duration::from_millis(10));
    }
    panic!("nobody else was asked, after {promised} promises");
}

/// Pages are asked for one after the other, but not for ever: a table without an end would keep the
/// node from all its other partners.
#[test]
fn a_table_without_an_end_does_not_hold_the_round() {
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
                let Message::Response(mut page) = answer(asked.id, &news) else {
                    unreachable!()
                };
                page.cut = true;
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
    let asked = peer_exchange::wire::Request {
        walk: peer_exchange::wire::Walk::of(vec![id(5), id(1), id(2)]),
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
