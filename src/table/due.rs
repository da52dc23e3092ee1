//! When entries are overdue, and when they expire: a time before which none is, and a look at all of
//! them when that has come. [A heap takes nine bytes a record, to save a look every few minutes.]

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::table::row::Row;
use crate::table::slab::Slab;
use crate::table::{Gone, Slot};
use crate::time::Instant;

/// What was due.
pub(crate) enum Due {
    /// The renewal of a record, which has not come by.
    Renewal,
    /// The end of its life.
    Ended(Gone),
}

/// Records whose renewal has not come by, by the seconds of the lifetime: the shortest life is in the greatest hurry.
#[derive(Default)]
pub(super) struct Overdue(pub(super) BTreeSet<(u32, Slot)>);

impl Overdue {
    pub(super) fn insert(&mut self, row: &Row, slot: Slot) {
        self.0.insert((row.lifetime_s(), slot));
    }

    pub(super) fn remove(&mut self, row: &Row, slot: Slot) {
        self.0.remove(&(row.lifetime_s(), slot));
    }

    pub(super) fn check(&self, overdue: impl Iterator<Item = (u32, Slot)>) {
        assert_eq!(self.0, overdue.collect());
    }
}

#[derive(Default)]
pub(super) struct Deadlines {
    /// No entry is due before. One that was may have been renewed since.
    next: Option<Instant>,
    /// Those that the last look has found, the first one last.
    found: Vec<Slot>,
}

impl Deadlines {
    pub(super) fn next(&self) -> Option<Instant> {
        if self.found.is_empty() {
            self.next
        } else {
            Some(Instant::ZERO)
        }
    }

    /// Something is due then.
    pub(super) fn add(&mut self, due: Instant) {
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
    }

    /// The next entry that is due, as far as the last look has found one or it is time for another.
    pub(super) fn pop(&mut self, now: Instant, entries: &Slab, own: Option<Slot>) -> Option<Slot> {
        if self.found.is_empty() && self.next.is_some_and(|next| next <= now) {
            self.look(now, entries, own);
        }
        self.found.pop()
    }

    fn look(&mut self, now: Instant, entries: &Slab, own: Option<Slot>) {
        self.next = None;
        let mut found = Vec::new();
        for (slot, row) in entries.rows().filter(|(slot, _)| Some(*slot) != own) {
            let due = row.due();
            if due <= now {
                found.push((due, slot));
            } else {
                self.add(due);
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        self.found.extend(found.into_iter().map(|(_, slot)| slot));
    }
}
