//! Keeping the standing links (R46).

use crate::id::NodeId;
use crate::node::base::Base;
use crate::node::state::standing::Standing;
use crate::node::timers::Timer;
use crate::table::Ranked;

/// Dials at once for standing links: a cluster that has just become calm is not flooded.
const DIALS: usize = 8;

impl Base {
    /// Called after every input: when a node has come or gone, the ranks are looked at soon.
    pub(crate) fn watch_ring(&mut self) {
        let outdated = self.standing.is_outdated(self.table.ring_changes());
        if outdated && !self.cx.timers.is_set(Timer::Standing) {
            let soon = self.cx.now + self.cx.config.round;
            self.cx.timers.set(Timer::Standing, soon);
        }
    }

    /// Looks at the ranks, once the ring is calm.
    pub(crate) fn look_at_ranks(&mut self) {
        let (changes, others) = (self.table.ring_changes(), self.table.others());
        if !self.standing.is_calm(changes, others) {
            let later = self.cx.now + self.cx.config.round;
            self.cx.timers.set(Timer::Standing, later);
            return;
        }
        let far = self.table.ranks(Standing::far_ranks());
        self.standing.looked(changes, far);
        self.keep_standing();
    }

    /// Whom to keep linked, the nearest first.
    pub(crate) fn wanted(&self) -> alloc::vec::Vec<Ranked> {
        let (next, others) = (self.table.next_ranks(), self.table.others());
        self.standing.wanted(next, others, self.most_standing())
    }

    /// As many as leave half of the links for others.
    pub(crate) fn most_standing(&self) -> usize {
        self.cx.config.max_links / 2
    }

    /// Dials those that are not linked.
    pub(crate) fn keep_standing(&mut self) {
        let wanted = self.wanted();
        let missing = wanted.iter().filter(|(_, n)| !self.links.is_linked(n));
        let missing: alloc::vec::Vec<NodeId> = missing.map(|(_, n)| *n).take(DIALS).collect();
        for node in missing {
            self.dial_peer(node);
        }
    }

    /// A link to this node is gone: a standing one is dialled anew.
    pub(crate) fn standing_lost(&mut self, node: &NodeId) {
        if self.wanted().iter().any(|(_, n)| n == node) {
            let soon = self.cx.now + self.cx.jitter(self.cx.config.round, 50);
            self.cx.timers.at_latest(Timer::Standing, soon);
        }
    }
}
