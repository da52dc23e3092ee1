//! Pages as a whole: what comes out is what went in, and there is one form of it.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::contract;
use crate::id::NodeId;
use crate::record::{Sequence, Signature};

/// A record of its own.
#[derive(Clone, Debug)]
struct Own {
    node: [u8; 32],
    sequence: Sequence,
    remaining_s: u32,
    body: Vec<u8>,
    signature: Option<Signature>,
}

impl Own {
    fn as_wire(&self) -> WireRecord<'_> {
        WireRecord {
            node: NodeId::new(self.node),
            sequence: self.sequence,
            remaining_s: self.remaining_s,
            body: &self.body,
            signature: self.signature.as_ref(),
        }
    }
}

fn filled(records: &[Own]) -> Records {
    let mut page = RecordsBuilder::default();
    for record in records {
        assert!(page.push(record.as_wire(), usize::MAX));
    }
    page.finish()
}

/// The `i`th of records that look like those of a cluster: random IDs, one network, one port.
fn plain(i: u32) -> Own {
    let mut node = [0; 32];
    for (j, chunk) in node.chunks_exact_mut(4).enumerate() {
        let word = (i + j as u32 * 0x0100_0001).wrapping_mul(0x9e37_79b1);
        chunk.copy_from_slice(&(word ^ word >> 15).to_be_bytes());
    }
    let [_, _, c, d] = i.wrapping_mul(40_503).to_be_bytes();
    Own {
        node,
        sequence: Sequence {
            version: 1,
            beat: 0,
        },
        remaining_s: 86_399 - i % 4,
        body: vec![0x0a, 8, 4, 10, 244, c, d, 6, 0x1b, 0x58],
        signature: None,
    }
}

fn plains(n: u32) -> Vec<Own> {
    (0..n).map(plain).collect()
}

/// R45: 44 bytes become 34, and a signature is 64 more.
#[test]
fn a_record_of_a_thousand_takes_34_bytes_and_a_signature_64_more() {
    let mut records = plains(1_024);
    let page = pack(&filled(&records));
    assert!(page.len() <= 1_024 * 34, "{}", page.len());
    for record in &mut records {
        record.signature = Some([7; 64]);
    }
    assert_eq!(pack(&filled(&records)).len(), page.len() + 64 * 1_024);
}

/// R45, R47: an upstream in the page is its place there, 10 bits of a thousand; elsewhere it is eight
/// bytes more.
#[test]
fn an_upstream_of_the_page_takes_little_more_than_a_byte() {
    let mut records = plains(1_000);
    let without = pack(&filled(&records)).len();
    let upstream = |i: usize| plain((i as u32 + 1) % 1_000).node;
    let name = |record: &mut Own, named: [u8; 32]| {
        record.body.extend_from_slice(&[0x2a, 8]);
        record.body.extend_from_slice(&named[..8]);
    };
    for (i, record) in records.iter_mut().enumerate() {
        name(record, upstream(i));
    }
    let with = pack(&filled(&records));
    assert!(with.len() - without <= 1_000 * 10 / 8 + 8);
    assert_eq!(unpack(&with), Ok(filled(&records)));
    let mut one = records.swap_remove(0);
    one.body.truncate(10);
    name(&mut one, [9; 32]);
    records.push(one);
    let with_another = pack(&filled(&records)).len();
    assert!((8..=12).contains(&(with_another - with.len())));
}

/// An upstream that is in the page is never written out, and of two that begin alike the first is
/// meant.
#[test]
fn an_upstream_has_one_place() {
    let mut records = plains(3);
    records.sort_by_key(|r| r.node);
    records[1].node = records[0].node;
    records[1].node[31] ^= 1;
    records.sort_by_key(|r| r.node);
    let beginning = records[0].node[..8].to_vec();
    records[2].body.extend_from_slice(&[0x2a, 8]);
    records[2].body.extend_from_slice(&beginning);
    let page = pack(&filled(&records));
    assert_eq!(unpack(&page), Ok(filled(&records)));
    // Whatever else the bits of places say is another page, or none.
    for bit in 0..8 * page.len() {
        let mut other = page.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = unpack(&other) {
            assert_eq!(pack(&read), other);
        }
    }
}

