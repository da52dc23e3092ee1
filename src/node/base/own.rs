//! Publishing the own record, renewing it, and keeping it (R1, R5, R6).

use alloc::vec::Vec;
use core::time::Duration;

use crate::error::UsageError;
use crate::id::Prefix;
use crate::node::base::Base;
use crate::node::timers::Timer;
use crate::record::{RecordError, Sequence};
use crate::seal::Statement;
use crate::wire::WireRecord;

impl Base {
    /// Writes the first record, or waits for who is found at the upstreams (R47).
    pub(crate) fn publish_first(&mut self) -> Result<(), RecordError> {
        // Whether it fits does not depend on that.
        let says_something = self.own.next_version(&self.cx)?.is_some();
        if says_something && self.upstreams.are_being_met() {
            let until = self.named.wait(self.cx.now);
            self.cx.timers.set(Timer::Name, until);
            return Ok(());
        }
        self.publish_own().map(|_| ())
    }

    /// Something has become known of the upstreams: the own record says so, at once if it is the
    /// first one and all is known, or when it may be written for that alone.
    pub(crate) fn name_upstreams(&mut self) {
        if self.named.waits() {
            if !self.upstreams.are_being_met() {
                self.announce_own();
            }
        } else if self.names_others() {
            let soon = self.upstreams.are_being_met();
            let at = self.named.alone_from(self.cx.now, soon);
            self.cx.timers.set(Timer::Name, at);
        }
    }

    /// The first record has waited long enough, or others may be named.
    pub(crate) fn name_later(&mut self) {
        if self.named.waits() {
            self.announce_own();
            return;
        }
        self.own.stop_inheriting();
        if self.names_others() {
            self.named.written_alone(self.cx.now);
            self.announce_own();
        }
    }

    fn names_others(&self) -> bool {
        let (met, are_all_met) = (self.upstreams.named(), self.upstreams.are_all_met());
        self.own.is_published() && self.own.names_others(&met, are_all_met)
    }

    /// Writes the own record, under the next version or as others have it from an earlier life.
    /// Whether it is a new one.
    pub(crate) fn publish_own(&mut self) -> Result<bool, RecordError> {
        let are_all_met = self.upstreams.are_all_met();
        self.own.set_upstreams(self.upstreams.named(), are_all_met);
        self.named.written();
        if self.own.inherits() {
            let until = self.named.stands_until(self.cx.now);
            self.cx.timers.set(Timer::Name, until);
        }
        let Some((next, body)) = self.own.next_version(&self.cx)? else {
            return Ok(false);
        };
        let earlier = self.own.take_earlier(&body, self.cx.now);
        let sequence = earlier.map_or(next, |(sequence, _)| sequence);
        self.put_own(sequence, &body, earlier.map(|(_, left)| left))?;
        self.report_evicted();
        self.own.published(sequence, &body, &self.cx);
        Ok(earlier.is_none())
    }

    /// Signs the own record and puts it into the table: the one place where it is written.
    /// Without what is left of its life, in seconds, that begins.
    fn put_own(
        &mut self,
        sequence: Sequence,
        body: &[u8],
        left: Option<u32>,
    ) -> Result<(), RecordError> {
        let signature = self
            .sealer
            .sign(Statement::record(self.cx.id, sequence, body));
        self.table
            .set_own(self.cx.now, sequence, body, left, signature.as_ref())
    }

    pub(crate) fn announce_own(&mut self) {
        // It does not fail: addresses and metadata were checked when they were set.
        let Ok(is_new) = self.publish_own() else {
            return;
        };
        if self.own.is_published() {
            self.schedule_renewal();
        }
        if is_new {
            self.spread(&[self.cx.id], None);
        }
    }

    pub(crate) fn set_metadata(&mut self, metadata: Vec<u8>) -> Result<(), UsageError> {
        if self.own.set_metadata(metadata, &self.cx)? {
            self.announce_own();
        }
        Ok(())
    }

    /// In the last quarter of the record's life; jittered, since many may have started at once, and
    /// early enough to have gone round before others miss it in the last eighth (R2).
    pub(crate) fn schedule_renewal(&mut self) {
        let life = self.cx.config.lifetime;
        let left = self.table.own().and_then(|e| e.remaining_s(self.cx.now));
        let left = left.map_or(life, |left| Duration::from_secs(u64::from(left) + 1));
        let wait = self
            .cx
            .jitter(left.min(life).saturating_sub(life * 5 / 32), 89);
        self.cx.timers.set(Timer::Renew, self.cx.now + wait);
    }

    /// The beat rises, the content stays: the record goes round again, whole (R2).
    pub(crate) fn renew_own(&mut self) {
        if self.own.is_published() && self.own.next_beat().is_none() {
            return self.announce_own();
        }
        let body = self.table.own().map(|e| e.body().to_vec());
        if let Some((sequence, body)) = self.own.next_beat().zip(body) {
            if self.own.is_published() && self.put_own(sequence, &body, None).is_ok() {
                self.own.renewed(sequence);
                self.spread(&[self.cx.id], None);
            }
        }
        self.schedule_renewal();
    }

    /// Refutes an accusation at this sequence, by a higher beat; by the next version, where that is
    /// above the own one, or other nodes are `named` for it than before (R33). It is none of the
    /// recoveries of R6. [Three accusations at the next version would use those up.]
    pub(crate) fn refute(&mut self, at: Sequence, named: Option<Vec<Prefix>>) {
        if !self.own.is_published() {
            return self.on_refused(at);
        }
        let is_known = at.version == self.own.sequence().version;
        self.cx.stats.refutations += 1;
        let is_content = named.is_some() || !is_known;
        self.own.accused(at, named);
        if is_content {
            self.announce_own();
        } else {
            self.renew_own();
        }
    }

    /// Puts the own tombstone into the table; whether there is one to be told (R4).
    pub(crate) fn bury_own(&mut self) -> bool {
        if self.named.waits() && self.publish_own().is_err() {
            return false;
        }
        let (sequence, body) = self.own.tombstone(&self.cx);
        self.own.is_published() && self.put_own(sequence, &body, None).is_ok()
    }

    /// A record under this node's own ID, from elsewhere (R5).
    pub(crate) fn on_own_record(&mut self, record: WireRecord<'_>) {
        if !record.sequence.is_credible(self.own.sequence().version) {
            self.cx.stats.records_bad += 1;
        } else if self.is_challenge(record) {
            self.recover(record.sequence);
        }
    }

    /// Whether a record under this node's own ID is not the one that it has announced, nor older.
    pub(crate) fn is_challenge(&self, record: WireRecord<'_>) -> bool {
        let same_content = match self.table.own() {
            Some(own) => own.body() == record.body,
            None => self.own.is_earlier(record.sequence, record.body),
        };
        self.own.is_challenged(record.sequence, same_content)
    }

    /// Somebody refuses the own record at or below this sequence.
    pub(crate) fn on_refused(&mut self, sequence: Sequence) {
        let own = self.own.sequence();
        if sequence >= own && sequence.is_credible(own.version) {
            self.recover(sequence);
        }
    }

    fn recover(&mut self, above: Sequence) {
        self.own.forget_earlier();
        // The first record is still to be written, above whatever is known of an earlier life.
        if self.named.waits() {
            self.own.resume(above, Duration::ZERO);
            return;
        }
        if self.own.recover(above, &mut self.cx) {
            self.announce_own();
            self.own.recovered(&mut self.cx);
        }
    }

    /// A higher version is allowed again (R6).
    pub(crate) fn recover_later(&mut self) {
        if let Some(above) = self.own.take_pending() {
            self.recover(above);
        }
    }
}
