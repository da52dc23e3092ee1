//! What a node knows: records, their deadlines, and what is refused.
//!
//! One slab of entries, indexed by a keyed hash of the node ID. The deadlines are a heap of slot
//! numbers. A record with one IPv4 address takes about 120 bytes, all included.

mod age;
mod dead;
mod deadlines;
mod differences;
mod downs;
mod edges;
mod entry;
mod evictor;
mod frontier;
mod merge;
mod overdue;
mod ring;
mod sample;
mod slab;
mod store;
#[cfg(test)]
mod tests;
mod tombstones;

pub(crate) use self::dead::certificate_life;
pub(crate) use self::differences::Differences;
pub(crate) use self::downs::Down;
pub(crate) use self::entry::{Entry, KNOWN, Slot, Via, Way};
pub(crate) use self::merge::{Due, Merged};
pub(crate) use self::ring::Ranked;
pub(crate) use self::store::Table;
