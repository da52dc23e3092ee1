//! One exchange per link, crossing requests, late answers (R14), cursors, deltas, pages and
//! reconciliation (R15).

use std::time::Duration;

use peer_exchange::wire::{Content, Cursor, Digest, Message, Request};
use peer_exchange::{Event, LinkId, RequestId};

use crate::support::build::*;
use crate::support::pair::Pair;
use crate::support::rig::{Rig, config, records_in};

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
        rig.message(link, answer(asked.id, 3, &[rec(6)]));
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
fn late_and_repeated_answers_are_merged_without_blame_or_cursor() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    let asked = rig.asked(link);
    // It runs out of patience; then the answer comes, and comes again.
    rig.pass(Duration::from_millis(500));
    assert_eq!(rig.node.stats().timeouts, 1);
    for n in [6, 7] {
        rig.message(link, answer(asked.id, 30, &[rec(n)]));
        assert!(rig.knows(n));
    }
    assert_eq!(rig.node.stats().late_responses, 2);
    assert_eq!(blamed(&mut rig), 0);
    rig.pass_s(1);
    rig.take(link);
    let next = rig.asked(link);
    assert_eq!(next.cursor, None);
}

/// The cursor in the node's next request, which is answered.
fn shown(rig: &mut Rig, link: LinkId) -> Option<Cursor> {
    let asked = rig.asked(link);
    rig.message(link, Message::Response(response(asked.id)));
    asked.cursor
}

#[test]
fn a_cursor_moves_with_records_and_only_in_their_epoch() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    let asked = rig.asked(link);
    assert_eq!(asked.cursor, None);
    rig.message(link, answer(asked.id, 30, &[rec(6)]));
    let cursor = shown(&mut rig, link);
    let expected = Cursor {
        epoch: 6,
        version: 30,
    };
    assert_eq!(cursor, Some(expected));
    // A delta that begins after what is known leaves a gap, and the cursor where it is.
    let Message::Update(mut gap) = push(90, &[rec(7)]) else {
        unreachable!()
    };
    gap.delta.as_mut().unwrap().from = 60;
    rig.message(link, Message::Update(gap));
    assert!(rig.knows(7));
    assert_eq!(shown(&mut rig, link), Some(expected));
    // After a restart of the other end it is of no use.
    rig.message(link, hello(99));
    assert_eq!(shown(&mut rig, link), None);
}

#[test]
fn answers_are_deltas() {
    let mut rig = Rig::new(9, config(|_| {}));
    let (asker, teller) = (rig.link(5), rig.link(6));
    rig.message(teller, push(1, &[rec(20), rec(21)]));
    let first = rig.ask(asker, request(1));
    let epoch = epoch_of(&mut rig);
    let mut cursor = Cursor {
        epoch,
        version: first.digest.version,
    };
    let ask = |rig: &mut Rig, cursor, n| {
        let asked = Request {
            cursor: Some(cursor),
            ..request(n)
        };
        let answer = rig.ask(asker, asked);
        let delta = answer.delta.clone().unwrap();
        let message = Message::Response(answer);
        let records = records_in(&message).map(|r| r.iter().map(|r| r.node).collect::<Vec<_>>());
        (delta.from, records)
    };
    rig.message(teller, push(2, &[rec(22)]));
    assert_eq!(
        ask(&mut rig, cursor, 2),
        (cursor.version, Some(vec![id(22)]))
    );
    // A cursor ahead of the table, or of another epoch, is unknown: everything.
    cursor.version += 1_000;
    let all = Some(vec![id(9), id(20), id(21), id(22)]);
    assert_eq!(ask(&mut rig, cursor, 3), (0, all.clone()));
    cursor = Cursor {
        epoch: epoch ^ 1,
        version: 1,
    };
    assert_eq!(ask(&mut rig, cursor, 4), (0, all));
}

