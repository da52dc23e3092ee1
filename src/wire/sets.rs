//! Sets of records in few bytes: sketches, beginnings of node IDs (R22, R27).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::NodeId;
use crate::sketch;

/// A set of records, such that two of them tell what the sets differ by (R27).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sketch {
    pub(super) parts: u32,
    pub(super) sums: Bytes,
}

impl Sketch {
    pub(crate) fn new(parts: usize, sums: Vec<u8>) -> Self {
        Self {
            parts: parts as u32,
            sums: sums.into(),
        }
    }

    /// Into how many parts the set is cut.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts as usize
    }

    /// How many differences of each part can be told.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sums.len() / (2 * self.parts()).max(1)
    }

    pub(crate) fn sums(&self) -> &[u8] {
        &self.sums
    }

    pub(super) fn is_consistent(&self) -> bool {
        (1..=sketch::PARTS).contains(&self.parts())
            && (1..=sketch::CAPACITY).contains(&self.capacity())
            && self.sums.len() == 2 * self.parts() * self.capacity()
    }
}

/// Records by the beginning of their node IDs and the end of their versions: what a node with a
/// full table needs to tell which of them it would keep (R22).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Nodes {
    pub(super) prefixes: Bytes,
    pub(super) versions: Bytes,
}

impl Nodes {
    /// Bytes of each node ID.
    pub const PREFIX: usize = 8;

    /// Those of these records, given as (node ID, version).
    #[must_use]
    pub fn of(records: impl Iterator<Item = (NodeId, u64)>) -> Self {
        let n = records.size_hint().0;
        let (mut prefixes, mut versions) =
            (Vec::with_capacity(n * Self::PREFIX), Vec::with_capacity(n));
        for (node, version) in records {
            prefixes.extend_from_slice(&node.as_bytes()[..Self::PREFIX]);
            versions.push(version as u8);
        }
        Self {
            prefixes: prefixes.into(),
            versions: versions.into(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Encoded bytes of the list.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.prefixes.len() + self.versions.len()
    }

    /// The first bytes of each node ID, and the lowest byte of its version.
    pub fn iter(&self) -> impl Iterator<Item = ([u8; Self::PREFIX], u8)> + '_ {
        let prefixes = self.prefixes.chunks_exact(Self::PREFIX).map(|bytes| {
            let mut prefix = [0; Self::PREFIX];
            prefix.copy_from_slice(bytes);
            prefix
        });
        prefixes.zip(self.versions.iter().copied())
    }

    pub(super) fn is_consistent(&self) -> bool {
        self.prefixes.len() == Self::PREFIX * self.versions.len()
    }
}
