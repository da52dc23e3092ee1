//! Strongly connected components: the parts of a cluster in which requests can circle.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::cell::Cell;

/// A graph whose nodes and edges carry nothing; nodes are numbered from 0.
pub(in crate::check) type Graph = DiGraph<(), ()>;

/// One component of two hosts or more, as a graph of its own.
pub(in crate::check) struct Component {
    /// The cluster's number of each node, rising.
    pub(in crate::check) hosts: Vec<u32>,
    /// Edges within the component, by (from, to); never one from a node to itself.
    pub(in crate::check) graph: Graph,
}

/// Builds a graph from distinct edges. Petgraph walks neighbours last-added first; adding the edges in reverse makes
/// it walk them in rising order.
pub(in crate::check) fn graph(nodes: usize, edges: &[(u32, u32)]) -> Graph {
    let mut graph = Graph::with_capacity(nodes, edges.len());
    for _ in 0..nodes {
        graph.add_node(());
    }
    for &(from, to) in edges.iter().rev() {
        graph.add_edge(NodeIndex::from(from), NodeIndex::from(to), ());
    }
    graph
}

/// The components of two nodes or more, by their smallest node. `edges` are distinct and sorted.
pub(in crate::check) fn components(nodes: usize, edges: &[(u32, u32)]) -> Vec<Component> {
    // Petgraph's Tarjan recurses as deep as the longest chain of hosts; this one does not.
    let mut found: Vec<Vec<u32>> = kosaraju_scc(&graph(nodes, edges))
        .into_iter()
        .filter(|nodes| nodes.len() > 1)
        .map(|nodes| nodes.into_iter().map(|node| node.index() as u32).collect())
        .collect();
    for hosts in &mut found {
        hosts.sort_unstable();
    }
    found.sort_unstable_by_key(|hosts| hosts[0]);

    // (component, number within it) of each node.
    let mut place = vec![(u32::MAX, 0); nodes];
    for (hosts, component) in found.iter().zip(0..) {
        for (&host, number) in hosts.iter().zip(0..) {
            place[host as usize] = (component, number);
        }
    }
    let mut inner: Vec<Vec<(u32, u32)>> = vec![Vec::new(); found.len()];
    for &(from, to) in edges {
        let ((component, from), (other, to)) = (place[from as usize], place[to as usize]);
        if component == other && component != u32::MAX {
            inner[component as usize].push((from, to));
        }
    }
    found
        .into_iter()
        .zip(inner)
        .map(|(hosts, edges)| Component {
            graph: graph(hosts.len(), &edges),
            hosts,
        })
        .collect()
}

/// How much may still be spent on exponential or quadratic searches, in edges looked at.
pub(in crate::check) struct Work(Cell<u64>);

impl Work {
    pub(in crate::check) fn new(edges: u64) -> Self {
        Self(Cell::new(edges))
    }

    /// Takes `edges` from what is left; false once nothing is.
    pub(in crate::check) fn spend(&self, edges: usize) -> bool {
        let left = self.0.get().checked_sub(edges as u64);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_numbered_by_name_and_leave_out_what_only_hangs_on() {
        // 5 and 6 hang on; 7 stands alone.
        let edges = [(0, 3), (1, 4), (2, 0), (3, 2), (4, 1), (4, 6), (5, 0)];
        let found = components(8, &edges);
        let hosts: Vec<_> = found
            .iter()
            .map(|component| component.hosts.clone())
            .collect();
        assert_eq!(hosts, [vec![0, 2, 3], vec![1, 4]]);
        assert_eq!(found[0].graph.edge_count(), 3);
        assert_eq!(found[1].graph.edge_count(), 2);
    }

    #[test]
    fn a_chain_of_a_million_hosts_does_not_exhaust_the_stack() {
        let nodes = 1_000_000;
        let ring: Vec<(u32, u32)> = (0..nodes).map(|i| (i, (i + 1) % nodes)).collect();
        let found = components(nodes as usize, &ring);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].hosts.len(), nodes as usize);
    }
}
