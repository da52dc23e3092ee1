//! Pages by column. A column may be shorter than its page: the last value stands for all that
//! follow, and an empty column reads as zeros.

use alloc::vec::Vec;

use bytes::Bytes;
use prost::encoding::encoded_len_varint;

use crate::id::NodeId;
use crate::record::{Sequence, Signature};

fn at<T: Copy + Default>(column: &[T], i: usize) -> T {
    column.get(i).or(column.last()).copied().unwrap_or_default()
}

/// Drops what the reader can infer.
fn trim<T: Copy + Default + PartialEq>(column: &mut Vec<T>) {
    let Some(&last) = column.last() else { return };
    let keep = column.iter().rposition(|v| *v != last).map_or(0, |i| i + 1);
    column.truncate(keep + 1);
    if keep == 0 && last == T::default() {
        column.clear();
    }
}

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

/// A page of records. The bodies are views into the message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Records {
    pub(super) nodes: Bytes,
    pub(super) versions: Vec<u64>,
    pub(super) beats: Vec<u32>,
    pub(super) lifetimes: Vec<u32>,
    pub(super) body_lengths: Vec<u32>,
    pub(super) bodies: Bytes,
    /// 64 bytes for each record, zeros where there is no signature; or nothing.
    pub(super) signatures: Bytes,
}

impl Records {
    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len() / NodeId::LEN
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The records in order.
    pub fn iter(&self) -> impl Iterator<Item = WireRecord<'_>> {
        let mut offset = 0;
        self.nodes
            .chunks_exact(NodeId::LEN)
            .enumerate()
            .filter_map(move |(i, node)| {
                let len = at(&self.body_lengths, i) as usize;
                let body = self.bodies.get(offset..offset + len)?;
                offset += len;
                Some(WireRecord {
                    node: NodeId::from_slice(node)?,
                    sequence: Sequence {
                        version: at(&self.versions, i),
                        beat: at(&self.beats, i),
                    },
                    remaining_s: at(&self.lifetimes, i),
                    body,
                    signature: self.signature(i),
                })
            })
    }

    fn signature(&self, i: usize) -> Option<&Signature> {
        let signature: &Signature = self.signatures.get(i * 64..)?.first_chunk()?;
        (*signature != NO_SIGNATURE).then_some(signature)
    }

    /// Whether the columns fit together.
    pub(super) fn is_consistent(&self) -> bool {
        let n = self.len();
        let fits = |len: usize| len <= n;
        let lengths: u64 = (0..n).map(|i| u64::from(at(&self.body_lengths, i))).sum();
        self.nodes.len() % NodeId::LEN == 0
            && fits(self.versions.len())
            && fits(self.beats.len())
            && fits(self.lifetimes.len())
            && fits(self.body_lengths.len())
            && lengths == self.bodies.len() as u64
            && [0, n * NO_SIGNATURE.len()].contains(&self.signatures.len())
    }
}

/// Fills a page, keeping count of its encoded size.
#[derive(Debug, Default)]
pub struct RecordsBuilder {
    nodes: Vec<u8>,
    versions: Vec<u64>,
    beats: Vec<u32>,
    lifetimes: Vec<u32>,
    body_lengths: Vec<u32>,
    bodies: Vec<u8>,
    signatures: Vec<u8>,
    encoded: usize,
}

/// Keys and lengths of the seven columns.
const COLUMNS_OVERHEAD: usize = 7 * 4;

const NO_SIGNATURE: Signature = [0; 64];

