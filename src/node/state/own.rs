//! The node's own record: which sequence it has, and how it is kept against others (R1, R5, R6).

use alloc::vec::Vec;

use core::time::Duration;

use crate::addr::Multiaddr;
use crate::contract;
use crate::effect::Event;
use crate::id::Prefix;
use crate::limits::bucket::{Bucket, Rate};
use crate::node::cx::Cx;
use crate::node::timers::Timer;
use crate::record::{
    RecordError, Sequence, check_body, put_detection, put_named, put_upstreams, upstreams,
    write_body,
};
use crate::rng;
use crate::time::Instant;

pub(crate) struct Own {
    sequence: Sequence,
    addresses: Vec<Multiaddr>,
    metadata: Vec<u8>,
    /// Who has accused it falsely (R33).
    named: Vec<Prefix>,
    /// What it says of its upstreams.
    upstreams: Vec<Prefix>,
    /// As an earlier life has met them; not all of them were met in this.
    inherited: bool,
    /// The own record, or its tombstone, is in the table.
    published: bool,
    check: u16,
    /// The record of an earlier life, until the first one of this is written.
    earlier: Option<Earlier>,
    /// The longest life of a record that it has announced, in any of its lives.
    longest_life: Duration,
    recoveries: Bucket,
    /// Recoveries in a row, and when the last one was.
    row: (u64, Instant),
    /// A sequence to be exceeded as soon as that is allowed.
    pending: Option<Sequence>,
    reported: Option<Instant>,
}

/// A record that others have. [With another version of the same, 1,000 that started again within
/// 10 s each sent 207 kB: everybody had to hear of each.]
struct Earlier {
    sequence: Sequence,
    body: Vec<u8>,
    until: Instant,
}

/// Higher versions at once; afterwards one in each interval (R6).
const RECOVERIES: u64 = 3;
const RECOVERY_INTERVAL: Duration = Duration::from_secs(600);

