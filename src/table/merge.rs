//! One record into the table (R1 to R4, R7, R22).

use core::time::Duration;

use crate::contract;
use crate::id::NodeId;
use crate::record::{BodyInfo, RecordError, Sequence, check_body};
use crate::table::{Entry, Slot, Table, Via};
use crate::time::Instant;
use crate::wire::WireRecord;

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Merged {
    /// Its node was not known, or had left.
    New(Slot),
    /// New content of a known node.
    Newer(Slot),
    /// A known node has left.
    Left(Slot),
    /// The same content, renewed.
    Renewed(Slot),
    /// Nothing new.
    Known,
    /// What the table has is newer.
    Stale(Sequence),
    /// A dead certificate refuses it.
    Refused(Sequence),
    /// Other content under the same version: the first stays.
    Conflict,
    /// No room.
    Full,
    /// It is about to expire.
    Dying,
    /// It is out of bounds.
    Bad(RecordError),
}

impl Table {
    /// Merges a record of another node.
    pub(crate) fn merge(
        &mut self,
        now: Instant,
        record: WireRecord<'_>,
        via: Via,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> Merged {
        if record.sequence.version == 0 {
            return Merged::Bad(RecordError::NoVersion);
        }
        if let Some(slot) = self.find(&record.node) {
            return self.merge_known(now, slot, record, via);
        }
        if let Some(refusing) = self.certificate(&record.node) {
            if record.sequence <= refusing {
                return Merged::Refused(refusing);
            }
        }
        // In a crowded cluster most records end here.
        let outranked = self.is_full() && self.evictor.is_outranked(&record.node);
        if outranked && !is_pinned(&record.node) && !self.comes_next(&record.node) {
            return Merged::Full;
        }
        let info = match check_body(record.body) {
            Ok(info) => info,
            Err(error) => return Merged::Bad(error),
        };
        if record.remaining_s == 0 {
            return Merged::Dying;
        }
        let deadline = deadline(now, record.remaining_s, info);
        let mut entry = Entry::new(record, info, deadline, via);
        entry.set_first_seen(now);
        if self.is_full() && !self.make_room(&entry, is_pinned) {
            return Merged::Full;
        }
        self.dead.remove(&record.node);
        let slot = self.insert(entry);
        self.set_aside(is_pinned);
        Merged::New(slot)
    }

    fn merge_known(
        &mut self,
        now: Instant,
        slot: Slot,
        record: WireRecord<'_>,
        via: Via,
    ) -> Merged {
        let Some(known) = self.entries.get(slot) else {
            return Merged::Known;
        };
        let (sequence, same_body) = (known.sequence(), known.body() == record.body);
        if record.sequence < sequence {
            return Merged::Stale(sequence);
        }
        if record.sequence.version == sequence.version {
            if !same_body {
                return Merged::Conflict;
            }
            if record.sequence.beat == sequence.beat || record.remaining_s == 0 {
                return Merged::Known;
            }
            self.renew(now, slot, record.sequence.beat, record.remaining_s);
            return Merged::Renewed(slot);
        }
        let info = match check_body(record.body) {
            Ok(info) => info,
            Err(error) => return Merged::Bad(error),
        };
        if record.remaining_s == 0 {
            return Merged::Dying;
        }
        let had_left = known.is_tombstone();
        let slot = self.replace(now, slot, record, info, via);
        match (had_left, info.tombstone) {
            (false, true) => Merged::Left(slot),
            (true, false) => Merged::New(slot),
            _ => Merged::Newer(slot),
        }
    }

    fn replace(
        &mut self,
        now: Instant,
        slot: Slot,
        record: WireRecord<'_>,
        info: BodyInfo,
        via: Via,
    ) -> Slot {
        let before = self.remove(slot);
        let reachable = before.as_ref().is_some_and(|e| e.reachable);
        let returns = |e: &Entry| e.is_tombstone() && !info.tombstone;
        let first_seen = before
            .filter(|e| !returns(e))
            .map_or(now, |e| e.first_seen());
        let deadline = deadline(now, record.remaining_s, info);
        let mut entry = Entry::new(record, info, deadline, via);
        entry.reachable = reachable;
        entry.set_first_seen(first_seen);
        self.insert(entry)
    }

    /// A higher beat of the same content. It is no change of the set: the log stays (R1).
    pub(super) fn renew(&mut self, now: Instant, slot: Slot, beat: u32, remaining_s: u32) {
        if let Some(entry) = self.entries.get_mut(slot) {
            let info = BodyInfo {
                lifetime_s: entry.lifetime().as_secs() as u16,
                tombstone: entry.is_tombstone(),
            };
            entry.set_beat(beat, deadline(now, remaining_s, info));
            self.deadlines.moved(&mut self.entries, slot);
        }
    }

    /// Writes the node's own record. It has no deadline of its own: the node renews it.
    pub(crate) fn set_own(
        &mut self,
        now: Instant,
        sequence: Sequence,
        body: &[u8],
    ) -> Result<(), RecordError> {
        let info = check_body(body)?;
        let lifetime = Duration::from_secs(u64::from(info.lifetime_s));
        if let Some(slot) = self.own_slot {
            let unchanged = self
                .get(slot)
                .is_some_and(|e| e.sequence().version == sequence.version && e.body() == body);
            if unchanged {
                self.renew(now, slot, sequence.beat, u32::from(info.lifetime_s));
                return Ok(());
            }
            self.remove(slot);
        }
        let record = WireRecord {
            node: self.own,
            sequence,
            remaining_s: u32::from(info.lifetime_s),
            body,
            signature: None,
        };
        let entry = Entry::new(record, info, now + lifetime, Via::default());
        if self.is_full() {
            // The own record is never refused room.
            self.make_room(&entry, &|_| false);
        }
        self.insert(entry);
        Ok(())
    }

    /// Leaves the certificate of a node that has left and was not known.
    pub(crate) fn bury(&mut self, now: Instant, node: NodeId, sequence: Sequence) {
        self.dead
            .insert(node, sequence, now + contract::TOMBSTONE_LIFETIME);
    }

    /// Takes out the next entry whose life has ended, and leaves its certificate.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Entry> {
        self.dead.expire(now);
        let slot = self.deadlines.first_slot()?;
        if self.get(slot)?.deadline > now {
            return None;
        }
        let entry = self.remove(slot)?;
        self.bury(now, entry.node, entry.sequence());
        Some(entry)
    }
}

/// When a record received now ends: never later than its author could have meant.
fn deadline(now: Instant, remaining_s: u32, info: BodyInfo) -> Instant {
    let seconds = u64::from(remaining_s).min(u64::from(info.lifetime_s));
    now + Duration::from_secs(seconds)
}
