//! One exchange per link, crossing requests, late answers (R14), filters and what is wanted of them
//! (R40), what is told later (R41, R42), pages and reconciliation (R15).

use std::time::Duration;

use peer_exchange::wire::{Message, Records, Request, Shows};
use peer_exchange::{Event, LinkId, NodeId, RequestId};

use crate::support::build::*;
use crate::support::pair::Pair;
use crate::support::rig::{Rig, below, config, records_in};

fn blamed(rig: &mut Rig) -> usize {
    rig.take_events(|e| matches!(e, Event::Blamed { .. })).len()
}

#[test]
fn of_two_requests_that_cross_the_smaller_ids_proceeds() {
    for (own, proceeds) in [(1, true), (9, false)] {
        let mut rig = Rig::new(own, config(|_| {}));
        let link = rig.link(5);
        let asked = rig.asked(link);
        rig.take(link);
        rig.message(link, Message::Request(request(77)));
        let answers = rig.take_responses(link);
        assert_eq!(answers.is_empty(), proceeds, "node {own}");
        assert_eq!(rig.node.stats().requests_crossed, u64::from(proceeds));
        // An answer that comes all the same is merged, and nobody is blamed.
        rig.message(link, answer(asked.id, &[rec(6)]));
        assert!(rig.knows(6));
        assert_eq!(blamed(&mut rig), 0);
    }
}

#[test]
fn one_exchange_is_under_way_on_a_link() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    rig.asked(link);
    for _ in 0..10 {
        rig.input(peer_exchange::Input::Discover);
    }
    assert!(rig.take_requests(link).is_empty());
}

#[test]
fn late_and_repeated_answers_are_merged_without_blame() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    let asked = rig.asked(link);
    // It runs out of patience; then the answer comes.
    rig.pass(Duration::from_millis(500));
    assert_eq!(rig.node.stats().timeouts, 1);
    rig.message(link, answer(asked.id, &[rec(6)]));
    // The next one comes in time, and again.
    let asked = rig.asked(link);
    for n in [7, 8] {
        rig.message(link, answer(asked.id, &[rec(n)]));
        assert!(rig.knows(n));
    }
    assert_eq!(rig.node.stats().late_responses, 2);
    assert_eq!(blamed(&mut rig), 0);
    // R54: it and its like come four times at most, wherever messages are doubled.
    for n in 10..13 {
        rig.message(link, answer(asked.id, &[rec(n)]));
    }
    assert!(rig.knows(12));
    assert_eq!(blamed(&mut rig), 0);
    rig.message(link, answer(asked.id, &[rec(9)]));
    assert!(!rig.knows(9));
    assert_eq!(blamed(&mut rig), 1);
}

fn nodes(records: &Records) -> Vec<NodeId> {
    records.iter().map(|r| r.node).collect()
}

/// The records of node 9 that knows these of others.
fn knowing(others: impl Iterator<Item = u32>) -> (Rig, LinkId, Vec<Rec>) {
    let mut rig = Rig::new(9, config(|_| {}));
    let (asker, teller) = (rig.link(5), rig.link(6));
    let mut records: Vec<_> = others.map(undialled).collect();
    rig.message(teller, push(&records));
    records.push(rec(9).version(rig.node.sequence().version));
    (rig, asker, records)
}

/// R40: who shows all that it has is told the rest, and with it who it lacks nothing of, nothing.
#[test]
fn what_an_asker_has_not_shown_it_is_told() {
    let (mut rig, asker, _) = knowing(20..23);
    let mut ask = |id, records: &[Rec], count| {
        let asked = Request {
            records: page(records),
            count,
            ..request(id)
        };
        nodes(&rig.ask(asker, asked).records)
    };
    assert_eq!(ask(1, &[], 0), [id(9), id(20), id(21), id(22)]);
    assert_eq!(ask(2, &[undialled(21)], 1), [id(9), id(20), id(22)]);
    // The one that it has and does not show is the answerer's own.
    assert_eq!(ask(3, &[undialled(21)], 2), [id(20), id(22)]);
    let newer = undialled(20).version(2);
    assert_eq!(ask(4, &[newer], 2), [id(21), id(22)]);
}

/// R40: whoever shows a filter is told what is not in it, and is asked for what is not here.
#[test]
fn a_filter_tells_what_either_end_lacks() {
    let (mut rig, asker, ours) = knowing(100..150);
    let mut theirs: Vec<_> = ours.iter().skip(3).cloned().collect();
    theirs.extend((300..304).map(undialled));
    let asked = Request {
        shows: filter(7, &theirs),
        count: theirs.len() as u32,
        ..request(7)
    };
    let answer = rig.ask(asker, asked);
    assert_eq!(nodes(&answer.records), [id(100), id(101), id(102)]);
    // One in four thousand seems to be here.
    assert!((3..=4).contains(&answer.wants.len()), "{:?}", answer.wants);
    assert!(!answer.cut);
    // Those that it wants are its due, and with them the tables are the same.
    rig.message(asker, for_request(answer.id, &theirs[48..]));
    assert!((300..304).all(|n| rig.knows(n)));
}

