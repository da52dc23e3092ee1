//! Sets of records in few bytes: short IDs, sketches, beginnings of node IDs (R27).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::NodeId;
use crate::rng;
use crate::sketch;

/// Short IDs of records under one salt (R27).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShortIds {
    pub(super) salt: u32,
    pub(super) width: u8,
    pub(super) parts: u32,
    pub(super) ids: Bytes,
}

/// How short IDs are cut from hashes of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ShortIdScheme {
    pub(crate) salt: u32,
    pub(crate) width: usize,
    /// As a sketch of so many parts has them; 0: plain.
    pub(crate) parts: u32,
}

impl ShortIdScheme {
    pub(crate) fn plain(salt: u32, width: usize) -> Self {
        Self {
            salt,
            width,
            parts: 0,
        }
    }

    /// That of a sketch of so many parts.
    pub(crate) fn for_sketch(salt: u32, parts: usize) -> Self {
        let parts = parts as u32;
        let width = 2 + (32 - parts.saturating_sub(1).leading_zeros()).div_ceil(8) as usize;
        Self { salt, width, parts }
    }

    /// The short ID of a record with this hash.
    pub(crate) fn id(self, hash: u64) -> u64 {
        let mixed = rng::mix(hash, u64::from(self.salt));
        if self.parts == 0 {
            return mixed >> (64 - 8 * self.width.clamp(1, 8));
        }
        let part = ((mixed & 0xffff_ffff) * u64::from(self.parts)) >> 32;
        (part << 16) | (mixed >> 48)
    }
}

impl ShortIds {
    /// Bytes of a short ID.
    pub const WIDTHS: core::ops::RangeInclusive<usize> = 2..=8;

    /// A list of these short IDs, cut in this way.
    pub(crate) fn of(scheme: ShortIdScheme, ids: impl Iterator<Item = u64>) -> Self {
        let width = scheme.width.clamp(2, 8);
        let mut out = Vec::with_capacity(ids.size_hint().0 * width);
        for id in ids {
            out.extend_from_slice(&id.to_le_bytes()[..width]);
        }
        Self {
            salt: scheme.salt,
            width: width as u8,
            parts: scheme.parts,
            ids: out.into(),
        }
    }

    /// How its IDs are cut.
    pub(crate) fn scheme(&self) -> ShortIdScheme {
        ShortIdScheme {
            salt: self.salt,
            width: self.width(),
            parts: self.parts,
        }
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> u32 {
        self.salt
    }

    /// Bytes of each.
    #[must_use]
    pub fn width(&self) -> usize {
        usize::from(self.width)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() / self.width().max(1)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Encoded bytes of the list.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.ids.len()
    }

    /// The short IDs in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ids.chunks_exact(self.width().max(1)).map(|id| {
            let mut bytes = [0; 8];
            bytes[..id.len()].copy_from_slice(id);
            u64::from_le_bytes(bytes)
        })
    }

    pub(super) fn is_consistent(&self) -> bool {
        Self::WIDTHS.contains(&self.width())
            && self.ids.len() % self.width() == 0
            && self.parts as usize <= sketch::PARTS
    }
}

/// A set of records, such that two of them tell what the sets differ by (R27).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sketch {
    pub(super) salt: u32,
    pub(super) parts: u32,
    pub(super) sums: Bytes,
}

impl Sketch {
    pub(crate) fn new(salt: u32, parts: usize, sums: Vec<u8>) -> Self {
        Self {
            salt,
            parts: parts as u32,
            sums: sums.into(),
        }
    }

    /// How the elements are cut from hashes of records.
    pub(crate) fn scheme(&self) -> ShortIdScheme {
        ShortIdScheme::for_sketch(self.salt, self.parts())
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
