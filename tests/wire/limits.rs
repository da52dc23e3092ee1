//! Every limit of the contract: the largest that is allowed passes, one more does not.

use bytes::Bytes;
use peer_exchange::wire::{self, DecodeError, Decoded, Message, PageError};
use peer_exchange::{Event, Multiaddr, PeerFault, RecordError, contract};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

const REQUEST: u32 = 2;
const RESPONSE: u32 = 3;

fn envelope(kind: u32, content: &[u8]) -> Bytes {
    with(kind, content).into()
}

fn decode(kind: u32, content: &[u8]) -> Result<Message, DecodeError> {
    wire::decode(envelope(kind, content)).map(|d| match d {
        Decoded::Message(m) => m,
        other => panic!("{other:?}"),
    })
}

fn error(kind: u32, content: &[u8]) -> Option<DecodeError> {
    decode(kind, content).err()
}

/// A message of one bytes field.
fn with(field: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(field, bytes, &mut out);
    out
}

fn ids(n: u32) -> Vec<u8> {
    (1..=n).flat_map(|n| *id(n).as_bytes()).collect()
}

#[test]
fn a_message_has_64_kib() {
    let filled = |len: usize| {
        let mut out = Vec::new();
        let padding = len - 5;
        bytes_field(1_000, &vec![0; padding], &mut out);
        assert_eq!(out.len(), len);
        Bytes::from(out)
    };
    assert_eq!(wire::decode(filled(65_536)), Ok(Decoded::UnknownKind));
    assert_eq!(
        wire::decode(filled(65_537)),
        Err(DecodeError::TooLong(65_537))
    );
}

#[test]
fn a_path_has_1_to_64_distinct_nodes_of_32_bytes() {
    let walk = |path: &[u8]| error(REQUEST, &with(13, path));
    assert_eq!(walk(&ids(1)), None);
    assert_eq!(walk(&ids(64)), None);
    assert_eq!(walk(&ids(65)), Some(DecodeError::Path));
    assert_eq!(walk(&[ids(2), ids(1)].concat()), Some(DecodeError::Path));
    assert_eq!(walk(&ids(2)[1..]), Some(DecodeError::NodeId("path")));
    assert_eq!(walk(&[]), None, "a direct one");
}

#[test]
fn a_dial_back_is_at_a_port_over_a_transport_or_tells_of_an_address() {
    const DIAL_BACK: u32 = 8;
    let ask = |port: u64, over: u64| {
        let mut out = Vec::new();
        varint_field(1, port, &mut out);
        varint_field(2, over, &mut out);
        error(DIAL_BACK, &out)
    };
    let wrong = Some(DecodeError::Address);
    assert_eq!((ask(1, 0), ask(65_535, 1), ask(0, 0)), (None, None, None));
    assert_eq!((ask(65_536, 0), ask(1, 2)), (wrong.clone(), wrong.clone()));
    let told = |at: &[u8]| error(DIAL_BACK, &with(3, at));
    let long = |len: usize| {
        let mut address = address(7).as_bytes().to_vec();
        address.resize(len, 0);
        address
    };
    assert_eq!((told(&long(255)), told(&long(256))), (None, wrong.clone()));
    assert_eq!((told(b"x"), told(&[6, 0, 80])), (wrong.clone(), wrong));
}

#[test]
fn accusations_are_64_and_of_nodes_that_are_named() {
    const UPDATE: u32 = 4;
    let said = |nodes: usize, numbers: &[u64], signatures: usize| {
        let mut out = with(1, &vec![7; nodes]);
        for number in numbers {
            varint_field(2, *number, &mut out);
        }
        (0..signatures).for_each(|_| out.extend(with(3, &[1; 64])));
        error(UPDATE, &with(6, &out))
    };
    let wrong = Some(DecodeError::Accusations);
    assert_eq!(said(64, &[0, 1, 9, 9], 1), None);
    assert_eq!(said(64, &[0, 1, 9, 9].repeat(64), 64), None);
    assert_eq!(said(64, &[0, 1, 9, 9].repeat(65), 0), wrong, "too many");
    assert_eq!(said(64, &[0, 1, 9, 9], 2), wrong, "of none");
    assert_eq!(said(64, &[0, 2, 9, 9], 0), wrong, "not named");
    assert_eq!(said(64, &[u64::MAX, 0, 9, 9], 0), wrong, "likewise");
    assert_eq!(said(64, &[0, 1, 9], 0), wrong, "no beat");
    assert_eq!(said(64, &[0, 1, 9, 1 << 32], 0), wrong, "too high a beat");
    assert_eq!(said(63, &[0, 0, 9, 9], 0), wrong, "half a node");
    assert_eq!(said(129 * 32, &[0, 0, 9, 9], 0), wrong, "too many nodes");
}

/// One of another length is a later version's, and no fault.
#[test]
fn where_a_node_is_seen_has_6_or_18_bytes() {
    const HELLO: u32 = 1;
    for len in 0..40 {
        let message = decode(HELLO, &with(6, &vec![1; len]));
        let Ok(Message::Hello(hello)) = message else {
            panic!("{message:?}");
        };
        assert_eq!(hello.seen.is_some(), [6, 18].contains(&len), "{len}");
    }
}