/// R40: an asker gives what is wanted of its filter, and nothing else.
#[test]
fn what_is_wanted_of_a_filter_is_sent() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    let records: Vec<_> = (100..120).map(undialled).collect();
    rig.message(link, push(&records));
    let asked = rig.asked(link);
    let Shows::Filter(shown) = &asked.shows else {
        panic!("{:?}", asked.shows)
    };
    assert_eq!(shown.len(), 21);
    // Places 0, 5 and 20, and two that there are not.
    let mut response = vec![0x0d];
    response.extend(asked.id.get().to_le_bytes());
    bytes_field(5, &wants(&[0, 5, 20, 21, 90]), &mut response);
    let mut envelope = Vec::new();
    bytes_field(3, &response, &mut envelope);
    rig.raw(link, envelope);
    let updates = rig.take_updates(link);
    let [update] = &updates[..] else {
        panic!("{updates:?}")
    };
    assert_eq!(update.request, Some(asked.id));
    assert_eq!(update.records.len(), 3);
}

/// As proto/README.md has it, with no low bits.
fn wants(places: &[usize]) -> Vec<u8> {
    let mut bits = "00000".to_owned();
    let mut next = 0;
    for place in places {
        bits += &"0".repeat(place - next);
        bits.push('1');
        next = place + 1;
    }
    while bits.len() % 8 != 0 {
        bits.push('0');
    }
    let bytes = (0..bits.len() / 8).map(|i| u8::from_str_radix(&bits[8 * i..8 * i + 8], 2));
    bytes.map(Result::unwrap).collect()
}

/// R41: who is asked while it asks says so, and tells what came of it, once.
#[test]
fn who_is_asking_itself_tells_later() {
    let mut rig = Rig::new(9, below(5));
    let upstream = rig.upstream(5);
    let asked = rig.take_requests(upstream).pop().expect("it asks");
    let asker = rig.link(7);
    let first = rig.ask(asker, request(1));
    assert!(first.later);
    assert_eq!(nodes(&first.records), [id(9)]);
    rig.message(upstream, answer(asked.id, &[rec(5), rec(20)]));
    let told = rig.take_updates(asker);
    let told: Vec<_> = told.iter().filter(|u| u.request.is_some()).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].request.map(RequestId::get), Some(1));
    assert_eq!(nodes(&told[0].records), [id(5), id(20)]);
    rig.message(upstream, push(&[rec(21)]));
    let later = rig.take_updates(asker);
    assert!(later.iter().all(|u| u.request.is_none()), "{later:?}");
}

/// R41: an update that is promised is waited for, four hops and no longer.
#[test]
fn a_promise_is_waited_for_and_not_for_ever() {
    let mut rig = Rig::new(9, below(5));
    let upstream = rig.upstream(5);
    let asked = rig.take_requests(upstream).pop().expect("it asks");
    let other = rig.link(7);
    rig.message(other, push(&[rec(7)]));
    rig.pass(Duration::from_millis(10));
    let Message::Response(mut promised) = answer(asked.id, &[rec(5), rec(7)]) else {
        unreachable!()
    };
    promised.later = true;
    rig.message(upstream, Message::Response(promised));
    assert_eq!(rig.take_requests(other), []);
    rig.message(upstream, for_request(asked.id, &[rec(8)]));
    rig.fail_dials();
    rig.pass(Duration::from_millis(1_000));
    assert!(rig.knows(8));
    assert_ne!(rig.take_requests(other), [], "it asks others");
}

/// A star: those that come one after the other are told of one another by the one in the middle.
#[test]
fn a_hub_tells_each_of_those_that_come_after() {
    let mut rig = Rig::new(1, config(|_| {}));
    let links: Vec<_> = (10..30).map(|n| rig.link(n)).collect();
    for (n, link) in (10..).zip(&links) {
        let asked = Request {
            records: page(&[undialled(n)]),
            count: 1,
            ..request(n)
        };
        let answer = rig.ask(*link, asked);
        assert_eq!(answer.records.len() as u32, n - 10 + 1);
        // The first of them cannot know that others come.
        assert_eq!(answer.later, n > 10, "{n}");
    }
    rig.pass(Duration::from_millis(20));
    for (n, link) in (10..).zip(&links) {
        let told = rig.take_updates(*link).into_iter();
        let told: usize = told.map(|u| u.records.len()).sum();
        assert_eq!(told, 29 - n, "{n}");
        assert_eq!(rig.take_requests(*link), [], "it asks none of them");
    }
}

