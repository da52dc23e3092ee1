//! An entry of the table.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::NodeId;
use crate::record::{self, Body, BodyInfo, Sequence, Signature};
use crate::rng;
use crate::time::Instant;
use crate::wire::WireRecord;

/// Who has been known for so long is believed when it accuses (R32).
pub(crate) const KNOWN: Duration = Duration::from_secs(60);

/// The number of an entry in the slab.
pub(crate) type Slot = u32;

/// How an entry came, as a keyed hash of the node that relayed it: for the quota per relay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Via(pub(crate) u32);

/// What this node has seen of the way to another: a fact of its own, beside what the cluster says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Way {
    /// Nothing has failed since the last link.
    #[default]
    Open,
    /// The last link to it has broken.
    LinkLost,
    /// It could not be dialled since, or has stopped to answer.
    Unreachable,
}

pub(crate) struct Entry {
    pub(crate) node: NodeId,
    /// The hash of (node, version, beat), which fingerprints and short IDs are made of.
    pub(crate) hash: u64,
    /// The version of the log at which it last changed.
    pub(crate) stamp: u64,
    pub(crate) deadline: Instant,
    version: u64,
    beat: u32,
    pub(super) older: Slot,
    pub(super) newer: Slot,
    pub(super) heap_pos: u32,
    /// Who told.
    pub(crate) via: Via,
    /// Since when its node has been known, or has left, in seconds.
    first_seen_s: u32,
    lifetime_s: u32,
    tombstone: bool,
    /// Its renewal has not come by.
    pub(super) overdue: bool,
    /// A tombstone's node was known alive; one that lives had been known for long when it was down.
    pub(super) was_alive: bool,
    pub(crate) way: Way,
    body: Body,
    /// Its author's (R50).
    signature: Option<Box<Signature>>,
}

impl Entry {
    pub(super) fn new(record: WireRecord<'_>, info: BodyInfo, deadline: Instant, via: Via) -> Self {
        Self {
            node: record.node,
            hash: rng::record_hash(&record.node, record.sequence),
            stamp: 0,
            deadline,
            version: record.sequence.version,
            beat: record.sequence.beat,
            older: 0,
            newer: 0,
            heap_pos: 0,
            via,
            first_seen_s: 0,
            lifetime_s: info.lifetime_s,
            tombstone: info.tombstone,
            overdue: false,
            was_alive: false,
            way: Way::Open,
            body: Body::copy_from(record.body),
            signature: record.signature.map(|signature| Box::new(*signature)),
        }
    }

    pub(crate) fn sequence(&self) -> Sequence {
        Sequence {
            version: self.version,
            beat: self.beat,
        }
    }

    /// Takes over a higher beat of the same content. The signature is that of this beat.
    pub(super) fn renew(&mut self, record: WireRecord<'_>, deadline: Instant) {
        self.beat = record.sequence.beat;
        self.hash = rng::record_hash(&self.node, self.sequence());
        self.deadline = deadline;
        self.signature = record.signature.map(|signature| Box::new(*signature));
    }

    pub(super) fn strip_signature(&mut self) {
        self.signature = None;
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// When there is something to do about it: its renewal is overdue from its last eighth on, and
    /// a tombstone awaits none.
    pub(super) fn due(&self) -> Instant {
        if self.overdue || self.tombstone {
            self.deadline
        } else {
            self.deadline.saturating_sub(self.lifetime() / 8)
        }
    }

    /// Whether its node has been known for so long, its time down aside.
    pub(crate) fn is_known_for(&self, time: Duration, now: Instant) -> bool {
        !self.tombstone && (self.was_alive || self.first_seen() + time <= now)
    }

    /// Since when its node has been known, or has left, rounded down to a second.
    pub(crate) fn first_seen(&self) -> Instant {
        Instant::from_duration(Duration::from_secs(u64::from(self.first_seen_s)))
    }

    pub(super) fn set_first_seen(&mut self, at: Instant) {
        self.first_seen_s = u32::try_from(at.as_duration().as_secs()).unwrap_or(u32::MAX);
    }

    /// No dial to it has failed since the last that succeeded.
    pub(crate) fn is_reachable(&self) -> bool {
        self.way != Way::Unreachable
    }

    /// Bytes of what its node has said.
    pub(super) fn content_bytes(&self) -> usize {
        self.body().len() + self.signature.as_deref().map_or(0, |s| s.len())
    }

    pub(super) fn forget_content(&mut self) {
        self.body = Body::copy_from(&[]);
        self.signature = None;
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.body.as_slice()
    }

    pub(crate) fn is_tombstone(&self) -> bool {
        self.tombstone
    }

    pub(super) fn lifetime_s(&self) -> u32 {
        self.lifetime_s
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.lifetime_s))
    }

    /// How long it may be silent (R30).
    pub(crate) fn detection(&self) -> Duration {
        record::detection(self.body())
    }

    pub(crate) fn addresses(&self, local: bool) -> Vec<Multiaddr> {
        record::usable_addresses(self.body(), local)
    }

    /// What is left of its life in whole seconds, at least one less than at the hop before (R2);
    /// none in its last moments, when it is not relayed any more (R3).
    pub(crate) fn remaining_s(&self, now: Instant) -> Option<u32> {
        let left = self.deadline.saturating_since(now);
        let quiet = Duration::from_secs(2).max(self.lifetime() / 500);
        if left <= quiet {
            return None;
        }
        let down = Duration::from_nanos(1);
        u32::try_from((left - down).as_secs()).ok()
    }

    /// The record as it goes on the wire.
    pub(crate) fn to_wire(&self, now: Instant) -> Option<WireRecord<'_>> {
        Some(WireRecord {
            node: self.node,
            sequence: self.sequence(),
            remaining_s: self.remaining_s(now)?,
            body: self.body(),
            signature: self.signature.as_deref(),
        })
    }
}
