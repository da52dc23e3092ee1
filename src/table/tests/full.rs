//! Tables without room (R22), and what a record takes.

use super::*;

#[test]
fn a_full_table_keeps_the_same_choice_whatever_the_order() {
    let kept = |order: &mut dyn Iterator<Item = u64>| {
        let mut w = writer(50);
        for n in order {
            // One subnet and one relay each: only the hashes decide.
            let ip = [10, n as u8, (n >> 8) as u8, 1];
            let body = write_body(
                &[Multiaddr::tcp((ip, 1).into())],
                b"",
                contract::DEFAULT_LIFETIME,
            );
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
            w.table.merge(
                w.now,
                record,
                Some(&relay(n as u32 + 1)),
                &|_| false,
                Word::Own,
            );
            w.table.check();
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
    let others = (0..40_u64).filter(|n| {
        let ip = [192, 168, *n as u8, 1];
        let body = write_body(
            &[Multiaddr::tcp((ip, 1).into())],
            b"",
            contract::DEFAULT_LIFETIME,
        );
        let sequence = Sequence {
            version: 1,
            beat: 0,
        };
        let record = WireRecord {
            node: node(9_000 + n),
            sequence,
            remaining_s: 900,
            body: &body,
            signature: None,
        };
        matches!(
            w.table.merge(
                w.now,
                record,
                Some(&relay(1_000 + *n as u32)),
                &|_| false,
                Word::Own
            ),
            Merged::New(_)
        )
    });
    assert_eq!(others.count(), 40);
}

#[test]
fn pinned_entries_stay_and_enter() {
    let mut w = writer(8);
    for n in 0..8 {
        w.put(n, 1, 0, 900);
    }
    let pinned = |n: &NodeId| *n == node(3) || *n == node(500);
    for n in 100..400 {
        let body = body(n << 9);
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
        w.table
            .merge(w.now, record, Some(&relay(n as u32)), &pinned, Word::Own);
    }
    assert!(w.table.find(&node(3)).is_some());
    let sequence = Sequence {
        version: 1,
        beat: 0,
    };
    let record = WireRecord {
        node: node(500),
        sequence,
        remaining_s: 900,
        body: &body(1),
        signature: None,
    };
    assert!(matches!(
        w.table
            .merge(w.now, record, Some(&relay(1)), &pinned, Word::Own),
        Merged::New(_)
    ));
}

/// A table of pinned entries alone makes room for the own record all the same.
#[test]
fn the_own_record_finds_room_among_pinned_entries() {
    let mut w = writer(2);
    for n in 0..200 {
        let body = body(n << 9);
        let record = WireRecord {
            node: node(n),
            sequence: Sequence {
                version: 1,
                beat: 0,
            },
            remaining_s: 900,
            body: &body,
            signature: None,
        };
        // All are, once they are in.
        let pinned = |other: &NodeId| *other != node(n);
        w.table
            .merge(w.now, record, Some(&relay(n as u32)), &pinned, Word::Own);
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
