//! Time that may have passed unseen (R34).

use alloc::vec::Vec;
use core::time::Duration;

use crate::table::{Entry, Slot, Table};
use crate::time::Instant;

impl Table {
    /// So much time has passed for the life of each record. Those that would have ended go, and
    /// leave no certificate: if the wall clock was wrong they live, and come again as they were.
    /// [With certificates, a machine that starts with its clock at 1970 refuses everybody once its
    /// clock is set.] What refuses the dead does not end any earlier: if it was wrong they would
    /// come back.
    pub(crate) fn lose(&mut self, time: Duration, now: Instant) -> Vec<Entry> {
        let own = self.own;
        let lives = |entry: &Entry| entry.node != own && !entry.is_tombstone();
        let mine = self.entries.iter().filter(|(_, entry)| lives(entry));
        let mine: Vec<Slot> = mine.map(|(slot, _)| slot).collect();
        let mut ended = Vec::new();
        for slot in mine {
            let Some(entry) = self.entries.get_mut(slot) else {
                continue;
            };
            let left = entry.deadline.saturating_since(now);
            if left <= time {
                ended.extend(self.remove(slot));
            } else {
                entry.deadline = now + (left - time);
                self.deadlines.moved(&mut self.entries, slot);
            }
        }
        ended
    }
}