/// R42: with three records, everybody who is linked is told at once.
#[test]
fn in_a_tiny_cluster_news_goes_to_all() {
    let mut rig = Rig::new(9, below(5));
    let upstream = rig.upstream(5);
    let asked = rig.take_requests(upstream).pop().expect("it asks");
    rig.message(upstream, answer(asked.id, &[rec(5)]));
    let other = rig.link(7);
    rig.take(upstream);
    rig.ask(
        other,
        Request {
            records: page(&[rec(7)]),
            count: 1,
            ..request(1)
        },
    );
    let told = rig.take(upstream);
    let has = |m: &Message| records_in(m).is_some_and(|r| nodes(r).contains(&id(7)));
    assert_eq!(told.iter().filter(|m| has(m)).count(), 1, "{told:?}");
}

#[test]
fn an_unchanged_exchange_is_small_both_ways() {
    let mut pair = Pair::new(Rig::new(1, config(|_| {})), Rig::new(2, config(|_| {})));
    let records: Vec<_> = (100..1_000).map(undialled).collect();
    let teller = pair.a.link(5);
    pair.a.message(teller, push(&records));
    pair.pass(Duration::from_secs(120));
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    let before = (pair.a.node.stats(), pair.b.node.stats());
    pair.pass(Duration::from_secs(60));
    let (a, b) = (pair.a.node.stats(), pair.b.node.stats());
    let messages =
        a.messages_sent + b.messages_sent - before.0.messages_sent - before.1.messages_sent;
    let bytes = a.bytes_sent + b.bytes_sent - before.0.bytes_sent - before.1.bytes_sent;
    assert!(messages >= 2);
    assert!(bytes <= 64 * messages, "{bytes} bytes in {messages} (N3)");
}

#[test]
fn a_table_larger_than_a_message_goes_in_pages() {
    let mut teller = Rig::new(1, config(|_| {}));
    teller.checks = false;
    let link = teller.link(5);
    for first in (0..9_000).step_by(900) {
        let page: Vec<_> = (first..first + 900)
            .map(|n| undialled(10_000 + n))
            .collect();
        teller.message(link, push(&page));
    }
    let mut asker = Rig::new(2, config(|_| {}));
    asker.checks = false;
    let mut pair = Pair::new(teller, asker);
    pair.pass(Duration::from_secs(10));
    assert_eq!(pair.b.node.peer_count(), 9_001);
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    let pages = pair.b.node.stats().responses_received;
    assert!((7..=20).contains(&pages), "{pages}");
    let twice = pair.b.node.stats().records_known;
    assert!(twice <= 2, "{twice} are sent twice");
}

/// R15, R27: a change that the other end has missed is found by comparing tables.
#[test]
fn a_lost_push_is_reconciled() {
    let mut pair = Pair::new(Rig::new(1, config(|_| {})), Rig::new(2, config(|_| {})));
    let link = pair.a.link(5);
    let records: Vec<_> = (100..400).map(undialled).collect();
    pair.a.message(link, push(&records));
    pair.pass(Duration::from_secs(30));
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    let link = pair.a.link(6);
    pair.a.message(link, rumour(&[undialled(500)]));
    pair.a.sent.clear();
    assert!(!pair.b.knows(500));
    pair.pass(Duration::from_secs(200));
    assert!(pair.b.knows(500));
}

#[test]
fn a_node_that_asks_pushes_what_the_other_lacks() {
    let mut pair = Pair::new(Rig::new(1, config(|_| {})), Rig::new(2, config(|_| {})));
    let (a, b) = (pair.a.link(5), pair.b.link(6));
    pair.a
        .message(a, push(&(100..200).map(undialled).collect::<Vec<_>>()));
    pair.b
        .message(b, push(&(150..250).map(undialled).collect::<Vec<_>>()));
    pair.pass(Duration::from_secs(10));
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    assert_eq!(pair.a.node.peer_count(), 151);
}

#[test]
fn a_fetch_is_answered_with_those_records_and_never_forwarded() {
    let (mut rig, asker, _) = knowing(20..60);
    let prefixes: Vec<u8> = [21_u32, 33, 999]
        .iter()
        .flat_map(|n| id(*n).as_bytes()[..8].to_vec())
        .collect();
    let asked = Request {
        fetch: prefixes.into(),
        ..request(1)
    };
    assert_eq!(nodes(&rig.ask(asker, asked).records), [id(21), id(33)]);
    assert_eq!(rig.node.stats().requests_forwarded, 0);
}

#[test]
fn a_request_id_is_drawn_anew_for_every_request() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    let mut seen: Vec<RequestId> = Vec::new();
    for _ in 0..50 {
        let asked = rig.asked(link);
        assert!(!seen.contains(&asked.id));
        seen.push(asked.id);
        rig.message(link, Message::Response(response(asked.id)));
        rig.pass_s(1);
    }
}
