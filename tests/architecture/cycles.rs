//! Cycles of a graph, told so that they can be worked off.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who uses whom, and where.
pub(crate) type Edges = BTreeMap<(String, String), Vec<String>>;

/// The shortest cycle through each edge that is on one, each once, shortest first.
pub(crate) fn cycles(edges: &Edges) -> Vec<Vec<String>> {
    let mut after: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        after.entry(from).or_default().push(to);
    }
    let mut found = BTreeSet::new();
    for (from, to) in edges.keys() {
        if let Some(mut cycle) = path(&after, to, from) {
            let least = (0..cycle.len()).min_by_key(|i| cycle[*i].clone());
            cycle.rotate_left(least.unwrap_or(0));
            found.insert((cycle.len(), cycle));
        }
    }
    found.into_iter().map(|(_, cycle)| cycle).collect()
}

/// The shortest way, both ends included.
fn path(after: &BTreeMap<&str, Vec<&str>>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut came: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            let back = std::iter::successors(Some(at), |at| came.get(at).copied());
            let mut way: Vec<_> = back.map(str::to_owned).collect();
            way.reverse();
            return Some(way);
        }
        for next in after.get(at).into_iter().flatten().copied() {
            if next != from && !came.contains_key(next) {
                came.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

/// `a → b → a`, and below it where each uses the next.
pub(crate) fn describe(cycle: &[String], edges: &Edges) -> String {
    let next = |i: usize| cycle[(i + 1) % cycle.len()].clone();
    let mut text = format!("{} → {}", cycle.join(" → "), cycle[0]);
    for (i, from) in cycle.iter().enumerate() {
        let places = &edges[&(from.clone(), next(i))];
        text += &format!("\n    {from} uses {}: {}", next(i), places[0]);
        if let more @ 1.. = places.len() - 1 {
            text += &format!(" (and {more} more)");
        }
    }
    text
}

#[test]
fn each_cycle_is_found_once() {
    let edge = |from: &str, to: &str| {
        (
            (from.to_owned(), to.to_owned()),
            vec![format!("{from}.rs:1")],
        )
    };
    let edges = Edges::from([
        edge("a", "b"),
        edge("b", "a"),
        edge("b", "c"),
        edge("c", "d"),
        edge("d", "b"),
        edge("d", "e"),
    ]);
    assert_eq!(cycles(&edges), [vec!["a", "b"], vec!["b", "c", "d"]]);
    let text = describe(&cycles(&edges)[0], &edges);
    assert_eq!(
        text,
        "a → b → a\n    a uses b: a.rs:1\n    b uses a: b.rs:1"
    );
}