/// The example of `proto/README.md`.
#[test]
fn the_page_of_the_description() {
    let record = |byte, remaining_s, host: [u8; 2]| Own {
        node: [byte; 32],
        remaining_s,
        body: vec![0x0a, 8, 4, 10, 244, host[0], host[1], 6, 0x1b, 0x58],
        ..plain(0)
    };
    let records = [record(0x99, 1_797, [2, 3]), record(0x11, 1_799, [1, 1])];
    let bits = [
        0x02, 0x91, 0x11, 0x11, 0x11, 0x4c, 0xcc, 0xcc, 0xcc, 0x81, 0x60, 0x05, 0xcb, 0x83, 0xa0,
        0x80, 0x00, 0x72, 0x4a, 0xf4, 0x01, 0x01, 0x80, 0xc6, 0xeb, 0x6b, 0x00,
    ];
    let page = [&bits[..], &[0x11; 28], &[0x99; 28]].concat();
    assert_eq!(pack(&filled(&records)), page);
}

#[test]
fn records_come_sorted_and_of_each_node_the_newest() {
    let mut records = plains(20);
    let mut newer = records[3].clone();
    newer.sequence.beat = 1;
    let mut other = newer.clone();
    other.body = vec![1];
    records.extend([newer.clone(), other]);
    let page = filled(&records);
    assert_eq!(page.len(), 20);
    assert!(page.iter().is_sorted_by(|a, b| a.node < b.node));
    let kept = page.iter().find(|r| r.node == NodeId::new(newer.node));
    assert_eq!(kept, Some(newer.as_wire()));
}

#[test]
fn a_page_stays_within_its_limit_and_comes_close_to_it() {
    let mut page = RecordsBuilder::default();
    let records = plains(2_000);
    let limit = 50_000;
    let pushed = records.iter().take_while(|r| page.push(r.as_wire(), limit));
    assert!(pushed.count() < 2_000);
    let bytes = pack(&page.finish());
    assert!(
        (limit - 400..=limit).contains(&bytes.len()),
        "{}",
        bytes.len()
    );
}

/// R23: nothing is allocated from a declared count, and what a page comes to is bounded.
#[test]
fn a_declared_count_is_believed_only_with_the_bytes() {
    let many = [0xff, 0xff, 0xff, 0x7f];
    assert_eq!(unpack(&many), Err(PageError::Truncated));
    let page = [&many[..], &[0; 60_000]].concat();
    assert_eq!(unpack(&page), Err(PageError::Truncated));
    // The largest shape in as few bits as there can be.
    let address = [
        &[0x0a, 25, 0x29][..],
        &[1; 16],
        &[0x91, 2, 0, 7, 1, 2, 3, 4],
    ]
    .concat();
    let mut body = address.repeat(4);
    body.extend_from_slice(&[0x2a, 64]);
    let mut records = plains(2_000);
    let first = filled(&records[..]).iter().next().map(|r| r.node);
    let named = first.unwrap().as_bytes()[..8].repeat(8);
    body.extend_from_slice(&named);
    for record in &mut records {
        record.body.clone_from(&body);
    }
    let page = pack(&filled(&records));
    assert!(page.len() <= contract::MESSAGE_BYTES);
    let records = unpack(&page).unwrap();
    assert_eq!(records.bodies.len(), 2_000 * body.len());
    assert!(records.bodies.len() < 7 * contract::MESSAGE_BYTES);
}

#[test]
fn what_is_short_or_goes_on_is_refused() {
    let page = pack(&filled(&plains(30)));
    for len in 1..page.len() {
        assert!(unpack(&page[..len]).is_err(), "{len}");
    }
    let longer = [&page[..], &[0]].concat();
    assert_eq!(unpack(&longer), Err(PageError::TooLong));
    assert_eq!(unpack(&[]), Ok(Records::default()));
    assert_eq!(
        unpack(&[0]),
        Err(PageError::NotCanonical("number of records"))
    );
    let padded = [&[page[0] | 0x80, 0], &page[1..]].concat();
    assert_eq!(
        unpack(&padded),
        Err(PageError::NotCanonical("number of records"))
    );
}

