//! The change log: a list through the entries, oldest change first (R15).

use crate::table::slab::Slab;
use crate::table::{Entry, Slot};

const NONE: Slot = Slot::MAX;

pub(super) struct Log {
    version: u64,
    oldest: Slot,
    newest: Slot,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            version: 0,
            oldest: NONE,
            newest: NONE,
        }
    }
}

impl Log {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Appends an entry as the newest change.
    pub(super) fn push(&mut self, entries: &mut Slab, slot: Slot) {
        self.version += 1;
        if let Some(entry) = entries.get_mut(slot) {
            entry.stamp = self.version;
            entry.older = self.newest;
            entry.newer = NONE;
        }
        match self.newest {
            NONE => self.oldest = slot,
            newest => set(entries, newest, |e| e.newer = slot),
        }
        self.newest = slot;
    }

    pub(super) fn unlink(&mut self, entries: &mut Slab, slot: Slot) {
        let Some((older, newer)) = entries.get(slot).map(|e| (e.older, e.newer)) else {
            return;
        };
        match older {
            NONE => self.oldest = newer,
            older => set(entries, older, |e| e.newer = newer),
        }
        match newer {
            NONE => self.newest = older,
            newer => set(entries, newer, |e| e.older = older),
        }
    }

    /// The entries changed after `version`, newest first.
    pub(super) fn since<'a>(
        &self,
        entries: &'a Slab,
        version: u64,
    ) -> impl Iterator<Item = (Slot, &'a Entry)> + use<'a> {
        let mut at = self.newest;
        core::iter::from_fn(move || {
            let slot = at;
            let entry = entries.get(slot)?;
            at = entry.older;
            (entry.stamp > version).then_some((slot, entry))
        })
    }

    pub(super) fn check(&self, entries: &Slab) {
        let mut last = u64::MAX;
        let mut n = 0;
        for (_, entry) in self.since(entries, 0) {
            assert!(entry.stamp < last);
            last = entry.stamp;
            n += 1;
        }
        assert_eq!(n, entries.iter().count());
    }
}

fn set(entries: &mut Slab, slot: Slot, change: impl FnOnce(&mut Entry)) {
    if let Some(entry) = entries.get_mut(slot) {
        change(entry);
    }
}
