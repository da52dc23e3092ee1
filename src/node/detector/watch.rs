//! Whom to watch (R30, R39).

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::caps;
use crate::node::base::Base;
use crate::node::detector::{Detector, EARLY, LOOK};
use crate::node::state::watches::{Haste, Times};
use crate::table::Table;

/// The ranks that are watched among those that nobody accuses.
const RANKS: [usize; 3] = [1, 2, 4];

impl Detector {
    /// After every input: whether others are to be watched.
    pub(crate) fn look(&mut self, base: &mut Base) {
        let Some(times) = Self::times(&base.cx) else {
            return;
        };
        let (now, changes) = (base.cx.now, base.table.ring_changes());
        // While a table fills, other nodes come next with each answer. Of few each counts at once, where
        // nobody else is named. [Of two that had met and were cut off in the same second, neither had watched
        // the other, and who hears nobody accuses nobody (R34): they held each other for alive. Named or not:
        // each node of a ring asks for beats of the first three that it hears of, and takes that back.]
        let fills = base.pace.fills(&base.cx);
        let are_all = |table: &Table| table.others() <= RANKS.len() && table.names_nobody_else();
        if self.looked_at != Some(changes)
            && (!fills || now >= self.look_from || are_all(&base.table))
        {
            self.looked_at = Some(changes);
            self.look_from = now + LOOK;
            self.watch(base, times);
        }
        self.count_watchers(base);
        let fingerprint = base.table.fingerprint();
        if fingerprint != self.fingerprint {
            self.fingerprint = fingerprint;
            self.repairs.changed(base.cx.now);
            if self.watchers.len() > 0 && fills {
                self.early = Some(now + LOOK);
            } else if self.watchers.len() > 0 {
                self.early.get_or_insert(now + EARLY);
            }
        }
        self.schedule(base);
    }

    /// Looks at the ranks anew.
    pub(super) fn watch(&mut self, base: &mut Base, times: Times) {
        let in_mass = self.mass.ranks(base.cx.now).is_some();
        base.table
            .keep_next(if in_mass { caps::WATCHED } else { 0 });
        let wanted = self.wanted(base);
        let theirs = |node: &NodeId| base.table.lookup(node).map(|e| Times::new(e.detection()));
        let larger = |node| {
            (
                node,
                theirs(&node).map_or(times, |theirs| theirs.max(times)),
            )
        };
        let wanted: Vec<_> = wanted.into_iter().map(larger).collect();
        let haste = match self.watches.lost(in_mass) {
            _ if in_mass => Haste::Most,
            (_, 0) => Haste::None,
            _ => Haste::Some,
        };
        for node in self.watches.set(&wanted, haste, base.cx.now) {
            if let Some(link) = base.links.link_of(&node) {
                let reached = link.is_dialled();
                let version = base.table.lookup(&node).map(|e| e.sequence().version);
                self.watches.set_reached(&node, version.filter(|_| reached));
                base.send_ask(&node, self.ask_of(&node));
            } else if in_mass {
                self.dial_afresh(base, node, 0);
            }
        }
    }

    /// The ranks +1, +2, +4 of those that are not accused, and the accused before the last of them;
    /// after the loss of many, all up to some rank; and those that have too few watchers.
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
        for node in self.invitations.accepted() {
            let lives = base.table.lookup(node).is_some_and(|e| !e.is_tombstone());
            if lives && !wanted.contains(node) {
                wanted.push(*node);
            }
        }
        wanted
    }
}
