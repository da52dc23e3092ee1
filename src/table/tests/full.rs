//! Tables without room (R22), and what a record takes.

use super::*;
use crate::addr::Subnet;

/// The first record of this node, with an address there, as told by one.
fn told(w: &mut Writer, n: u64, ip: [u8; 4], by: &By) -> Merged {
    told_pinned(w, (n, ip, by), &|_| false)
}

fn told_pinned(
    w: &mut Writer,
    (n, ip, by): (u64, [u8; 4], &By),
    is_pinned: &dyn Fn(&NodeId) -> bool,
) -> Merged {
    let there = Multiaddr::tcp((ip, 1).into());
    let body = write_body(&[there], b"", contract::DEFAULT_LIFETIME);
    let sequence = Sequence {
        version: 1,
        beat: 0,
    };
    let record = WireRecord {
        node: node(n),
        sequence,
        remaining_s: 900,
        body: &body,
        signature: None,
    };
    let merged = w.table.merge(w.now, record, Some(by), is_pinned, Word::Own);
    w.table.check();
    merged
}

/// In a subnet of its own each.
fn apart(n: u64) -> [u8; 4] {
    [10, n as u8, (n >> 8) as u8, 1]
}

/// One of many in this subnet.
fn neighbour(n: u32, subnet: [u8; 3]) -> By {
    let subnet = Some(Subnet::V4(subnet));
    By { subnet, ..relay(n) }
}

#[test]
fn a_full_table_keeps_the_same_choice_whatever_the_order() {
    let kept = |order: &mut dyn Iterator<Item = u64>| {
        let mut w = writer(50);
        for n in order {
            // One subnet and one relay each: only the hashes decide.
            told(&mut w, n, apart(n), &relay(n as u32 + 1));
        }
        let mut nodes: Vec<_> = w.table.entries().map(|e| e.node).collect();
        nodes.sort_unstable();
        nodes
    };
    assert_eq!(kept(&mut (0..1_000)), kept(&mut (0..1_000).rev()));
}

#[test]
fn one_subnet_cannot_crowd_out_the_others() {
    let mut w = writer(64);
    // The flood comes first and fills the table; the others come after it.
    for n in 0..200 {
        w.put(n, 0x0001_0000, 0, 900);
    }
    let mut others = 0;
    for n in 0..40 {
        let merged = told(
            &mut w,
            9_000 + n,
            [192, 168, n as u8, 1],
            &relay(1_000 + n as u32),
        );
        others += u32::from(matches!(merged, Merged::New(_)));
    }
    assert_eq!(others, 40);
}

/// R53: whoever has many keys in one network fills half of the share of another with them at most.
#[test]
fn what_one_network_tells_of_another_leaves_half_to_others() {
    let mut w = writer(256);
    for n in 0..300 {
        told(&mut w, n, apart(n), &relay(n as u32));
    }
    let there = Multiaddr::tcp(([192, 168, 1, 1], 1).into());
    let is_there = |e: &Entry<'_>| e.addresses(true).contains(&there);
    let mut all = [0; 2];
    for (n, all) in (0..2).zip(&mut all) {
        for k in 0..3_000 {
            let id = 10_000 * u64::from(n + 1) + u64::from(k);
            // Whoever comes next round the ring stays whatever its rank.
            if !w.table.comes_next(&node(id)) {
                let by = neighbour(1_000 * u32::from(n + 1) + k % 8, [192, 0, 2 + n]);
                told(&mut w, id, [192, 168, 1, 1], &by);
            }
        }
        *all = w.table.entries().filter(is_there).count();
    }
    assert!(all[0] <= 16 && (24..=32).contains(&all[1]), "{all:?}");
}

#[test]
fn pinned_entries_stay_and_enter() {
    let mut w = writer(8);
    for n in 0..8 {
        w.put(n, 1, 0, 900);
    }
    let pinned = |n: &NodeId| *n == node(3) || *n == node(500);
    for n in 100..400 {
        told_pinned(&mut w, (n, apart(n), &relay(n as u32)), &pinned);
    }
    assert!(w.table.find(&node(3)).is_some());
    let merged = told_pinned(&mut w, (500, apart(1), &relay(1)), &pinned);
    assert!(matches!(merged, Merged::New(_)));
}

/// A table of pinned entries alone makes room for the own record all the same.
#[test]
fn the_own_record_finds_room_among_pinned_entries() {
    let mut w = writer(2);
    for n in 0..200 {
        // All are, once they are in.
        let pinned = |other: &NodeId| *other != node(n);
        told_pinned(&mut w, (n, apart(n), &relay(n as u32)), &pinned);
    }
    assert_eq!(w.table.len(), 2);
    let own = Sequence {
        version: 1,
        beat: 0,
    };
    w.table
        .set_own(w.now, own, &body(1 << 20), None, None)
        .unwrap();
    w.table.check();
    assert!(w.table.own().is_some());
}

/// R53: who is held is looked at now and then; until then all may be.
#[test]
fn the_own_record_finds_room_where_all_others_are_held() {
    let mut w = writer(4);
    for n in 0..50 {
        told(&mut w, n, apart(n), &relay(n as u32));
    }
    w.now = w.now + 2 * KNOWN;
    w.table
        .set_own(w.now, FIRST, &body(1 << 20), None, None)
        .unwrap();
    w.table.check();
    assert!(w.table.own().is_some());
    assert_eq!(w.table.live(), 4);
}

/// N7, all indexes included.
#[test]
fn a_record_with_one_ipv4_address_takes_at_most_96_bytes() {
    let mut w = writer(20_000);
    for n in 0..10_000 {
        w.put(n, 1, 0, 900);
        if n > 1_000 {
            let per_record = w.table.heap_bytes() as f64 / w.table.len() as f64;
            assert!(per_record <= 96.0, "{per_record} bytes at {n}");
        }
    }
}

/// R4, R22: the own tombstone finds room in a table that is full of others.
#[test]
fn the_own_tombstone_finds_room() {
    let own = NodeId::new([0xff; 32]);
    let mut table = table(8);
    for n in 0..50 {
        let body = body(n);
        let record = WireRecord {
            node: node(n),
            sequence: Sequence {
                version: 1,
                beat: 0,
            },
            remaining_s: 1_000,
            body: &body,
            signature: None,
        };
        table.merge(Instant::ZERO, record, None, &|_| false, Word::Own);
    }
    let sequence = Sequence {
        version: 2,
        beat: 0,
    };
    table
        .set_own(Instant::ZERO, sequence, &[], None, None)
        .unwrap();
    table.check();
    assert!(table.lookup(&own).is_some_and(|e| e.is_tombstone()));
}
