//! The driver, from its making to its run.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use tokio::sync::{broadcast, mpsc};

use crate::driver::clock::{Asleep, Sleep, WallClock, wall};
use crate::driver::handle::{Command, Handle, Notice};
use crate::driver::task::Task;
use crate::driver::transport::Transport;
use crate::node::Node;

/// A [`Node`] and the transports it is reached by, ready to [`spawn`](Self::spawn).
///
/// Several transports may be given; an address goes to the first that
/// [`handles`](Transport::handles) it.
pub struct Driver {
    node: Node,
    transports: Vec<Arc<dyn Transport>>,
    handle: Handle,
    commands: mpsc::Receiver<Command>,
    notices: broadcast::Sender<Notice>,
    dial_timeout: Duration,
    asleep: Asleep,
    wall: WallClock,
}

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
                let mut sleep = Sleep::new();
                Box::new(move || sleep.total())
            },
            wall: WallClock::new(wall),
        }
    }

    /// Adds a transport. Give an [`Arc`] to keep one's own hand on it.
    #[must_use]
    pub fn with_transport(mut self, transport: impl Transport) -> Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// How long a dial may take, all addresses of the peer together. Default 10 s.
    #[must_use]
    pub fn with_dial_timeout(mut self, timeout: Duration) -> Self {
        self.dial_timeout = timeout;
        self
    }

    /// Another idea of sleep than the machine's.
    #[cfg(test)]
    pub(super) fn asleep(mut self, asleep: impl FnMut() -> Duration + Send + 'static) -> Self {
        self.asleep = Box::new(asleep);
        self
    }

    /// Another wall clock than the machine's.
    #[cfg(test)]
    pub(super) fn wall(mut self, wall: impl FnMut() -> Duration + Send + 'static) -> Self {
        self.wall = WallClock::new(wall);
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
            wall,
        } = self;
        // It would keep the driver alive.
        drop(handle);
        Task::new(node, transports, notices, dial_timeout, asleep, wall)
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
