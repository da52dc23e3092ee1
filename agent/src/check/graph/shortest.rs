//! A shortest cycle through each edge: what can be said of a component whose cycles are beyond counting.

use super::component::{Graph, Work};
use super::cycles::{MAX_CYCLES, MAX_HOSTS};
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::NodeIndex;
use std::collections::{BTreeSet, VecDeque};

/// A shortest cycle through each edge, each once, until there are enough.
pub(super) fn shortest_through_edges(graph: &Graph, work: &Work) -> Vec<Vec<u32>> {
    let mut found = BTreeSet::new();
    let mut hosts = 0;
    for node in graph.node_indices() {
        // One search answers for every edge that ends here.
        let parents = search(graph, node);
        let paid = work.spend(graph.node_count() + graph.edge_count());
        for asker in graph.neighbors_directed(node, Incoming) {
            let cycle = canonical(path_back(&parents, node, asker));
            let length = cycle.len();
            if found.insert(cycle) {
                hosts += length;
            }
            if found.len() >= MAX_CYCLES || hosts > MAX_HOSTS {
                return found.into_iter().collect();
            }
        }
        if !paid {
            break;
        }
    }
    found.into_iter().collect()
}

/// Breadth first from `start`: the node before each node on a shortest path.
fn search(graph: &Graph, start: NodeIndex) -> Vec<Option<NodeIndex>> {
    let mut parents = vec![None; graph.node_count()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.neighbors_directed(node, Outgoing) {
            if next != start && parents[next.index()].is_none() {
                parents[next.index()] = Some(node);
                queue.push_back(next);
            }
        }
    }
    parents
}

/// The path from `start` to `end` that `parents` holds.
fn path_back(parents: &[Option<NodeIndex>], start: NodeIndex, end: NodeIndex) -> Vec<u32> {
    let mut path = vec![end.index() as u32];
    let mut node = end;
    while let (true, Some(parent)) = (node != start, parents[node.index()]) {
        path.push(parent.index() as u32);
        node = parent;
    }
    path.reverse();
    path
}

/// Turns a cycle so that it begins at its smallest node.
fn canonical(mut cycle: Vec<u32>) -> Vec<u32> {
    let smallest = cycle.iter().enumerate().min_by_key(|(_, node)| **node);
    if let Some((position, _)) = smallest {
        cycle.rotate_left(position);
    }
    cycle
}

#[cfg(test)]
mod tests {
    use super::super::component::graph;
    use super::*;

    #[test]
    fn each_edge_lies_on_one_of_the_cycles_and_no_shorter_one_exists() {
        // A ring of five with a chord: through the chord it is four hosts round.
        let edges = [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (4, 0)];
        let found = shortest_through_edges(&graph(5, &edges), &Work::new(u64::MAX));
        assert_eq!(found, [vec![0, 1, 2, 3, 4], vec![0, 1, 3, 4]]);
    }
}
