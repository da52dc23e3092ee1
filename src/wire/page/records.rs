//! The records of a page, and how one is filled.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::record::{Sequence, Signature};
use crate::wire::bits::bit_len;
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
    /// What the records take at most, by a bound of each.
    most: usize,
    /// The same more exactly, once that is too much.
    size: Option<Size>,
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
        if !self.has_room_for(&record, limit) {
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

    /// Counts a record as one of the page, if it fits. How long a page gets is known exactly enough
    /// only by taking bodies apart, which is put off until it matters.
    fn has_room_for(&mut self, record: &WireRecord<'_>, limit: usize) -> bool {
        let most = self.most + most_of(record);
        if self.size.is_none() && MOST_BESIDE + most <= limit {
            self.most = most;
            return true;
        }
        let records = &self.records;
        let size = self.size.get_or_insert_with(|| Size::of(records));
        let before = size.columns;
        size.push(record);
        let fits = size.bytes() <= limit;
        if !fits {
            // A shape that was new stays counted: the next record is likely to have it too.
            size.columns = before;
        }
        fits
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
        let is_sorted = |rows: &[Row]| rows.is_sorted_by(|a, b| a.node < b.node);
        if !is_sorted(rows) {
            // Where they go is sorted instead of rows, which are longer: by how their IDs begin.
            let place = |(i, row): (usize, &Row)| {
                u128::from(row.node.prefix().number()) << u32::BITS | i as u128
            };
            let mut places: Vec<u128> = rows.iter().enumerate().map(place).collect();
            places.sort_unstable();
            *rows = places.iter().map(|at| rows[*at as u32 as usize]).collect();
        }
        if !is_sorted(rows) {
            // Some begin alike, or are of one node.
            rows.sort_by(|a, b| {
                let newer_first = || b.sequence.cmp(&a.sequence);
                a.node.cmp(&b.node).then_with(newer_first)
            });
            rows.dedup_by_key(|row| row.node);
        }
        self.records
    }
}

/// Bytes that a page takes at most beside its records: [`Size::bytes`] has a number of records and
/// twelve columns' heads of up to 95 bits.
const MOST_BESIDE: usize = 160;
/// Bytes that a record takes at most beside its body and signature: the rest of its ID and 5, its
/// sequence and remaining life 16, a shape of its own 24, and 25 more for what its body writes in fewer
/// bytes than its column may have: lifetime, detection time, length, places of upstreams.
const MOST_OF_A_RECORD: usize = REST_BYTES + 70;

/// Bytes that a record takes at most, wherever it is.
fn most_of(record: &WireRecord<'_>) -> usize {
    MOST_OF_A_RECORD + record.body.len() + record.signature.map_or(0, |signature| signature.len())
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
    fn of(records: &Records) -> Self {
        let mut size = Self::default();
        records.iter().for_each(|record| size.push(&record));
        size
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// The bound of each record holds where each is unlike the others, in every column.
    #[test]
    fn the_quick_bound_is_above_the_exact_one() {
        let address = |i: u8| -> Vec<u8> {
            let ip6 = [
                &[0x0a, 24, 0x29][..],
                &[i; 16],
                &[0x91, 2, i, 1, 0xcd, i, 1],
            ]
            .concat();
            let ip4 = [0x0a, 10, 4, i, i, 0, 1, 6, i, 7, i, 3];
            [&ip6[..], &ip4].concat()
        };
        let body = |i: u8| {
            let upstreams = [&[0x2a, 64][..], &[i; 64]].concat();
            let seconds = [&[0x18, i][..], &[0x20, i]].concat();
            let all = [
                address(i),
                address(!i),
                vec![0x12, 1, i],
                seconds,
                upstreams,
            ];
            let raw = [&[0x18, i][..], &[0x12, 0]].concat();
            [all.concat(), raw, vec![0x18, i], address(i)]
        };
        for n in [1, 2, 3, 100] {
            let (mut size, mut most) = (Size::default(), MOST_BESIDE);
            for i in 0..n {
                for body in body(i) {
                    let wide = i % 2 == 1;
                    let record = WireRecord {
                        node: NodeId::new([i; 32]),
                        sequence: Sequence {
                            version: if wide { u64::MAX } else { 0 },
                            beat: if wide { u32::MAX } else { 0 },
                        },
                        remaining_s: if wide { u32::MAX } else { 0 },
                        body: &body,
                        signature: Some(&[0; 64]),
                    };
                    size.push(&record);
                    most += most_of(&record);
                    assert!(size.bytes() <= most, "{i}: {} > {most}", size.bytes());
                }
            }
        }
    }
}
