//! What a node knows: records, their deadlines, the change log, and what is refused.
//!
//! One slab of entries, indexed by a keyed hash of the node ID. The change log is a list threaded
//! through the entries in the order of change, so that a delta costs what it contains (R15). The
//! deadlines are a heap of slot numbers. A record with one IPv4 address takes about 135 bytes, all
//! included.

mod age;
mod dead;
mod deadlines;
mod delta;
mod downs;
mod edges;
mod entry;
mod evictor;
mod log;
mod merge;
mod overdue;
mod ring;
mod sample;
mod sets;
mod slab;
mod store;
#[cfg(test)]
mod tests;
mod tombstones;

pub(crate) use self::dead::certificate_life;
pub(crate) use self::delta::{Differences, Listed};
pub(crate) use self::downs::Down;
pub(crate) use self::entry::{Entry, KNOWN, Slot, Via, Way};
pub(crate) use self::merge::{Due, Merged};
pub(crate) use self::ring::Ranked;
pub(crate) use self::store::Table;
