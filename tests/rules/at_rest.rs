//! Requests at rest: a hash in place of all that both have (R45, N3), and what it stands for (R5, R15).

use std::hash::Hasher;
use std::time::Duration;

use peer_exchange::wire::{self, Message, Request, Response, Shows};
use peer_exchange::{LinkId, Sequence};
use siphasher::sip::SipHasher13;

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

/// Both ways, beside the transport (N3).
const MOST: usize = 24;

fn len(message: Message) -> usize {
    wire::encode(message).len()
}

/// Node 1, whose link to node 5 has said the same until it asked in brief, and that request.
fn rested() -> (Rig, LinkId, Request) {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(&[rec(5)]));
    for _ in 0..50_000 {
        for request in rig.take_requests(link) {
            if request.state.is_some() {
                return (rig, link, request);
            }
            rig.message(link, Message::Response(response(request.id)));
        }
        rig.fail_dials();
        rig.pass(Duration::from_millis(10));
    }
    panic!("it never asks in brief");
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

fn brief(id: u32, state: u64) -> Request {
    Request {
        state: Some(state),
        hop_limit: 0,
        ..request(id)
    }
}

/// Node 9 with the record of node 5, whose requests go before its own.
fn answerer() -> (Rig, LinkId) {
    let mut rig = Rig::new(9, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(&[rec(5)]));
    (rig, link)
}

/// N3: an unchanged exchange is at most 24 bytes each way.
#[test]
fn at_rest_an_exchange_is_24_bytes_each_way() {
    let (rig, _, asked) = rested();
    let own = rig.node.sequence();
    let body = body(rig.node.addresses());
    assert_eq!(asked.state, Some(state(rig.node.fingerprint(), own, &body)));
    assert!(len(Message::Request(asked)) <= MOST);
    assert!(len(Message::Request(brief(u32::MAX, u64::MAX))) <= MOST);

    let (mut rig, link) = answerer();
    let state = state(rig.node.fingerprint(), seq(1, 0), &body_of(5));
    let answer = rig.ask(link, brief(1, state));
    assert!(answer.same && answer.records.is_empty());
    assert!(len(Message::Response(answer)) <= MOST);
}

/// R15: whose table is another says so, and is asked in full, once.
#[test]
fn where_the_tables_differ_the_whole_request_follows() {
    let (mut rig, link, asked) = rested();
    let differs = |id| {
        Message::Response(Response {
            count: 9,
            ..Response::to(id)
        })
    };
    rig.message(link, differs(asked.id));
    let whole = rig.take_requests(link).pop().expect("it asks again");
    assert_eq!(whole.state, None);
    assert_eq!((whole.count, &whole.shows), (2, &Shows::All));
    let own = whole.records.iter().find(|r| r.node == id(1));
    assert_eq!(own.map(|r| r.sequence), Some(rig.node.sequence()));
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
        let answer = rig.ask(link, brief(id, state));
        assert!(!answer.same, "state {id}");
        assert_eq!(answer.count, 2);
        assert!(answer.records.is_empty() && answer.refusals.is_empty());
    }
}

/// Answers that the other end has so many more. How many requests were brief.
fn answer_all(rig: &mut Rig, link: LinkId, more: u32) -> usize {
    let asked = rig.take_requests(link);
    for request in &asked {
        let answer = Response {
            count: rig.node.peer_count() as u32 + 1 + more,
            ..Response::to(request.id)
        };
        rig.message(link, Message::Response(answer));
    }
    asked.iter().filter(|r| r.state.is_some()).count()
}

/// R45: who has said to have more, or is known to ask somebody who is not known here, is not asked
/// whether the tables are the same.
#[test]
fn whoever_knows_more_is_never_asked_in_brief_on_news() {
    let asks_in_brief = |more: u32, leads_to: u32| {
        let mut rig = Rig::new(1, below(5));
        let (link, other) = (rig.upstream(5), rig.link(6));
        let many = (100..200)
            .map(undialled)
            .chain([rec(5).asking(&[leads_to])]);
        rig.message(link, push(&many.collect::<Vec<_>>()));
        let mut briefly = 0;
        for step in 0..1_000 {
            answer_all(&mut rig, link, more);
            if step % 50 == 49 {
                rig.message(other, push(&[undialled(200 + step)]));
                briefly += answer_all(&mut rig, link, more);
            }
            rig.fail_dials();
            rig.pass(Duration::from_millis(10));
        }
        briefly > 0
    };
    assert!(asks_in_brief(0, 100));
    assert!(!asks_in_brief(1_000, 100), "it has more records");
    assert!(!asks_in_brief(0, 77), "its upstream is not known");
}
