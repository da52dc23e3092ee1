//! One record into the table (R1 to R4, R7, R22).

use alloc::vec::Vec;
use core::time::Duration;

use crate::contract;
use crate::id::NodeId;
use crate::record::{self, BodyInfo, RecordError, Sequence, Signature, check_body};
use crate::rng;
use crate::seal::Accuser;
use crate::table::relays::By;
use crate::table::row::Row;
use crate::table::tombstones::Place;
use crate::table::{Entry, Gone, KNOWN, Slot, Table, certificate_life, index};
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
    /// Its node is down at this sequence or a higher one (R35).
    Down,
    /// Other content under the same version: the first stays.
    Conflict,
    /// No room in the table.
    Full,
    /// It is about to expire.
    Dying,
    /// It is out of bounds.
    Bad(RecordError),
    /// Nothing shows that it is its author's (R50).
    Unproven,
    /// Others say so of one that speaks for itself, or that has contradicted them (R52).
    Hearsay,
}

/// Whose word a record is.
#[derive(Clone, Copy)]
pub(crate) enum Word<'a> {
    /// Its author's: signed by it, or told by it.
    Own,
    /// Nothing shows whose, though something should (R50).
    Unproven,
    /// Another's, where records are not signed. Of a node that is known it is taken if this says so.
    Others(&'a dyn Fn(Entry<'_>) -> bool),
}

/// What taking a record would do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// At this place in the index.
    Insert(BodyInfo, index::Place),
    Replace(Slot, BodyInfo),
    Renew(Slot),
}

impl Table {
    /// Merges a record of another node, as told by one, or from a snapshot.
    pub(crate) fn merge(
        &mut self,
        now: Instant,
        record: WireRecord<'_>,
        by: Option<&By>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
        word: Word<'_>,
    ) -> Merged {
        let proven = !matches!(word, Word::Unproven);
        let merged = match self.judge(record, is_pinned) {
            // That a node contradicts itself is a claim, too.
            Ok(_) | Err(Merged::Conflict) if !proven => Merged::Unproven,
            Ok(Step::Replace(slot, _)) if !self.is_believed(slot, word) => Merged::Hearsay,
            Ok(step) => self.take(now, record, by, is_pinned, step),
            Err(merged) => merged,
        };
        if merged == Merged::Full && proven && self.beyond.has_room_for(&record.node) {
            self.keep_beyond(now, record);
        }
        merged
    }

    fn is_believed(&self, known: Slot, word: Word<'_>) -> bool {
        match (word, self.get(known)) {
            (Word::Others(is_believed), Some(known)) => is_believed(known),
            _ => true,
        }
    }

