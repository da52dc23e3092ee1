//! The table itself: how an entry comes into every index, and out of all of them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::{self, Sequence, Signature};
use crate::ring::{Places, Position, RingKey};
use crate::rng::{Keyed, Purpose, Stream};
use crate::sketch::Strata;
use crate::table::beyond::Beyond;
use crate::table::dead::Dead;
use crate::table::downs::{Down, Downs};
use crate::table::due::{Deadlines, Overdue};
use crate::table::entry::{Entry, Gone, Slot};
use crate::table::evictor::Evictor;
use crate::table::index::{Index, Place};
use crate::table::relays::{By, Relays, Teller};
use crate::table::ring::{Ranked, Ring};
use crate::table::row::Way;
use crate::table::slab::Slab;
use crate::table::tombstones::Tombstones;
use crate::time::Instant;

pub(crate) struct Table {
    pub(super) own: NodeId,
    pub(super) own_slot: Option<Slot>,
    pub(super) entries: Slab,
    pub(super) index: Index,
    pub(super) deadlines: Deadlines,
    pub(super) overdue: Overdue,
    pub(super) dead: Dead,
    pub(super) downs: Downs,
    pub(super) evictor: Evictor,
    pub(super) relays: Relays,
    pub(super) tombstones: Tombstones,
    pub(super) capacity: usize,
    pub(super) fingerprint: u64,
    pub(super) strata: Strata,
    pub(super) live: usize,
    /// Rises with what records say of upstreams.
    pub(super) edges: u64,
    pub(super) ring: Ring,
    /// Bytes that the living have said, and how many they may.
    pub(super) live_bytes: usize,
    pub(super) most_bytes: usize,
    pub(super) evicted: Vec<Gone>,
    pub(super) beyond: Beyond,
}

impl Table {
    pub(crate) fn new(own: NodeId, capacity: usize, seed: &[u8; 32], ring: RingKey) -> Self {
        Self {
            own,
            own_slot: None,
            entries: Slab::default(),
            index: Index::new(Keyed::new(seed, Purpose::Index)),
            deadlines: Deadlines::default(),
            overdue: Overdue::default(),
            dead: Dead::default(),
            downs: Downs::default(),
            evictor: Evictor::new(Keyed::new(seed, Purpose::Eviction), capacity),
            relays: Relays::default(),
            tombstones: Tombstones::new(capacity),
            capacity,
            fingerprint: 0,
            strata: Strata::default(),
            live: 0,
            edges: 0,
            ring: Ring::new(own, ring),
            live_bytes: 0,
            most_bytes: caps::table_bytes(capacity),
            evicted: Vec::new(),
            beyond: Beyond::default(),
        }
    }

    /// Number of records, the own one and tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Number of live records, the own one included.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Number of tombstones of others.
    pub(crate) fn tombstone_count(&self) -> usize {
        self.tombstones.len()
    }

    /// The wrapping sum of the hashes of all (node, version, beat).
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn find(&self, node: &NodeId) -> Option<Slot> {
        self.index.find(self.index.place(node), node, &self.entries)
    }

    /// So many more records are likely to come.
    pub(crate) fn expect(&mut self, records: usize) {
        let most = self.capacity.saturating_sub(self.len());
        let many = self.len() + records.min(most);
        self.index.expect(&self.entries, many);
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<Entry<'_>> {
        self.entries.get(slot)
    }