#[test]
fn hop_limits_are_clamped_to_64() {
    for (given, read) in [(0, 0), (64, 64), (65, 64), (u64::from(u32::MAX), 64)] {
        let mut content = Vec::new();
        varint_field(3, given, &mut content);
        let Ok(Message::Request(m)) = decode(REQUEST, &content) else {
            panic!()
        };
        assert_eq!(m.hop_limit, read);
    }
}

/// A response with this part.
fn part(field: u32, content: &[u8]) -> Option<DecodeError> {
    error(RESPONSE, &with(field, content))
}

fn packed(field: u32, values: &[u64]) -> Vec<u8> {
    let mut list = Vec::new();
    for v in values {
        prost::encoding::encode_varint(*v, &mut list);
    }
    with(field, &list)
}

/// Bytes of a page with one record.
const PAGE: usize = 48;

/// R45: a page is in its one form, or the whole message is refused.
#[test]
fn a_page_is_whole_and_in_its_one_form() {
    let page = |bytes: &[u8]| part(4, bytes);
    let refused = |error| Some(DecodeError::Page(error));
    // One record, of node 1, as it is in an update.
    let update = wire::encode(push(&[rec(1)]));
    let whole = &update[update.len() - PAGE..];
    assert_eq!(update[update.len() - PAGE - 2..][..2], [0x12, PAGE as u8]);
    assert_eq!(page(whole), None);
    assert_eq!(page(&[]), None, "no records");
    assert_eq!(page(&whole[..PAGE - 1]), refused(PageError::Truncated));
    assert_eq!(page(&[whole, &[0]].concat()), refused(PageError::TooLong));
    let count = [&[0x81, 0], &whole[1..]].concat();
    assert!(matches!(
        page(&count),
        Some(DecodeError::Page(PageError::NotCanonical(_)))
    ));
    let many = [&[0xff, 0xff, 0xff, 0xff, 7][..], &[0; 60_000]].concat();
    assert_eq!(page(&many), refused(PageError::Truncated));
}

#[test]
fn what_a_short_column_means() {
    let refusals = [with(1, &ids(4)), packed(2, &[5, 7])].concat();
    let Ok(Message::Response(m)) = decode(RESPONSE, &with(12, &refusals)) else {
        panic!()
    };
    let read: Vec<_> = m.refusals.iter().collect();
    let expected = [5, 7, 7, 7].map(|version| seq(version, 0));
    assert!(read.iter().map(|(_, sequence)| *sequence).eq(expected));
}

#[test]
fn refusals_fit_together() {
    let refusals = |extra: &[u8]| part(12, &[&with(1, &ids(2)), extra].concat());
    let bad = Some(DecodeError::Columns("refusals"));
    assert_eq!(refusals(&packed(2, &[1, 2])), None);
    assert_eq!(refusals(&packed(2, &[1, 2, 3])), bad);
    assert_eq!(refusals(&packed(3, &[1, 2, 3])), bad);
    assert_eq!(part(12, &with(1, &ids(1)[1..])), bad);
}

#[test]
fn nodes_have_eight_bytes_and_a_version_each() {
    let nodes = |prefixes: usize, versions: usize| {
        let mut content = Vec::new();
        bytes_field(1, &vec![1; prefixes], &mut content);
        bytes_field(2, &vec![2; versions], &mut content);
        part(9, &content)
    };
    for (prefixes, versions) in [(0, 0), (8, 1), (8_000, 1_000)] {
        assert_eq!(nodes(prefixes, versions), None, "{prefixes} {versions}");
    }
    for (prefixes, versions) in [(7, 1), (9, 1), (8, 0), (8, 2), (0, 1), (16, 1)] {
        let bad = Some(DecodeError::Columns("nodes"));
        assert_eq!(nodes(prefixes, versions), bad, "{prefixes} {versions}");
    }
}

#[test]
fn a_sketch_has_1_to_2000_parts_of_1_to_14_sums() {
    let sketch = |parts: u64, len: usize| {
        let mut content = Vec::new();
        varint_field(1, parts, &mut content);
        bytes_field(2, &vec![1; len], &mut content);
        error(REQUEST, &with(8, &content))
    };
    let bad = Some(DecodeError::Columns("sketch"));
    for (parts, len) in [(1, 2), (1, 28), (2, 4), (2_000, 4_000)] {
        assert_eq!(sketch(parts, len), None, "{parts} {len}");
    }
    let others = [(0, 0), (0, 2), (1, 0), (1, 3), (1, 30), (3, 4)];
    for (parts, len) in others.into_iter().chain([(2_001, 4_002), (1 << 32, 2)]) {
        assert_eq!(sketch(parts, len), bad, "{parts} {len}");
    }
}

