//! Feedback edge sets: edges of a component without which no cycle is left.

use super::component::{Component, Graph, Work};
use petgraph::algo::greedy_feedback_arc_set;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// Up to this many edges the smallest set is found by trying.
const EXACT_EDGES: usize = 20;

/// Edges to take away, in the component's own numbers.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::check) struct Feedback {
    pub(in crate::check) edges: Vec<(u32, u32)>,
    /// No smaller set exists; otherwise it is merely small.
    pub(in crate::check) exact: bool,
}

/// Finds such a set; of several smallest ones, one that takes edges away from `hub` where it can.
pub(in crate::check) fn feedback(component: &Component, hub: u32, work: &Work) -> Feedback {
    let graph = &component.graph;
    let by_number = graph.edge_references().map(ends);
    if graph.edge_count() == graph.node_count() {
        // Every host asks one other: a ring, which any edge opens.
        let edges = by_number.filter(|(from, _)| *from == hub).collect();
        return Feedback { edges, exact: true };
    }
    if graph.edge_count() <= EXACT_EDGES {
        let mut edges: Vec<_> = by_number.collect();
        edges.sort_by_key(|&(from, to)| (from != hub, from, to));
        return Feedback {
            edges: smallest(&edges),
            exact: true,
        };
    }
    Feedback {
        edges: greedy(graph, work),
        exact: false,
    }
}

fn ends(edge: impl EdgeRef<NodeId = NodeIndex>) -> (u32, u32) {
    (edge.source().index() as u32, edge.target().index() as u32)
}

/// Eades, Lin and Smyth's order, then back with every edge that closes no cycle.
fn greedy(graph: &Graph, work: &Work) -> Vec<(u32, u32)> {
    let mut removed: BTreeSet<(u32, u32)> = greedy_feedback_arc_set(graph).map(ends).collect();
    for (from, to) in removed.clone() {
        if !work.spend(graph.edge_count()) {
            break;
        }
        if !reaches(graph, &removed, to, from) {
            removed.remove(&(from, to));
        }
    }
    removed.into_iter().collect()
}

/// Whether a path without the `removed` edges leads from `start` to `end`.
fn reaches(graph: &Graph, removed: &BTreeSet<(u32, u32)>, start: u32, end: u32) -> bool {
    let mut seen = vec![false; graph.node_count()];
    let mut nodes = vec![start];
    while let Some(node) = nodes.pop() {
        if node == end {
            return true;
        }
        for next in graph
            .neighbors(NodeIndex::from(node))
            .map(|next| next.index() as u32)
        {
            if !seen[next as usize] && !removed.contains(&(node, next)) {
                seen[next as usize] = true;
                nodes.push(next);
            }
        }
    }
    false
}

/// The smallest set, by trying one more edge each time. `edges` are few; earlier ones are preferred.
fn smallest(edges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut search = Search {
        edges,
        failed: HashSet::new(),
    };
    let found = (1..=edges.len() as u32).find_map(|size| {
        search.failed.clear();
        search.remove(0, size)
    });
    let removed = found.unwrap_or(u32::MAX);
    let chosen = edges
        .iter()
        .enumerate()
        .filter(|(bit, _)| removed & 1 << bit != 0);
    chosen.map(|(_, &edge)| edge).collect()
}

/// A search over sets of edges, each a bit mask.
struct Search<'a> {
    edges: &'a [(u32, u32)],
    /// Sets that cannot be completed at the current size.
    failed: HashSet<u32>,
}

