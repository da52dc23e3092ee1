//! Publishing the own record, renewing it, and keeping it (R1, R5, R6).

use alloc::vec::Vec;

use crate::addr::Multiaddr;
use crate::error::UsageError;
use crate::node::base::Base;
use crate::node::timers::Timer;
use crate::record::{RecordError, Sequence};
use crate::wire::WireRecord;

impl Base {
    /// Writes the own record under the next version.
    pub(crate) fn publish_own(&mut self) -> Result<(), RecordError> {
        if let Some((sequence, body)) = self.own.next_version(&self.cx)? {
            self.put_own(sequence, &body)?;
            self.report_evicted();
            self.own.published(sequence, &body, &self.cx);
        }
        Ok(())
    }

    /// Signs the own record and puts it into the table: the one place where it is written.
    fn put_own(&mut self, sequence: Sequence, body: &[u8]) -> Result<(), RecordError> {
        let signature = self.sealer.sign(&self.cx.id, sequence, body);
        self.table
            .set_own(self.cx.now, sequence, body, signature.as_ref())
    }

    fn announce_own(&mut self) {
        // It does not fail: addresses and metadata were checked when they were set.
        if self.publish_own().is_ok() && self.own.is_published() {
            self.schedule_renewal();
            self.spread(&[self.cx.id], None);
        }
    }

    pub(crate) fn set_addresses(&mut self, addresses: Vec<Multiaddr>) -> Result<(), UsageError> {
        if self.own.set_addresses(addresses, &self.cx)? {
            self.announce_own();
        }
        Ok(())
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
        let wait = self.cx.jitter(self.cx.config.lifetime * 27 / 32, 89);
        self.cx.timers.set(Timer::Renew, self.cx.now + wait);
    }

    /// The beat rises, the content stays: the record goes round again, whole (R2).
    pub(crate) fn renew_own(&mut self) {
        self.schedule_renewal();
        if !self.own.is_published() {
            return;
        }
        let Some(sequence) = self.own.next_beat() else {
            self.announce_own();
            return;
        };
        let Some(body) = self.table.own().map(|e| e.body().to_vec()) else {
            return;
        };
        if self.put_own(sequence, &body).is_ok() {
            self.own.renewed(sequence);
            self.spread(&[self.cx.id], None);
        }
    }

    /// Refutes an accusation at this sequence, by a higher beat (R33).
    pub(crate) fn refute(&mut self, at: Sequence) {
        if at.version == self.own.sequence().version && self.own.is_published() {
            self.own.accused(at);
            self.cx.stats.refutations += 1;
            self.renew_own();
        } else {
            self.on_refused(at);
        }
    }

    /// Puts the own tombstone into the table; whether there is one to be told (R4).
    pub(crate) fn bury_own(&mut self) -> bool {
        let (sequence, body) = self.own.tombstone(&self.cx);
        self.own.is_published() && self.put_own(sequence, &body).is_ok()
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
        let same_content = self.table.own().is_some_and(|e| e.body() == record.body);
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
