//! Bytes that are no message, and messages out of bounds.

use peer_exchange::wire::{self, DecodeError, Message, Request, Update, Walk};
use peer_exchange::{CloseReason, Event, PeerFault, RecordError};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

fn rig() -> Rig {
    Rig::new(1, config(|_| {}))
}

fn faults(rig: &mut Rig) -> Vec<PeerFault> {
    let blamed = rig.take_events(|e| matches!(e, Event::Blamed { .. }));
    let fault = |e| match e {
        Event::Blamed { fault, .. } => fault,
        _ => unreachable!(),
    };
    blamed.into_iter().map(fault).collect()
}

/// An envelope of version 1 with this field.
fn envelope(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(kind, content, &mut out);
    out
}

const REQUEST: u32 = 2;

#[test]
fn no_truncation_panics_or_is_taken_for_the_whole() {
    let whole = wire::encode(push(&[rec(2), rec(3)]));
    for cut in 0..whole.len() {
        let mut rig = rig();
        let link = rig.link(2);
        rig.raw(link, whole.slice(..cut));
        assert!(!rig.knows(3), "cut at {cut}");
    }
}

#[test]
fn the_third_bad_message_closes_the_link_and_refuses_the_node_for_ten_minutes() {
    let mut rig = rig();
    let link = rig.link(2);
    for _ in 0..2 {
        rig.raw(link, &b"\xff\xff\xff"[..]);
        assert!(rig.is_up(link));
    }
    rig.raw(link, &b"\xff\xff\xff"[..]);
    assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
    assert_eq!(faults(&mut rig).len(), 3);
    let again = rig.mute_link(2);
    assert_eq!(rig.why_closed(again), Some(CloseReason::Refused));
    rig.pass_s(601);
    let again = rig.mute_link(2);
    assert!(rig.is_up(again));
}

#[test]
fn blame_leaks_away() {
    let mut rig = rig();
    let link = rig.link(2);
    for _ in 0..20 {
        rig.raw(link, &b"\xff"[..]);
        rig.pass_answering(90);
    }
    assert!(rig.is_up(link));
}

#[test]
fn an_oversized_message_is_not_even_parsed() {
    let mut rig = rig();
    let link = rig.link(2);
    rig.raw(link, vec![0; 65_537]);
    assert_eq!(
        faults(&mut rig),
        [PeerFault::Message(DecodeError::TooLong(65_537))]
    );
}

#[test]
fn deep_nesting_ends_at_the_parser() {
    let mut rig = rig();
    let link = rig.link(2);
    // Groups within groups in an unknown field; then length-delimited fields, which a parser that
    // descended into unknown ones would follow.
    let groups = [0xab, 0x06].repeat(30_000);
    rig.raw(link, groups);
    assert!(matches!(
        faults(&mut rig)[..],
        [PeerFault::Message(DecodeError::Malformed(_))]
    ));
    let mut nested = vec![1, 2, 3];
    while nested.len() < 60_000 {
        let mut outer = Vec::with_capacity(nested.len() + 5);
        bytes_field(100, &nested, &mut outer);
        nested = outer;
    }
    rig.raw(link, envelope(REQUEST, &nested));
    assert!(faults(&mut rig).is_empty());
}

#[test]
fn ten_thousand_addresses_are_skipped_and_blamed_on_their_subject_only() {
    let tiny: peer_exchange::Multiaddr = "/dns/a".parse().unwrap();
    let huge = body(&vec![tiny.clone(); 10_000]);
    let many = body(&vec![tiny; 17]);
    for (bad, error) in [
        (huge, RecordError::TooLong),
        (many, RecordError::TooManyAddresses),
    ] {
        let mut rig = rig();
        let (subject, relay) = (rig.link(2), rig.link(3));
        let list = [rec(2).body(bad), rec(4)];
        rig.message(relay, rumour(&list));
        assert!(faults(&mut rig).is_empty(), "a relay is not to blame");
        assert!(rig.knows(4), "the rest of the page counts");
        rig.message(subject, rumour(&list));
        assert_eq!(faults(&mut rig), [PeerFault::OwnRecord(error)]);
        assert!(!rig.knows(2));
        assert_eq!(rig.node.stats().records_bad, 2);
    }
}

