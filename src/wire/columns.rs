//! Lists by column. A column may be shorter than its list: the last value stands for all that
//! follow, and an empty column reads as zeros.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::NodeId;
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
