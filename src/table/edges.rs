//! Who asks whom, as live records say (R47), and the cycles of it.

use alloc::vec;
use alloc::vec::Vec;

use crate::contract;
use crate::id::NodeId;
use crate::record;
use crate::table::{Entry, Slot, Table};

/// No node.
const NONE: u32 = u32::MAX;

/// Where the record of a live node is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    /// This node's, which may announce nothing.
    Own,
    Slot(Slot),
    Beyond,
}

/// The live nodes of which there is a record, beyond the capacity too: the beginning of each ID,
/// sorted, and where the record is.
pub(super) struct Living(Vec<(u64, At)>);

/// The graph as this node sees it: of each node who names it.
struct Edges {
    living: Living,
    /// Pairs of (upstream, who names it), as places, sorted.
    named_by: Vec<(u32, u32)>,
}

impl Living {
    pub(super) fn of(table: &Table) -> Self {
        let rows = table.entries.rows().filter(|(_, e)| !e.is_tombstone());
        let rows = rows.filter(|(_, row)| row.node != table.own);
        let rows = rows.map(|(slot, row)| (row.node.prefix().number(), At::Slot(slot)));
        let beyond = table.beyond.numbers().map(|number| (number, At::Beyond));
        let own = (table.own.prefix().number(), At::Own);
        let mut living: Vec<_> = rows.chain(beyond).chain([own]).collect();
        living.sort_unstable();
        Self(living)
    }

    /// Of the node with this beginning.
    fn place(&self, beginning: u64) -> Option<u32> {
        let at = self.0.partition_point(|(b, _)| *b < beginning);
        let found = self.0.get(at)?.0 == beginning;
        found.then_some(at as u32)
    }

    /// The record of the node at this place.
    fn entry<'a>(&self, table: &'a Table, place: u32) -> Option<Entry<'a>> {
        let (beginning, at) = *self.0.get(place as usize)?;
        match at {
            At::Own => table.own(),
            At::Slot(slot) => table.get(slot),
            At::Beyond => table.beyond.get(beginning),
        }
    }

    /// The record of the node with this beginning, and whether it is beyond the capacity.
    pub(super) fn find<'a>(&self, table: &'a Table, beginning: u64) -> Option<(Entry<'a>, bool)> {
        let place = self.place(beginning)?;
        let is_beyond = self.0[place as usize].1 == At::Beyond;
        Some((self.entry(table, place)?, is_beyond))
    }
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

    /// The live records, those beyond the capacity too.
    pub(crate) fn living(&self) -> impl Iterator<Item = Entry<'_>> {
        let living = self.entries().filter(|e| !e.is_tombstone());
        living.chain(self.beyond.iter())
    }

    /// For each of these upstreams of this node the shortest cycle through it: this node first, then
    /// the upstream; none where there is none of at most 64 nodes. It takes a look at each record
    /// and each edge, whatever they say.
    pub(crate) fn cycles(&self, upstreams: &[NodeId]) -> Vec<Vec<NodeId>> {
        let edges = Edges::of(self);
        let Some(own) = edges.living.place(self.own.prefix().number()) else {
            return Vec::new();
        };
        let next = edges.ways_to(own);
        let cycle = |upstream: &NodeId| {
            let mut at = edges.living.place(upstream.prefix().number())?;
            let mut path = vec![self.own];
            while at != own {
                path.push(edges.living.entry(self, at)?.node);
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
        let living = Living::of(table);
        let mut named_by = Vec::new();
        for place in 0..living.0.len() as u32 {
            let body = living.entry(table, place).map_or(&[][..], |e| e.body());
            let named = record::upstreams(body).filter_map(|u| living.place(u.number()));
            named_by.extend(named.map(|upstream| (upstream, place)));
        }
        named_by.sort_unstable();
        Self { living, named_by }
    }

    /// Of each node the next one on the shortest way to this one, along upstreams; breadth first.
    fn ways_to(&self, own: u32) -> Vec<u32> {
        let mut next = vec![NONE; self.living.0.len()];
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
