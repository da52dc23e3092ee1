//! The node's own record: publishing, renewing, and keeping it (R1, R4 to R6).

use alloc::vec::Vec;

use crate::addr::Multiaddr;
use crate::effect::CloseReason;
use crate::effect::Event;
use crate::error::UsageError;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::node::links::Class;
use crate::node::{Node, Timer};
use crate::record::{RecordError, Sequence, check_body, write_body};
use crate::rng;
use crate::time::Instant;
use crate::wire::{Delta, GoodbyeReason, Message, Update, WireRecord};

pub(super) struct Own {
    sequence: Sequence,
    pub(super) addresses: Vec<Multiaddr>,
    pub(super) metadata: Vec<u8>,
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
    pub(super) fn new(addresses: Vec<Multiaddr>, metadata: Vec<u8>) -> Self {
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
    pub(super) fn sequence(&self) -> Sequence {
        self.sequence
    }

    pub(super) fn check(&self) -> u16 {
        self.check
    }

    /// Continues an earlier life: the next version is above it.
    pub(super) fn resume(&mut self, sequence: Sequence) {
        self.sequence = self.sequence.max(sequence);
    }
}

impl Node {
    /// Writes the own record under the next version.
    pub(super) fn publish_own(&mut self) -> Result<(), RecordError> {
        let own = &self.own;
        let body = write_body(&own.addresses, &own.metadata, self.cx.config.lifetime);
        check_body(&body)?;
        if own.addresses.is_empty() && !own.published {
            return Ok(());
        }
        let sequence = own.sequence.next_version();
        self.table.set_own(self.cx.now, sequence, &body)?;
        self.report_evicted();
        self.own.sequence = sequence;
        self.own.published = true;
        self.own.check = rng::body_check(&body);
        Ok(())
    }

    fn announce_own(&mut self) {
        // The checks at the interface make this succeed.
        if self.publish_own().is_ok() && self.own.published {
            self.cx
                .timers
                .set(Timer::Renew, self.cx.now + self.cx.config.renewal());
            let id = self.cx.id;
            self.spread(&[id], None);
        }
    }

    pub(super) fn set_addresses(&mut self, addresses: Vec<Multiaddr>) -> Result<(), UsageError> {
        check_body(&write_body(
            &addresses,
            &self.own.metadata,
            self.cx.config.lifetime,
        ))?;
        if self.own.addresses != addresses {
            self.own.addresses = addresses;
            self.announce_own();
        }
        Ok(())
    }

    pub(super) fn set_metadata(&mut self, metadata: Vec<u8>) -> Result<(), UsageError> {
        check_body(&write_body(
            &self.own.addresses,
            &metadata,
            self.cx.config.lifetime,
        ))?;
        if self.own.metadata != metadata {
            self.own.metadata = metadata;
            self.announce_own();
        }
        Ok(())
    }

    /// The beat rises, the content stays (R26).
    pub(super) fn renew_own(&mut self) {
        let wait = self.cx.choices.jitter(self.cx.config.renewal(), 90);
        self.cx.timers.set(Timer::Renew, self.cx.now + wait);
        if !self.own.published {
            return;
        }
        let Some(beat) = self.own.sequence.beat.checked_add(1) else {
            self.announce_own();
            return;
        };
        let sequence = Sequence {
            beat,
            ..self.own.sequence
        };
        let Some(body) = self.table.own().map(|e| e.body().to_vec()) else {
            return;
        };
        if self.table.set_own(self.cx.now, sequence, &body).is_ok() {
            self.own.sequence = sequence;
            let id = self.cx.id;
            self.pass_renewal_on(id);
        }
    }

    /// A record under this node's own ID, from elsewhere (R5).
    pub(super) fn on_own_record(&mut self, record: WireRecord<'_>) {
        let own = self.own.sequence;
        let same_content = self.table.own().is_some_and(|e| e.body() == record.body);
        let other_content = record.sequence.version == own.version && !same_content;
        if record.sequence > own || other_content {
            self.recover(record.sequence);
        }
    }

    /// Somebody refuses the own record at or below this sequence.
    pub(super) fn on_refused(&mut self, sequence: Sequence) {
        if sequence >= self.own.sequence {
            self.recover(sequence);
        }
    }

    /// Takes the next version above `above`: three times at once, then once in a renewal period.
    fn recover(&mut self, above: Sequence) {
        if above.version == u64::MAX {
            // Nothing is above it. It ends within its lifetime and leaves no certificate.
            self.report_duplicate();
            return;
        }
        let rate = Rate::new(RECOVERIES, self.cx.config.renewal());
        match self.own.recoveries.take(rate, self.cx.now, 1) {
            Ok(()) => {
                self.own.pending = None;
                self.own.sequence.version = self.own.sequence.version.max(above.version);
                self.cx.stats.recoveries += 1;
                // Without addresses, a record of an earlier life is withdrawn by a tombstone.
                self.own.published = true;
                self.announce_own();
                self.count_recovery();
            }
            Err(wait) => {
                self.own.pending = self.own.pending.max(Some(above));
                self.cx.timers.at_latest(Timer::Recover, self.cx.now + wait);
                self.report_duplicate();
            }
        }
    }

    /// Of two nodes of one key that both keep to their rate, one may be allowed each of its steps.
    fn count_recovery(&mut self) {
        let (steps, last) = self.own.row;
        let goes_on = self.cx.now.saturating_since(last) < self.cx.config.renewal() * 2;
        let steps = if goes_on { steps.saturating_add(1) } else { 1 };
        self.own.row = (steps, self.cx.now);
        if steps > RECOVERIES {
            self.report_duplicate();
        }
    }

    pub(super) fn recover_later(&mut self) {
        if let Some(above) = self.own.pending.take() {
            if above >= self.own.sequence {
                self.recover(above);
            }
        }
    }

    fn report_duplicate(&mut self) {
        let interval = self.cx.config.report_interval;
        let recent = |at: Instant| self.cx.now.saturating_since(at) < interval;
        if !self.own.reported.is_some_and(recent) {
            self.own.reported = Some(self.cx.now);
            self.event(Event::DuplicateIdentity);
        }
    }

    /// The tombstone goes to everybody who is linked, then every link closes (R4).
    pub(super) fn on_leave(&mut self) {
        let sequence = self.own.sequence.next_version();
        let left = self.own.published && self.table.set_own(self.cx.now, sequence, &[]).is_ok();
        if left {
            let slots: Vec<_> = self.table.find(&self.cx.id).into_iter().collect();
            let links: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
            for link in links {
                let (records, _) =
                    self.table
                        .page(self.cx.now, &slots, None, caps::MESSAGE_BYTES / 2);
                let delta = Delta::unlogged(records);
                let update = Update {
                    delta: Some(delta),
                    ..Update::default()
                };
                self.send(link, Message::Update(update), Class::Answer);
            }
        }
        self.end(GoodbyeReason::Leaving);
    }

    pub(super) fn on_shutdown(&mut self) {
        self.end(GoodbyeReason::Shutdown);
    }

    fn end(&mut self, reason: GoodbyeReason) {
        let links: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
        self.over = true;
        for link in links {
            self.goodbye(link, reason, CloseReason::Leaving);
        }
        // What the closing of links has begun is not done any more.
        self.cx
            .effects
            .retain(|e| !matches!(e, crate::effect::Effect::Dial { .. }));
    }
}