    /// There is no room for it, but it lies ahead (R47).
    fn keep_beyond(&mut self, now: Instant, record: WireRecord<'_>) {
        let is_news = self.beyond.is_news(&record.node, record.sequence);
        let info = check_body(record.body).ok().filter(|_| is_news);
        let Some(info) = info.filter(|_| record.remaining_s > 0) else {
            return;
        };
        self.edges += 1;
        if info.tombstone {
            self.beyond.remove(record.node.prefix().number());
        } else {
            let ends = deadline(now, record.remaining_s, info.lifetime_s);
            self.beyond.keep(Gone::of(record, info, ends, now));
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
            Err(Merged::Full) => relayed || self.beyond.has_room_for(&record.node),
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
        let place = self.index.place(&record.node);
        let slot = self.index.find(place, &record.node, &self.entries);
        let known = match slot.and_then(|slot| self.get(slot)) {
            Some(entry) => Some(entry.sequence()),
            None => self.certificate(&record.node),
        };
        if !record.sequence.is_credible(known.map_or(0, |s| s.version)) {
            return Err(Merged::Bad(RecordError::VersionTooHigh));
        }
        if let Some(slot) = slot {
            return self.judge_known(slot, record);
        }
        if let Some(refusing) = known.filter(|refusing| record.sequence <= *refusing) {
            return Err(Merged::Refused(refusing));
        }
        let down = self.downs.get(&record.node);
        if down.is_some_and(|down| record.sequence <= down.at) {
            return Err(Merged::Down);
        }
        // In a crowded cluster most records end here.
        let bytes = record.body.len() + record.signature.map_or(0, |s| s.len());
        let outranked = self.is_full_for(bytes) && self.evictor.is_outranked(&record.node);
        if outranked && !is_pinned(&record.node) && !self.comes_next(&record.node) {
            return Err(Merged::Full);
        }
        let info = check_body(record.body).map_err(Merged::Bad)?;
        if record.remaining_s == 0 {
            return Err(Merged::Dying);
        }
        Ok(Step::Insert(info, place))
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
                // Whom it has met at its upstreams is no sign of another with its key: one that
                // starts again without its state may have met others (R47). It is told by R5.
                let same = record::is_same_but_upstreams(known.body(), record.body);
                return Err(if same {
                    Merged::Known
                } else {
                    Merged::Conflict
                });
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
        by: Option<&By>,
        is_pinned: &dyn Fn(&NodeId) -> bool,
        step: Step,
    ) -> Merged {
        match step {
            Step::Insert(info, place) => {
                let deadline = deadline(now, record.remaining_s, info.lifetime_s);
                let mut row = Row::new(record.node, info, deadline, now);
                let down = self.downs.get(&record.node).filter(|_| !info.tombstone);
                row.set_was_alive(down.is_some_and(|d| d.last.is_known_for(KNOWN, d.since)));
                let entry = Entry::of(&row, record);
                let has_room = if info.tombstone {
                    self.make_grave(now, entry)
                } else {
                    self.make_room(now, entry, by, is_pinned)
                };
                if !has_room {
                    return Merged::Full;
                }
                self.downs.remove(&record.node);
                let slot = self.insert(entry, by, place);
                self.set_aside(now, is_pinned);
                Merged::New(slot)
            }
            Step::Renew(slot) => {
                self.renew(now, slot, record);
                Merged::Renewed(slot)
            }
            Step::Replace(slot, info) => {
                let had_left = self.get(slot).is_some_and(|e| e.is_tombstone());
                if !info.tombstone {
                    let before = self.get(slot).map_or(0, |e| e.bytes());
                    let deadline = deadline(now, record.remaining_s, info.lifetime_s);
                    let row = Row::new(record.node, info, deadline, now);
                    let entry = Entry::of(&row, record);
                    let has_room = match had_left {
                        // It has had none of the places of the living.
                        true => self.make_room(now, entry, by, is_pinned),
                        false => self.make_room_to_grow(now, (entry, before), is_pinned),
                    };
                    if !has_room {
                        return Merged::Full;
                    }
                }
                let slot = self.replace(now, slot, record, info, by);
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
        by: Option<&By>,
    ) -> Slot {
        let before = self.remove(slot);
        let deadline = deadline(now, record.remaining_s, info.lifetime_s);
        let mut row = Row::new(record.node, info, deadline, now);
        if let Some(before) = before {
            let sequence = before.entry().sequence();
            if before.deadline() > row.deadline() {
                // It may go on elsewhere when its successor has ended.
                let until = now + certificate_life(before.deadline().saturating_since(now));
                self.dead.insert(before.node, sequence, until);
            }
            row.follow(&before);
        }
        let entry = Entry::of(&row, record);
        if info.tombstone {
            self.make_grave(now, entry);
        }
        self.insert(entry, by, self.index.place(&record.node))
    }

    /// Makes room for a tombstone beside the living; the one for which there is none leaves its
    /// certificate.
    fn make_grave(&mut self, now: Instant, entry: Entry<'_>) -> bool {
        let gone = match self.tombstones.makes_room_for(&entry) {
            Place::Free => return true,
            Place::Of(slot) => self.remove(slot),
            Place::None => None,
        };
        let buried = gone.as_ref().map_or(entry, Gone::entry);
        let left = buried.deadline().saturating_since(now);
        self.bury(now, buried.node, buried.sequence(), left);
        gone.is_some()
    }

    /// A higher beat of the same content: a change of the set like another (R1).
    fn renew(&mut self, now: Instant, slot: Slot, record: WireRecord<'_>) {
        let Some(before) = self.get(slot).map(|e| e.hash) else {
            return;
        };
        let hash = rng::record_hash(&record.node, record.sequence);
        self.count_hash(before, false);
        self.count_hash(hash, true);
        let Some(row) = self.entries.row_mut(slot) else {
            return;
        };
        self.overdue.remove(row, slot);
        self.tombstones.remove(row, slot);
        row.set_deadline(deadline(now, record.remaining_s, row.lifetime_s()));
        row.set_overdue(false);
        if row.node != self.own {
            self.deadlines.add(row.due());
            if row.is_tombstone() {
                self.tombstones.insert(row, slot);
            }
        }
        self.write_again(slot, record.sequence, hash, record.signature);
    }

    /// Writes the node's own record; so many seconds are left of its life, or all. It has no deadline
    /// of its own: the node renews it.
    pub(crate) fn set_own(
        &mut self,
        now: Instant,
        sequence: Sequence,
        body: &[u8],
        left: Option<u32>,
        signature: Option<&Signature>,
    ) -> Result<(), RecordError> {
        let info = check_body(body)?;
        let record = WireRecord {
            node: self.own,
            sequence,
            remaining_s: left.unwrap_or(info.lifetime_s),
            body,
            signature,
        };
        if let Some(slot) = self.own_slot {
            let unchanged = self
                .get(slot)
                .is_some_and(|e| e.sequence().version == sequence.version && e.body() == body);
            if unchanged {
                self.renew(now, slot, record);
                return Ok(());
            }
            self.remove(slot);
        }
        let deadline = deadline(now, record.remaining_s, info.lifetime_s);
        let row = Row::new(self.own, info, deadline, now);
        let entry = Entry::of(&row, record);
        if !info.tombstone {
            // The own record is never refused room.
            self.make_room(now, entry, None, &|_| false);
        }
        self.insert(entry, None, self.index.place(&self.own));
        Ok(())
    }

    /// Its node signs no more, and here nobody asks whether it does.
    pub(crate) fn strip_signature(&mut self, node: &NodeId) {
        let slot = self.find(node);
        let known = slot.and_then(|slot| Some((slot, self.get(slot)?)));
        if let Some((slot, entry)) = known.filter(|(_, e)| e.is_signed()) {
            let (sequence, hash) = (entry.sequence(), entry.hash);
            self.write_again(slot, sequence, hash, None);
        }
    }

    /// Leaves a certificate of what has lived for so long.
    pub(crate) fn bury(&mut self, now: Instant, node: NodeId, sequence: Sequence, life: Duration) {
        self.dead
            .insert(node, sequence, now + certificate_life(life));
    }

    /// Takes a node out of the living, until a higher sequence of its own brings it back (R35): it
    /// leaves no certificate, since it has not expired.
    pub(crate) fn take_down(
        &mut self,
        node: &NodeId,
        at: Sequence,
        by: &[Accuser],
        now: Instant,
    ) -> bool {
        let alive = |slot: &Slot| self.get(*slot).is_some_and(|e| !e.is_tombstone());
        let slot = self.find(node).filter(|_| *node != self.own);
        let Some(last) = slot.filter(alive).and_then(|slot| self.remove(slot)) else {
            return false;
        };
        let at = at.max(last.entry().sequence());
        // The nearest first: they convince whoever asks who stands between.
        let mut by = by.to_vec();
        by.sort_unstable_by_key(|by| self.ring.distance_between(&by.node, node));
        self.downs.insert(last, at, by, now);
        true
    }

    /// What was down in an earlier life of this node; its sequence is the one at which it was
    /// accused.
    pub(crate) fn restore_down(&mut self, now: Instant, record: WireRecord<'_>, by: Vec<Accuser>) {
        let is_sound = check_body(record.body).is_ok();
        let body = if is_sound { record.body } else { &[] };
        if record.node == self.own || self.find(&record.node).is_some() {
            return;
        }
        let lifetime_s = check_body(body).map_or(0, |info| info.lifetime_s);
        let info = BodyInfo {
            lifetime_s,
            tombstone: false,
        };
        let deadline = deadline(now, record.remaining_s, lifetime_s);
        let record = WireRecord { body, ..record };
        let last = Gone::of(record, info, deadline, now);
        self.downs.insert(last, record.sequence, by, now);
    }

    /// Of nodes that are down, those whose records would have ended leave certificates (R3).
    pub(crate) fn expire_downs(&mut self, now: Instant) {
        while let Some((node, at)) = self.downs.pop_ended(now) {
            self.bury(now, node, at, contract::DEFAULT_LIFETIME);
        }
    }
}

/// When a record received now ends: never later than its author could have meant.
fn deadline(now: Instant, remaining_s: u32, lifetime_s: u32) -> Instant {
    now + Duration::from_secs(u64::from(remaining_s.min(lifetime_s)))
}
