//! A full table (R22).

use crate::id::NodeId;
use crate::table::evictor::Newcomer;
use crate::table::{Entry, Table};

/// Of a full table, so many of those who come next round the ring stay.
fn next_kept(capacity: usize) -> usize {
    (capacity / 8).min(8)
}

impl Table {
    /// Whether more is known of than there is room for: who is kept is a matter of rank.
    pub(crate) fn is_crowded(&self) -> bool {
        self.evictor.is_active()
    }

    /// Whether this node, if it is alive, is one of the next few round the ring, who stay: by
    /// samples of others alone, a small table would never know them, and news would stop (R46).
    pub(super) fn comes_next(&self, node: &NodeId) -> bool {
        self.ring.is_among(node, next_kept(self.capacity))
    }

    /// Makes room for `newcomer` in a full table, or refuses it.
    pub(super) fn make_room(
        &mut self,
        newcomer: Entry<'_>,
        by: Option<&NodeId>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> bool {
        if self.capacity == 0 {
            return false;
        }
        let told = |via| self.relays.living_via(via);
        self.evictor.activate(&self.entries, &told);
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
            told: self.relays.living(by),
            must,
        };
        let victim = self.evictor.victim(newcomer, entries, &told, &stays);
        if let Some(gone) = victim.and_then(|slot| self.remove(slot)) {
            self.evicted = Some(gone);
        }
        victim.is_some()
    }

    /// Called now and then: who was kept for a reason may have none any more.
    pub(crate) fn relax(&mut self, is_pinned: &dyn Fn(&NodeId) -> bool) {
        self.evictor.relax(self.live);
        self.set_aside(is_pinned);
    }

    pub(super) fn set_aside(&mut self, is_pinned: &dyn Fn(&NodeId) -> bool) {
        let (own, ring, kept) = (self.own, &self.ring, next_kept(self.capacity));
        let stays = |node: &NodeId| *node == own || is_pinned(node) || ring.is_among(node, kept);
        self.evictor.set_aside(&self.entries, &stays);
    }
}
