//! Sketches (R27): who gets one, what it tells, and what happens when it tells nothing.

use bytes::Bytes;
use peer_exchange::wire::{Content, Digest, Request, Response, SIGNED_ONLY};
use peer_exchange::{LinkId, RequestId};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

const RECORDS: u32 = 200;

/// A node that knows many, and a link to one that knows two less.
fn rich() -> (Rig, LinkId) {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    let records: Vec<_> = (100..100 + RECORDS).map(rec).collect();
    rig.message(link, push(1, &records));
    assert_eq!(rig.node.peer_count(), RECORDS as usize);
    (rig, link)
}

fn nearly_the_same(id: u64) -> Request {
    Request {
        digest: Digest {
            version: 1,
            count: RECORDS - 1,
            fingerprint: 7,
            partial: false,
        },
        ..request(id)
    }
}

fn content(answer: Response) -> Content {
    answer.delta.expect("a delta").content
}

#[test]
fn only_who_takes_sketches_gets_one() {
    for (features, sketched) in [(0, false), (1, true), (!SIGNED_ONLY, true), (2, false)] {
        let (mut rig, link) = rich();
        rig.message(link, hello_with(features, 6));
        let answer = content(rig.ask(link, nearly_the_same(1)));
        assert_eq!(matches!(answer, Content::Sketch(_)), sketched, "{features}");
        assert_eq!(matches!(answer, Content::Announced(_)), !sketched);
    }
}

#[test]
fn a_sketch_is_shorter_than_an_announcement_or_there_is_none() {
    let (mut rig, link) = rich();
    rig.message(link, hello_with(1, 6));
    let Content::Sketch(sketch) = content(rig.ask(link, nearly_the_same(1))) else {
        panic!("no sketch for a small difference");
    };
    assert!(2 * sketch.parts() * sketch.capacity() < RECORDS as usize / 2);
    let plain = Request {
        plain: true,
        ..nearly_the_same(2)
    };
    // Samples of nothing: all records differ.
    let far = Request {
        strata: Bytes::from_static(&[0; 40]),
        ..nearly_the_same(3)
    };
    let mut full = nearly_the_same(4);
    full.digest.partial = true;
    for asked in [plain, far, full] {
        let answer = content(rig.ask(link, asked));
        assert!(matches!(answer, Content::Announced(_)), "{answer:?}");
    }
}

/// The sums of a part of which nothing can be told.
fn garbage() -> Vec<u8> {
    (0..28_u8).map(|i| i.wrapping_mul(89) ^ 0x5c).collect()
}

/// An answer with a sketch of so many parts.
fn sketched(id: RequestId, parts: u64, sums: &[u8]) -> Bytes {
    let (mut sketch, mut digest, mut delta) = (vec![0x0d, 1, 2, 3, 4], Vec::new(), Vec::new());
    varint_field(2, parts, &mut sketch);
    bytes_field(3, sums, &mut sketch);
    varint_field(1, 50, &mut digest);
    varint_field(2, 90, &mut digest);
    varint_field(2, 50, &mut delta);
    bytes_field(5, &sketch, &mut delta);
    let mut response = vec![0x09];
    response.extend(id.get().to_le_bytes());
    bytes_field(2, &digest, &mut response);
    bytes_field(4, &delta, &mut response);
    let mut envelope = Vec::new();
    bytes_field(4, &response, &mut envelope);
    envelope.into()
}

#[test]
fn after_two_that_tell_nothing_an_announcement_is_asked_for() {
    let mut rig = Rig::new(1, below(5));
    let link = rig.upstream(5);
    for n in 1..=2 {
        let asked = rig.asked(link);
        assert!(!asked.plain);
        assert_eq!(asked.cursor, None, "no cursor moves");
        rig.raw(link, sketched(asked.id, 1, &garbage()));
        assert_eq!(rig.node.stats().sketches_untold, n);
    }
    let asked = rig.asked(link);
    assert!(asked.plain);
    rig.message(link, answer(asked.id, 60, &[rec(6)]));
    assert!(!rig.asked(link).plain);
}

/// Syndromes of too many elements may look like those of a few, which nobody has. An exchange in which
/// that was all is none: else an upstream of which nothing is known is never asked again.
#[test]
fn a_sketch_that_tells_what_nobody_has_tells_nothing() {
    let mut rig = Rig::new(1, below(5));
    let link = rig.upstream(5);
    for n in 1..=2 {
        let asked = rig.asked(link);
        assert!(!asked.plain);
        // All powers of one are one.
        let one = [1, 0].repeat(14);
        rig.raw(link, sketched(asked.id, 2, &[one, garbage()].concat()));
        let fetch = rig.take_requests(link).pop().expect("it asks for it");
        assert_eq!(fetch.want.map(|w| w.len()), Some(1));
        rig.message(link, answer(fetch.id, 0, &[]));
        assert_eq!(rig.node.stats().sketches_untold, n);
    }
    let asked = rig.asked(link);
    assert!(asked.plain && asked.cursor.is_none());
}

/// A sketch that was not asked for has no effect, and is no fault either.
#[test]
fn a_pushed_sketch_is_ignored() {
    let (mut rig, link) = rich();
    let before = rig.node.fingerprint();
    let mut sketch = vec![0x0d, 1, 2, 3, 4];
    varint_field(2, 1, &mut sketch);
    bytes_field(3, &[9; 28], &mut sketch);
    let (mut delta, mut update, mut envelope) = (Vec::new(), Vec::new(), Vec::new());
    varint_field(2, 50, &mut delta);
    bytes_field(5, &sketch, &mut delta);
    bytes_field(3, &delta, &mut update);
    bytes_field(5, &update, &mut envelope);
    rig.raw(link, envelope);
    assert_eq!(rig.node.fingerprint(), before);
    assert!(rig.take_requests(link).iter().all(|r| !r.is_fetch()));
    assert!(rig.is_up(link));
}
