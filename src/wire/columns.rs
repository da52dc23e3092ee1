//! Lists by column. A column may be shorter than its list: the last value stands for all that
//! follow, and an empty column reads as zeros.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::{NodeId, Prefix};
use crate::record::Sequence;

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

/// One renewal (R26).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Renewal {
    /// The first four bytes of the node ID.
    pub prefix: [u8; 4],
    /// The version that is renewed, and the new beat.
    pub sequence: Sequence,
    /// Remaining lifetime in seconds.
    pub remaining_s: u32,
    /// The lowest 16 bits of the hash of the record's body.
    pub check: u16,
}

/// A batch of renewals.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Renewals {
    pub(super) prefixes: Bytes,
    pub(super) versions: Vec<u64>,
    pub(super) beats: Vec<u32>,
    pub(super) lifetimes: Vec<u32>,
    pub(super) checks: Bytes,
}

impl Renewals {
    /// Number of renewals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes.len() / Prefix::LEN
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The renewals in order.
    pub fn iter(&self) -> impl Iterator<Item = Renewal> + '_ {
        let pairs = self
            .prefixes
            .chunks_exact(Prefix::LEN)
            .zip(self.checks.chunks_exact(2));
        pairs.enumerate().map(|(i, (prefix, check))| Renewal {
            prefix: [prefix[0], prefix[1], prefix[2], prefix[3]],
            sequence: Sequence {
                version: at(&self.versions, i),
                beat: at(&self.beats, i),
            },
            remaining_s: at(&self.lifetimes, i),
            check: u16::from_le_bytes([check[0], check[1]]),
        })
    }

    pub(super) fn is_consistent(&self) -> bool {
        let n = self.len();
        self.prefixes.len() % Prefix::LEN == 0
            && self.checks.len() == 2 * n
            && self.versions.len() <= n
            && self.beats.len() <= n
            && self.lifetimes.len() <= n
    }
}

/// Fills a batch of renewals.
#[derive(Debug, Default)]
pub struct RenewalsBuilder {
    prefixes: Vec<u8>,
    versions: Vec<u64>,
    beats: Vec<u32>,
    lifetimes: Vec<u32>,
    checks: Vec<u8>,
}

impl RenewalsBuilder {
    /// Adds a renewal.
    pub fn push(&mut self, renewal: Renewal) {
        self.prefixes.extend_from_slice(&renewal.prefix);
        self.versions.push(renewal.sequence.version);
        self.beats.push(renewal.sequence.beat);
        self.lifetimes.push(renewal.remaining_s);
        self.checks.extend_from_slice(&renewal.check.to_le_bytes());
    }

    /// The batch.
    #[must_use]
    pub fn finish(mut self) -> Renewals {
        trim(&mut self.versions);
        trim(&mut self.beats);
        trim(&mut self.lifetimes);
        Renewals {
            prefixes: self.prefixes.into(),
            versions: self.versions,
            beats: self.beats,
            lifetimes: self.lifetimes,
            checks: self.checks.into(),
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
}