impl Own {
    pub(crate) fn new(addresses: Vec<Multiaddr>, metadata: Vec<u8>) -> Self {
        Self {
            sequence: Sequence::default(),
            addresses,
            metadata,
            named: Vec::new(),
            upstreams: Vec::new(),
            inherited: false,
            published: false,
            check: 0,
            earlier: None,
            longest_life: Duration::ZERO,
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

    /// Continues an earlier life: the next version is above it, and a tombstone outlives what that
    /// has announced.
    pub(crate) fn resume(&mut self, sequence: Sequence, longest_life: Duration) {
        self.sequence = self.sequence.max(sequence);
        let longest_life = longest_life.min(contract::LIFETIME);
        self.longest_life = self.longest_life.max(longest_life);
    }

    /// The record of that life, which ends then, was this.
    pub(crate) fn keep_earlier(&mut self, sequence: Sequence, body: Vec<u8>, until: Instant) {
        self.check = rng::body_check(&body);
        self.earlier = Some(Earlier {
            sequence,
            body,
            until,
        });
    }

    /// Where the record of an earlier life would say the same, and is not about to end, it is the
    /// first one of this: its sequence, and what is left of its life in whole seconds.
    pub(crate) fn take_earlier(&mut self, body: &[u8], now: Instant) -> Option<(Sequence, u32)> {
        let earlier = self.earlier.take()?;
        let left = earlier.until.saturating_since(now);
        let is_same = earlier.sequence == self.sequence && earlier.body == body;
        let lasts = left * 2 > check_body(body).ok()?.life();
        (is_same && lasts).then_some((earlier.sequence, left.as_secs() as u32))
    }

    /// It does not hold any more: others know another one.
    pub(crate) fn forget_earlier(&mut self) {
        self.earlier = None;
    }

    /// Whether it was this.
    pub(crate) fn is_earlier(&self, sequence: Sequence, body: &[u8]) -> bool {
        let earlier = self.earlier.as_ref();
        earlier.is_some_and(|e| e.sequence == sequence && e.body == body)
    }

    /// The longest life of a record that it has announced; none where that was none.
    pub(crate) fn longest_life(&self) -> Duration {
        self.longest_life
    }

    /// Whether these addresses fit into a record.
    pub(crate) fn check_addresses(
        &self,
        addresses: &[Multiaddr],
        cx: &Cx,
    ) -> Result<(), RecordError> {
        check_body(&self.body(addresses, &self.metadata, cx)).map(|_| ())
    }

    /// Takes other addresses, if they fit into a record; whether they are others.
    pub(crate) fn set_addresses(
        &mut self,
        addresses: Vec<Multiaddr>,
        cx: &Cx,
    ) -> Result<bool, RecordError> {
        check_body(&self.body(&addresses, &self.metadata, cx))?;
        let changed = self.addresses != addresses;
        self.addresses = addresses;
        Ok(changed)
    }

    /// Takes other metadata, if it fits into a record; whether it is another.
    pub(crate) fn set_metadata(&mut self, metadata: Vec<u8>, cx: &Cx) -> Result<bool, RecordError> {
        check_body(&self.body(&self.addresses, &metadata, cx))?;
        let changed = self.metadata != metadata;
        self.metadata = metadata;
        Ok(changed)
    }

    /// What the next version says of its upstreams. While not all of them are met, what an earlier
    /// life has said of them stands. [Of many that start again together, hardly any finds its
    /// upstreams at once.]
    pub(crate) fn set_upstreams(&mut self, met: Vec<Prefix>, are_all_met: bool) {
        let earlier = self.earlier.as_ref();
        let earlier = earlier.filter(|e| !are_all_met && e.sequence == self.sequence);
        let said = earlier.map(|e| upstreams(&e.body).collect::<Vec<_>>());
        let said = said.filter(|said| met.iter().all(|met| said.contains(met)));
        self.inherited = said.is_some();
        self.upstreams = said.unwrap_or(met);
    }

    /// Whether a record with those that were met would be another.
    pub(crate) fn names_others(&self, met: &[Prefix], are_all_met: bool) -> bool {
        let inherited = self.inherited && !are_all_met;
        let stands = inherited && met.iter().all(|met| self.upstreams.contains(met));
        !stands && self.upstreams != met
    }

    /// Whether it still says what an earlier life has said of its upstreams.
    pub(crate) fn inherits(&self) -> bool {
        self.inherited
    }

    /// That has stood for long enough.
    pub(crate) fn stop_inheriting(&mut self) {
        self.inherited = false;
    }

    /// The record of the next version; nothing where there is nothing to announce.
    pub(crate) fn next_version(&self, cx: &Cx) -> Result<Option<(Sequence, Vec<u8>)>, RecordError> {
        let body = self.body(&self.addresses, &self.metadata, cx);
        check_body(&body)?;
        if self.addresses.is_empty() && !self.published {
            return Ok(None);
        }
        Ok(Some((self.sequence.next_version(), body)))
    }

    /// Without addresses it withdraws all that was announced, and lives as long (R4).
    fn body(&self, addresses: &[Multiaddr], metadata: &[u8], cx: &Cx) -> Vec<u8> {
        let life = match addresses {
            [] => self.longest_life.max(cx.config.lifetime),
            _ => cx.config.lifetime,
        };
        let mut body = write_body(addresses, metadata, life);
        if addresses.is_empty() {
            return body;
        }
        if let Some(detection) = cx.config.detection {
            put_detection(&mut body, detection);
        }
        put_upstreams(&mut body, &self.upstreams);
        if cx.config.detection.is_some() {
            put_named(&mut body, &self.named);
        }
        body
    }

    /// The record by which it leaves: the next version, without addresses.
    pub(crate) fn tombstone(&self, cx: &Cx) -> (Sequence, Vec<u8>) {
        (self.sequence.next_version(), self.body(&[], &[], cx))
    }

    /// The table has this as the own record.
    pub(crate) fn published(&mut self, sequence: Sequence, body: &[u8], cx: &Cx) {
        self.sequence = sequence;
        self.published = true;
        self.longest_life = self.longest_life.max(cx.config.lifetime);
        self.check = rng::body_check(body);
    }

    /// Others have accused it at this sequence; the next version names these for it, if any are new.
    pub(crate) fn accused(&mut self, at: Sequence, named: Option<Vec<Prefix>>) {
        self.sequence = self.sequence.max(at);
        self.named = named.unwrap_or_else(|| core::mem::take(&mut self.named));
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

    /// Takes the next version above `above`: three times at once, then once in ten minutes.
    /// Whether the own record is to be announced now, and then to be [counted](Self::recovered).
    pub(crate) fn recover(&mut self, above: Sequence, cx: &mut Cx) -> bool {
        let rate = Rate::new(RECOVERIES, RECOVERY_INTERVAL);
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
        let goes_on = cx.now.saturating_since(last) < RECOVERY_INTERVAL * 2;
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
            cx.event(Event::DuplicateIdentity { at: None });
        }
    }
}

#[cfg(test)]
mod tests;
