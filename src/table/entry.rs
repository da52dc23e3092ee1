//! An entry of the table: a record, and what this node knows about it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Deref;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::record::{self, BodyInfo, Sequence, Signature};
use crate::rng;
use crate::table::relays::Teller;
use crate::table::row::Row;
use crate::time::Instant;
use crate::wire::WireRecord;

/// Who has been known for so long is believed when it accuses (R32).
pub(crate) const KNOWN: Duration = Duration::from_secs(60);

/// The number of an entry in the slab.
pub(crate) type Slot = u32;

/// A look at an entry, wherever it is kept.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    row: &'a Row,
    /// The hash of (node, version, beat), which fingerprints, filters and sketches are made of.
    pub(crate) hash: u64,
    sequence: Sequence,
    body: &'a [u8],
    /// Its author's (R50).
    signature: Option<&'a Signature>,
}

impl Deref for Entry<'_> {
    type Target = Row;

    fn deref(&self) -> &Row {
        self.row
    }
}

impl<'a> Entry<'a> {
    /// One that is not in the table yet.
    pub(super) fn of(row: &'a Row, record: WireRecord<'a>) -> Self {
        Self {
            row,
            hash: rng::record_hash(&record.node, record.sequence),
            sequence: record.sequence,
            body: record.body,
            signature: record.signature,
        }
    }

    pub(super) fn kept(
        row: &'a Row,
        hash: u64,
        sequence: Sequence,
        body: &'a [u8],
        signature: Option<&'a Signature>,
    ) -> Self {
        Self {
            row,
            hash,
            sequence,
            body,
            signature,
        }
    }

    pub(super) fn row(&self) -> &'a Row {
        self.row
    }

    pub(crate) fn sequence(&self) -> Sequence {
        self.sequence
    }

    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    pub(super) fn signature(&self) -> Option<&'a Signature> {
        self.signature
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Bytes of what its node has said.
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + self.signature.map_or(0, |s| s.len())
    }

    /// How long it may be silent (R30).
    pub(crate) fn detection(&self) -> Duration {
        record::detection(self.body)
    }

    pub(crate) fn addresses(&self, local: bool) -> Vec<Multiaddr> {
        record::usable_addresses(self.body, local)
    }

    /// The record as it goes on the wire.
    pub(crate) fn to_wire(self, now: Instant) -> Option<WireRecord<'a>> {
        Some(WireRecord {
            node: self.node,
            sequence: self.sequence,
            remaining_s: self.remaining_s(now)?,
            body: self.body,
            signature: self.signature,
        })
    }

    /// For itself, out of the table.
    pub(super) fn to_gone(self) -> Gone {
        Gone {
            row: *self.row,
            hash: self.hash,
            sequence: self.sequence,
            body: self.body.into(),
            signature: self.signature.map(|signature| Box::new(*signature)),
            teller: Teller::default(),
        }
    }
}

/// An entry that is in the table no more.
pub(crate) struct Gone {
    row: Row,
    hash: u64,
    sequence: Sequence,
    body: Box<[u8]>,
    signature: Option<Box<Signature>>,
    pub(super) teller: Teller,
}

impl Gone {
    /// Of what is known from elsewhere.
    pub(super) fn of(
        record: WireRecord<'_>,
        info: BodyInfo,
        deadline: Instant,
        seen: Instant,
    ) -> Self {
        let row = Row::new(record.node, info, deadline, seen);
        Entry::of(&row, record).to_gone()
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry {
            row: &self.row,
            hash: self.hash,
            sequence: self.sequence,
            body: &self.body,
            signature: self.signature.as_deref(),
        }
    }

    pub(super) fn row_mut(&mut self) -> &mut Row {
        &mut self.row
    }

    /// Who had told of it.
    pub(crate) fn teller(&self) -> Teller {
        self.teller
    }

    /// Bytes of what its node has said.
    pub(super) fn content_bytes(&self) -> usize {
        self.entry().bytes()
    }

    pub(super) fn forget_content(&mut self) {
        self.body = Box::default();
        self.signature = None;
    }
}

impl Deref for Gone {
    type Target = Row;

    fn deref(&self) -> &Row {
        &self.row
    }
}
