//! Keeping the standing links (R46).

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::node::base::Base;
use crate::node::state::dialer::{NEXT_DIAL, Reason};
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

    /// Looks at the ranks, once the ring is calm, and dials who is missing.
    pub(crate) fn look_at_ranks(&mut self) {
        let (changes, others) = (self.table.ring_changes(), self.table.others());
        if !self.standing.is_outdated(changes) {
            self.keep_standing();
            return;
        }
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
    pub(crate) fn wanted(&self) -> Vec<Ranked> {
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
        let mut begun = 0;
        for (_, node) in wanted {
            if self.links.is_linked(&node) || self.dialer.is_dialing(&node) {
                continue;
            }
            if begun < DIALS && self.dial_peer(node, Reason::Partner).is_some() {
                begun += 1;
            } else if self.may_be_dialled(&node) {
                // There are too many dials just now.
                let soon = self.cx.now + self.cx.jitter(NEXT_DIAL, 50);
                self.cx.timers.at_latest(Timer::Standing, soon);
                return;
            }
        }
    }

    /// It is a matter of time only.
    fn may_be_dialled(&self, node: &NodeId) -> bool {
        !self.has_all_links()
            && self.peers.is_ready(node, self.cx.now)
            && !self.peer_addresses(node).is_empty()
    }

    /// A link to this node is gone: a standing one is dialled anew.
    pub(crate) fn standing_lost(&mut self, node: &NodeId) {
        if self.wanted().iter().any(|(_, n)| n == node) {
            let soon = self.cx.now + self.cx.jitter(self.cx.config.round, 50);
            self.cx.timers.at_latest(Timer::Standing, soon);
        }
    }
}
