//! Who stays when the table is full (R22, R53): who has been known for long before who is heard of,
//! in three quarters of it; otherwise the smallest keyed hashes of node IDs, within quotas per subnet,
//! per relay, and per subnet and the network that told of it. Nothing is kept while the table has room.

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::addr::Subnet;
use crate::addr::{self, Host};
use crate::id::NodeId;
use crate::record;
use crate::rng::Keyed;
use crate::table::KNOWN;
use crate::table::relays::{By, Via, Vouched};
use crate::table::slab::Slab;
use crate::table::{Entry, Slot};
use crate::time::Instant;
use crate::wire::Nodes;

/// The order in which nodes stay, a secret of this node's; the smallest stay.
pub(super) type Rank = u32;

pub(super) struct Evictor {
    keyed: Keyed,
    capacity: usize,
    /// Whether those known for long stay.
    holds: bool,
    active: Option<Box<Active>>,
}

/// Kept from the time at which the table is first full until it is half empty.
#[derive(Default)]
struct Active {
    /// The largest on top. Whoever has gone since is passed over when it comes up.
    ranked: BinaryHeap<(Rank, Slot)>,
    /// Those that came up and were pinned. They are looked at again when there is time.
    pinned: Vec<(Rank, Slot)>,
    /// Members of groups that were over quota when the table became full, best first.
    excess: Vec<(Rank, Slot)>,
    /// By the groups of addresses, and by those together with the networks that told of them.
    groups: Counts,
    /// Of those known for long, who stays whatever others are heard of: up to this rank.
    held_to: Rank,
}

/// How many there are of each group, by keyed hash.
#[derive(Default)]
struct Counts(HashTable<(u32, u32)>);

impl Counts {
    fn get(&self, group: u32) -> usize {
        let found = self.0.find(spread(group), |(g, _)| *g == group);
        found.map_or(0, |(_, n)| *n as usize)
    }

    fn step(&mut self, group: u32, add: bool) {
        let is_it = |(g, _): &(u32, u32)| *g == group;
        match self.0.find_entry(spread(group), is_it) {
            Ok(mut found) if add => found.get_mut().1 += 1,
            Ok(mut found) if found.get().1 > 1 => found.get_mut().1 -= 1,
            Ok(found) => drop(found.remove()),
            Err(_) if add => {
                let hash = |(g, _): &(u32, u32)| spread(*g);
                self.0.insert_unique(spread(group), (group, 1), hash);
            }
            Err(_) => {}
        }
    }
}

/// Tombstones have places of their own.
fn living(entries: &Slab) -> impl Iterator<Item = (Slot, Entry<'_>)> {
    entries.iter().filter(|(_, e)| !e.is_tombstone())
}

