//! One record into the table (R1 to R4, R7, R22).

use core::time::Duration;

use crate::contract;
use crate::id::NodeId;
use crate::record::{BodyInfo, RecordError, Sequence, Signature, check_body};
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
    /// Nothing shows that it is its author's (R50).
    Unproven,
}

/// What taking a record would do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Insert(BodyInfo),
    Replace(Slot, BodyInfo),
    Renew(Slot),
}

impl Table {
    /// Merges a record of another node. `proven`: it is its author's (R50), without which nothing
    /// is taken.
    pub(crate) fn merge(
        &mut self,
        now: Instant,
        record: WireRecord<'_>,
        via: Via,
        is_pinned: &dyn Fn(&NodeId) -> bool,
        proven: bool,
    ) -> Merged {
        match self.judge(record, is_pinned) {
            // That a node contradicts itself is a claim, too.
            Ok(_) | Err(Merged::Conflict) if !proven => Merged::Unproven,
            Ok(step) => self.take(now, record, via, is_pinned, step),
            Err(merged) => merged,
        }
    }

    /// Whether what becomes of this record depends on whether it is its author's. `relayed`: it is
    /// passed on even if there is no room for it.
    pub(crate) fn needs_proof(
        &self,
        record: WireRecord<'_>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
        relayed: bool,
    ) -> bool {
        match self.judge(record, is_pinned) {
            Ok(_) | Err(Merged::Conflict | Merged::Unproven) => true,
            Err(Merged::Full) => relayed,
            Err(_) => false,
        }
    }

    /// What is to be done with a record, or why nothing is.
    fn judge(
        &self,
        record: WireRecord<'_>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
    ) -> Result<Step, Merged> {
        if record.sequence.version == 0 {
            return Err(Merged::Bad(RecordError::NoVersion));
        }
        if let Some(slot) = self.find(&record.node) {
            return self.judge_known(slot, record);
        }
        if let Some(refusing) = self.certificate(&record.node) {
            if record.sequence <= refusing {
                return Err(Merged::Refused(refusing));
            }
        }
        // In a crowded cluster most records end here.
        if self.is_full() && self.evictor.is_outranked(&record.node) && !is_pinned(&record.node) {
            return Err(Merged::Full);
        }
        let info = check_body(record.body).map_err(Merged::Bad)?;
        if record.remaining_s == 0 {
            return Err(Merged::Dying);
        }
        Ok(Step::Insert(info))
    }

    fn judge_known(&self, slot: Slot, record: WireRecord<'_>) -> Result<Step, Merged> {
        let Some(known) = self.entries.get(slot) else {
            return Err(Merged::Known);
        };
        let sequence = known.sequence();
        if record.sequence < sequence {
            return Err(Merged::Stale(sequence));
        }
        let step = if record.sequence.version == sequence.version {
            if known.body() != record.body {
                return Err(Merged::Conflict);
            }
            if record.sequence.beat == sequence.beat || record.remaining_s == 0 {
                return Err(Merged::Known);
            }
            Step::Renew(slot)
        } else {
            let info = check_body(record.body).map_err(Merged::Bad)?;
            if record.remaining_s == 0 {
                return Err(Merged::Dying);
            }
            Step::Replace(slot, info)
        };
        if known.is_signed() && record.signature.is_none() {
            // Where unsigned records are taken, a relay could strip signatures otherwise.
            return Err(Merged::Unproven);
        }
        Ok(step)
    }

    fn take(
        &mut self,
        now: Instant,
        record: WireRecord<'_>,
        via: Via,
        is_pinned: &dyn Fn(&NodeId) -> bool,
        step: Step,
    ) -> Merged {
        match step {
            Step::Insert(info) => {
                let deadline = deadline(now, record.remaining_s, info);
                let mut entry = Entry::new(record, info, deadline, via);
                entry.set_first_seen(now);
                if self.is_full() && !self.make_room(&entry, is_pinned) {
                    return Merged::Full;
                }
                self.dead.remove(&record.node);
                Merged::New(self.insert(entry))
            }
            Step::Renew(slot) => {
                let beat = record.sequence.beat;
                self.renew(now, slot, beat, record.remaining_s, record.signature);
                Merged::Renewed(slot)
            }
            Step::Replace(slot, info) => {
                let had_left = self.get(slot).is_some_and(Entry::is_tombstone);
                let slot = self.replace(now, slot, record, info, via);
                match (had_left, info.tombstone) {
                    (false, true) => Merged::Left(slot),
                    (true, false) => Merged::New(slot),
                    _ => Merged::Newer(slot),
                }
            }
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
    pub(super) fn renew(
        &mut self,
        now: Instant,
        slot: Slot,
        beat: u32,
        remaining_s: u32,
        signature: Option<&Signature>,
    ) {
        if let Some(entry) = self.entries.get_mut(slot) {
            let info = BodyInfo {
                lifetime_s: entry.lifetime().as_secs() as u16,
                tombstone: entry.is_tombstone(),
            };
            entry.set_beat(beat, deadline(now, remaining_s, info), signature);
            self.deadlines.moved(&mut self.entries, slot);
        }
    }

    /// Writes the node's own record. It has no deadline of its own: the node renews it.
    pub(crate) fn set_own(
        &mut self,
        now: Instant,
        sequence: Sequence,
        body: &[u8],
        signature: Option<&Signature>,
    ) -> Result<(), RecordError> {
        let info = check_body(body)?;
        let lifetime = Duration::from_secs(u64::from(info.lifetime_s));
        if let Some(slot) = self.own_slot {
            let unchanged = self
                .get(slot)
                .is_some_and(|e| e.sequence().version == sequence.version && e.body() == body);
            if unchanged {
                let life = u32::from(info.lifetime_s);
                self.renew(now, slot, sequence.beat, life, signature);
                return Ok(());
            }
            self.remove(slot);
        }
        let record = WireRecord {
            node: self.own,
            sequence,
            remaining_s: u32::from(info.lifetime_s),
            body,
            signature,
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
