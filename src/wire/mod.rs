//! The wire format: typed messages, and their encoded form.
//!
//! This is the layer below the state machine; it knows nothing of a node's state. It is public for
//! tools: fuzzers, checkers, sniffers. An embedder moves encoded bytes and never needs it.
//!
//! **Not covered by semantic versioning**: the messages grow with the protocol, and so do these
//! types. What stays is the wire itself (`proto/README.md`).
//!
//! `decode` parses once, into types that cannot be invalid: lengths, counts and limits have been
//! checked, and what remains for the state machine is what only it can judge.

mod accusations;
mod bits;
mod columns;
mod decode;
mod encode;
mod filter;
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unnameable_types,
    clippy::all,
    reason = "generated; described in the schema"
)]
#[rustfmt::skip]
mod generated;
mod kind;
mod message;
#[cfg(feature = "testing")]
mod outline;
mod page;
mod picks;
mod sets;
mod snapshot;

pub use columns::{Refusals, RefusalsBuilder};
pub use decode::{DecodeError, Decoded, Malformed, decode};
pub(crate) use encode::Encoder;
pub use encode::encode;
pub use filter::Filter;
pub(crate) use filter::Lacked;
pub use kind::Kind;
pub use message::{
    Accusation, Ask, Beat, DialBack, Goodbye, GoodbyeReason, Hello, Message, News, Request,
    Response, Shows, Update, Walk,
};
#[cfg(feature = "testing")]
pub use outline::{Carries, Outline};
pub use page::{PageError, Records, RecordsBuilder, WireRecord};
pub use picks::Picks;
pub use sets::{Nodes, Sketch};
pub use snapshot::SnapshotError;
pub(crate) use snapshot::{SavedDown, Snapshot};

/// The bit of `Hello.features` of whoever signs its records.
pub const SIGNS: u32 = 1;

/// The bit of `Hello.features` of whoever takes no record that is not signed.
pub const SIGNED_ONLY: u32 = 2;

/// The bit of `Hello.features` of a link that its sender has dialled since nothing came over the one
/// before: it is to take its place.
pub const REPLACES: u32 = 4;

/// The bit of `Hello.features` of whoever takes no [`DialBack`].
pub const NO_DIAL_BACKS: u32 = 8;

/// The version of the wire contract.
pub const VERSION: u32 = 1;