impl RecordsBuilder {
    /// A builder with room for `records` records.
    #[must_use]
    pub fn with_capacity(records: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(records * NodeId::LEN),
            versions: Vec::with_capacity(records),
            beats: Vec::with_capacity(records),
            lifetimes: Vec::with_capacity(records),
            body_lengths: Vec::with_capacity(records),
            bodies: Vec::with_capacity(records * 12),
            signatures: Vec::new(),
            encoded: 0,
        }
    }

    /// Adds a record if the page then stays within `limit` encoded bytes.
    pub fn push(&mut self, record: WireRecord<'_>, limit: usize) -> bool {
        let encoded = self.encoded
            + NodeId::LEN
            + encoded_len_varint(record.sequence.version)
            + encoded_len_varint(u64::from(record.sequence.beat))
            + encoded_len_varint(u64::from(record.remaining_s))
            + encoded_len_varint(record.body.len() as u64)
            + record.body.len()
            + self.signature_bytes(record.signature);
        if encoded + COLUMNS_OVERHEAD > limit {
            return false;
        }
        self.encoded = encoded;
        self.nodes.extend_from_slice(record.node.as_bytes());
        self.versions.push(record.sequence.version);
        self.beats.push(record.sequence.beat);
        self.lifetimes.push(record.remaining_s);
        self.body_lengths.push(record.body.len() as u32);
        self.bodies.extend_from_slice(record.body);
        if let Some(signature) = record.signature {
            self.signatures
                .resize((self.len() - 1) * NO_SIGNATURE.len(), 0);
            self.signatures.extend_from_slice(signature);
        } else if !self.signatures.is_empty() {
            self.signatures.extend_from_slice(&NO_SIGNATURE);
        }
        true
    }

    /// What the signatures column grows by.
    fn signature_bytes(&self, signature: Option<&Signature>) -> usize {
        match (signature, self.signatures.is_empty()) {
            (None, true) => 0,
            (Some(_), true) => (self.len() + 1) * NO_SIGNATURE.len(),
            (_, false) => NO_SIGNATURE.len(),
        }
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// The page.
    #[must_use]
    pub fn finish(mut self) -> Records {
        trim(&mut self.versions);
        trim(&mut self.beats);
        trim(&mut self.lifetimes);
        trim(&mut self.body_lengths);
        Records {
            nodes: self.nodes.into(),
            versions: self.versions,
            beats: self.beats,
            lifetimes: self.lifetimes,
            body_lengths: self.body_lengths,
            bodies: self.bodies.into(),
            signatures: self.signatures.into(),
        }
    }
}

/// Nodes with the sequence at or below which the sender refuses their records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Refusals {
    pub(super) nodes: Bytes,
    pub(super) versions: Vec<u64>,
    pub(super) beats: Vec<u32>,
}

impl Refusals {
    /// Number of refusals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len() / NodeId::LEN
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The refusals in order.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Sequence)> + '_ {
        self.nodes
            .chunks_exact(NodeId::LEN)
            .enumerate()
            .filter_map(|(i, node)| {
                let sequence = Sequence {
                    version: at(&self.versions, i),
                    beat: at(&self.beats, i),
                };
                Some((NodeId::from_slice(node)?, sequence))
            })
    }

    pub(super) fn is_consistent(&self) -> bool {
        let n = self.len();
        self.nodes.len() % NodeId::LEN == 0 && self.versions.len() <= n && self.beats.len() <= n
    }
}

/// Fills a list of refusals.
#[derive(Debug, Default)]
pub struct RefusalsBuilder {
    nodes: Vec<u8>,
    versions: Vec<u64>,
    beats: Vec<u32>,
}

impl RefusalsBuilder {
    /// Adds a refusal.
    pub fn push(&mut self, node: &NodeId, sequence: Sequence) {
        self.nodes.extend_from_slice(node.as_bytes());
        self.versions.push(sequence.version);
        self.beats.push(sequence.beat);
    }

    /// Number of refusals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// The list.
    #[must_use]
    pub fn finish(mut self) -> Refusals {
        trim(&mut self.versions);
        trim(&mut self.beats);
        Refusals {
            nodes: self.nodes.into(),
            versions: self.versions,
            beats: self.beats,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn short_columns_repeat_their_last_value() {
        let column = vec![5, 7, 9, 9, 9];
        let mut short = column.clone();
        trim(&mut short);
        assert_eq!(short, [5, 7, 9]);
        assert!(column.iter().enumerate().all(|(i, v)| at(&short, i) == *v));
        let mut zeros = vec![0; 4];
        trim(&mut zeros);
        assert_eq!(zeros, []);
        let mut ends_in_zero = vec![3, 0, 0];
        trim(&mut ends_in_zero);
        assert_eq!(ends_in_zero, [3, 0]);
    }

    #[test]
    fn a_page_stays_within_its_limit() {
        let mut page = RecordsBuilder::default();
        let record = |i: u8| WireRecord {
            node: NodeId::new([i; 32]),
            sequence: Sequence {
                version: 1,
                beat: 0,
            },
            remaining_s: 1_799,
            body: &[1, 2, 3],
            signature: None,
        };
        let mut n = 0;
        while page.push(record(n), 200) {
            n += 1;
        }
        assert_eq!(n, 4);
        let page = page.finish();
        assert!(page.is_consistent());
        assert!(page.iter().enumerate().all(|(i, r)| r == record(i as u8)));
    }
}
