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
    // Up to a 64th of 199.
    assert_eq!(seen, [196, 197, 198, 199]);
    let only_the_last = table.frontier(&mut random, |n| *n == id(199));
    assert_eq!(only_the_last, Some(id(199)));
}
