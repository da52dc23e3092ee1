use super::*;
use crate::node::testing::{at, node};

const fn seq(version: u64, beat: u32) -> Sequence {
    Sequence { version, beat }
}

const fn place(number: u64) -> Position {
    Position::new(number)
}

fn tree() -> Tree {
    Tree::new(&[7; 32])
}

fn nodes(range: core::ops::Range<u32>) -> Vec<NodeId> {
    range.map(node).collect()
}

fn record(n: u32, version: u64, body: &[u8]) -> WireRecord<'_> {
    WireRecord {
        node: node(n),
        sequence: seq(version, 0),
        remaining_s: 100,
        body,
        signature: None,
    }
}

/// R46: of what comes again only what lies beyond is to be served.
#[test]
fn the_furthest_that_something_has_gone_is_remembered() {
    let mut tree = tree();
    assert_eq!(tree.serve(&node(1), seq(1, 0), 50, at(0)), None);
    assert_eq!(tree.serve(&node(1), seq(1, 0), 30, at(0)), Some(50));
    assert_eq!(tree.serve(&node(1), seq(1, 0), 70, at(1)), Some(50));
    assert_eq!(tree.serve(&node(1), seq(1, 0), 60, at(1)), Some(70));
}

/// R46: another version, a renewal, another node are other news.
#[test]
fn each_sequence_of_each_node_goes_its_way() {
    let mut tree = tree();
    for (n, sequence) in [
        (1, seq(1, 0)),
        (1, seq(2, 0)),
        (1, seq(1, 1)),
        (2, seq(1, 0)),
    ] {
        assert_eq!(tree.serve(&node(n), sequence, 9, at(0)), None);
    }
}

/// R46: after ten seconds it goes on again: it was lost, or somebody has asked for it.
#[test]
fn after_ten_seconds_it_is_forgotten() {
    let mut tree = tree();
    tree.serve(&node(1), seq(1, 0), 50, at(0));
    assert_eq!(tree.serve(&node(1), seq(1, 0), 10, at(9)), Some(50));
    assert_eq!(tree.serve(&node(1), seq(1, 0), 10, at(10)), None);
    assert_eq!(tree.served_count(), 1);
}

/// R22.
#[test]
fn the_memory_of_what_was_served_is_bounded() {
    let mut tree = tree();
    let cap = caps::SERVED_NEWS as u32;
    for n in 0..cap + 10 {
        tree.serve(&node(n), seq(1, 0), 5, at(0));
        assert!(tree.served_count() <= caps::SERVED_NEWS);
    }
    assert_eq!(tree.serve(&node(cap + 9), seq(1, 0), 5, at(0)), Some(5));
    assert_eq!(
        tree.serve(&node(0), seq(1, 0), 5, at(0)),
        None,
        "the oldest"
    );
}

/// R46: news for a node that is being dialled waits for its link.
#[test]
fn what_is_parked_is_taken_once_by_whom_it_is_for() {
    let mut tree = tree();
    tree.park(node(1), &nodes(10..12), place(8));
    tree.park(node(2), &nodes(20..21), place(9));
    tree.park(node(1), &nodes(11..13), place(8));
    assert_eq!(tree.take_parked(&node(3), place(0)), None);
    let parked = tree.take_parked(&node(1), place(5));
    assert_eq!(parked, Some((nodes(10..13), place(8))), "each once");
    assert_eq!(tree.take_parked(&node(1), place(5)), None);
    let parked = tree.take_parked(&node(2), place(5));
    assert_eq!(parked, Some((nodes(20..21), place(9))));
}

/// R46: where ends differ the larger part is served, as seen from whom it is for.
#[test]
fn of_two_ends_the_further_counts() {
    let mut tree = tree();
    tree.park(node(1), &nodes(10..11), place(3));
    tree.park(node(1), &nodes(11..12), place(u64::MAX));
    let parked = tree.take_parked(&node(1), place(u64::MAX - 9));
    assert_eq!(parked.map(|(_, until)| until), Some(place(3)), "past 0");
}

/// R22: one page does not take all the room, and beyond the cap the oldest goes.
#[test]
fn what_is_parked_is_bounded() {
    let mut tree = tree();
    let share = caps::WAITING_NEWS as u32;
    tree.park(node(1), &nodes(0..share + 5), place(0));
    assert_eq!(tree.parked_count(), caps::WAITING_NEWS);
    let cap = caps::PARKED_NEWS as u32;
    for n in 0..cap {
        tree.park(node(2), &nodes(n..n + 1), place(0));
    }
    assert_eq!(tree.parked_count(), caps::PARKED_NEWS);
    assert_eq!(tree.take_parked(&node(1), place(0)), None);
}

/// R2, R46: what is carried loses a second for each that it waits, begun ones too.
#[test]
fn what_is_carried_grows_older() {
    let mut tree = tree();
    assert!(tree.carry(record(1, 1, b"body"), 99, at(100)));
    let left = |tree: &Tree, now| {
        tree.carried(&node(1), now)
            .map(|r| (r.remaining_s, r.body.len()))
    };
    assert_eq!(left(&tree, at(100)), Some((99, 4)));
    assert_eq!(left(&tree, at(103)), Some((96, 4)));
    let half = at(103) + Duration::from_millis(1);
    assert_eq!(left(&tree, half), Some((95, 4)));
    assert_eq!(left(&tree, at(300)), None);
}

/// R46: of one node the newest is carried, and an older one is not passed on.
#[test]
fn of_one_node_the_newest_is_carried() {
    let mut tree = tree();
    assert!(tree.carry(record(1, 2, b"two"), 99, at(100)));
    assert!(tree.carry(record(1, 2, b"two"), 99, at(100)), "again");
    assert!(!tree.carry(record(1, 1, b"one"), 99, at(100)));
    assert!(tree.carry(record(1, 3, b"three"), 99, at(100)));
    assert_eq!(tree.carried_count(), 1);
    let version = tree.carried(&node(1), at(100)).map(|r| r.sequence.version);
    assert_eq!(version, Some(3));
}

/// R22, R46: 256 at once, then 16 a second; the last 64 of the last ten seconds are kept.
#[test]
fn what_is_carried_is_bounded_in_number_and_rate() {
    let mut tree = tree();
    let carried = |tree: &mut Tree, range: core::ops::Range<u32>, now| {
        let carried = range.filter(|n| tree.carry(record(*n, 1, &[]), 99, now));
        carried.count()
    };
    assert_eq!(carried(&mut tree, 0..300, at(100)), 256);
    assert_eq!(tree.carried_count(), caps::CARRIED_NEWS);
    assert_eq!(carried(&mut tree, 300..400, at(101)), 16);
    assert_eq!(carried(&mut tree, 400..401, at(111)), 1);
    assert_eq!(tree.carried_count(), 1, "the others are too old");
}
