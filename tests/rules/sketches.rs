//! Sketches (R27): when one is made, what it tells, and what happens when it tells nothing.

use bytes::Bytes;
use peer_exchange::wire::{Message, Request, Response, Shows};
use peer_exchange::{Input, LinkId};

use crate::support::build::*;
use crate::support::pair::Pair;
use crate::support::rig::{Rig, config};

const RECORDS: u32 = 200;

/// Node 9, which knows many, at rest, and its request on a link to node 5.
fn rested() -> (Rig, LinkId, Request) {
    let mut rig = Rig::new(9, config(|_| {}));
    let link = rig.link(5);
    let records: Vec<_> = (100..100 + RECORDS).map(undialled).collect();
    rig.message(link, push(&[&records[..], &[rec(5)]].concat()));
    for _ in 0..50_000 {
        for request in rig.take_requests(link) {
            if request.state.is_some() {
                return (rig, link, request);
            }
            rig.message(link, Message::Response(response(request.id)));
        }
        rig.fail_dials();
        rig.pass(core::time::Duration::from_millis(10));
    }
    panic!("it never asks in brief");
}

/// It is told that the tables differ, and asks again.
fn asks_again(strata: &[u8]) -> (Rig, LinkId, Request) {
    let (mut rig, link, asked) = rested();
    let differs = Response {
        count: RECORDS + 2,
        strata: Bytes::copy_from_slice(strata),
        ..Response::to(asked.id)
    };
    rig.message(link, Message::Response(differs));
    let again = rig.take_requests(link).pop().expect("it asks again");
    (rig, link, again)
}

/// R27: of two tables that are known to differ by little, one is sketched; a filter otherwise.
#[test]
fn a_table_that_differs_by_little_is_sketched() {
    let (mut rig, link, _) = rested();
    // Its own are those of a table that does not differ at all.
    let strata = rig.ask(link, brief(77)).strata;
    assert_eq!(strata.len(), 40);
    let (_, _, again) = asks_again(&strata);
    let Shows::Sketch(sketch) = &again.shows else {
        panic!("{:?}", again.shows)
    };
    assert!(2 * sketch.parts() * sketch.capacity() < RECORDS as usize / 2);
    for far in [&[][..], &[0; 40]] {
        let (_, _, again) = asks_again(far);
        assert!(matches!(again.shows, Shows::Filter(_)), "{:?}", again.shows);
    }
}

fn brief(id: u32) -> Request {
    Request {
        state: Some(1),
        ..request(id)
    }
}

/// R27: what either lacks is told by the sketch of one.
#[test]
fn two_that_differ_by_little_find_out_by_what() {
    let mut pair = Pair::new(Rig::new(1, config(|_| {})), Rig::new(2, config(|_| {})));
    let link = pair.a.link(5);
    let records: Vec<_> = (100..400).map(undialled).collect();
    pair.a.message(link, push(&records));
    pair.a.input(Input::LinkDown {
        link,
        orderly: true,
    });
    pair.pass(std::time::Duration::from_secs(60));
    let before = (pair.a.node.stats(), pair.b.node.stats());
    for (rig, n) in [(&mut pair.a, 500), (&mut pair.b, 600)] {
        let link = rig.link(6);
        rig.message(link, rumour(&[undialled(n), undialled(n + 1)]));
        rig.sent.clear();
        let orderly = true;
        rig.input(Input::LinkDown { link, orderly });
    }
    pair.pass(std::time::Duration::from_secs(150));
    assert_eq!(pair.a.node.fingerprint(), pair.b.node.fingerprint());
    let (a, b) = (pair.a.node.stats(), pair.b.node.stats());
    let bytes = a.bytes_sent + b.bytes_sent - before.0.bytes_sent - before.1.bytes_sent;
    assert!(bytes < 1_000, "{bytes} bytes for four records");
}

/// The sums of a part of which nothing can be told.
fn garbage() -> Vec<u8> {
    (0..28_u8).map(|i| i.wrapping_mul(89) ^ 0x5c).collect()
}

/// A request with a sketch of so many parts.
fn sketched(id: u32, parts: u64, sums: &[u8]) -> Bytes {
    let (mut sketch, mut request, mut envelope) = (Vec::new(), vec![0x0d], Vec::new());
    varint_field(1, parts, &mut sketch);
    bytes_field(2, sums, &mut sketch);
    request.extend(id.to_le_bytes());
    varint_field(4, 90, &mut request);
    bytes_field(8, &sketch, &mut request);
    bytes_field(2, &request, &mut envelope);
    envelope.into()
}

/// R27: an answerer says that a sketch tells it nothing.
#[test]
fn a_sketch_that_tells_nothing_is_answered_so() {
    let mut rig = Rig::new(9, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(&[rec(20)]));
    rig.take(link);
    rig.raw(link, sketched(3, 1, &garbage()));
    let answer = rig.take_responses(link).pop().expect("an answer");
    assert!(answer.cut && answer.records.is_empty() && answer.wants.is_empty());
    // Syndromes of too many elements may look like those of a few, which nobody has.
    let one = [1, 0].repeat(14);
    rig.raw(link, sketched(4, 2, &[one, garbage()].concat()));
    let answer = rig.take_responses(link).pop().expect("an answer");
    assert!(answer.cut && answer.wants.len() <= 1);
}

/// R27: then a filter follows, and no exchange was completed before it.
#[test]
fn after_a_sketch_that_has_told_nothing_a_filter_follows() {
    let (mut rig, link, _) = rested();
    let strata = rig.ask(link, brief(77)).strata;
    let (mut rig, link, again) = asks_again(&strata);
    assert!(matches!(again.shows, Shows::Sketch(_)));
    let cut = Response {
        count: RECORDS,
        cut: true,
        ..Response::to(again.id)
    };
    rig.message(link, Message::Response(cut));
    assert_eq!(rig.node.stats().sketches_untold, 1);
    let last = rig.take_requests(link).pop().expect("it asks once more");
    assert!(matches!(last.shows, Shows::Filter(_)), "{:?}", last.shows);
}
