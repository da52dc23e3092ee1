//! R47: cycles of what records say.

use super::*;

const OWN: u8 = 1;

pub(super) fn id(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

fn names(upstreams: &[u8]) -> Vec<u8> {
    let mut body = body(7);
    let upstreams: Vec<_> = upstreams.iter().map(|n| id(*n).prefix()).collect();
    crate::record::put_upstreams(&mut body, &upstreams);
    body
}

pub(super) fn put(table: &mut Table, node: u8, version: u64, upstreams: &[u8]) {
    let record = WireRecord {
        node: id(node),
        sequence: Sequence { version, beat: 0 },
        remaining_s: 80_000,
        body: &names(upstreams),
        signature: None,
    };
    table.merge(Instant::ZERO, record, None, &|_| false, Word::Own);
}

/// The table of a node that asks these.
pub(super) fn table(own: &[u8], others: &[(u8, &[u8])]) -> Table {
    let mut table = Table::new(id(OWN), 1_000, &[9; 32], RingKey::new(""));
    let own = names(own);
    table
        .set_own(Instant::ZERO, FIRST, &own, None, None)
        .unwrap();
    for (node, upstreams) in others {
        put(&mut table, *node, 1, upstreams);
    }
    table
}

fn cycles(table: &Table, upstreams: &[u8]) -> Vec<Vec<u8>> {
    let upstreams: Vec<_> = upstreams.iter().map(|n| id(*n)).collect();
    let first = |n: &NodeId| n.as_bytes()[0];
    let cycles = table.cycles(&upstreams).into_iter();
    cycles.map(|c| c.iter().map(first).collect()).collect()
}

#[test]
fn the_shortest_cycle_through_each_upstream_is_found() {
    // 1 → 2 → 3 → 1, 1 → 2 → 4 → 5 → 1, 1 → 5 → 1.
    let others: &[(u8, &[u8])] = &[(2, &[4, 3]), (3, &[1]), (4, &[5]), (5, &[1])];
    let table = table(&[2, 5], others);
    assert_eq!(cycles(&table, &[2, 5]), [vec![1, 2, 3], vec![1, 5]]);
    assert_eq!(cycles(&table, &[5]), [vec![1, 5]]);
}

#[test]
fn what_does_not_lead_back_is_none() {
    // 2 and 3 ask each other; 4 asks this node, which does not ask it; 9 is not known.
    let table = table(&[2], &[(2, &[3, 9]), (3, &[2]), (4, &[1])]);
    for upstreams in [&[2][..], &[9], &[]] {
        assert_eq!(cycles(&table, upstreams), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_cycle_has_at_most_64_nodes() {
    for (len, found) in [(64, 1), (65, 0)] {
        let names: Vec<[u8; 1]> = (1..=len).map(|n| [n % len + 1]).collect();
        let others = (2..=len).map(|n| (n, &names[usize::from(n) - 1][..]));
        let table = table(&[2], &others.collect::<Vec<_>>());
        assert_eq!(cycles(&table, &[2]).len(), found, "{len}");
    }
}

/// A node that announces nothing may be on a cycle that others do not see.
#[test]
fn a_node_without_a_record_sees_its_cycles_too() {
    let mut table = Table::new(id(OWN), 1_000, &[9; 32], RingKey::new(""));
    put(&mut table, 2, 1, &[OWN]);
    assert_eq!(cycles(&table, &[2]), [vec![1, 2]]);
}

/// Who comes, goes or asks others makes a difference, and who renews its record none.
#[test]
fn edges_change_with_what_records_name() {
    let mut table = table(&[2], &[(3, &[]), (2, &[3])]);
    let mut changed = |by: &dyn Fn(&mut Table)| {
        let before = table.edges();
        by(&mut table);
        table.edges() != before
    };
    assert!(!changed(&|t| put(t, 4, 1, &[])));
    assert!(changed(&|t| put(t, 4, 2, &[1])));
    assert!(!changed(&|t| put(t, 4, 2, &[1])));
    assert!(changed(&|t| put(t, 4, 3, &[])));
    assert!(changed(&|t| assert!(t.take_down(
        &id(2),
        FIRST,
        &[],
        Instant::ZERO
    ))));
}
