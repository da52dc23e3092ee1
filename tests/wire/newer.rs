//! What a later version sends: unknown fields, kinds and versions (R23), and bodies with fields that
//! this version does not know, relayed as they are (R7).

use bytes::Bytes;
use peer_exchange::wire::{self, Decoded, Message};
use peer_exchange::{Event, NodeId};

use crate::support::build::*;
use crate::support::rig::{Rig, config, records_in};

const KINDS: std::ops::RangeInclusive<u32> = 2..=9;

/// Fields of every wire type, with numbers that no message of version 1 uses.
fn unknown_fields() -> Vec<u8> {
    let mut out = Vec::new();
    varint_field(1_000, u64::MAX, &mut out);
    bytes_field(1_001, b"later", &mut out);
    out.extend([0xd5, 0x3e, 1, 2, 3, 4]); // 1002, 32 bits
    out.extend([0xd9, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8]); // 1003, 64 bits
    out
}

fn envelope(kind: u32, content: &[u8]) -> Bytes {
    let mut out = Vec::new();
    bytes_field(kind, content, &mut out);
    out.into()
}

#[test]
fn unknown_fields_are_skipped_in_every_message() {
    for kind in KINDS {
        let plain = wire::decode(envelope(kind, &[])).unwrap();
        let mut with_more = envelope(kind, &unknown_fields()).to_vec();
        with_more.extend(unknown_fields());
        assert!(matches!(plain, Decoded::Message(_)));
        assert_eq!(wire::decode(with_more.into()), Ok(plain), "kind {kind}");
    }
}

#[test]
fn unknown_fields_are_skipped_in_every_part_of_a_message() {
    let more = unknown_fields();
    // Digest, cursor, delta, refusals, busy; and short IDs within a delta.
    for (kind, field) in [(4, 2), (4, 3), (4, 4), (4, 6), (4, 7), (5, 3)] {
        let mut content = Vec::new();
        bytes_field(field, &more, &mut content);
        let read = wire::decode(envelope(kind, &content));
        assert!(
            matches!(read, Ok(Decoded::Message(_))),
            "{kind}.{field}: {read:?}"
        );
    }
    let short = [&[0x10, 8][..], &more].concat();
    let (mut delta, mut content) = (Vec::new(), Vec::new());
    bytes_field(4, &short, &mut delta);
    bytes_field(3, &delta, &mut content);
    let read = wire::decode(envelope(5, &content));
    assert!(matches!(read, Ok(Decoded::Message(_))), "{read:?}");
}

#[test]
fn other_kinds_are_counted_ignored_and_not_blamed() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    let unknown: Vec<Bytes> = vec![
        envelope(11, b"a kind of tomorrow"),
        // No kind at all, and a field that is none.
        Bytes::new(),
        Bytes::from_static(&[8, 1]),
        envelope(1_000, b"\xff\xff\xff"),
    ];
    assert_eq!(wire::decode(unknown[0].clone()), Ok(Decoded::UnknownKind));
    for _ in 0..25 {
        unknown.iter().for_each(|m| rig.raw(link, m.clone()));
    }
    assert_eq!(rig.node.stats().unknown_messages, 100);
    let blamed = rig.take_events(|e| matches!(e, Event::Blamed { .. }));
    assert_eq!(blamed, []);
    assert!(rig.is_up(link));
}

/// A body with fields of a later version goes through two hops without a byte changed.
#[test]
fn bodies_are_relayed_verbatim() {
    // Known fields out of order, a padded varint, and unknown fields: no encoder writes this.
    let mut odd = vec![0x18, 0x88, 0x8e, 0x00];
    odd.extend(unknown_fields());
    odd.extend(body_of(7));
    odd.extend([0x82, 0x01, 0]);
    let sent = rec(7).body(odd.clone());
    let mut message = rumour(&[sent]);
    for hop in 1..=2 {
        let mut rig = Rig::new(hop, config(|_| {}));
        let (from, to) = (rig.link(50), rig.link(60));
        rig.message(from, message);
        assert!(rig.knows(7));
        let answer = rig.ask(to, request(1));
        message = Message::Response(answer);
        let records = records_in(&message).expect("records");
        let body_of = |node: NodeId| records.iter().find(|r| r.node == node).map(|r| r.body);
        assert_eq!(body_of(id(7)), Some(&odd[..]));
        let Message::Response(answer) = message else {
            unreachable!()
        };
        message = Message::Update(wire::Update {
            delta: answer.delta,
            ..Default::default()
        });
    }
}

#[test]
fn no_common_version_ends_the_link() {
    for (min, max) in [(2, 5), (0, 0), (5, 2)] {
        let mut rig = Rig::new(1, config(|_| {}));
        let link = rig.mute_link(2);
        rig.message(
            link,
            Message::Hello(wire::Hello {
                min_version: min,
                max_version: max,
                features: !wire::SIGNED_ONLY,
                epoch: 1,
                cluster: 0,
                seen: None,
            }),
        );
        let reason = peer_exchange::CloseReason::Version;
        assert_eq!(rig.why_closed(link), Some(reason));
    }
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.mute_link(2);
    rig.message(
        link,
        Message::Hello(wire::Hello {
            min_version: 1,
            max_version: u32::MAX,
            features: !wire::SIGNED_ONLY,
            epoch: 1,
            cluster: 0,
            seen: None,
        }),
    );
    assert!(rig.is_up(link));
}
