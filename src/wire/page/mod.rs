//! A page of records, packed (R45): sorted by node ID, column by column, each number in the bits
//! that it needs beside its neighbours. `proto/README.md` has the format.
//!
//! A page has one form only. Another one of the same records is refused, and so a page is the same
//! bytes wherever it comes from; bodies come out as their authors wrote them (R7).

mod bits;
mod body;
mod column;
mod pack;
mod records;
mod shape;
#[cfg(test)]
mod tests;
mod unpack;

pub(super) use self::pack::pack;
pub use self::records::{Records, RecordsBuilder, WireRecord};
pub(super) use self::unpack::unpack;

/// What is wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// It ends before its last record.
    #[error("it ends too early")]
    Truncated,
    /// There are bytes after the last record.
    #[error("it goes on after its last record")]
    TooLong,
    /// A number is larger than the field that it stands for.
    #[error("a number is out of range")]
    Number,
    /// A body's shape is none.
    #[error("a body has an unknown shape")]
    Shape,
    /// These records are written in another way.
    #[error("this is not how these records are written: {0}")]
    NotCanonical(&'static str),
}

/// Bytes of a node ID whose beginnings are told by their distance from each other: more bits than a
/// page has records are never needed.
const HEAD_BYTES: usize = 4;
const HEAD_BITS: u32 = 8 * HEAD_BYTES as u32;

/// Bytes of a node ID that are written as they are.
const REST_BYTES: usize = crate::id::NodeId::LEN - HEAD_BYTES;

/// How signatures are said to be there, in two bits.
mod signed {
    pub(super) const NONE: u64 = 0;
    pub(super) const ALL: u64 = 1;
    /// A bit for each record follows.
    pub(super) const SOME: u64 = 2;
}
