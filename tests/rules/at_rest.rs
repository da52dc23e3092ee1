//! Requests at rest: a hash in place of all that both have (R45, N3), and what it stands for (R5, R15).

use std::hash::Hasher;
use std::time::Duration;

use peer_exchange::wire::{self, Brief, Cursor, Digest, Message, Request, Response};
use peer_exchange::{LinkId, RequestId, Sequence};
use siphasher::sip::SipHasher13;

use crate::support::build::*;
use crate::support::rig::{Rig, config};

/// Both ways, beside the transport (N3).
const MOST: usize = 24;

fn len(message: Message) -> usize {
    wire::encode(message).len()
}

/// Node 1, whose link to node 5 has said the same until it asked in brief, and that request.
fn rested() -> (Rig, LinkId, Request) {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(7, &[rec(5)]));
    for _ in 0..50_000 {
        for request in rig.take_requests(link) {
            if request.brief.is_some() {
                return (rig, link, request);
            }
            rig.message(link, Message::Response(same(request.id)));
        }
        rig.fail_dials();
        rig.pass(Duration::from_millis(10));
    }
    panic!("it never asks in brief");
}

fn same(id: RequestId) -> Response {
    Response {
        digest: Digest {
            version: 1 << 40,
            ..Digest::default()
        },
        ..response(id)
    }
}

/// What `proto/README.md` says of `state`.
fn state(fingerprint: u64, own: Sequence, body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(body);
    let check = hasher.finish() as u16;
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(&fingerprint.to_le_bytes());
    hasher.write(&own.version.to_le_bytes());
    hasher.write(&own.beat.to_le_bytes());
    hasher.write(&check.to_le_bytes());
    hasher.finish()
}

fn brief(id: u64, state: u64, log: u32) -> Request {
    let brief = Some(Brief { state, log });
    Request {
        brief,
        hop_limit: 0,
        ..request(id)
    }
}

/// Node 9 with the record of node 5, whose log it knows up to 40, and whose requests go before its
/// own.
fn answerer() -> (Rig, LinkId) {
    let mut rig = Rig::new(9, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(40, &[rec(5)]));
    (rig, link)
}

fn cursor(rig: &mut Rig, link: LinkId) -> Option<u64> {
    // One that is not the same is told how far the log is known.
    let answer = rig.ask(link, brief(99, 0, 0));
    assert!(answer.delta.is_none());
    answer.cursor.map(|c: Cursor| c.version)
}

/// N3: an unchanged exchange is at most 24 bytes each way.
#[test]
fn at_rest_an_exchange_is_24_bytes_each_way() {
    let (rig, _, asked) = rested();
    let own = rig.node.sequence();
    let body = body(rig.node.addresses());
    assert_eq!(
        asked.brief.map(|b| b.state),
        Some(state(rig.node.fingerprint(), own, &body))
    );
    assert!(len(Message::Request(asked.clone())) <= MOST);
    let longest = brief(u64::MAX, u64::MAX, (1 << 21) - 1);
    assert_eq!(len(Message::Request(longest)), MOST);
    assert!(len(Message::Response(same(asked.id))) <= MOST);

    let (mut rig, link) = answerer();
    let state = state(rig.node.fingerprint(), seq(1, 0), &body_of(5));
    let answer = rig.ask(link, brief(1, state, 41));
    assert_eq!((answer.digest.count, answer.digest.fingerprint), (0, 0));
    assert!(answer.delta.is_none() && answer.cursor.is_none());
    assert!(len(Message::Response(answer)) <= MOST);
}

/// R15: whose table is another says so, and is asked in full, once.
#[test]
fn where_the_tables_differ_the_whole_request_follows() {
    let (mut rig, link, asked) = rested();
    let differs = |id| {
        Message::Response(Response {
            digest: Digest {
                version: 50,
                count: 9,
                fingerprint: 1,
                partial: false,
            },
            ..response(id)
        })
    };
    rig.message(link, differs(asked.id));
    let whole = rig.take_requests(link).pop().expect("it asks again");
    assert_eq!(whole.brief, None);
    assert_eq!(whole.digest.fingerprint, rig.node.fingerprint());
    assert_eq!(whole.own, rig.node.sequence());
    assert!(whole.cursor.is_some());
    rig.message(link, differs(whole.id));
    assert!(rig.take_requests(link).is_empty(), "it asks for ever");
}

/// R5: the asker's own record is part of what is compared, its beat and its content too.
#[test]
fn another_record_of_the_asker_is_not_the_same() {
    let (mut rig, link) = answerer();
    let fingerprint = rig.node.fingerprint();
    let states = [
        state(fingerprint, seq(1, 1), &body_of(5)),
        state(fingerprint, seq(1, 0), &body_of(6)),
        state(fingerprint ^ 1, seq(1, 0), &body_of(5)),
    ];
    for (id, state) in (1..).zip(states) {
        let answer = rig.ask(link, brief(id, state, 40));
        assert_eq!(answer.digest.fingerprint, fingerprint, "state {id}");
        assert!(answer.delta.is_none() && answer.refusals.is_empty());
    }
}

/// R15: the cursor moves with the log's lowest bits, and never back.
#[test]
fn an_equal_table_moves_the_cursor() {
    let (mut rig, link) = answerer();
    assert_eq!(cursor(&mut rig, link), Some(40));
    let state = state(rig.node.fingerprint(), seq(1, 0), &body_of(5));
    rig.ask(link, brief(1, state, 45));
    assert_eq!(cursor(&mut rig, link), Some(45));
    rig.ask(link, brief(2, state, 41));
    assert_eq!(cursor(&mut rig, link), Some(45), "an old request");
}
