//! The table against a brute-force reading of itself.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::addr::Multiaddr;
use crate::contract;
use crate::id::NodeId;
use crate::record::{RecordError, Sequence, write_body};
use crate::ring::RingKey;
use crate::rng::{Purpose, Stream};
use crate::time::Instant;
use crate::wire::WireRecord;

mod down;
mod edges;
mod frontier;
mod full;
mod slab;

fn node(n: u64) -> NodeId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    NodeId::new(id)
}

const FIRST: Sequence = Sequence {
    version: 1,
    beat: 0,
};

fn address(n: u64) -> Multiaddr {
    let ip = [10, (n >> 16) as u8, (n >> 8) as u8, n as u8];
    Multiaddr::tcp((ip, 7000).into())
}

/// Who tells, each from a network of its own.
fn relay(n: u32) -> By {
    let node = node(1 << 40 | u64::from(n));
    By { node, subnet: None }
}

fn body(n: u64) -> Vec<u8> {
    write_body(&[address(n)], b"", contract::DEFAULT_LIFETIME)
}

/// The nodes whose records end now.
fn ended(w: &mut Writer) -> Vec<NodeId> {
    let due = core::iter::from_fn(|| w.table.pop_due(w.now));
    let ended = due.filter_map(|due| match due {
        Due::Ended(entry) => Some(entry.node),
        Due::Renewal => None,
    });
    ended.collect()
}

fn table(capacity: usize) -> Table {
    Table::new(
        NodeId::new([0xff; 32]),
        capacity,
        &[9; 32],
        RingKey::new(""),
    )
}

struct Writer {
    table: Table,
    now: Instant,
}

impl Writer {
    fn put(&mut self, n: u64, version: u64, beat: u32, remaining_s: u32) -> Merged {
        self.put_body(
            n,
            Sequence { version, beat },
            remaining_s,
            &body(n.wrapping_add(version.wrapping_mul(0x100_0000))),
        )
    }

    fn put_body(&mut self, n: u64, sequence: Sequence, remaining_s: u32, body: &[u8]) -> Merged {
        let record = WireRecord {
            node: node(n),
            sequence,
            remaining_s,
            body,
            signature: None,
        };
        self.table.merge(
            self.now,
            record,
            Some(&relay(n as u32 % 7)),
            &|_| false,
            Word::Own,
        )
    }
}

fn writer(capacity: usize) -> Writer {
    Writer {
        table: table(capacity),
        now: Instant::from_millis(1000),
    }
}

#[test]
fn random_operations_keep_every_index_in_step() {
    let mut random = Stream::new(&[4; 32], Purpose::Choices);
    let mut w = writer(40);
    for _ in 0..3_000 {
        let n = random.below(90) as u64;
        match random.below(10) {
            0 => w.now = w.now + Duration::from_secs(random.below(12_000) as u64),
            1 => while w.table.pop_due(w.now).is_some() {},
            2 => w.table.relax(w.now, &|_| false),
            3 => {
                let s = Sequence {
                    version: 9 + random.below(3) as u64,
                    beat: 0,
                };
                w.put_body(n, s, 91_800, b"");
            }
            _ => {
                let version = 1 + random.below(8) as u64;
                w.put(
                    n,
                    version,
                    random.below(4) as u32,
                    random.below(86_400) as u32,
                );
            }
        }
        w.table.check();
    }
    assert!(w.table.certificate_count() > 0);
}

#[test]
fn the_highest_sequence_wins_and_the_first_content_stays() {
    let mut w = writer(10);
    assert!(matches!(w.put(1, 5, 0, 900), Merged::New(_)));
    assert_eq!(w.put(1, 5, 0, 900), Merged::Known);
    assert_eq!(
        w.put(1, 4, 9, 900),
        Merged::Stale(Sequence {
            version: 5,
            beat: 0
        })
    );
    assert!(matches!(w.put(1, 5, 1, 900), Merged::Renewed(_)));
    let other = body(77);
    let at_five = Sequence {
        version: 5,
        beat: 2,
    };
    assert_eq!(w.put_body(1, at_five, 900, &other), Merged::Conflict);
    assert!(matches!(w.put(1, 6, 0, 900), Merged::Newer(_)));
    assert!(matches!(
        w.put_body(
            1,
            Sequence {
                version: 7,
                beat: 0
            },
            900,
            b""
        ),
        Merged::Left(_)
    ));
    assert_eq!(w.put(1, 0, 0, 9), Merged::Bad(RecordError::NoVersion));
}

