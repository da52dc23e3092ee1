//! Loop-free exchange of peer addresses, as a pure state machine.
//!
//! Machines that must find each other's addresses ask each other, and what one learns it tells.
//! Done naively, by computing each answer from an answer of the next machine, a ring of three
//! servers asks itself to death. Here every answer comes at once from the node's own table, so no
//! topology can loop; exchanges tell differences, so nothing costs almost nothing; cycles in the
//! configuration are found and named.
//!
//! [`Node`] is sans-IO: it owns no socket, no clock, no randomness and no thread, and needs only
//! `core` and `alloc`. Feed it with [`Input`]s, carry out its [`Effect`]s. The same inputs and
//! seed give the same effects, byte for byte.
//!
//! # The driver loop
//!
//! Whatever the runtime, the loop is this: give the node an input, drain its effects until it
//! waits, wait for the next input or the deadline. Here with two nodes and a wire made of a queue:
//!
//! ```
//! use std::collections::VecDeque;
//! use std::time::Duration;
//! use peer_exchange::{Config, Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId};
//!
//! fn node(n: u8, upstreams: Vec<Multiaddr>) -> Node {
//!     let address = Multiaddr::tcp(([10, 0, 0, n], 7000).into());
//!     let identity = Identity::new(NodeId::new([n; 32])).with_addresses(vec![address]).with_metadata(b"zone=a");
//!     let mut config = Config::default();
//!     config.upstreams = upstreams;
//!     let seed = [n; 32]; // in earnest: 32 random bytes, drawn anew at every start
//!     Node::new(config, identity, seed, Instant::ZERO).expect("the default is in range")
//! }
//!
//! let mut nodes = [node(1, vec!["/ip4/10.0.0.2/tcp/7000".parse()?]), node(2, vec![])];
//! let mut wire: VecDeque<(usize, Input)> = VecDeque::new(); // (for whom, what)
//! let mut links = 0; // so far
//! let mut now = Instant::ZERO; // in earnest: the time since the program's start
//!
//! for _ in 0..100 {
//!     // Carry out what the nodes want, until both wait.
//!     let mut wake = None;
//!     for i in 0..2 {
//!         let other = 1 - i;
//!         loop {
//!             match nodes[i].poll() {
//!                 Effect::Send { link, bytes } => {
//!                     wire.push_back((other, Input::Message { link, bytes }));
//!                     wire.push_back((i, Input::Sent { link })); // it has left the queue
//!                 }
//!                 Effect::Dial { dial, .. } => {
//!                     // In earnest: connect, authenticate, report LinkUp or DialFailed.
//!                     links += 1;
//!                     let (link, remote) = (LinkId::new(links), None);
//!                     let (us, them) = (nodes[i].id(), nodes[other].id());
//!                     wire.push_back((i, Input::LinkUp { link, node: them, remote, dial: Some(dial) }));
//!                     wire.push_back((other, Input::LinkUp { link, node: us, remote, dial: None }));
//!                 }
//!                 Effect::Close { link, .. } => {
//!                     wire.push_back((other, Input::LinkDown { link, orderly: true }));
//!                 }
//!                 Effect::Event(event) => println!("node {}: {event:?}", i + 1),
//!                 Effect::WaitUntil(deadline) => {
//!                     wake = wake.into_iter().chain(deadline).min();
//!                     break;
//!                 }
//!             }
//!         }
//!     }
//!     // Wait for the next input, at most until the deadline.
//!     match wire.pop_front() {
//!         Some((i, input)) => nodes[i].handle(now, input)?,
//!         None => {
//!             now = wake.unwrap_or(now + Duration::from_secs(1)).max(now);
//!             nodes[0].handle(now, Input::Wake)?;
//!             nodes[1].handle(now, Input::Wake)?;
//!         }
//!     }
//! }
//! let peer = nodes[0].peer(&nodes[1].id()).expect("the first has found the second");
//! assert_eq!(peer.addresses, ["/ip4/10.0.0.2/tcp/7000".parse()?]);
//! assert_eq!(nodes[1].peer_count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the embedder promises
//!
//! - The node ID in [`Input::LinkUp`] is *authenticated*. The protocol trusts it.
//! - A link is ordered, and delivers whole messages of at most 64 KiB.
//! - Every [`Effect::Send`] is answered by one [`Input::Sent`]: that is the back-pressure.
//! - Its clock counts the time in which the machine sleeps, where it may sleep.
//! - The seed is secret, and new at every start.
//! - After every input the effects are drained until [`Effect::WaitUntil`].
//!
//! # What the node promises
//!
//! - No input, in any order, makes it panic, and none makes its memory grow beyond [`limits::caps`].
//! - No answer waits for another node; no request is forwarded twice by one node.
//! - What a peer does wrong is an [`Event::Blamed`], never an error of the call.
//!
//! # What can be read
//!
//! At any time, of the node as it stood at its last input: [`Node::peers`] with who told each and
//! since when, [`Node::links`], [`Node::upstreams`] with their state, backoff and last news,
//! [`Node::loops`], and [`Node::stats`], the counters, by kind of message and reason of fault. Give
//! the node a [`Input::Wake`] first where lifetimes matter. [`Node::snapshot`] is what to keep
//! across a restart.
//!
//! The rules (R1, R2, …) that comments and documentation cite are listed in [`protocol`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
// The sizes of collections are looked at by `testing` alone. With it, dead code is found.
#![cfg_attr(not(any(test, feature = "testing")), allow(dead_code))]

extern crate alloc;
#[cfg(any(test, feature = "tokio"))]
extern crate std;

pub mod addr;
mod config;
pub mod contract;
#[cfg_attr(
    not(feature = "testing"),
    allow(unreachable_pub, reason = "seen with the feature alone")
)]
mod defence;
#[cfg(feature = "tokio")]
pub mod driver;
mod effect;
mod error;
mod id;
mod input;
pub mod limits;
mod node;
#[doc = include_str!("../docs/protocol.md")]
pub mod protocol {}
mod record;
mod ring;
mod rng;
mod seal;
#[cfg(feature = "serde")]
mod serde;
mod sketch;
mod stats;
mod table;
mod time;
#[doc(hidden)]
pub mod wire;

pub use addr::Multiaddr;
pub use bytes;
pub use config::{Config, ConfigError, Identity};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use defence::{Defence, Disarmed};
#[cfg(feature = "tokio")]
pub use driver::{Driver, Handle, Notice, Transport};
pub use effect::{CloseReason, Effect, Event, Mismatch, Target};
pub use error::{PeerFault, SnapshotError, StartError, UsageError};
pub use id::{DialId, LinkId, NodeId, ParseNodeIdError, RequestId};
pub use input::Input;
pub use node::{
    AskerView, LearnedFrom, LinkView, LoopView, NamedUpstream, Node, OwnAddressState,
    OwnAddressView, PeerState, PeerView, Readiness, ReadinessView, StandingView, UpstreamState,
    UpstreamView,
};
pub use record::{RecordError, Sequence, Signature};
pub use ring::{Position, RingKey};
pub use seal::{Seal, Signed, Signing};
pub use stats::{Histogram, Stats, Traffic};
pub use time::Instant;
pub use wire::{DecodeError, Kind, Malformed};

/// The blocks of Rust in the guide to embedding compile and run.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../docs/embedding.md")]
mod embedding {}