#[test]
fn a_hop_limit_of_4_billion_is_clamped_to_64() {
    let mut rig = Rig::new(0x7f00_0001, below(9));
    let upstream = rig.upstream(9);
    // The node's own requests there first, so that the forwarded one finds the link free.
    rig.pass_answering(2);
    let asker = rig.link(5);
    let mut content = vec![0x0d, 1, 2, 3, 4];
    varint_field(3, u64::from(u32::MAX), &mut content);
    rig.take(upstream);
    rig.raw(asker, envelope(REQUEST, &content));
    let forwarded = rig.take_requests(upstream);
    let of_it = |r: &&Request| r.walk.is_some();
    assert_eq!(forwarded.iter().find(of_it).unwrap().hop_limit, 63);
}

fn walk_of(rig: &mut Rig, path: &[peer_exchange::NodeId]) -> Vec<PeerFault> {
    let link = rig.link(2);
    let mut content = vec![0x0d, 1, 2, 3, 4];
    let flat: Vec<u8> = path.iter().flat_map(|n| *n.as_bytes()).collect();
    bytes_field(13, &flat, &mut content);
    rig.take(link);
    rig.raw(link, envelope(REQUEST, &content));
    assert!(rig.take_responses(link).is_empty());
    faults(rig)
}

#[test]
fn paths_too_long_or_with_duplicates_are_bad_messages() {
    let thousand: Vec<_> = (0..1_000).map(id).collect();
    let twice = [id(4), id(2), id(4), id(2)];
    for path in [&thousand[..], &twice] {
        let path_error = PeerFault::Message(DecodeError::Path);
        assert_eq!(walk_of(&mut rig(), path), [path_error]);
    }
}

#[test]
fn a_path_that_does_not_end_with_its_sender_is_blamed() {
    assert_eq!(
        walk_of(&mut rig(), &[id(4), id(3)]),
        [PeerFault::PathNotItsOwn]
    );
}

#[test]
fn a_path_of_64_is_answered_and_goes_no_further() {
    let mut rig = Rig::new(1, below(900));
    let upstream = rig.upstream(900);
    rig.pass_answering(2);
    let asker = rig.link(5);
    let path: Vec<_> = (100..163).map(id).chain([id(5)]).collect();
    let walk = Walk::of(path);
    rig.take(upstream);
    let asked = Request {
        walk,
        ..request(77)
    };
    rig.ask(asker, asked);
    let forwarded = |m: &Message| match m {
        Message::Request(r) => r.walk.is_some(),
        _ => false,
    };
    assert!(!rig.take(upstream).iter().any(forwarded));
}

#[test]
fn a_full_page_of_nothing_makes_no_records() {
    let mut rig = rig();
    let link = rig.link(2);
    // Node IDs and nothing else: version 0 is that of no record.
    let nothing = |n| rec(n).version(0).life(0).body(Vec::new());
    let records: Vec<_> = (100..2_100).map(nothing).collect();
    rig.message(link, rumour(&records));
    assert_eq!(rig.node.stats().records_bad, 2_000);
    assert_eq!(rig.node.peer_count(), 0);
    assert!(faults(&mut rig).is_empty());
}

/// R45: a page in another form than its own is refused whole, and its sender blamed.
#[test]
fn a_page_in_another_form_has_no_effect() {
    let mut rig = rig();
    let link = rig.link(2);
    let update = Update {
        records: page(&[rec(3), rec(4)]),
        ..Update::default()
    };
    let whole = wire::encode(Message::Update(update)).to_vec();
    // A padded count: the same records.
    let keys = [whole[0], whole[2], whole[4]];
    assert_eq!(keys, [0x22, 0x12, 2], "update, page, count");
    let mut update = Vec::new();
    bytes_field(2, &[&[0x82, 0], &whole[5..]].concat(), &mut update);
    rig.raw(link, envelope(4, &update));
    let blamed = faults(&mut rig);
    assert!(
        matches!(blamed[..], [PeerFault::Message(DecodeError::Page(_))]),
        "{blamed:?}"
    );
    assert!(!rig.knows(3) && !rig.knows(4));
    rig.raw(link, whole);
    assert!(rig.knows(3) && rig.knows(4));
}

#[test]
fn a_count_that_lies_changes_nothing_but_the_answer() {
    let mut rig = rig();
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(3)]));
    let asked = Request {
        count: u32::MAX,
        own: (seq(u64::MAX, u32::MAX), 1),
        ..request(1)
    };
    assert!(!rig.ask(link, asked).records.is_empty());
    rig.pass_s(60);
}
