//! Time that may have passed unseen (R34).

use alloc::vec::Vec;
use core::time::Duration;

use crate::table::{Gone, Slot, Table};
use crate::time::Instant;

impl Table {
    /// So much time has passed for the life of each record. Those that would have ended go, and
    /// leave no certificate: if the wall clock was wrong they live, and come again as they were.
    /// [With certificates, a machine that starts with its clock at 1970 refuses everybody once its
    /// clock is set.] What refuses the dead does not end any earlier: if it was wrong they would
    /// come back.
    pub(crate) fn lose(&mut self, time: Duration, now: Instant) -> Vec<Gone> {
        let own = self.own;
        let rows = self.entries.rows();
        let live = rows.filter(|(_, row)| row.node != own && !row.is_tombstone());
        let live: Vec<Slot> = live.map(|(slot, _)| slot).collect();
        let mut ended = Vec::new();
        for slot in live {
            let Some(row) = self.entries.row_mut(slot) else {
                continue;
            };
            let left = row.deadline().saturating_since(now);
            if left <= time {
                ended.extend(self.remove(slot));
            } else {
                row.set_deadline(now + (left - time));
                self.deadlines.add(row.due());
            }
        }
        ended
    }
}
