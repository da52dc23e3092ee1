//! Runs one [`Node`] over any number of transports, on tokio (feature `tokio`).
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
//! let identity = Identity { node: id, addresses: vec!["/ip4/10.0.0.7/tcp/7000".parse()?], metadata: vec![] };
//! let node = Node::new(Config::default(), identity, seed, Instant::ZERO)?;
//! let handle = Driver::new(node).transport(tcp).spawn();
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
mod handle;
mod link;
mod race;
mod task;
#[cfg(test)]
mod tests;
mod transport;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::pin::Pin;
use core::time::Duration;

use tokio::sync::{broadcast, mpsc};

use crate::node::Node;

pub use self::filter::{Filter, Filtered};
pub use self::handle::{Ended, Handle, Loop, Notice, Notices, Stopped};
pub use self::link::{Inbox, Link, LinkEnd, Outbox};
pub use self::race::staggered;
pub use self::transport::{Dial, DialError, Incoming, Transport};

/// What an object-safe method returns in place of an `async fn`.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A [`Node`] and the transports it is reached by, ready to [`spawn`](Self::spawn).
///
/// Several transports may be given; an address goes to the first that
/// [`handles`](Transport::handles) it.
pub struct Driver {
    node: Node,
    transports: Vec<Arc<dyn Transport>>,
    handle: Handle,
    commands: mpsc::Receiver<handle::Command>,
    notices: broadcast::Sender<Notice>,
    dial_timeout: Duration,
    asleep: Asleep,
}

/// How long the machine has slept since the driver was made.
type Asleep = Box<dyn FnMut() -> Duration + Send>;

impl core::fmt::Debug for Driver {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Driver({:?})", self.node)
    }
}

/// Notices that wait for a slow subscriber before it misses some.
const NOTICES: usize = 1024;
/// Commands that wait for the driver; beyond it, callers wait.
const COMMANDS: usize = 16;
/// A dial has failed when none of the peer's addresses has led to a link by then.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

impl Driver {
    /// A driver for this node, whose clock goes on from [`Node::now`]. Time in which the machine
    /// sleeps counts (R29).
    #[must_use]
    pub fn new(node: Node) -> Self {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (notices, _) = broadcast::channel(NOTICES);
        let handle = Handle::new(node.id(), sender, notices.downgrade());
        Self {
            node,
            transports: Vec::new(),
            handle,
            commands,
            notices,
            dial_timeout: DIAL_TIMEOUT,
            asleep: {
                let mut sleep = clock::Sleep::new();
                Box::new(move || sleep.total())
            },
        }
    }

    /// Adds a transport. Give an [`Arc`] to keep one's own hand on it.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// How long a dial may take, all addresses of the peer together. Default 10 s.
    #[must_use]
    pub fn dial_timeout(mut self, timeout: Duration) -> Self {
        self.dial_timeout = timeout;
        self
    }

    /// Another idea of sleep than the machine's.
    #[cfg(test)]
    fn asleep(mut self, asleep: impl FnMut() -> Duration + Send + 'static) -> Self {
        self.asleep = Box::new(asleep);
        self
    }

    /// A handle, to subscribe before the first event.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until [`Handle::leave`] or [`Handle::shutdown`] is called or every [`Handle`] is
    /// gone; then says goodbye on every link and returns, within seconds. Dropped before that,
    /// it cuts every link instead.
    pub async fn run(self) {
        let Self {
            node,
            transports,
            handle,
            commands,
            notices,
            dial_timeout,
            asleep,
        } = self;
        // It would keep the driver alive.
        drop(handle);
        task::Task::new(node, transports, notices, dial_timeout, asleep)
            .run(commands)
            .await;
    }

    /// Runs as a task of the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn(self) -> Handle {
        let handle = self.handle();
        tokio::spawn(self.run());
        handle
    }
}
