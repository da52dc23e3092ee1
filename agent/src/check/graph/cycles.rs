//! The cycles of a component: all elementary ones when they are few, else a shortest one through each edge.
//!
//! A cycle begins at its smallest node and goes on in the order of asking.

use super::component::{Component, Graph, Work};
use super::shortest::shortest_through_edges;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{NodeIndex, WalkNeighbors};
use petgraph::visit::NodeFiltered;
use std::collections::BTreeSet;

/// More cycles than this help nobody.
pub(in crate::check) const MAX_CYCLES: usize = 1000;
/// All cycles of a component together, in hosts: a thousand cycles through thousands of hosts are no help either.
pub(in crate::check) const MAX_HOSTS: usize = 500_000;

/// The cycles of one component.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::check) struct Cycles {
    /// By length, then by name.
    pub(in crate::check) found: Vec<Vec<u32>>,
    /// There are more.
    pub(in crate::check) more: bool,
}

/// Finds cycles, in the component's own numbers. At least one is found whatever `work` is left.
pub(in crate::check) fn cycles(component: &Component, work: &Work) -> Cycles {
    let graph = &component.graph;
    let (mut found, more) = match Johnson::new(graph, work).all() {
        Some(found) => (found, false),
        None => (shortest_through_edges(graph, work), true),
    };
    found.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    Cycles { found, more }
}

/// Johnson's algorithm (SIAM J. Comput. 4, 1975), without recursion and within bounds.
struct Johnson<'a> {
    graph: &'a Graph,
    work: &'a Work,
    /// The part of the graph that is searched: nodes with the current stamp.
    stamps: Vec<u32>,
    stamp: u32,
    blocked: Vec<bool>,
    /// Nodes to unblock when this one is.
    waiting: Vec<BTreeSet<u32>>,
    path: Vec<u32>,
    found: Vec<Vec<u32>>,
    /// Sum of the lengths of `found`.
    hosts: usize,
}

/// A node on the current path.
struct Frame {
    node: u32,
    neighbours: WalkNeighbors<u32>,
    /// A cycle was closed below it.
    closed: bool,
}

impl<'a> Johnson<'a> {
    fn new(graph: &'a Graph, work: &'a Work) -> Self {
        let nodes = graph.node_count();
        Self {
            graph,
            work,
            stamps: vec![0; nodes],
            stamp: 0,
            blocked: vec![false; nodes],
            waiting: vec![BTreeSet::new(); nodes],
            path: Vec::new(),
            found: Vec::new(),
            hosts: 0,
        }
    }

    /// All elementary cycles, or nothing when there are too many or too much work.
    fn all(mut self) -> Option<Vec<Vec<u32>>> {
        // A ring is the common case, and costs too little to be refused.
        let ring = self.graph.edge_count() == self.graph.node_count();
        let mut parts = vec![(0..self.graph.node_count() as u32).collect::<Vec<u32>>()];
        while let Some(part) = parts.pop() {
            let start = *part.iter().min()?;
            self.stamp += 1;
            for &node in &part {
                self.stamps[node as usize] = self.stamp;
                self.blocked[node as usize] = false;
                self.waiting[node as usize].clear();
            }
            if !self.circuits(start, ring) {
                return None;
            }
            if ring {
                break;
            }
            parts.extend(self.parts_without(start)?);
        }
        Some(self.found)
    }

    /// The components that remain of the current part without `start`.
    fn parts_without(&self, start: u32) -> Option<Vec<Vec<u32>>> {
        if !self
            .work
            .spend(self.graph.node_count() + self.graph.edge_count())
        {
            return None;
        }
        let inside = |node: NodeIndex| {
            self.stamps[node.index()] == self.stamp && node.index() as u32 != start
        };
        let parts = kosaraju_scc(&NodeFiltered::from_fn(self.graph, inside));
        let numbers = |part: Vec<NodeIndex>| part.iter().map(|node| node.index() as u32).collect();
        Some(
            parts
                .into_iter()
                .filter(|part| part.len() > 1)
                .map(numbers)
                .collect(),
        )
    }

    /// Finds every cycle of the current part through `start`. False when there are too many.
    fn circuits(&mut self, start: u32, free: bool) -> bool {
        let mut frames = vec![self.enter(start)];
        while let Some(frame) = frames.last_mut() {
            let Some(next) = frame.neighbours.next_node(self.graph) else {
                let Some(done) = frames.pop() else { break };
                self.leave(&done);
                if let Some(parent) = frames.last_mut() {
                    parent.closed |= done.closed;
                }
                continue;
            };
            if !free && !self.work.spend(1) {
                return false;
            }
            let next = next.index() as u32;
            if self.stamps[next as usize] != self.stamp {
                continue;
            }
            if next == start {
                frame.closed = true;
                if !self.record() {
                    return false;
                }
            } else if !self.blocked[next as usize] {
                let frame = self.enter(next);
                frames.push(frame);
            }
        }
        true
    }

