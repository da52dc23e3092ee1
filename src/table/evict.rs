//! Who stays when the table is full (R22): the smallest keyed hashes of node IDs, within quotas
//! per subnet and per relay. Nothing is kept while the table has room.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::addr::{Host, Multiaddr};
use crate::id::NodeId;
use crate::limits::gate::Subnet;
use crate::record;
use crate::rng::Keyed;
use crate::table::{Entry, Slot, Table, Via};

pub(super) struct Evictor {
    keyed: Keyed,
    capacity: usize,
    active: Option<Active>,
}

/// Kept from the time at which the table is first full until it is half empty.
#[derive(Default)]
struct Active {
    /// By keyed hash.
    ranked: BTreeSet<(u64, Slot)>,
    /// Likewise: those that were found pinned, and are looked at again when there is time.
    pinned: BTreeSet<(u64, Slot)>,
    /// Members of groups that were over quota when the table became full, best first.
    excess: Vec<(u64, Slot, NodeId)>,
    subnets: BTreeMap<Subnet, usize>,
    relays: BTreeMap<u32, usize>,
}

impl Evictor {
    pub(super) fn new(keyed: Keyed, capacity: usize) -> Self {
        Self {
            keyed,
            capacity,
            active: None,
        }
    }

    /// An eighth of the table for one /24 or /64.
    fn subnet_quota(&self) -> usize {
        (self.capacity / 8).max(8)
    }

    /// Half of the table for what one node has told.
    fn relay_quota(&self) -> usize {
        (self.capacity / 2).max(8)
    }

    pub(super) fn added(&mut self, slot: Slot, entry: &Entry) {
        let rank = self.keyed.hash(entry.node.as_bytes());
        if let Some(active) = &mut self.active {
            active.ranked.insert((rank, slot));
            active.count(entry, true);
        }
    }

    pub(super) fn removed(&mut self, slot: Slot, entry: &Entry) {
        let rank = self.keyed.hash(entry.node.as_bytes());
        if let Some(active) = &mut self.active {
            if !active.ranked.remove(&(rank, slot)) {
                active.pinned.remove(&(rank, slot));
            }
            active.count(entry, false);
        }
    }

    fn over_quota(&self, active: &Active, entry: &Entry, at_least: usize) -> bool {
        let subnet = subnet(entry)
            .and_then(|s| active.subnets.get(&s).copied())
            .unwrap_or(0);
        let relay = active.relays.get(&entry.via.0).copied().unwrap_or(0);
        subnet + at_least > self.subnet_quota() || relay + at_least > self.relay_quota()
    }
}

impl Active {
    fn count(&mut self, entry: &Entry, add: bool) {
        if let Some(subnet) = subnet(entry) {
            step(&mut self.subnets, subnet, add);
        }
        if entry.via != Via::default() {
            step(&mut self.relays, entry.via.0, add);
        }
    }
}

fn step<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K, add: bool) {
    let count = counts.entry(key).or_default();
    *count = if add {
        *count + 1
    } else {
        count.saturating_sub(1)
    };
}

fn subnet(entry: &Entry) -> Option<Subnet> {
    let first = record::addresses(entry.body()).next()?;
    let address = Multiaddr::from_bytes(Bytes::copy_from_slice(first)).ok()?;
    match address.host() {
        Host::Ip(ip) => Some(Subnet::of(ip)),
        Host::Dns(_) => None,
    }
}

impl Table {
    /// Makes room for `newcomer` in a full table, or refuses it.
    pub(super) fn make_room(
        &mut self,
        newcomer: &Entry,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> bool {
        if self.capacity == 0 {
            return false;
        }
        self.activate();
        let must = newcomer.node == self.own || is_pinned(&newcomer.node);
        let victim = self.victim(newcomer, must, is_pinned);
        if let Some(entry) = victim.and_then(|slot| self.remove(slot)) {
            self.evicted = (!entry.is_tombstone()).then_some(entry.node);
        }
        victim.is_some()
    }

    /// Called now and then: below half there is nothing to keep, and what was pinned may not be so
    /// any more.
    pub(crate) fn relax(&mut self) {
        if self.len() < self.capacity / 2 {
            self.evictor.active = None;
        }
        if let Some(active) = &mut self.evictor.active {
            active.ranked.append(&mut active.pinned);
        }
    }

    fn activate(&mut self) {
        if self.evictor.active.is_some() {
            return;
        }
        let mut active = Active::default();
        let mut ranked = Vec::with_capacity(self.len());
        for (slot, entry) in self.entries.iter() {
            active.count(entry, true);
            let rank = self.evictor.keyed.hash(entry.node.as_bytes());
            ranked.push((rank, slot, entry.node));
        }
        ranked.sort_unstable();
        let over = |slot: Slot| {
            self.get(slot)
                .is_some_and(|e| self.evictor.over_quota(&active, e, 0))
        };
        active.excess = ranked
            .iter()
            .copied()
            .filter(|(_, slot, _)| over(*slot))
            .collect();
        active.ranked = ranked
            .into_iter()
            .map(|(rank, slot, _)| (rank, slot))
            .collect();
        self.evictor.active = Some(active);
    }

    fn victim(
        &mut self,
        newcomer: &Entry,
        must: bool,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> Option<Slot> {
        let mut active = self.evictor.active.take()?;
        let victim = if !must && self.evictor.over_quota(&active, newcomer, 1) {
            None
        } else {
            let rank = self.evictor.keyed.hash(newcomer.node.as_bytes());
            self.excess_victim(&mut active, is_pinned)
                .or_else(|| self.worst_victim(&mut active, if must { 0 } else { rank }, is_pinned))
        };
        self.evictor.active = Some(active);
        victim
    }

    fn excess_victim(
        &self,
        active: &mut Active,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> Option<Slot> {
        while let Some((_, slot, node)) = active.excess.pop() {
            if !self.is_at(slot, &node) || node == self.own || is_pinned(&node) {
                continue;
            }
            if self
                .get(slot)
                .is_some_and(|e| self.evictor.over_quota(active, e, 0))
            {
                return Some(slot);
            }
        }
        None
    }

    /// The entry with the largest keyed hash, if that is above `rank`.
    fn worst_victim(
        &self,
        active: &mut Active,
        rank: u64,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> Option<Slot> {
        while let Some((hash, slot)) = active.ranked.last().copied() {
            if hash <= rank {
                break;
            }
            let stays = |e: &Entry| e.node == self.own || is_pinned(&e.node);
            if !self.get(slot).is_some_and(stays) {
                return Some(slot);
            }
            active.ranked.remove(&(hash, slot));
            active.pinned.insert((hash, slot));
        }
        None
    }
}