    pub(crate) fn lookup(&self, node: &NodeId) -> Option<Entry<'_>> {
        self.get(self.find(node)?)
    }

    pub(crate) fn own(&self) -> Option<Entry<'_>> {
        self.get(self.own_slot?)
    }

    /// Who told of an entry.
    pub(crate) fn teller(&self, entry: Entry<'_>) -> Teller {
        self.relays.teller(entry.via)
    }

    /// All entries, in the order of the slab: the same for the same history.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// Where live nodes are found, this one among them, as their records say.
    pub(crate) fn live_addresses(&self) -> BTreeSet<&[u8]> {
        let live = self.entries().filter(|e| !e.is_tombstone());
        live.flat_map(|e| record::addresses(e.body())).collect()
    }

    /// A random entry that `accept` likes, of a bounded number drawn.
    pub(crate) fn random(
        &self,
        random: &mut Stream,
        mut accept: impl FnMut(Slot, Entry<'_>) -> bool,
    ) -> Option<Slot> {
        const DRAWS: usize = 16;
        let n = self.entries.slots();
        if n == 0 {
            return None;
        }
        let mut ok = |slot: usize| {
            let slot = slot as Slot;
            accept(slot, self.entries.get(slot)?).then_some(slot)
        };
        if n > DRAWS {
            if let Some(slot) = (0..DRAWS).find_map(|_| ok(random.below(n))) {
                return Some(slot);
            }
        }
        // A walk from a random place: few entries, or few that are liked. It is bounded, since
        // it is on the path of every round of a node whose peers are all unreachable.
        let start = random.below(n);
        (0..n.min(64 * DRAWS)).find_map(|i| ok((start + i) % n))
    }

    /// The next live node round the ring (R30).
    pub(crate) fn successor(&self) -> Option<NodeId> {
        self.ring.next().first().map(|(_, node)| *node)
    }

    /// The sequence at or below which records of `node` are refused.
    pub(crate) fn certificate(&self, node: &NodeId) -> Option<Sequence> {
        self.dead.get(node)
    }

    /// All dead certificates with their ends.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = (NodeId, Sequence, Instant)> + '_ {
        self.dead.iter()
    }

    pub(crate) fn certificate_count(&self) -> usize {
        self.dead.len()
    }

    pub(crate) fn restore_certificate(&mut self, node: NodeId, sequence: Sequence, until: Instant) {
        self.dead.insert(node, sequence, until);
    }

    /// Whether this node is down, and since which accusations.
    pub(crate) fn down(&self, node: &NodeId) -> Option<&Down> {
        self.downs.get(node)
    }

    /// The nodes that were taken for down last, the latest first.
    pub(crate) fn latest_downs(&self, most: usize) -> Vec<NodeId> {
        self.downs.latest(most)
    }

    /// All nodes that are down, in the order of their IDs.
    pub(crate) fn downs(&self) -> impl Iterator<Item = &Down> {
        self.downs.iter()
    }

    /// Bytes of what they had said.
    pub(crate) fn down_bytes(&self) -> usize {
        self.downs.bytes()
    }

    pub(crate) fn down_count(&self) -> usize {
        self.downs.len()
    }

    /// Bytes on the heap, for the memory benchmark.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes()
            + self.index.heap_bytes()
            + self.dead.heap_bytes()
            + self.downs.heap_bytes()
            + self.evictor.heap_bytes()
            + self.relays.heap_bytes()
            + self.tombstones.heap_bytes()
            + self.beyond.heap_bytes()
    }

    /// The live peers that had to go for the last record merged.
    pub(crate) fn take_evicted(&mut self) -> Vec<Gone> {
        core::mem::take(&mut self.evicted)
    }

    /// Bytes that the living have said, as far as they were encoded by themselves.
    pub(crate) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Marks how the way to this peer is, up or down. That a link is lost tells less than that it
    /// cannot be reached.
    pub(crate) fn set_way(&mut self, node: &NodeId, way: Way) {
        let row = match self.find(node) {
            Some(slot) => self.entries.row_mut(slot),
            None => self.downs.get_mut(node).map(|down| down.last.row_mut()),
        };
        if let Some(row) = row {
            if way != Way::LinkLost || row.is_reachable() {
                row.set_way(way);
            }
        }
    }

    /// Live nodes, this one among them.
    pub(super) fn live_nodes(&self) -> impl Iterator<Item = NodeId> {
        let live = self.entries.rows().filter(|(_, row)| !row.is_tombstone());
        live.map(|(_, row)| row.node)
    }

    /// Live peers, the own node left out.
    fn live_peers(&self) -> impl Iterator<Item = NodeId> {
        let own = self.own;
        self.live_nodes().filter(move |node| *node != own)
    }

    /// Whether the own node is this one's successor. Looks at every entry.
    pub(crate) fn is_predecessor(&self, node: &NodeId) -> bool {
        !self.ring.is_between(node, self.live_peers())
    }

    /// The next few live nodes round the ring, nearest first.
    pub(crate) fn next_ranks(&self) -> &[Ranked] {
        self.ring.next()
    }

    /// The live nodes that stand before this one, the nearest first, as many. Looks at every entry.
    pub(crate) fn preceding(&self, many: usize) -> Vec<NodeId> {
        let mut all: Vec<_> = self.live_peers().map(|n| (self.distance(&n), n)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.into_iter().take(many).map(|(_, node)| node).collect()
    }

    /// Sees to it that so many of those next are at hand, as far as there are so many; from now on
    /// a few more than usual, or as few as usual. Looks at every entry now and then.
    pub(crate) fn keep_next(&mut self, many: usize) {
        self.ring.keep(2 * many);
        if self.ring.next().len() < many.min(self.others()) {
            self.ranks(core::iter::empty());
        }
    }

    /// The places of the live nodes for which `counts` holds.
    pub(crate) fn places(&self, counts: impl Fn(&NodeId) -> bool) -> Places {
        let live = self.live_nodes().filter(|n| counts(n));
        Places::new(live.map(|node| self.position_of(&node)))
    }

    /// The live nodes of these ranks, as far as there are so many. Looks at every entry.
    pub(crate) fn ranks(&mut self, ranks: impl Iterator<Item = usize>) -> Vec<Ranked> {
        let key = RingKey::new("");
        let mut ring = core::mem::replace(&mut self.ring, Ring::new(self.own, key));
        let found = ring.look(self.live_peers(), ranks);
        self.ring = ring;
        found
    }

    /// The nearest live node that is further round the ring than `after` and not further than
    /// `reach`. Looks at every entry.
    pub(crate) fn first_beyond(&self, after: u64, reach: u64) -> Option<Ranked> {
        self.ring.first_beyond(after, reach, self.live_peers())
    }

    /// Who comes next after this node, as far as known here, the own node included. Looks at every
    /// entry.
    pub(crate) fn next_after(&self, node: &NodeId) -> Option<NodeId> {
        self.ring.next_after(node, self.live_nodes())
    }

    /// Where this node stands on the ring.
    pub(crate) fn position(&self) -> Position {
        self.ring.at()
    }

    /// Where this node stands.
    pub(crate) fn position_of(&self, node: &NodeId) -> Position {
        self.ring.position_of(node)
    }

    /// How far round the ring this node is from the own one.
    pub(crate) fn distance(&self, node: &NodeId) -> u64 {
        self.ring.distance(node)
    }

    /// A number that rises whenever a live node comes or goes.
    pub(crate) fn ring_changes(&self) -> u64 {
        self.ring.changes()
    }

    /// Number of live records of others.
    pub(crate) fn others(&self) -> usize {
        let own = self.own().is_some_and(|e| !e.is_tombstone());
        self.live - usize::from(own)
    }

    fn ring_added(&mut self, node: NodeId) {
        if node != self.own {
            self.ring.added(node, self.others().saturating_sub(1));
        }
    }

    fn ring_removed(&mut self, node: NodeId) {
        if self.ring.removed(node) {
            self.ranks(core::iter::empty());
        }
    }

    /// A record with this hash comes or goes.
    pub(super) fn count_hash(&mut self, hash: u64, comes: bool) {
        self.strata.toggle(hash);
        self.fingerprint = match comes {
            true => self.fingerprint.wrapping_add(hash),
            false => self.fingerprint.wrapping_sub(hash),
        };
    }

    /// Puts a new entry into the slab and every index.
    pub(super) fn insert(&mut self, entry: Entry<'_>, by: Option<&By>, at: Place) -> Slot {
        let node = entry.node;
        self.edges += u64::from(self.beyond.remove(node.prefix().number()));
        self.note_edges(entry);
        self.count_hash(entry.hash, true);
        let live = !entry.is_tombstone();
        let slot = self.entries.insert(entry);
        let network = |by: &By| self.evictor.network(by);
        let via = self.relays.added(by, live, network);
        if let Some(row) = self.entries.row_mut(slot) {
            row.via = via;
        }
        let told = self.relays.vouched(via);
        self.evictor.added(slot, &self.entries, told);
        self.index.insert(at, slot, &self.entries);
        if node == self.own {
            self.own_slot = Some(slot);
        } else {
            self.deadlines.add(entry.due());
            if !live {
                self.tombstones.insert(&entry, slot);
            }
        }
        if live {
            self.live += 1;
            self.live_bytes += entry.bytes();
            self.ring_added(node);
        }
        slot
    }

    /// Writes another sequence and signature to the same body.
    pub(super) fn write_again(
        &mut self,
        slot: Slot,
        sequence: Sequence,
        hash: u64,
        signature: Option<&Signature>,
    ) {
        self.count_bytes(slot, false);
        self.entries.renew(slot, sequence, hash, signature);
        self.count_bytes(slot, true);
    }

    /// What this entry takes of the bytes of the living comes or goes.
    fn count_bytes(&mut self, slot: Slot, comes: bool) {
        let living = self.entries.get(slot).filter(|e| !e.is_tombstone());
        let bytes = living.map_or(0, |e| e.bytes());
        self.live_bytes = match comes {
            true => self.live_bytes + bytes,
            false => self.live_bytes - bytes,
        };
    }

    /// Takes an entry out of everything.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Gone> {
        let node = self.get(slot)?.node;
        self.index.remove(self.index.place(&node), slot);
        let mut gone = self.entries.take(slot)?;
        gone.teller = self.relays.teller(gone.via);
        let entry = gone.entry();
        self.note_edges(entry);
        self.overdue.remove(&entry, slot);
        self.tombstones.remove(&entry, slot);
        self.count_hash(entry.hash, false);
        let told = self.relays.vouched(entry.via);
        self.evictor.removed(entry, told);
        self.relays.removed(entry.via, !entry.is_tombstone());
        if self.own_slot == Some(slot) {
            self.own_slot = None;
        }
        if !entry.is_tombstone() {
            self.live -= 1;
            self.live_bytes -= entry.bytes();
            self.ring_removed(node);
        }
        Some(gone)
    }

    /// Checks every index against the entries themselves, for tests and fuzzing.
    pub(crate) fn check(&self) {
        let entries = || self.entries().filter(|e| e.node != self.own);
        assert_eq!(self.len(), self.entries().count());
        let (live, most) = (self.live, self.capacity.max(1));
        assert!(live <= most, "{live} > {most}");
        assert_eq!(live, self.entries().filter(|e| !e.is_tombstone()).count());
        let living = self.entries().filter(|e| !e.is_tombstone());
        assert_eq!(self.live_bytes, living.map(|e| e.bytes()).sum::<usize>());
        let own = self.own;
        let others = self.entries.rows().filter(|(_, e)| e.node != own);
        self.tombstones
            .check(others.filter(|(_, e)| e.is_tombstone()));
        let sum = self
            .entries()
            .fold(0_u64, |sum, e| sum.wrapping_add(e.hash));
        assert_eq!(self.fingerprint, sum);
        let mut strata = Strata::default();
        self.entries().for_each(|e| strata.toggle(e.hash));
        assert_eq!(self.strata, strata);
        if let Some(due) = entries().map(|e| e.due()).min() {
            assert!(self.next_deadline().is_some_and(|next| next <= due));
        }
        self.relays
            .check(self.entries().map(|e| (e.via, !e.is_tombstone())));
        let overdue = self.entries.iter().filter(|(_, e)| e.is_overdue());
        self.overdue
            .check(overdue.map(|(slot, e)| (e.lifetime_s(), slot)));
        self.ring.check(self.live_peers());
        let is_beyond = |e: Entry<'_>| self.find(&e.node).is_none() && !e.is_tombstone();
        assert!(self.beyond.iter().all(is_beyond));
    }
}