/// The groups are secret hashes already; the table wants their bits on top as well.
fn spread(group: u32) -> u64 {
    u64::from(group).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Evictor {
    pub(super) fn new(keyed: Keyed, capacity: usize) -> Self {
        Self {
            keyed,
            capacity,
            holds: true,
            active: None,
        }
    }

    pub(super) fn hold_nobody(&mut self) {
        self.holds = false;
    }

    /// An eighth of the table for one /24, /64 or name.
    fn subnet_quota(&self) -> usize {
        (self.capacity / 8).max(8)
    }

    /// A sixteenth for those of them that one other network has told of (as Bitcoin Core places an
    /// address that it has not tried by the address's group and by that of who told). [For the network's
    /// own, a cluster in one subnet would have half of the room.]
    fn pair_quota(&self) -> usize {
        (self.capacity / 16).max(8)
    }

    /// Half of the table for what one node has told.
    fn relay_quota(&self) -> usize {
        (self.capacity / 2).max(8)
    }

    /// Three quarters of the table for those known for long (as Bitcoin Core keeps those it has
    /// connected to in tables of their own; Heilman and others, "Eclipse Attacks on Bitcoin's
    /// Peer-to-Peer Network", 2015). What is invented is down within seconds.
    fn held_quota(&self) -> usize {
        self.capacity - self.capacity / 4
    }

    /// Up to which rank those known for long stay.
    fn held_to(&self, entries: &Slab, now: Instant) -> Rank {
        let held = living(entries).filter(|(_, e)| e.is_known_for(KNOWN, now));
        let mut ranks: Vec<Rank> = held.map(|(_, e)| self.rank(&e.node)).collect();
        match self.held_quota() {
            quota if ranks.len() <= quota => Rank::MAX,
            quota => *ranks.select_nth_unstable(quota).1,
        }
    }

    fn is_held(&self, active: &Active, entry: Entry<'_>, now: Instant) -> bool {
        self.holds && entry.is_known_for(KNOWN, now) && self.rank(&entry.node) <= active.held_to
    }

    fn rank(&self, node: &NodeId) -> Rank {
        self.rank_of(&node.as_bytes()[..Nodes::PREFIX])
    }

    /// Of a node ID's first bytes: whoever is told no more of it can tell its rank too. Another ID
    /// with the same takes 2^64 tries to find.
    pub(super) fn rank_of(&self, beginning: &[u8]) -> Rank {
        (self.keyed.hash(beginning) >> 32) as Rank
    }

    /// Whether more is known of than there is room for: who is kept is a matter of rank.
    pub(super) fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// A newcomer at or above this rank finds no room by it: that of whoever is on top, who may
    /// have gone since.
    pub(super) fn worst(&self) -> Option<Rank> {
        let top = self.active.as_ref()?.ranked.peek();
        Some(top.map_or(0, |(rank, _)| *rank))
    }

    /// The groups of its addresses, each once: a /24, a /64, or a name (R53).
    fn groups(&self, entry: Entry<'_>) -> Vec<u32> {
        let hosts = record::addresses(entry.body()).filter_map(addr::host);
        let group = |host: Host<'_>| match host {
            Host::Ip(ip) => match Subnet::of(ip) {
                Subnet::V4(prefix) => self.keyed.hash(&prefix),
                Subnet::V6(prefix) => self.keyed.hash(&prefix),
            },
            // Not its domain: a whole cluster has one.
            Host::Dns(name) => self.keyed.hash(name.to_ascii_lowercase().as_bytes()),
        };
        let mut groups: Vec<u32> = hosts.map(|host| group(host) as u32).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// From where this one tells.
    pub(super) fn network(&self, by: &By) -> u32 {
        let hash = match by.subnet {
            Some(Subnet::V4(prefix)) => self.keyed.hash(&prefix),
            Some(Subnet::V6(prefix)) => self.keyed.hash(&prefix),
            None => self.keyed.hash(by.node.as_bytes()),
        };
        hash as u32
    }

    /// The addresses of this group that were told of from a network that is another.
    fn pair(&self, told: Vouched, group: u32) -> Option<u32> {
        let network = told.network.filter(|network| *network != group)?;
        let both = u64::from(network) << 32 | u64::from(group);
        Some(self.keyed.hash(&both.to_le_bytes()) as u32)
    }

    fn count(&self, active: &mut Active, entry: Entry<'_>, told: Vouched, add: bool) {
        for group in self.groups(entry) {
            active.groups.step(group, add);
            if let Some(pair) = self.pair(told, group) {
                active.groups.step(pair, add);
            }
        }
    }

    pub(super) fn added(&mut self, slot: Slot, entries: &Slab, told: Vouched) {
        let Some(entry) = entries.get(slot).filter(|e| !e.is_tombstone()) else {
            return;
        };
        let Some(mut active) = self.active.take() else {
            return;
        };
        active.ranked.push((self.rank(&entry.node), slot));
        self.count(&mut active, entry, told, true);
        if active.ranked.len() + active.pinned.len() > 2 * self.capacity {
            // Most have gone in another way than by being evicted.
            let all = living(entries);
            active.ranked = all.map(|(slot, e)| (self.rank(&e.node), slot)).collect();
            active.pinned = Vec::new();
        }
        self.active = Some(active);
    }

    pub(super) fn removed(&mut self, entry: Entry<'_>, told: Vouched) {
        if entry.is_tombstone() {
            return;
        }
        if let Some(mut active) = self.active.take() {
            self.count(&mut active, entry, told, false);
            self.active = Some(active);
        }
    }

    /// All counts are with so many more.
    fn over_quota(&self, active: &Active, entry: Entry<'_>, told: Vouched, more: usize) -> bool {
        if told.living + more > self.relay_quota() {
            return true;
        }
        let is_over = |group, quota| active.groups.get(group) + more > quota;
        let mut groups = self.groups(entry).into_iter();
        groups.any(|group| {
            let pair = self.pair(told, group);
            is_over(group, self.subnet_quota())
                || pair.is_some_and(|pair| is_over(pair, self.pair_quota()))
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.active.as_ref().map_or(0, |active| {
            let pairs =
                active.ranked.capacity() + active.pinned.capacity() + active.excess.capacity();
            size_of::<Active>()
                + pairs * size_of::<(Rank, Slot)>()
                + active.groups.0.allocation_size()
        })
    }
}

/// Who is not in the table yet.
pub(super) struct Newcomer<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) told: Vouched,
    /// There has to be room, whoever goes for it.
    pub(super) must: bool,
}

/// Who goes. `own` and those that `is_pinned` names stay.
impl Evictor {
    /// Whether this node has to rank lower to be let in, whatever its record says.
    pub(super) fn is_outranked(&self, node: &NodeId) -> bool {
        let active = self.active.as_ref();
        active.is_some_and(|active| active.excess.is_empty())
            && self.worst().is_some_and(|worst| self.rank(node) >= worst)
    }

    /// The table is full from now on. Begins to rank, if it has not.
    pub(super) fn activate(&mut self, entries: &Slab, told: &dyn Fn(Via) -> Vouched, now: Instant) {
        if self.active.is_some() {
            return;
        }
        let mut active = Box::<Active>::default();
        active.held_to = self.held_to(entries, now);
        let mut ranked = Vec::with_capacity(self.capacity + 1);
        for (slot, entry) in living(entries) {
            self.count(&mut active, entry, told(entry.via), true);
            ranked.push((self.rank(&entry.node), slot));
        }
        let over = |(_, slot): &(Rank, Slot)| {
            let entry = entries.get(*slot);
            entry.is_some_and(|e| self.over_quota(&active, e, told(e.via), 0))
        };
        active.excess = ranked.iter().copied().filter(over).collect();
        active.excess.sort_unstable();
        active.ranked = ranked.into();
        self.active = Some(active);
    }

    /// Called now and then: where there is much room there is nothing to keep, and what was pinned may
    /// not be so any more.
    pub(super) fn relax(&mut self, has_much_room: bool, entries: &Slab, now: Instant) {
        if has_much_room {
            self.active = None;
        }
        let held_to = self.active.as_ref().map(|_| self.held_to(entries, now));
        if let (Some(active), Some(held_to)) = (&mut self.active, held_to) {
            active.held_to = held_to;
            active.ranked.extend(active.pinned.drain(..));
        }
    }

    /// Puts those on top aside who stay anyway, so that the rank on top is what newcomers have to be
    /// below.
    pub(super) fn set_aside(
        &mut self,
        entries: &Slab,
        stays: &dyn Fn(&NodeId) -> bool,
        now: Instant,
    ) {
        let Some(mut active) = self.active.take() else {
            return;
        };
        while let Some((rank, slot)) = active.ranked.peek().copied() {
            let entry = self.ranked(entries, rank, slot);
            if !entry.is_some_and(|e| stays(&e.node) || self.is_held(&active, e, now)) {
                break;
            }
            active.ranked.pop();
            active.pinned.push((rank, slot));
        }
        self.active = Some(active);
    }

    /// Who makes room for `newcomer`.
    pub(super) fn victim(
        &mut self,
        newcomer: Newcomer<'_>,
        entries: &Slab,
        told: &dyn Fn(Via) -> Vouched,
        stays: &dyn Fn(&NodeId) -> bool,
        now: Instant,
    ) -> Option<Slot> {
        let mut active = self.active.take()?;
        let Newcomer { entry, must, .. } = newcomer;
        let victim = if !must && self.over_quota(&active, entry, newcomer.told, 1) {
            None
        } else {
            let above = (!must).then(|| self.rank(&entry.node));
            self.excess_victim(&mut active, entries, told, (stays, now))
                .or_else(|| self.worst_victim(&mut active, above, entries, (stays, now)))
                // All are held, as long as it has not been looked anew who is.
                .or_else(|| {
                    must.then(|| self.any_victim(&active, entries, stays))
                        .flatten()
                })
        };
        self.active = Some(active);
        victim
    }

    /// What was listed under this rank, if it is still there.
    fn ranked<'a>(&self, entries: &'a Slab, rank: Rank, slot: Slot) -> Option<Entry<'a>> {
        let entry = entries.get(slot);
        entry.filter(|e| !e.is_tombstone() && self.rank(&e.node) == rank)
    }

    fn excess_victim(
        &self,
        active: &mut Active,
        entries: &Slab,
        told: &dyn Fn(Via) -> Vouched,
        (stays, now): (&dyn Fn(&NodeId) -> bool, Instant),
    ) -> Option<Slot> {
        while let Some((rank, slot)) = active.excess.pop() {
            let Some(entry) = self.ranked(entries, rank, slot) else {
                continue;
            };
            let may_go = !stays(&entry.node) && !self.is_held(active, entry, now);
            if may_go && self.over_quota(active, entry, told(entry.via), 0) {
                return Some(slot);
            }
        }
        active.excess = Vec::new();
        None
    }

    /// Who ranks worst, known for long or not.
    fn any_victim(
        &self,
        active: &Active,
        entries: &Slab,
        stays: &dyn Fn(&NodeId) -> bool,
    ) -> Option<Slot> {
        let all = active.ranked.iter().chain(&active.pinned);
        let may_go = |(rank, slot): &&(Rank, Slot)| {
            let entry = self.ranked(entries, *rank, *slot);
            entry.is_some_and(|e| !stays(&e.node))
        };
        let worst = all.filter(may_go).max_by_key(|(rank, _)| *rank);
        worst.map(|(_, slot)| *slot)
    }

    /// Who ranks worst, and above `above`: whoever that is, where there has to be room.
    fn worst_victim(
        &self,
        active: &mut Active,
        above: Option<Rank>,
        entries: &Slab,
        (stays, now): (&dyn Fn(&NodeId) -> bool, Instant),
    ) -> Option<Slot> {
        if above.is_none() {
            active.ranked.extend(active.pinned.drain(..));
        }
        while let Some((rank, slot)) = active.ranked.peek().copied() {
            if above.is_some_and(|above| rank <= above) {
                break;
            }
            active.ranked.pop();
            let Some(entry) = self.ranked(entries, rank, slot) else {
                continue;
            };
            if !stays(&entry.node) && !self.is_held(active, entry, now) {
                return Some(slot);
            }
            active.pinned.push((rank, slot));
        }
        None
    }
}
