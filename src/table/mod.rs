//! What a node knows: records, their deadlines, and what is refused.
//!
//! One slab of entries, indexed by a keyed hash of the node ID: of each a row, a hash, and what its
//! node has said. A record with one IPv4 address takes about 85 bytes, all included.

mod age;
mod ahead;
mod beyond;
mod dead;
mod differences;
mod downs;
mod due;
mod edges;
mod entry;
mod evictor;
mod frontier;
mod index;
mod merge;
mod overdue;
mod relays;
mod ring;
mod room;
mod row;
mod sample;
mod slab;
mod store;
#[cfg(test)]
mod tests;
mod tombstones;

pub(crate) use self::dead::certificate_life;
pub(crate) use self::differences::Differences;
pub(crate) use self::downs::Down;
pub(crate) use self::due::Due;
pub(crate) use self::entry::{Entry, Gone, KNOWN, Slot};
pub(crate) use self::merge::{Merged, Word};
pub(crate) use self::relays::{By, Teller};
pub(crate) use self::ring::Ranked;
pub(crate) use self::row::Way;
pub(crate) use self::store::Table;
