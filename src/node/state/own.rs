//! The node's own record: which sequence it has, and how it is kept against others (R1, R5, R6).

use alloc::vec::Vec;

use crate::addr::Multiaddr;
use crate::effect::Event;
use crate::limits::bucket::{Bucket, Rate};
use crate::node::cx::Cx;
use crate::node::timers::Timer;
use crate::record::{RecordError, Sequence, check_body, write_body};
use crate::rng;
use crate::time::Instant;

pub(crate) struct Own {
    sequence: Sequence,
    addresses: Vec<Multiaddr>,
    metadata: Vec<u8>,
    /// The own record, or its tombstone, is in the table.
    published: bool,
    check: u16,
    recoveries: Bucket,
    /// Recoveries in a row, and when the last one was.
    row: (u64, Instant),
    /// A sequence to be exceeded as soon as that is allowed.
    pending: Option<Sequence>,
    reported: Option<Instant>,
}

/// Higher versions at once; afterwards one in each renewal period (R6).
const RECOVERIES: u64 = 3;

impl Own {
    pub(crate) fn new(addresses: Vec<Multiaddr>, metadata: Vec<u8>) -> Self {
        Self {
            sequence: Sequence::default(),
            addresses,
            metadata,
            published: false,
            check: 0,
            recoveries: Bucket::default(),
            row: (0, Instant::ZERO),
            pending: None,
            reported: None,
        }
    }

    /// What is shown to those who are asked; zeros while nothing has been announced.
    pub(crate) fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// A short check of the announced content.
    pub(crate) fn check(&self) -> u16 {
        self.check
    }

    pub(crate) fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    pub(crate) fn is_published(&self) -> bool {
        self.published
    }

    /// Continues an earlier life: the next version is above it.
    pub(crate) fn resume(&mut self, sequence: Sequence) {
        self.sequence = self.sequence.max(sequence);
    }

    /// Takes other addresses, if they fit into a record; whether they are others.
    pub(crate) fn set_addresses(
        &mut self,
        addresses: Vec<Multiaddr>,
        cx: &Cx,
    ) -> Result<bool, RecordError> {
        check_body(&write_body(&addresses, &self.metadata, cx.config.lifetime))?;
        let changed = self.addresses != addresses;
        self.addresses = addresses;
        Ok(changed)
    }

    /// Takes other metadata, if it fits into a record; whether it is another.
    pub(crate) fn set_metadata(&mut self, metadata: Vec<u8>, cx: &Cx) -> Result<bool, RecordError> {
        check_body(&write_body(&self.addresses, &metadata, cx.config.lifetime))?;
        let changed = self.metadata != metadata;
        self.metadata = metadata;
        Ok(changed)
    }

    /// The record of the next version; nothing where there is nothing to announce.
    pub(crate) fn next_version(&self, cx: &Cx) -> Result<Option<(Sequence, Vec<u8>)>, RecordError> {
        let body = write_body(&self.addresses, &self.metadata, cx.config.lifetime);
        check_body(&body)?;
        if self.addresses.is_empty() && !self.published {
            return Ok(None);
        }
        Ok(Some((self.sequence.next_version(), body)))
    }

    /// The table has this as the own record.
    pub(crate) fn published(&mut self, sequence: Sequence, body: &[u8]) {
        self.sequence = sequence;
        self.published = true;
        self.check = rng::body_check(body);
    }

    /// The sequence of a renewal; `None` when the beats of this version are used up.
    pub(crate) fn next_beat(&self) -> Option<Sequence> {
        let beat = self.sequence.beat.checked_add(1)?;
        Some(Sequence {
            beat,
            ..self.sequence
        })
    }

    /// The table has the own record under this beat.
    pub(crate) fn renewed(&mut self, sequence: Sequence) {
        self.sequence = sequence;
    }
}

/// Keeping the own identity (R5, R6).
impl Own {
    /// Somebody has a record of this node with this sequence and content that is not its own.
    pub(crate) fn is_challenged(&self, by: Sequence, same_content: bool) -> bool {
        let other_content = by.version == self.sequence.version && !same_content;
        by > self.sequence || other_content
    }

    /// Takes the next version above `above`: three times at once, then once in a renewal period.
    /// Whether the own record is to be announced now, and then to be [counted](Self::recovered).
    pub(crate) fn recover(&mut self, above: Sequence, cx: &mut Cx) -> bool {
        if above.version == u64::MAX {
            // Nothing is above it. That record expires and leaves no certificate; until then one
            // waits.
            self.report_duplicate(cx);
            return false;
        }
        let rate = Rate::new(RECOVERIES, cx.config.renewal());
        match self.recoveries.take(rate, cx.now, 1) {
            Ok(()) => {
                self.pending = None;
                self.sequence.version = self.sequence.version.max(above.version);
                cx.stats.recoveries += 1;
                // Without addresses, a record of an earlier life is withdrawn by a tombstone.
                self.published = true;
                true
            }
            Err(wait) => {
                self.pending = self.pending.max(Some(above));
                cx.timers.at_latest(Timer::Recover, cx.now + wait);
                self.report_duplicate(cx);
                false
            }
        }
    }

    /// Counts steps in a row. Two nodes of one key may go on for ever without either exceeding the
    /// rate; that they do not stop is what gives them away.
    pub(crate) fn recovered(&mut self, cx: &mut Cx) {
        let (steps, last) = self.row;
        let goes_on = cx.now.saturating_since(last) < cx.config.renewal() * 2;
        let steps = if goes_on { steps.saturating_add(1) } else { 1 };
        self.row = (steps, cx.now);
        if steps > RECOVERIES {
            self.report_duplicate(cx);
        }
    }

    /// What is still to be exceeded.
    pub(crate) fn take_pending(&mut self) -> Option<Sequence> {
        let above = self.pending.take();
        above.filter(|above| *above >= self.sequence)
    }

    fn report_duplicate(&mut self, cx: &mut Cx) {
        let interval = cx.config.report_interval;
        let recent = |at: Instant| cx.now.saturating_since(at) < interval;
        if !self.reported.is_some_and(recent) {
            self.reported = Some(cx.now);
            cx.event(Event::DuplicateIdentity);
        }
    }
}
