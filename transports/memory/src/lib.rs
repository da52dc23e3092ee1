//! peer-exchange in memory:
//!
//! - [`Hub`]: an in-process transport over channels, in real time, for the tests of a program that
//!   embeds a [`Node`](peer_exchange::Node).
//! - [`Network`]: a seeded network in virtual time, on encoded bytes, with latency, loss,
//!   duplication, reordering, partitions, crashes, restarts and clock jumps. The same seed gives
//!   the same run, which [`Network::trace_hash`] tells. An [`Observer`] sees every transition.
//! - [`MockSeal`]: signs records in tests, without cryptography.
//! - `Loopback` (feature `tokio`): a transport of the driver, over pipes between the nodes of one process.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod faults;
mod host;
mod hub;
mod network;
mod observer;
#[cfg(feature = "tokio")]
mod pipes;
mod queue;
mod random;
mod seal;

pub use faults::{FaultCounts, Faults};
pub use host::HostId;
pub use hub::{Carried, Endpoint, Hub};
pub use network::{Balance, Network, Restart, Setup, Way};
pub use observer::{Observer, Quiet};
#[cfg(feature = "tokio")]
pub use pipes::{Loopback, PipeStats, Pipes};
pub use random::Random;
pub use seal::MockSeal;
