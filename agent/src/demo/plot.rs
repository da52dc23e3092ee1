//! What has happened so far, and what of it is worth a line.

use super::status::{Told, What};
use crate::topology::{Graph, canonical};
use peer_exchange::contract;
use peer_exchange::{Event, NodeId};
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use petgraph::unionfind::UnionFind;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// With more nodes than this, the story is told in numbers.
const BY_NAME: usize = 5;
/// Of a longer cycle, the middle is left out.
const SHOWN: usize = 12;

pub(super) struct Plot<'a> {
    graph: &'a Graph,
    names: BTreeMap<NodeId, &'a str>,
    /// Whom each node knows.
    known: Vec<HashSet<NodeId>>,
    /// Pairs of nodes of which the first knows the second.
    pub(super) pairs: usize,
    /// As many as there can be: nodes that no chain of upstreams joins never meet.
    reachable: usize,
    quarters: usize,
    connected: BTreeSet<(usize, NodeId)>,
    /// Each cycle once.
    pub(super) loops: BTreeSet<Vec<String>>,
    /// How many dials have failed, and why the last one did.
    pub(super) failures: Option<(u64, String)>,
}

/// Ordered pairs of different nodes.
pub(super) fn all_pairs(graph: &Graph) -> usize {
    graph.len() * (graph.len() - 1)
}

fn reachable_pairs(graph: &Graph) -> usize {
    let mut parts = UnionFind::<usize>::new(graph.len());
    for (i, upstreams) in graph.upstreams.iter().enumerate() {
        for upstream in upstreams {
            parts.union(i, *upstream);
        }
    }
    let parts = parts.into_labeling();
    let mut sizes = vec![0; graph.len()];
    for part in &parts {
        sizes[*part] += 1;
    }
    parts.iter().map(|part| sizes[*part] - 1).sum()
}

impl Graph {
    pub(super) fn is_told_by_name(&self) -> bool {
        self.len() <= BY_NAME
    }
}

impl<'a> Plot<'a> {
    pub(super) fn new(graph: &'a Graph, ids: &[NodeId]) -> Self {
        let names = graph.names.iter().map(String::as_str);
        Self {
            graph,
            names: ids.iter().copied().zip(names).collect(),
            known: vec![HashSet::new(); graph.len()],
            pairs: 0,
            reachable: reachable_pairs(graph),
            quarters: 0,
            connected: BTreeSet::new(),
            loops: BTreeSet::new(),
            failures: None,
        }
    }

    /// Nothing is left to be known.
    pub(super) fn is_complete(&self) -> bool {
        self.pairs == self.reachable
    }

    /// Some can never know each other.
    pub(super) fn falls_apart(&self) -> bool {
        self.reachable < all_pairs(self.graph)
    }

    /// An upstream is not connected yet, or there is a cycle that the nodes can report, and they
    /// have not.
    pub(super) fn is_unfinished(&self) -> bool {
        let ups = self.graph.upstreams.iter().enumerate();
        let to_others: usize = ups
            .map(|(i, ups)| ups.iter().filter(|up| **up != i).count())
            .sum();
        let short = |nodes: &usize| (1..=contract::HOPS).contains(nodes);
        self.connected.len() < to_others || self.loops.is_empty() && self.cycles().iter().any(short)
    }

    /// There is a cycle, and none that the nodes can report.
    pub(super) fn has_long_cycle(&self) -> bool {
        self.loops.is_empty() && self.cycles().iter().any(|nodes| *nodes > contract::HOPS)
    }

    /// How many nodes are on cycles with each other, for each such group.
    fn cycles(&self) -> Vec<usize> {
        let upstreams = self.graph.upstreams.iter().enumerate();
        let edges = upstreams.flat_map(|(i, ups)| ups.iter().map(move |up| (i as u32, *up as u32)));
        let graph = DiGraph::<(), ()>::from_edges(edges);
        let is_cycle = |group: &Vec<_>| group.len() > 1 || graph.contains_edge(group[0], group[0]);
        let groups = tarjan_scc(&graph);
        groups
            .iter()
            .filter(|g| is_cycle(g))
            .map(Vec::len)
            .collect()
    }

    /// Takes note of it; the line that it is worth.
    pub(super) fn follow(&mut self, told: &Told) -> Option<String> {
        let event = match &told.what {
            What::Event(event) => event,
            What::DialFailed(why) => return self.dial_failed(told.node, why),
        };
        let name = self.graph.names[told.node].as_str();
        let by_name = self.graph.is_told_by_name();
        match event {
            Event::UpstreamUp { node, .. } => self.upstream_up(told.node, *node),
            Event::PeerUp { node } => self.peer_up(told.node, *node),
            Event::LoopDetected { path } => self.cycle(path),
            Event::UpstreamDown { retry_in, .. } if by_name => Some(format!(
                "{name} has lost its upstream, and tries again in {retry_in:.1?}"
            )),
            Event::PeerExpired { node } | Event::PeerLeft { node } => {
                self.pairs -= usize::from(self.known[told.node].remove(node));
                Some(format!("{name} has lost {}", self.name(node)))
            }
            _ => None,
        }
    }

    fn upstream_up(&mut self, i: usize, upstream: NodeId) -> Option<String> {
        let is_new = self.connected.insert((i, upstream));
        let edges = self.graph.edges();
        match self.graph.is_told_by_name() {
            true => Some(format!(
                "{} is connected to its upstream {}",
                self.graph.names[i],
                self.name(&upstream)
            )),
            false if is_new && self.connected.len() == edges => {
                Some(format!("all {edges} upstreams are connected"))
            }
            false => None,
        }
    }

    fn peer_up(&mut self, i: usize, peer: NodeId) -> Option<String> {
        if !self.known[i].insert(peer) {
            return None;
        }
        self.pairs += 1;
        if self.graph.is_told_by_name() {
            let (known, others) = (self.known[i].len(), self.graph.len() - 1);
            let (name, peer) = (&self.graph.names[i], self.name(&peer));
            return Some(format!("{name} knows {peer} ({known} of {others})"));
        }
        let quarters = self.pairs * 4 / all_pairs(self.graph);
        if quarters == self.quarters {
            return None;
        }
        self.quarters = quarters;
        Some(format!(
            "{} % of all there is to know is known",
            quarters * 25
        ))
    }

    fn cycle(&mut self, path: &[NodeId]) -> Option<String> {
        let cycle = canonical(path.iter().map(|node| self.name(node)).collect());
        if !self.loops.insert(cycle.clone()) {
            return None;
        }
        let first = cycle.first()?;
        let shown = match cycle.len() {
            1 => format!("{first} asks itself"),
            n if n > SHOWN => {
                let begin = cycle[..3].join(" → ");
                format!("{begin} → … → {first} ({n} nodes)")
            }
            _ => format!(
                "{} → {first}   (an arrow reads \"asks\")",
                cycle.join(" → ")
            ),
        };
        Some(format!("CYCLE in the configuration: {shown}"))
    }

    fn dial_failed(&mut self, i: usize, why: &str) -> Option<String> {
        let (times, last) = self.failures.get_or_insert_default();
        *times += 1;
        why.clone_into(last);
        let name = &self.graph.names[i];
        (self.graph.is_told_by_name()).then(|| format!("{name} has dialled in vain: {why}"))
    }

    fn name(&self, node: &NodeId) -> String {
        let name = self.names.get(node).copied();
        name.map_or_else(|| format!("{node:?}"), str::to_owned)
    }
}
