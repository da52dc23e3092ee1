//! Looking along the upstreams that records name, beyond the capacity too (R47).

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::contract;
use crate::id::{NodeId, Prefix};
use crate::limits::caps;
use crate::record::{self, Sequence};
use crate::table::edges::Living;
use crate::table::{Gone, Table};
use crate::time::Instant;

/// Who lies ahead of a node.
#[derive(Default)]
struct Way {
    /// By the beginnings of their IDs, the node itself too.
    seen: BTreeSet<u64>,
    /// Of those, the ones that are kept beyond the capacity.
    beyond: BTreeSet<u64>,
    /// And those of which there is no record, the nearest first, each with the upstream that leads to it.
    missing: Vec<(NodeId, Prefix)>,
}

impl Way {
    fn of(table: &Table, upstreams: &[NodeId]) -> Self {
        let living = Living::of(table);
        let mut way = Self::default();
        way.seen.insert(table.own.prefix().number());
        let mut reached: VecDeque<(usize, Prefix, NodeId)> = VecDeque::new();
        let first = upstreams.iter().map(|node| (1, node.prefix(), *node));
        reached.extend(first.filter(|(_, prefix, _)| way.seen.insert(prefix.number())));
        while let Some((steps, prefix, by)) = reached.pop_front() {
            let found = living.find(table, prefix.number());
            let has_room = way.beyond.len() + way.missing.len() < caps::BEYOND;
            match found {
                Some((_, false)) => {}
                _ if !has_room => continue,
                Some(_) => drop(way.beyond.insert(prefix.number())),
                None => way.missing.push((by, prefix)),
            }
            // Those further away are on no cycle of this node that is short enough.
            let Some((entry, _)) = found.filter(|_| steps + 1 < contract::HOPS) else {
                continue;
            };
            let next = record::upstreams(entry.body()).map(|u| (steps + 1, u, by));
            reached.extend(next.filter(|(_, prefix, _)| way.seen.insert(prefix.number())));
        }
        way
    }
}

impl Table {
    /// Records that are kept beyond the capacity.
    pub(crate) fn beyond_count(&self) -> usize {
        self.beyond.len()
    }

    /// Looks along the upstreams that records name, from these on, the nearest first: of nodes that
    /// are not in the table so many are kept, and no others. Returned are those of which there is no
    /// record, each with the one of these upstreams that leads to it.
    pub(crate) fn look_beyond(&mut self, upstreams: &[NodeId]) -> Vec<(NodeId, Prefix)> {
        let way = Way::of(self, upstreams);
        self.beyond.retain(|number, _| way.beyond.contains(&number));
        let on_way = match self.is_crowded() {
            true => way.seen.into_iter().collect(),
            false => Vec::new(),
        };
        let is_missing = |number| way.missing.iter().any(|(_, p)| p.number() == number);
        self.beyond.set_way(on_way, is_missing);
        way.missing
    }

    /// Who had to leave the table may be one of them.
    pub(crate) fn keep_evicted(&mut self, gone: Gone) {
        if self.beyond.has_room_for(&gone.node) {
            self.beyond.keep(gone);
        }
    }

    /// Those of which the life has ended go.
    pub(crate) fn expire_beyond(&mut self, now: Instant) {
        let ended = self.beyond.retain(|_, record| record.deadline() > now);
        self.edges += u64::from(ended);
    }

    /// A node is accused of being silent by one that has shown that it says so. As for any other (R32),
    /// it takes two; whoever is there is asked for anew.
    pub(crate) fn accuse_beyond(&mut self, node: &NodeId, at: Sequence, by: NodeId) {
        self.edges += u64::from(self.beyond.accuse(node, at, by));
    }
}
