//! Runs one [`Node`](crate::Node) over any number of transports, on tokio (feature `tokio`).
//!
//! One task owns the node, the clock and the timer; nothing is locked. Transports hand it
//! authenticated [`Link`]s, each of which runs as a task of its own and reports through one
//! bounded channel, so that a peer which sends too fast waits in its own socket. What goes out
//! waits in a queue of eight messages a link, which the node never overfills: it counts credits.
//! The driver itself waits for nobody.
//!
//! ```no_run
//! # use peer_exchange::{Config, Driver, Identity, Instant, Node, NodeId, Notice};
//! # async fn example<T: peer_exchange::Transport>(tcp: T, id: NodeId, seed: [u8; 32])
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::new(id).with_addresses(vec!["/ip4/10.0.0.7/tcp/7000".parse()?]);
//! let node = Node::new(Config::default(), identity, seed, Instant::ZERO)?;
//! let handle = Driver::new(node).with_transport(tcp).spawn();
//! let mut notices = handle.subscribe();
//! while let Some(notice) = notices.next().await {
//!     if let Notice::Node(event) = notice {
//!         println!("{event:?}, {} peers", handle.peers().await?.len());
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod clock;
mod filter;
mod filtered;
mod future;
mod handle;
mod link;
mod race;
mod run;
mod task;
#[cfg(test)]
mod tests;
mod transport;

pub use self::filter::Filter;
pub use self::filtered::Filtered;
pub use self::future::BoxFuture;
pub use self::handle::{Ended, Handle, Notice, Notices, Stopped};
pub use self::link::{Inbox, Link, LinkEnd, Outbox};
pub use self::race::staggered;
pub use self::run::Driver;
pub use self::transport::{Dial, DialError, Incoming, Transport};
