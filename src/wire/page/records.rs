//! The records of a page, and how one is filled.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::record::{Sequence, Signature};
use crate::wire::page::bits::bit_len;
use crate::wire::page::body::Body;
use crate::wire::page::column::Bound;
use crate::wire::page::shape::{Number, Shape};
use crate::wire::page::{HEAD_BITS, REST_BYTES};

/// One record of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WireRecord<'a> {
    /// Whose it is.
    pub node: NodeId,
    /// How new it is.
    pub sequence: Sequence,
    /// Remaining lifetime in seconds.
    pub remaining_s: u32,
    /// The authored body, not yet checked.
    pub body: &'a [u8],
    /// Its author's signature, not yet checked (R50).
    pub signature: Option<&'a Signature>,
}

/// A record but for its body, which is with the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) node: NodeId,
    pub(super) sequence: Sequence,
    pub(super) remaining_s: u32,
    pub(super) body_at: u32,
    pub(super) body_len: u32,
    /// One more than its place in the list; 0: not signed.
    pub(super) signature: u32,
}

/// A page of records, sorted by node ID, one of a node. The bodies are in one buffer of its own.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub(super) rows: Vec<Row>,
    pub(super) bodies: Vec<u8>,
    pub(super) signatures: Vec<Signature>,
}

impl Records {
    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The records in the order of their node IDs.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = WireRecord<'_>> + Clone {
        self.rows.iter().map(|row| {
            let bodies = self.bodies.get(row.body_at as usize..).unwrap_or_default();
            let signature = (row.signature as usize).checked_sub(1);
            WireRecord {
                node: row.node,
                sequence: row.sequence,
                remaining_s: row.remaining_s,
                body: bodies.get(..row.body_len as usize).unwrap_or_default(),
                signature: signature.and_then(|i| self.signatures.get(i)),
            }
        })
    }
}

impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Records {}

/// Fills a page, keeping count of what it takes at most.
#[derive(Debug, Default)]
pub struct RecordsBuilder {
    records: Records,
    size: Size,
}

impl RecordsBuilder {
    /// A builder with room for `records` records.
    #[must_use]
    pub fn with_capacity(records: usize) -> Self {
        let mut builder = Self::default();
        builder.records.rows.reserve(records);
        builder.records.bodies.reserve(records * 12);
        builder
    }

    /// Adds a record if the page then stays within `limit` encoded bytes. Records come in any
    /// order; of two of one node the newer stays, of equally new ones the first.
    pub fn push(&mut self, record: WireRecord<'_>, limit: usize) -> bool {
        let before = self.size.columns;
        self.size.push(&record);
        if self.size.bytes() > limit {
            // A shape that was new stays counted: the next record is likely to have it too.
            self.size.columns = before;
            return false;
        }
        let Records {
            rows,
            bodies,
            signatures,
        } = &mut self.records;
        let body_at = bodies.len() as u32;
        bodies.extend_from_slice(record.body);
        signatures.extend(record.signature);
        rows.push(Row {
            node: record.node,
            sequence: record.sequence,
            remaining_s: record.remaining_s,
            body_at,
            body_len: record.body.len() as u32,
            signature: record.signature.map_or(0, |_| signatures.len() as u32),
        });
        true
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The page.
    #[must_use]
    pub fn finish(mut self) -> Records {
        let rows = &mut self.records.rows;
        if !rows.is_sorted_by(|a, b| a.node < b.node) {
            // Keys are sorted instead of rows, which are longer.
            let first = |row: &Row| row.node.as_bytes().first_chunk().copied();
            let key = |(i, row): (usize, &Row)| (first(row).map(u64::from_be_bytes), i);
            let mut order: Vec<_> = rows.iter().enumerate().map(key).collect();
            order.sort_unstable_by(|(a, i), (b, j)| {
                let (x, y) = (&rows[*i], &rows[*j]);
                let newer_first = || y.sequence.cmp(&x.sequence).then(i.cmp(j));
                a.cmp(b)
                    .then_with(|| x.node.cmp(&y.node).then_with(newer_first))
            });
            *rows = order.into_iter().map(|(_, i)| rows[i]).collect();
            rows.dedup_by_key(|row| row.node);
        }
        self.records
    }
}

/// What a page takes at most.
#[derive(Debug, Default)]
struct Size {
    columns: Columns,
    shapes: BTreeSet<Shape>,
    shape_bits: usize,
    last_shape: Option<Shape>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Columns {
    records: usize,
    /// Metadata, raw bodies and signatures.
    bytes: usize,
    versions: Bound,
    beats: Bound,
    lives: Bound,
    bodies: [Bound; Number::COUNT],
    /// How many upstreams are named.
    upstreams: usize,
}

impl Size {
    fn push(&mut self, record: &WireRecord<'_>) {
        let body = Body::of(record.body);
        if self.last_shape != Some(body.shape) {
            self.last_shape = Some(body.shape);
            if self.shapes.insert(body.shape) {
                self.shape_bits += body.shape.bits();
            }
        }
        let columns = &mut self.columns;
        columns.records += 1;
        columns.versions.push(record.sequence.version);
        columns.beats.push(record.sequence.beat.into());
        columns.lives.push(record.remaining_s.into());
        columns.bytes += record.signature.map_or(0, |signature| signature.len());
        columns.bytes += body.metadata.len() + body.raw_bytes().len();
        body.numbers(|number, value| {
            columns.bodies[number as usize].push(value);
            columns.upstreams += usize::from(number == Number::Upstream);
        });
    }

    fn bytes(&self) -> usize {
        let c = &self.columns;
        let n = c.records;
        let count_bits = bit_len(n as u64 - 1);
        // The distances of sorted beginnings, together, are less than the range of all.
        let ids = n * (HEAD_BITS - count_bits) as usize + n + (1 << count_bits);
        let signed = 2 + n;
        let shapes = count_bits as usize
            + self.shape_bits
            + n * bit_len(self.shapes.len() as u64 - 1) as usize;
        let columns = [c.versions, c.beats, c.lives].into_iter();
        let columns = columns.chain(c.bodies);
        // Each is there by its place or by its beginning: its bound is that of both.
        let places = match c.upstreams {
            0 => 0,
            upstreams => PLACES_HEAD_BITS + upstreams * bit_len(n as u64) as usize,
        };
        let bits = ids + signed + shapes + places + columns.map(Bound::bits).sum::<usize>();
        MOST_OF_A_COUNT + bits.div_ceil(8) + n * REST_BYTES + c.bytes
    }
}

/// Bits of a column of places beside the places.
const PLACES_HEAD_BITS: usize = 7 + 7;
/// Bytes of the number of records.
const MOST_OF_A_COUNT: usize = 5;