/// R2: swapping a record, or being sent it again with another lifetime, moves no deadline.
#[test]
fn the_deadline_of_a_sequence_never_moves() {
    let mut w = writer(10);
    w.put(1, 1, 0, 60);
    let deadline = w.table.next_deadline();
    w.now = w.now + Duration::from_secs(10);
    for remaining_s in [1, 60, 86_400, u32::MAX] {
        assert_eq!(w.put(1, 1, 0, remaining_s), Merged::Known);
        assert_eq!(w.table.next_deadline(), deadline);
    }
}

/// R2: what is relayed has at least one second less.
#[test]
fn every_hop_takes_a_second() {
    let mut w = writer(10);
    let Merged::New(slot) = w.put(1, 1, 0, 600) else {
        panic!()
    };
    assert_eq!(
        w.table.get(slot).and_then(|e| e.remaining_s(w.now)),
        Some(599)
    );
    w.now = w.now + Duration::from_millis(500);
    assert_eq!(
        w.table.get(slot).and_then(|e| e.remaining_s(w.now)),
        Some(599)
    );
    w.now = w.now + Duration::from_millis(600);
    assert_eq!(
        w.table.get(slot).and_then(|e| e.remaining_s(w.now)),
        Some(598)
    );
}

#[test]
fn a_century_is_cut_to_what_the_author_said() {
    let mut w = writer(10);
    w.put(1, 1, 0, 100 * 365 * 86_400);
    w.put_body(2, FIRST, u32::MAX, b"");
    w.put_body(
        3,
        FIRST,
        u32::MAX,
        &write_body(&[], b"", contract::LIFETIME),
    );
    let left = [1, 2, 3].map(|n| {
        let entry = w.table.lookup(&node(n));
        entry.map(|e| e.deadline().saturating_since(w.now).as_secs())
    });
    let day = 86_400;
    let tombstones = [day, 7 * day].map(|life| Some(life + life / 16));
    assert_eq!(left, [Some(day), tombstones[0], tombstones[1]]);
}

/// R3: what has expired is refused at or below its sequence, and welcome above it.
#[test]
fn what_has_expired_stays_dead() {
    let mut w = writer(10);
    w.put(1, 3, 2, 200);
    let Some(slot) = w.table.find(&node(1)) else {
        panic!()
    };
    w.now = w.now + Duration::from_secs(28);
    assert_eq!(
        w.table.get(slot).and_then(|e| e.remaining_s(w.now)),
        None,
        "quiet at the end"
    );
    assert_eq!(ended(&mut w), []);
    w.now = w.now + Duration::from_secs(172);
    assert_eq!(ended(&mut w), [node(1)]);
    let dead = Sequence {
        version: 3,
        beat: 2,
    };
    assert_eq!(w.put(1, 3, 2, 900), Merged::Refused(dead));
    assert_eq!(w.put(1, 2, 9, 900), Merged::Refused(dead));
    assert!(matches!(w.put(1, 3, 3, 900), Merged::New(_)));
}

/// R3: what was announced for longer than its successor stays dead for as long as it might live.
#[test]
fn a_short_life_after_a_long_one_leaves_the_longer_certificate() {
    let mut w = writer(10);
    let short = |version| write_body(&[address(version)], b"", contract::SHORTEST_LIFETIME);
    w.put(1, 1, 0, 86_400);
    let second = Sequence {
        version: 2,
        beat: 0,
    };
    w.put_body(1, second, 600, &short(2));
    w.now = w.now + Duration::from_secs(600);
    assert_eq!(ended(&mut w), [node(1)]);
    w.now = w.now + Duration::from_secs(86_399);
    while w.table.pop_due(w.now).is_some() {}
    assert_eq!(w.put(1, 1, 0, 900), Merged::Refused(second));
    w.now = w.now + Duration::from_secs(86_400 / 16);
    while w.table.pop_due(w.now).is_some() {}
    assert!(matches!(w.put(1, 1, 0, 900), Merged::New(_)));
}

