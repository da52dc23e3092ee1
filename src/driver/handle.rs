//! What whoever embeds holds: commands, views and notices.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::addr::Multiaddr;
use crate::driver::transport::DialError;
use crate::effect::{CloseReason, Event, Target};
use crate::error::UsageError;
use crate::id::{LinkId, NodeId};
use crate::input::Input;
use crate::node::{AskerView, LinkView, LoopView, Node, PeerView, ReadinessView, UpstreamView};
use crate::stats::Stats;

/// Speaks to a running [`Driver`](crate::Driver). Cloning is cheap; when the last one goes, the
/// driver shuts the node down.
///
/// Every method may be cancelled: what was asked then happens or not, and nothing breaks.
#[derive(Clone)]
pub struct Handle {
    node: NodeId,
    commands: mpsc::Sender<Command>,
    /// Weak, so that subscriptions end with the driver.
    notices: broadcast::WeakSender<Notice>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({:?})", self.node)
    }
}

pub(super) enum Command {
    Read(Box<dyn FnOnce(&Node) + Send>),
    Change(Input, oneshot::Sender<Result<(), UsageError>>),
    /// `Leave` or `Shutdown`; whoever sends it waits for the channel to close.
    End(Input),
}

/// The driver has stopped. What was asked of it did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

impl From<Stopped> for UsageError {
    fn from(_: Stopped) -> Self {
        Self::Left
    }
}

/// Something that has happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// An event of the node.
    Node(Event),
    /// A link is up.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// The node at the other end.
        node: NodeId,
        /// Its network address now; over QUIC it may change while the link lasts.
        remote: Option<SocketAddr>,
        /// This node has dialled it.
        dialled: bool,
    },
    /// A link has ended.
    LinkDown {
        /// Its number.
        link: LinkId,
        /// The node at the other end.
        node: NodeId,
        /// How.
        ended: Ended,
    },
    /// A dial has led to no link.
    DialFailed {
        /// Where to.
        target: Target,
        /// Why; of several addresses, the last one's reason.
        error: Arc<DialError>,
    },
    /// The subscriber was too slow, and this many notices are lost: list anew what matters.
    Missed(u64),
}

/// How a link has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The node has closed it.
    Closed(CloseReason),
    /// The other end has closed it in an orderly way, without a goodbye.
    ByPeer,
    /// It broke.
    Broken,
}

impl Handle {
    pub(super) const fn new(
        node: NodeId,
        commands: mpsc::Sender<Command>,
        notices: broadcast::WeakSender<Notice>,
    ) -> Self {
        Self {
            node,
            commands,
            notices,
        }
    }

    /// The node's ID.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Everything that happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> Notices {
        Notices(self.notices.upgrade().map(|notices| notices.subscribe()))
    }

    /// Reads anything of the node, on the driver's task: be brief. The node has been told the time
    /// just before.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Node) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        let read = move |node: &Node| {
            // Whoever asked may have gone.
            let _ = answer.send(read(node));
        };
        let command = Command::Read(Box::new(read));
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// The known live peers, this node left out.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn peers(&self) -> Result<Vec<PeerView>, Stopped> {
        self.read(|node| node.peers().collect()).await
    }

    /// All peers that are remembered, with their states: see [`Node::members`].
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn members(&self) -> Result<Vec<PeerView>, Stopped> {
        self.read(|node| node.members().collect()).await
    }

    /// What is remembered of one peer, whatever its state.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn member(&self, peer: NodeId) -> Result<Option<PeerView>, Stopped> {
        self.read(move |node| node.member(&peer)).await
    }

    /// What is known of one peer, if it is live.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn peer(&self, peer: NodeId) -> Result<Option<PeerView>, Stopped> {
        self.read(move |node| node.peer(&peer)).await
    }

    /// The links.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn links(&self) -> Result<Vec<LinkView>, Stopped> {
        self.read(|node| node.links().collect()).await
    }

    /// The configured upstreams.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn upstreams(&self) -> Result<Vec<UpstreamView>, Stopped> {
        self.read(|node| node.upstreams().collect()).await
    }

    /// Whether the node is part of a cluster, alone, still looking, or cut off.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn readiness(&self) -> Result<ReadinessView, Stopped> {
        self.read(Node::readiness).await
    }

    /// The cycles that this node is on, found so far.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn loops(&self) -> Result<Vec<LoopView>, Stopped> {
        self.read(|node| node.loops().collect()).await
    }

    /// Who asks whom: see [`Node::topology`].
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn topology(&self) -> Result<Vec<AskerView>, Stopped> {
        self.read(Node::topology).await
    }

    /// The counters.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn stats(&self) -> Result<Stats, Stopped> {
        self.read(Node::stats).await
    }

    /// What to keep across a restart: see [`Node::snapshot`].
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn snapshot(&self) -> Result<Vec<u8>, Stopped> {
        self.read(|node| node.snapshot(node.now())).await
    }

    /// Asks for peers now, at the fast pace.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn discover(&self) -> Result<(), UsageError> {
        self.change(Input::Discover).await
    }

    /// Changes the own addresses.
    ///
    /// # Errors
    /// When they are out of bounds, or the node has stopped.
    pub async fn set_addresses(&self, addresses: Vec<Multiaddr>) -> Result<(), UsageError> {
        self.change(Input::SetAddresses(addresses)).await
    }

    /// Changes where it listens at every address of the machine.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn set_listening(&self, listening: Vec<Multiaddr>) -> Result<(), UsageError> {
        self.change(Input::SetListening(listening)).await
    }

    /// Changes the own metadata.
    ///
    /// # Errors
    /// When it is out of bounds, or the node has stopped.
    pub async fn set_metadata(&self, metadata: Vec<u8>) -> Result<(), UsageError> {
        self.change(Input::SetMetadata(metadata)).await
    }

    /// Changes the upstreams.
    ///
    /// # Errors
    /// When there are too many, or the node has stopped.
    pub async fn set_upstreams(&self, upstreams: Vec<Multiaddr>) -> Result<(), UsageError> {
        self.change(Input::SetUpstreams(upstreams)).await
    }

    /// Leaves the cluster: tells everybody, closes every link, and returns when that is done.
    pub async fn leave(&self) {
        self.end(Input::Leave).await;
    }

    /// Stops for a while: says goodbye on every link and keeps the record, as before a restart.
    /// Returns when that is done.
    pub async fn shutdown(&self) {
        self.end(Input::Shutdown).await;
    }

    /// Resolves when the driver has stopped, whoever stopped it.
    pub async fn stopped(&self) {
        self.commands.closed().await;
    }

    async fn change(&self, input: Input) -> Result<(), UsageError> {
        let (answer, answered) = oneshot::channel();
        let command = Command::Change(input, answer);
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)?
    }

    async fn end(&self, input: Input) {
        // It fails when the driver has stopped, which is what is wanted.
        let _ = self.commands.send(Command::End(input)).await;
        self.commands.closed().await;
    }
}

/// A subscription. A slow subscriber holds up nobody: it is told what number it has missed.
#[derive(Debug)]
pub struct Notices(Option<broadcast::Receiver<Notice>>);

impl Notices {
    /// The next notice; `None` when the driver has stopped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.0.as_mut()?.recv().await {
            Ok(notice) => Some(notice),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Notice::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