impl Search<'_> {
    /// Completes `removed` with at most `left` more edges.
    fn remove(&mut self, removed: u32, left: u32) -> Option<u32> {
        let Some(cycle) = self.shortest_cycle(removed) else {
            return Some(removed);
        };
        if self.disjoint_cycles(removed, left) > left || self.failed.contains(&removed) {
            return None;
        }
        for bit in (0..self.edges.len()).filter(|bit| cycle & 1 << bit != 0) {
            if let Some(found) = self.remove(removed | 1 << bit, left - 1) {
                return Some(found);
            }
        }
        self.failed.insert(removed);
        None
    }

    /// A lower bound: cycles that share no edge need an edge each. Counts to one above `enough`.
    fn disjoint_cycles(&self, mut removed: u32, enough: u32) -> u32 {
        let mut count = 0;
        while count <= enough {
            let Some(cycle) = self.shortest_cycle(removed) else {
                break;
            };
            removed |= cycle;
            count += 1;
        }
        count
    }

    /// The edges of a shortest cycle that avoids `removed`.
    fn shortest_cycle(&self, removed: u32) -> Option<u32> {
        let starts = (0..self.edges.len()).filter(|bit| removed & 1 << bit == 0);
        starts
            .filter_map(|bit| self.cycle_through(bit, removed))
            .min_by_key(|set| set.count_ones())
    }

    /// The edges of a shortest cycle through one edge.
    fn cycle_through(&self, first: usize, removed: u32) -> Option<u32> {
        let (goal, start) = self.edges[first];
        let mut reached = 1u64 << start;
        let mut queue = VecDeque::from([(start, 1u32 << first)]);
        while let Some((node, path)) = queue.pop_front() {
            if node == goal {
                return Some(path);
            }
            for (bit, &(from, to)) in self.edges.iter().enumerate() {
                if from == node && removed & 1 << bit == 0 && reached & 1 << to == 0 {
                    reached |= 1 << to;
                    queue.push_back((to, path | 1 << bit));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::component::components;
    use super::super::testing::graphs;
    use super::*;

    fn acyclic(nodes: usize, edges: &[(u32, u32)]) -> bool {
        components(nodes, edges).is_empty()
    }

    fn without(edges: &[(u32, u32)], removed: &[(u32, u32)]) -> Vec<(u32, u32)> {
        edges
            .iter()
            .filter(|edge| !removed.contains(edge))
            .copied()
            .collect()
    }

    fn edges_of(component: &Component) -> Vec<(u32, u32)> {
        let mut edges: Vec<_> = component.graph.edge_references().map(ends).collect();
        edges.sort_unstable();
        edges
    }

    /// The size of the smallest set: over every order of the nodes, the fewest edges that go backwards.
    fn brute_force(nodes: usize, edges: &[(u32, u32)]) -> usize {
        fn orders(rest: &mut Vec<u32>, order: &mut Vec<u32>, visit: &mut impl FnMut(&[u32])) {
            if rest.is_empty() {
                visit(order);
            }
            for index in 0..rest.len() {
                order.push(rest.remove(index));
                orders(rest, order, visit);
                rest.extend(order.pop());
                rest[index..].rotate_right(1);
            }
        }
        let mut best = edges.len();
        orders(
            &mut (0..nodes as u32).collect(),
            &mut Vec::new(),
            &mut |order| {
                let place = |node| order.iter().position(|other| *other == node);
                best = best.min(
                    edges
                        .iter()
                        .filter(|(from, to)| place(*from) > place(*to))
                        .count(),
                );
            },
        );
        best
    }

    #[test]
    fn small_components_get_a_smallest_set_and_larger_ones_a_working_one() {
        let (mut exact, mut greedy) = (0, 0);
        for (nodes, edges) in graphs(800) {
            for component in components(nodes, &edges) {
                let (size, edges) = (component.hosts.len(), edges_of(&component));
                let found = feedback(&component, 0, &Work::new(u64::MAX));
                assert!(acyclic(size, &without(&edges, &found.edges)), "{edges:?}");
                let best = brute_force(size, &edges);
                if found.exact {
                    exact += 1;
                    assert_eq!(found.edges.len(), best, "{edges:?}");
                } else {
                    greedy += 1;
                    assert!(found.edges.len() >= best);
                    for put_back in &found.edges {
                        let mut rest = without(&edges, &found.edges);
                        rest.push(*put_back);
                        assert!(
                            !acyclic(size, &rest),
                            "{put_back:?} of {edges:?} is too much"
                        );
                    }
                }
            }
        }
        assert!(exact > 100 && greedy > 20, "{exact} exact, {greedy} greedy");
    }

    #[test]
    fn the_hub_is_the_one_that_stops_asking() {
        let ring = [(0, 1), (1, 2), (2, 0)];
        let two_rings = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 2)];
        for (nodes, edges, hub, expected) in [
            (3, &ring[..], 1, vec![(1, 2)]),
            (4, &two_rings[..], 2, vec![(2, 0), (2, 3)]),
        ] {
            let found = feedback(&components(nodes, edges)[0], hub, &Work::new(0));
            assert_eq!(
                found,
                Feedback {
                    edges: expected,
                    exact: true
                }
            );
        }
    }

    #[test]
    fn the_hardest_exact_sizes_finish() {
        // Every pair of five hosts: ten cycles of two share no edge.
        let complete: Vec<_> = (0..5)
            .flat_map(|a| (0..5).filter(move |&b| a != b).map(move |b| (a, b)))
            .collect();
        // Ten hosts that each ask the next and the one after the next but one.
        let twisted: Vec<_> = (0..10)
            .flat_map(|a| [(a, (a + 1) % 10), (a, (a + 3) % 10)])
            .collect();
        for (nodes, mut edges, size) in [(5, complete, 10), (10, twisted, 4)] {
            edges.sort_unstable();
            let found = feedback(&components(nodes, &edges)[0], 0, &Work::new(0));
            assert!(found.exact && acyclic(nodes, &without(&edges, &found.edges)));
            assert_eq!(found.edges.len(), size);
        }
    }
}