#[test]
fn a_node_twice_is_refused() {
    let mut records = plains(2);
    records[0].node = [7; 32];
    records[1].node = [7; 32];
    records[1].node[31] = 8;
    let mut page = pack(&filled(&records));
    let end = page.len();
    assert!(unpack(&page).is_ok());
    page[end - 1] = 7;
    let refused = Err(PageError::NotCanonical("order of node IDs"));
    assert_eq!(unpack(&page), refused);
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let ip4 = (0u8..3, any::<u8>(), 0u8..2)
        .prop_map(|(net, host, port)| vec![0x0a, 8, 4, 10, 0, net, host, 6, 0, port]);
    let quic = any::<[u8; 2]>()
        .prop_map(|[host, port]| vec![0x0a, 11, 4, 10, 0, 1, host, 0x91, 2, 9, port, 0xcd, 3]);
    let ip6 = (0u8..3, any::<u8>()).prop_map(|(net, host)| {
        let mut address = vec![0x0a, 20, 0x29, 0x20, 1, 0xd, 0xb8, net];
        address.resize(18, 0);
        address.extend([host, 6, 0, 7]);
        address
    });
    let part = prop_oneof![
        4 => ip4,
        2 => quic,
        2 => ip6,
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => Just(vec![0x12, 3, 1, 2, 3]),
        1 => (0u8..128).prop_map(|s| vec![0x18, s]),
        1 => (0u8..128).prop_map(|s| vec![0x20, s]),
        1 => (any::<u8>(), 0usize..3, any::<bool>()).prop_map(|(n, count, low)| {
            let one = if low { [0, 0, 0, 0, 0, 0, 0, 0] } else { [n; 8] };
            let mut field = vec![0x2a, 8 * count as u8];
            field.extend(one.repeat(count));
            field
        }),
        1 => Just(vec![0xa2, 6, 1, 9]),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn records() -> impl Strategy<Value = Vec<Own>> {
    let node = prop_oneof![
        any::<[u8; 32]>(),
        any::<u8>().prop_map(|n| [n; 32]),
        any::<u8>().prop_map(|n| {
            let mut node = [0; 32];
            node[31] = n;
            node
        })
    ];
    let sequence = (
        prop_oneof![Just(1u64), 0u64..9, any::<u64>()],
        prop_oneof![Just(0u32), any::<u32>()],
    )
        .prop_map(|(version, beat)| Sequence { version, beat });
    let remaining = prop_oneof![86_390u32..86_400, any::<u32>()];
    let signature = prop_oneof![Just(None), any::<u8>().prop_map(|n| Some([n; 64]))];
    let signed = 0u8..3;
    let record = (node, sequence, remaining, bodies(), signature);
    (prop::collection::vec(record, 0..40), signed).prop_map(|(records, signed)| {
        let own = |(node, sequence, remaining_s, body, signature)| Own {
            node,
            sequence,
            remaining_s,
            body,
            signature: match signed {
                0 => None,
                1 => Some([5; 64]),
                _ => signature,
            },
        };
        records.into_iter().map(own).collect()
    })
}

proptest! {
    /// R7, R45: whatever the records are, they come out as they went in, and within the limit.
    #[test]
    fn records_come_out_as_they_went_in(records in records(), limit in 0usize..4_000) {
        let mut page = RecordsBuilder::default();
        for record in &records {
            page.push(record.as_wire(), limit);
        }
        let page = page.finish();
        for record in page.iter() {
            prop_assert!(records.iter().any(|r| r.as_wire() == record));
        }
        let bytes = pack(&page);
        prop_assert!(bytes.len() <= limit);
        prop_assert_eq!(unpack(&bytes), Ok(page));
    }

    /// R45: a page that reads is the one that its records make.
    #[test]
    fn a_changed_page_is_another_or_none(
        records in records(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4),
    ) {
        let mut bytes = pack(&filled(&records));
        prop_assume!(!bytes.is_empty());
        for (index, byte, how) in changes {
            let (at, early) = (index.index(bytes.len()), index.index(bytes.len().min(40)));
            match how {
                0 => bytes[at] ^= 1 << (byte % 8),
                1 => bytes[early] = byte,
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(records) = unpack(&bytes) {
            prop_assert_eq!(pack(&records), bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_page_of_one_form_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(records) = unpack(&bytes) {
            prop_assert_eq!(pack(&records), bytes);
        }
    }
}