/// Both cursors are current and yet the sets differ: a push was lost, and a delta would not tell
/// which (R15).
#[test]
fn current_cursors_with_other_sets_are_told_everything() {
    let mut rig = Rig::new(9, config(|_| {}));
    let asker = rig.link(5);
    let asked = rig.asked(asker);
    rig.message(asker, answer(asked.id, 30, &[rec(20), rec(21)]));
    let digest = |fingerprint| Digest {
        version: 30,
        count: 3,
        fingerprint,
        partial: false,
    };
    let first = rig.ask(
        asker,
        Request {
            digest: digest(1),
            ..request(1)
        },
    );
    let epoch = epoch_of(&mut rig);
    let cursor = Some(Cursor {
        epoch,
        version: first.digest.version,
    });
    let mut ask = |id, fingerprint| {
        let asked = Request {
            cursor,
            digest: digest(fingerprint),
            ..request(id)
        };
        let answer = rig.ask(asker, asked);
        let from = answer.delta.as_ref().map(|d| d.from);
        (
            from,
            records_in(&Message::Response(answer)).map(|r| r.len()),
        )
    };
    assert_eq!(ask(2, 1), (Some(0), Some(3)));
    // With equal sets there is nothing to tell.
    assert_eq!(ask(3, first.digest.fingerprint), (None, None));
}

/// What the node says in its Hello.
fn epoch_of(rig: &mut Rig) -> u64 {
    let probe = rig.mute_link(4_000);
    let sent = rig.take(probe);
    let epoch = sent.iter().find_map(|m| match m {
        Message::Hello(h) => Some(h.epoch),
        _ => None,
    });
    epoch.expect("Hello comes first")
}

#[test]
fn an_unchanged_exchange_is_small_both_ways() {
    let mut pair = Pair::new(Rig::new(1, config(|_| {})), Rig::new(2, config(|_| {})));
    let records: Vec<_> = (100..1_000).map(undialled).collect();
    let teller = pair.a.link(5);
    pair.a.message(teller, push(1, &records));
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
        teller.message(link, push(u64::from(first) + 1, &page));
    }
    let mut asker = Rig::new(2, config(|_| {}));
    asker.checks = false;
    let mut pair = Pair::new(teller, asker);
    pair.pass(Duration::from_secs(10));
    assert_eq!(pair.b.node.peer_count(), 9_001);
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    // They are announced in one message and fetched in several.
    let stats = pair.b.node.stats();
    let pages = stats.responses_received + stats.fetches_sent;
    assert!(pages >= 7, "{pages}");
    assert_eq!(
        pair.b.node.stats().records_known,
        0,
        "nothing is sent twice"
    );
}

#[test]
fn a_lost_push_is_reconciled() {
    let mut pair = Pair::new(Rig::new(1, config(|_| {})), Rig::new(2, config(|_| {})));
    let link = pair.a.link(5);
    let records: Vec<_> = (100..400).map(undialled).collect();
    pair.a.message(link, push(1, &records));
    pair.pass(Duration::from_secs(30));
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    // Node 2 is told of a change by an answer that claims more than it brings: its cursor passes
    // over a record that it never gets.
    let link = pair.a.link(6);
    pair.a.message(link, push(2, &[undialled(500)]));
    pair.a.sent.clear();
    let claimed = push(pair.a.node.stats().records + 10, &[] as &[Rec]);
    let on_b = pair.b.node.links().next().unwrap().link;
    pair.b.message(on_b, claimed);
    assert!(!pair.b.knows(500));
    pair.pass(Duration::from_secs(200));
    assert!(pair.b.knows(500));
}

#[test]
fn a_node_that_asks_pushes_what_the_other_lacks() {
    let mut pair = Pair::new(Rig::new(1, config(|_| {})), Rig::new(2, config(|_| {})));
    let (a, b) = (pair.a.link(5), pair.b.link(6));
    pair.a
        .message(a, push(1, &(100..200).map(undialled).collect::<Vec<_>>()));
    pair.b
        .message(b, push(1, &(150..250).map(undialled).collect::<Vec<_>>()));
    pair.pass(Duration::from_secs(3));
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    assert_eq!(pair.a.node.peer_count(), 151);
}

#[test]
fn want_and_fetch_are_answered_with_those_records_and_never_forwarded() {
    let mut rig = Rig::new(9, config(|_| {}));
    let (asker, teller) = (rig.link(5), rig.link(6));
    rig.message(teller, push(1, &(20..60).map(rec).collect::<Vec<_>>()));
    let prefixes: Vec<u8> = [21_u32, 33, 999]
        .iter()
        .flat_map(|n| id(*n).as_bytes()[..8].to_vec())
        .collect();
    let asked = Request {
        fetch: prefixes.into(),
        digest: Digest::default(),
        ..request(1)
    };
    let answer = rig.ask(asker, asked);
    let Some(Content::Records(records)) = answer.delta.map(|d| d.content) else {
        panic!()
    };
    let nodes: Vec<_> = records.iter().map(|r| r.node).collect();
    assert_eq!(nodes, [id(21), id(33)]);
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
