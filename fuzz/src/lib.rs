//! The bodies of the fuzz targets: each takes the fuzzer's bytes and panics when something does not
//! hold. They are plain modules, so that `tests/fuzz_corpus.rs` replays the corpus on stable.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod around;
mod checks;
mod decode;
mod field;
mod host;
mod hostile;
mod messages;
mod node_ops;
mod ops;
mod page;
mod parts;
mod reached;
mod round_trip;
mod sets;
mod snapshot;
mod source;

pub use decode::decode;
pub use node_ops::{node_ops, reached_by};
pub use page::page;
pub use reached::{Reached, counters, variant};
pub use round_trip::round_trip;
pub use sets::{filter, picks};
pub use snapshot::{reached_by_snapshot, snapshot};
