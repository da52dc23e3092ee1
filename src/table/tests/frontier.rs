//! R43: where knowledge of who asks whom ends.

use super::edges::{id, put, table};
use super::*;

fn frontier(table: &Table, accept: impl Fn(u8) -> bool) -> Option<u8> {
    let mut random = Stream::new(&[3; 32], Purpose::Choices);
    let first = |n: &NodeId| n.as_bytes()[0];
    let found = table.frontier(&mut random, |node| accept(first(node)));
    found.as_ref().map(first)
}

#[test]
fn the_newest_that_leads_out_comes_first() {
    // 1 asks 2 asks 3 asks 4, who is not known; nor is 9, whom 5 asks.
    let others: [(u8, &[u8]); 3] = [(2, &[3]), (3, &[4]), (5, &[1, 9])];
    let mut table = table(&[2], &others);
    assert_eq!(frontier(&table, |_| true), Some(5));
    assert_eq!(frontier(&table, |n| n != 5), Some(3));
    assert_eq!(
        frontier(&table, |n| n == 2),
        None,
        "it leads to one that is known"
    );
    put(&mut table, 9, 1, &[]);
    assert_eq!(frontier(&table, |_| true), Some(3));
    put(&mut table, 4, 1, &[1]);
    assert_eq!(frontier(&table, |_| true), None, "the ring is closed");
}

#[test]
fn of_a_large_table_it_is_one_that_leads_there() {
    // A chain, of which the last asks one that is not known.
    let chain: Vec<(u8, [u8; 1])> = (2..200).map(|n| (n, [n + 1])).collect();
    let others: Vec<(u8, &[u8])> = chain.iter().map(|(n, up)| (*n, &up[..])).collect();
    let table = table(&[2], &others);
    let mut random = Stream::new(&[3; 32], Purpose::Choices);
    let mut seen: Vec<u8> = (0..200)
        .filter_map(|_| table.frontier(&mut random, |_| true))
        .map(|n| n.as_bytes()[0])
        .collect();
    seen.sort_unstable();
    seen.dedup();
    // Up to a 128th of 199.
    assert_eq!(seen, [198, 199]);
    let only_the_last = table.frontier(&mut random, |n| *n == id(199));
    assert_eq!(only_the_last, Some(id(199)));
}

/// All that one update has told the same would ask the same one.
#[test]
fn of_many_to_whom_nobody_leads_it_is_one_of_the_newest() {
    // Leaves, each below somebody who is not known.
    let leaves: Vec<(u8, [u8; 1])> = (2..140).map(|n| (n, [200 + n % 50])).collect();
    let others: Vec<(u8, &[u8])> = leaves.iter().map(|(n, up)| (*n, &up[..])).collect();
    let table = table(&[2], &others);
    let mut random = Stream::new(&[3; 32], Purpose::Choices);
    let drawn: Vec<u8> = (0..100)
        .filter_map(|_| table.frontier(&mut random, |_| true))
        .map(|n| n.as_bytes()[0])
        .collect();
    let of = |leaf| drawn.iter().filter(|n| **n == leaf).count();
    assert_eq!(of(139) + of(138), 100);
    assert!(of(139) > 20 && of(138) > 20, "{drawn:?}");
}

#[test]
fn a_node_leads_out_whose_upstream_is_not_known() {
    let table = table(&[2], &[(2, &[3]), (3, &[4]), (5, &[1])]);
    let leads_out = |n| table.leads_out(&id(n));
    assert!(leads_out(3), "4 is not known");
    assert!(
        !leads_out(2) && !leads_out(5),
        "3 is, and 1 is the own node"
    );
    assert!(!leads_out(9), "nothing is known of it");
}

/// A salt that hides one upstream shows it the next time.
#[test]
fn what_leads_out_is_found_among_many() {
    let chain: Vec<(u8, [u8; 1])> = (2..=250).map(|n| (n, [n + 1])).collect();
    let others: Vec<(u8, &[u8])> = chain.iter().map(|(n, up)| (*n, &up[..])).collect();
    let table = table(&[2], &others);
    let mut random = Stream::new(&[3; 32], Purpose::Choices);
    let found = (0..1_000).filter(|_| table.frontier(&mut random, |n| *n == id(250)).is_some());
    assert!(found.count() > 990);
}
