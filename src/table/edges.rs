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
struct Edges<'a> {
    table: &'a Table,
    /// Sorted.
    named_by: Vec<NamedBy>,
}

/// That an upstream is named, both by the beginnings of their IDs, and in which place the record of who
/// names it is: its slot; behind them those beyond the capacity; and behind those the own one.
type NamedBy = (u64, u64, u32);

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

    /// The record of the node with this beginning, and whether it is beyond the capacity.
    pub(super) fn find<'a>(&self, table: &'a Table, beginning: u64) -> Option<(Entry<'a>, bool)> {
        let place = self.0.partition_point(|(b, _)| *b < beginning);
        let (_, at) = *self.0.get(place).filter(|(b, _)| *b == beginning)?;
        let entry = match at {
            At::Own => table.own(),
            At::Slot(slot) => table.get(slot),
            At::Beyond => table.beyond.get(beginning),
        };
        Some((entry?, at == At::Beyond))
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
        let (reached, next) = edges.ways_here();
        let cycle = |upstream: &NodeId| {
            let number = upstream.prefix().number();
            let (_, mut at) = *reached.iter().find(|(by, _)| *by == number)?;
            let mut path = vec![self.own];
            while at != edges.own() {
                path.push(edges.entry(at)?.node);
                at = next[at as usize];
            }
            (path.len() <= contract::HOPS).then_some(path)
        };
        upstreams.iter().filter_map(cycle).collect()
    }
}

impl<'a> Edges<'a> {
    fn of(table: &'a Table) -> Self {
        let mut edges = Self {
            table,
            named_by: Vec::new(),
        };
        // In the order in which the records are in memory.
        let here = table.entries.iter().filter(|(_, e)| !e.is_tombstone());
        let here = here.filter(|(_, e)| e.node != table.own);
        let beyond = (table.entries.slots() as u32..).zip(table.beyond.iter());
        let own = table.own().map(|own| (edges.own(), own));
        for (place, entry) in here.chain(beyond).chain(own) {
            let by = entry.node.prefix().number();
            let named = record::upstreams(entry.body());
            edges
                .named_by
                .extend(named.map(|upstream| (upstream.number(), by, place)));
        }
        edges.named_by.sort_unstable();
        edges
    }

    /// The place of this node.
    fn own(&self) -> u32 {
        (self.table.entries.slots() + self.table.beyond.len()) as u32
    }

    fn entry(&self, place: u32) -> Option<Entry<'a>> {
        let beyond = (place as usize).checked_sub(self.table.entries.slots());
        match beyond {
            None => self.table.get(place),
            Some(i) => self.table.beyond.iter().nth(i),
        }
    }

    /// Who leads to this node along upstreams, in as many steps as a cycle may have, by beginning and
    /// place; and of each place the next one on the shortest way. Breadth first.
    fn ways_here(&self) -> (Vec<(u64, u32)>, Vec<u32>) {
        let own = self.own();
        let mut next = vec![NONE; own as usize + 1];
        let mut reached = vec![(self.table.own.prefix().number(), own)];
        let mut before = 0;
        for _ in 1..contract::HOPS {
            let nearest = before..reached.len();
            before = nearest.end;
            for i in nearest {
                let (node, at) = reached[i];
                let from = self.named_by.partition_point(|(named, ..)| *named < node);
                let named_by = self.named_by[from..].iter();
                for (_, by, place) in named_by.take_while(|(named, ..)| *named == node) {
                    if *place != own && next[*place as usize] == NONE {
                        next[*place as usize] = at;
                        reached.push((*by, *place));
                    }
                }
            }
        }
        (reached, next)
    }
}