    fn enter(&mut self, node: u32) -> Frame {
        self.path.push(node);
        self.blocked[node as usize] = true;
        let neighbours = self.graph.neighbors(NodeIndex::from(node)).detach();
        Frame {
            node,
            neighbours,
            closed: false,
        }
    }

    fn leave(&mut self, frame: &Frame) {
        self.path.pop();
        if frame.closed {
            self.unblock(frame.node);
            return;
        }
        for next in self.graph.neighbors(NodeIndex::from(frame.node)) {
            if self.stamps[next.index()] == self.stamp {
                self.waiting[next.index()].insert(frame.node);
            }
        }
    }

    fn unblock(&mut self, node: u32) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            if std::mem::take(&mut self.blocked[node as usize]) {
                nodes.extend(std::mem::take(&mut self.waiting[node as usize]));
            }
        }
    }

    fn record(&mut self) -> bool {
        self.hosts += self.path.len();
        let room =
            self.found.is_empty() || self.found.len() < MAX_CYCLES && self.hosts <= MAX_HOSTS;
        if room {
            self.found.push(self.path.clone());
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::super::component::components;
    use super::super::testing::{graphs, is_cycle};
    use super::*;

    fn single(nodes: usize, edges: &[(u32, u32)], work: u64) -> Cycles {
        let mut components = components(nodes, edges);
        assert_eq!(components.len(), 1);
        cycles(&components.remove(0), &Work::new(work))
    }

    fn complete(nodes: u32) -> Vec<(u32, u32)> {
        (0..nodes)
            .flat_map(|a| (0..nodes).filter(move |&b| a != b).map(move |b| (a, b)))
            .collect()
    }

    /// Every cycle by trying every path that stays above its first node.
    fn brute_force(nodes: usize, edges: &[(u32, u32)]) -> Vec<Vec<u32>> {
        fn extend(edges: &[(u32, u32)], path: &mut Vec<u32>, found: &mut Vec<Vec<u32>>) {
            let (start, end) = (path[0], path[path.len() - 1]);
            for &(_, to) in edges.iter().filter(|(from, _)| *from == end) {
                if to == start {
                    found.push(path.clone());
                } else if to > start && !path.contains(&to) {
                    path.push(to);
                    extend(edges, path, found);
                    path.pop();
                }
            }
        }
        let mut found = Vec::new();
        for start in 0..nodes as u32 {
            extend(edges, &mut vec![start], &mut found);
        }
        found.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        found
    }

    #[test]
    fn every_cycle_of_small_random_graphs_is_found_once() {
        let mut total = 0;
        for (nodes, edges) in graphs(400) {
            let work = Work::new(u64::MAX);
            let mut found: Vec<Vec<u32>> = Vec::new();
            for component in components(nodes, &edges) {
                let part = cycles(&component, &work);
                assert!(!part.more);
                let named = |cycle: Vec<u32>| -> Vec<u32> {
                    cycle
                        .into_iter()
                        .map(|node| component.hosts[node as usize])
                        .collect()
                };
                found.extend(part.found.into_iter().map(named));
            }
            found.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
            assert_eq!(found, brute_force(nodes, &edges), "{edges:?}");
            total += found.len();
        }
        assert!(total > 1000, "the graphs had only {total} cycles");
    }

    #[test]
    fn too_many_cycles_give_a_shortest_one_through_each_edge() {
        let edges = complete(9);
        let found = single(9, &edges, u64::MAX);
        assert!(found.more);
        assert_eq!(found.found.len(), 36, "each pair of hosts");
        assert!(
            found
                .found
                .iter()
                .all(|cycle| cycle.len() == 2 && is_cycle(cycle, &edges))
        );
    }

    #[test]
    fn no_work_left_still_names_a_cycle_and_a_ring_is_always_whole() {
        let ring: Vec<(u32, u32)> = (0..5000).map(|i| (i, (i + 1) % 5000)).collect();
        let found = single(5000, &ring, 0);
        assert_eq!(
            found,
            Cycles {
                found: vec![(0..5000).collect()],
                more: false
            }
        );

        let edges = complete(6);
        let found = single(6, &edges, 0);
        assert!(found.more && !found.found.is_empty());
        assert!(found.found.iter().all(|cycle| is_cycle(cycle, &edges)));
    }
}
