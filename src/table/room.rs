//! A full table (R22).

use crate::defence::{Defence, Disarmed};
use crate::id::NodeId;
use crate::table::evictor::Newcomer;
use crate::table::relays::{By, Vouched};
use crate::table::{Entry, Table};
use crate::time::Instant;

/// So many at most make room for one.
const MOST_GO: usize = 64;

/// Of a full table, so many of those who come next round the ring stay.
fn next_kept(capacity: usize) -> usize {
    (capacity / 8).min(8)
}

impl Table {
    /// Keeps on without some of its defences.
    pub(crate) fn disarm(&mut self, disarmed: Disarmed) {
        if disarmed.has(Defence::Met) {
            self.evictor.hold_nobody();
        }
        if disarmed.has(Defence::Bytes) {
            self.most_bytes = usize::MAX;
        }
    }

    /// Whether more is known of than there is room for: who is kept is a matter of rank.
    pub(crate) fn is_crowded(&self) -> bool {
        self.evictor.is_active()
    }

    /// Whether this node, if it is alive, is one of the next few round the ring, who stay: by
    /// samples of others alone, a small table would never know them, and news would stop (R46).
    pub(super) fn comes_next(&self, node: &NodeId) -> bool {
        self.ring.is_among(node, next_kept(self.capacity))
    }

    /// There is no room for another that lives, of so many bytes; tombstones have places of their own
    /// (R55).
    pub(super) fn is_full_for(&self, bytes: usize) -> bool {
        self.live >= self.capacity || self.lacks_bytes(bytes)
    }

    fn lacks_bytes(&self, more: usize) -> bool {
        self.live_bytes + more > self.most_bytes
    }

    /// Makes room for what a node says in place of so many bytes that it had said.
    pub(super) fn make_room_to_grow(
        &mut self,
        now: Instant,
        (entry, before): (Entry<'_>, usize),
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> bool {
        let more = entry.bytes().saturating_sub(before);
        self.make_room_while(now, entry, None, is_pinned, |table| {
            more > 0 && table.lacks_bytes(more)
        })
    }

    /// Makes room for `newcomer` in a full table, or refuses it.
    pub(super) fn make_room(
        &mut self,
        now: Instant,
        newcomer: Entry<'_>,
        by: Option<&By>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> bool {
        self.make_room_while(now, newcomer, by, is_pinned, |table| {
            table.is_full_for(newcomer.bytes())
        })
    }

    /// One that is large takes the place of several that are small.
    fn make_room_while(
        &mut self,
        now: Instant,
        newcomer: Entry<'_>,
        by: Option<&By>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
        lacks: impl Fn(&Self) -> bool,
    ) -> bool {
        let mut tries = 0..MOST_GO;
        while lacks(self) {
            if tries.next().is_none() || !self.make_one_go(now, newcomer, by, is_pinned) {
                return false;
            }
        }
        true
    }

    /// Whether somebody made room.
    fn make_one_go(
        &mut self,
        now: Instant,
        newcomer: Entry<'_>,
        by: Option<&By>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> bool {
        let told = |via| self.relays.vouched(via);
        self.evictor.activate(&self.entries, &told, now);
        let own = self.own;
        let next = (&self.ring, next_kept(self.capacity));
        let comes_next = |node: &NodeId| next.0.is_among(node, next.1);
        let is_needed = |node: &NodeId| *node == own || is_pinned(node);
        let stays = |node: &NodeId| is_needed(node) || comes_next(node);
        let lives = !newcomer.is_tombstone();
        let must = is_needed(&newcomer.node) || (lives && comes_next(&newcomer.node));
        let entries = &self.entries;
        let newcomer = Newcomer {
            entry: newcomer,
            told: by.map_or(Vouched::default(), |by| {
                self.relays.vouched_by(by, self.evictor.network(by))
            }),
            must,
        };
        let victim = self.evictor.victim(newcomer, entries, &told, &stays, now);
        let gone = victim.and_then(|slot| self.remove(slot));
        let has_gone = gone.is_some();
        self.evicted.extend(gone);
        has_gone
    }

    /// Called now and then: who was kept for a reason may have none any more.
    pub(crate) fn relax(&mut self, now: Instant, is_pinned: &dyn Fn(&NodeId) -> bool) {
        let has_much_room = self.live < self.capacity / 2 && self.live_bytes < self.most_bytes / 2;
        self.evictor.relax(has_much_room, &self.entries, now);
        self.set_aside(now, is_pinned);
    }

    pub(super) fn set_aside(&mut self, now: Instant, is_pinned: &dyn Fn(&NodeId) -> bool) {
        let (own, ring, kept) = (self.own, &self.ring, next_kept(self.capacity));
        let stays = |node: &NodeId| *node == own || is_pinned(node) || ring.is_among(node, kept);
        self.evictor.set_aside(&self.entries, &stays, now);
    }
}