/// R51: also where only a certificate tells what is known.
#[test]
fn a_version_far_above_the_known_one_is_refused() {
    let mut w = writer(10);
    let (first, step, end) = (1 << 40, 1 << 32, 1 << 63);
    let too_high = Merged::Bad(RecordError::VersionTooHigh);
    for version in [first + 1, end, u64::MAX] {
        assert_eq!(w.put(1, version, 0, 900), too_high);
    }
    assert!(matches!(w.put(1, first, 0, 200), Merged::New(_)));
    assert_eq!(w.put(1, first + step + 1, 0, 900), too_high);
    assert!(matches!(w.put(1, first + step, 0, 200), Merged::Newer(_)));
    w.now = w.now + Duration::from_secs(201);
    assert_eq!(ended(&mut w), [node(1)]);
    assert_eq!(w.put(1, first + 2 * step + 1, 0, 900), too_high);
    assert!(matches!(w.put(1, first + 2 * step, 0, 900), Merged::New(_)));
}

/// R40: what two tables differ by, as the filter of one tells.
#[test]
fn a_filter_tells_both_ends_what_they_lack() {
    let (mut a, mut b) = (writer(2_000), writer(2_000));
    for n in 0..1_000 {
        a.put(n, 1, 0, 900);
    }
    for n in 300..1_100 {
        b.put(n, 1, 0, 900);
    }
    // Another version and another beat are other records.
    b.put(400, 2, 0, 900);
    b.put(500, 1, 1, 900);
    let shown = a.table.filter(77);
    let told = b.table.filtered(&shown);
    let around = |n: usize, expected: usize| (expected - 3..=expected).contains(&n);
    assert!(
        around(told.only_ours.len(), 102),
        "{}",
        told.only_ours.len()
    );
    assert!(around(told.missing.len(), 302), "{}", told.missing.len());
    assert!(told.complete);
    let wanted = a.table.in_filter(&shown, &told.missing);
    assert_eq!(wanted.len(), told.missing.len());
    // What has come since is not among the places.
    a.put(5_000, 1, 0, 900);
    assert_eq!(a.table.in_filter(&shown, &told.missing).len(), wanted.len());
}

/// R40: who shows all that it has lacks the rest, and what is newer.
#[test]
fn all_but_what_was_shown() {
    let (mut a, mut b) = (writer(100), writer(100));
    for n in 0..10 {
        a.put(n, 1 + n % 2, 0, 900);
    }
    for n in 0..4 {
        b.put(n, 1, 0, 900);
    }
    let shown = b.table.page(b.now, &b.table.all(), None, 9_000).0;
    let lacks = a.table.all_but(&shown);
    let mut nodes: Vec<_> = lacks
        .iter()
        .filter_map(|s| a.table.get(*s))
        .map(|e| e.node)
        .collect();
    nodes.sort_unstable();
    let mut expected: Vec<_> = [1, 3, 4, 5, 6, 7, 8, 9].map(node).into();
    expected.sort_unstable();
    assert_eq!(nodes, expected);
}

/// R27: the same by a sketch, where few differ.
#[test]
fn a_sketch_tells_both_ends_what_they_lack() {
    let (mut a, mut b) = (writer(2_000), writer(2_000));
    for n in 0..1_000 {
        a.put(n, 1, 0, 900);
        b.put(n + 5, 1, 0, 900);
    }
    let sketch = a.table.sketch(77, crate::sketch::Plan::of(10));
    let told = b.table.differences(77, &sketch);
    assert!(told.complete);
    assert_eq!((told.only_ours.len(), told.missing.len()), (5, 5));
    let wanted = a.table.in_sketch(77, sketch.parts(), &told.missing);
    let nodes: Vec<_> = wanted
        .iter()
        .filter_map(|s| a.table.get(*s))
        .map(|e| e.node)
        .collect();
    assert_eq!(nodes, [0, 1, 2, 3, 4].map(node));
}

/// R15: a page says how far it has come.
#[test]
fn pages_cover_everything() {
    let mut w = writer(100);
    for n in 0..50 {
        w.put(n, 1, 0, 900);
    }
    let (all, mut seen, mut pages) = (w.table.all(), 0, 0);
    while seen < all.len() {
        let (page, covered) = w.table.page(w.now, &all[seen..], None, 300);
        assert_eq!(page.len(), covered);
        assert!(covered > 0);
        seen += covered;
        pages += 1;
    }
    assert!(pages > 5);
}
