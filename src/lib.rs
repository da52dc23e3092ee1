//! Loop-free exchange of peer addresses.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod addr;
mod config;
mod effect;
mod error;
mod id;
mod input;
pub mod limits;
mod node;
mod record;
mod rng;
mod stats;
mod table;
mod time;
pub mod wire;

pub use addr::Multiaddr;
pub use config::{Config, ConfigError, Identity};
pub use effect::{CloseReason, Effect, Event, Target};
pub use error::{PeerFault, SnapshotError, StartError, UsageError};
pub use id::{DialId, LinkId, NodeId, ParseNodeIdError, RequestId};
pub use input::Input;
pub use node::{LinkView, LoopView, Node, PeerView, UpstreamState, UpstreamView};
pub use record::{RecordError, Sequence};
pub use stats::Stats;
pub use time::Instant;