#[test]
fn a_table_is_shown_in_one_way() {
    let filter = with(7, &[0, 0]);
    let sketch = with(8, &[0x08, 1, 0x12, 2, 0, 0]);
    let partial = vec![0x28, 1];
    for one in [&filter, &sketch, &partial] {
        assert_eq!(error(REQUEST, one), None);
    }
    for two in [[&filter, &sketch], [&filter, &partial], [&sketch, &partial]] {
        let both = [&two[0][..], two[1]].concat();
        assert_eq!(error(REQUEST, &both), Some(DecodeError::Shows));
    }
}

/// R40: 32,768 records at most, and no more than there are bytes for.
#[test]
fn a_filter_is_whole() {
    let bad = Some(DecodeError::Columns("filter"));
    let filter = |bytes: &[u8]| error(REQUEST, &with(7, bytes));
    // One record, at 5: slice 0, one bit of a count, 1, no multiples, 5.
    let whole = [0b0000_0000, 0b0111_0000, 0b0000_0101];
    assert_eq!(filter(&whole), None);
    assert_eq!(filter(&whole[..2]), bad);
    assert_eq!(filter(&[&whole[..], &[0]].concat()), bad);
    // Another one after that; filled up with zeros.
    let two = [0, 0b1010_1000, 0b0000_0010, 0b1100_0000, 0b0000_0100];
    assert_eq!(filter(&two), None);
    let last = two[4] | 1;
    assert_eq!(filter(&[&two[..4], &[last]].concat()), bad, "not filled up");
    // One record, but its number in two bits.
    assert_eq!(filter(&[0, 0b1001_1000, 0b0000_0010, 0b1000_0000]), bad);
    // 4,096 and more are beyond one record's.
    assert_eq!(filter(&[0, 0b0110_1000, 0b0000_0010, 0b1000_0000]), bad);
    let many = [&[0b0000_0111, 0b1111_1111, 0xff][..], &[0xff; 60_000]].concat();
    assert_eq!(filter(&many), bad);
}

/// R40: as many as a filter has places.
#[test]
fn what_is_wanted_is_bounded() {
    let wants = |bytes: usize| part(5, &[&[0b0000_0111][..], &vec![0xff; bytes]].concat());
    assert_eq!(wants(4_095), None);
    assert_eq!(wants(4_096), Some(DecodeError::Columns("wants")));
}

#[test]
fn prefixes_have_eight_bytes() {
    for (field, name) in [(14, "fetch"), (12, "overdue")] {
        assert_eq!(error(REQUEST, &with(field, &[1; 16])), None);
        let bad = Some(DecodeError::Columns(name));
        assert_eq!(error(REQUEST, &with(field, &[1; 12])), bad);
    }
}

/// What becomes of a record with this body, told by its own node.
fn taken(body: Vec<u8>) -> Result<(), RecordError> {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(2).body(body)]));
    let bad = |e: &Event| match e {
        Event::Blamed {
            fault: PeerFault::OwnRecord(error),
            ..
        } => Some(*error),
        _ => None,
    };
    match rig.events.iter().find_map(bad) {
        Some(error) => Err(error),
        None => {
            assert!(rig.knows(2));
            Ok(())
        }
    }
}

#[test]
fn the_limits_of_a_record() {
    let name = |len: usize| -> Multiaddr {
        let text = format!("/dns/{}/tcp/1", "a".repeat(len));
        text.parse().unwrap()
    };
    assert_eq!(taken(body(&vec![address(2); contract::ADDRESSES])), Ok(()));
    assert_eq!(
        taken(body(&vec![address(2); contract::ADDRESSES + 1])),
        Err(RecordError::TooManyAddresses)
    );
    let with_metadata = |len: usize| [body_of(2), with(2, &vec![7; len])].concat();
    assert_eq!(taken(with_metadata(256)), Ok(()));
    assert_eq!(taken(with_metadata(257)), Err(RecordError::MetadataTooLong));
    let with_lifetime = |seconds| {
        let mut out = body_of(2);
        varint_field(3, seconds, &mut out);
        out
    };
    assert_eq!(taken(with_lifetime(600)), Ok(()));
    assert_eq!(taken(with_lifetime(604_800)), Ok(()));
    for bad in [0, 599, 604_801, u64::MAX] {
        assert_eq!(taken(with_lifetime(bad)), Err(RecordError::Lifetime));
    }
    let padded = |len: usize| {
        let mut out = body_of(2);
        let padding = len - out.len() - 4;
        bytes_field(1_000, &vec![0; padding], &mut out);
        assert_eq!(out.len(), len);
        out
    };
    let longest = body(&[name(249)]);
    assert_eq!(longest.len(), 255 + 3);
    assert_eq!(taken(longest), Ok(()));
    let too_long = [&[0x0a, 0x80, 0x02, 0x35, 0xf7, 0x01][..], &[b'a'; 253]].concat();
    assert!(matches!(taken(too_long), Err(RecordError::Address(_))));
    assert_eq!(taken(padded(1_024)), Ok(()));
    assert_eq!(taken(padded(1_025)), Err(RecordError::TooLong));
}
