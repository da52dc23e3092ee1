//! Who asks whom, as live records say (R47), and the cycles of it.

use alloc::vec;
use alloc::vec::Vec;

use crate::contract;
use crate::id::NodeId;
use crate::record;
use crate::table::{Entry, Slot, Table};

/// No node.
const NONE: Slot = Slot::MAX;

/// The graph as this node sees it: the places of live nodes in the order of their IDs, and of each
/// who names it.
struct Edges {
    /// The beginning of each ID and the slot of its entry, sorted.
    nodes: Vec<(u64, Slot)>,
    /// Pairs of (upstream, who names it), as places in `nodes`, sorted.
    named_by: Vec<(u32, u32)>,
}

impl Table {
    /// Rises whenever a live record comes, goes or changes that names upstreams.
    pub(crate) fn edges(&self) -> u64 {
        self.edges
    }

    /// A live record has come or gone.
    pub(super) fn note_edges(&mut self, entry: Entry<'_>) {
        let names = record::upstreams(entry.body()).next().is_some();
        self.edges += u64::from(!entry.is_tombstone() && names);
    }

    /// For each of these upstreams of this node the shortest cycle through it: this node first, then
    /// the upstream; none where there is none of at most 64 nodes. It takes a look at each record
    /// and each edge, whatever they say.
    pub(crate) fn cycles(&self, upstreams: &[NodeId]) -> Vec<Vec<NodeId>> {
        let edges = Edges::of(self);
        let Some(own) = edges.place(self.own.prefix().number()) else {
            return Vec::new();
        };
        let next = edges.ways_to(own);
        let cycle = |upstream: &NodeId| {
            let mut at = edges.place(upstream.prefix().number())?;
            let mut path = vec![self.own];
            while at != own {
                path.push(self.get(edges.nodes[at as usize].1)?.node);
                at = next[at as usize];
                if at == NONE || path.len() > contract::HOPS {
                    return None;
                }
            }
            Some(path)
        };
        upstreams.iter().filter_map(cycle).collect()
    }
}

impl Edges {
    fn of(table: &Table) -> Self {
        let live = table.entries.rows().filter(|(_, e)| !e.is_tombstone());
        let named = live.map(|(slot, row)| (row.node.prefix().number(), slot));
        let mut nodes: Vec<_> = named.collect();
        // A node that announces nothing is here all the same.
        if table.own_slot.is_none() {
            nodes.push((table.own.prefix().number(), NONE));
        }
        nodes.sort_unstable();
        let mut edges = Self {
            nodes,
            named_by: Vec::new(),
        };
        let mut named_by = Vec::new();
        for (place, (_, slot)) in edges.nodes.iter().enumerate() {
            let body = table.get(*slot).map_or(&[][..], |e| e.body());
            let named = record::upstreams(body).filter_map(|u| edges.place(u.number()));
            named_by.extend(named.map(|upstream| (upstream, place as u32)));
        }
        named_by.sort_unstable();
        edges.named_by = named_by;
        edges
    }

    fn place(&self, beginning: u64) -> Option<u32> {
        let at = self.nodes.partition_point(|(b, _)| *b < beginning);
        let found = self.nodes.get(at)?.0 == beginning;
        found.then_some(at as u32)
    }

    /// Of each node the next one on the shortest way to this one, along upstreams; breadth first.
    fn ways_to(&self, own: u32) -> Vec<u32> {
        let mut next = vec![NONE; self.nodes.len()];
        let mut reached = vec![own];
        let mut done = 0;
        while let Some(at) = reached.get(done).copied() {
            done += 1;
            let from = self
                .named_by
                .partition_point(|(upstream, _)| *upstream < at);
            let named_by = self.named_by[from..].iter();
            for (_, by) in named_by.take_while(|(upstream, _)| *upstream == at) {
                if *by != own && next[*by as usize] == NONE {
                    next[*by as usize] = at;
                    reached.push(*by);
                }
            }
        }
        next
    }
}
