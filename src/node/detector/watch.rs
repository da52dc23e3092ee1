//! Whom to watch (R30, R39).

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::caps;
use crate::node::base::Base;
use crate::node::detector::{Detector, EARLY};
use crate::node::state::watches::Times;

/// The ranks that are watched among those that nobody accuses.
const RANKS: [usize; 3] = [1, 2, 4];

impl Detector {
    /// After every input: whether others are to be watched.
    pub(crate) fn look(&mut self, base: &mut Base) {
        let Some(times) = Self::times(&base.cx) else {
            return;
        };
        let changes = base.table.ring_changes();
        if self.looked_at.replace(changes) != Some(changes) {
            self.watch(base, times);
        }
        let fingerprint = base.table.fingerprint();
        if fingerprint != self.fingerprint {
            self.fingerprint = fingerprint;
            self.repairs.changed(base.cx.now);
            if self.watchers.len() > 0 {
                self.early.get_or_insert(base.cx.now + EARLY);
            }
        }
        self.schedule(base);
    }

    /// Looks at the ranks anew.
    pub(super) fn watch(&mut self, base: &mut Base, times: Times) {
        let wanted = self.wanted(base);
        let wanted: Vec<_> = wanted.into_iter().map(|node| (node, times)).collect();
        for node in self.watches.set(&wanted, base.cx.now) {
            base.send_ask(&node, true, None);
        }
    }

    /// The ranks +1, +2, +4 of those that are not accused, and the accused before the last of them;
    /// after the loss of many, all up to some rank.
    fn wanted(&self, base: &Base) -> Vec<NodeId> {
        let all_up_to = self.mass.ranks(base.cx.now).unwrap_or(0);
        let last = all_up_to.max(RANKS[RANKS.len() - 1]);
        let (mut wanted, mut rank) = (Vec::new(), 0);
        for (_, node) in base.table.next_ranks() {
            if rank == last || wanted.len() == caps::WATCHED {
                break;
            }
            let accused = self.accusations.is_accused(node);
            rank += usize::from(!accused);
            if accused || rank <= all_up_to || RANKS.contains(&rank) {
                wanted.push(*node);
            }
        }
        wanted
    }
}
