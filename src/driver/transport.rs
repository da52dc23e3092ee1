//! What a transport is to the driver.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::net::SocketAddr;

use tokio::sync::mpsc;

use crate::addr::{self, Multiaddr, Protocol};
use crate::config::Config;
use crate::driver::filter::{Filter, Filters};
use crate::driver::future::BoxFuture;
use crate::driver::link::{Link, Report};
use crate::id::NodeId;

/// Makes links: authenticated, encrypted, ordered connections that carry whole messages.
///
/// The contract of identity lies here: the node ID of every [`Link`] is proven, its node is a
/// member of the cluster, and nothing of the protocol has been told to anybody else (R25).
pub trait Transport: Send + Sync + 'static {
    /// Whether [`dial`](Self::dial) can make sense of this address.
    fn handles(&self, address: &Multiaddr) -> bool;

    /// Begins to accept links, in tasks of the transport, and hands each over when it is
    /// authenticated. To end when [`Incoming::closed`] resolves. Called once.
    fn listen(&self, incoming: Incoming);

    /// Connects and authenticates. Dropping the future gives up. A name is resolved here, and
    /// every answer is a candidate. The caller bounds the time.
    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>>;

    /// Releases what is left after the last link has ended. The caller bounds the time.
    fn close(&self) -> BoxFuture<()>;
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn handles(&self, address: &Multiaddr) -> bool {
        (**self).handles(address)
    }

    fn listen(&self, incoming: Incoming) {
        (**self).listen(incoming);
    }

    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        (**self).dial(dial)
    }

    fn close(&self) -> BoxFuture<()> {
        (**self).close()
    }
}

/// One address to be dialled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dial {
    /// Where to.
    pub address: Multiaddr,
    /// The node that has to answer there, to be told nothing unless it does; `None` for an
    /// upstream, where whoever answers is welcome.
    pub node: Option<NodeId>,
    /// From a socket of its own, where one socket serves many links: an upstream may be behind a load
    /// balancer, which leads what comes from one port to one node for ever (R37), and what is to be
    /// seen of a node is whether others reach it, to whom it has not spoken (R38).
    pub own_socket: bool,
    local: bool,
    policy: Option<fn(&NodeId, &Multiaddr) -> bool>,
}

impl Dial {
    /// To this address of an upstream: `node` is `None`; of a peer: its node ID.
    #[must_use]
    pub const fn new(address: Multiaddr, node: Option<NodeId>, config: &Config) -> Self {
        Self {
            address,
            node,
            own_socket: node.is_none(),
            local: config.local,
            policy: config.address_policy,
        }
    }

    /// From a socket of its own.
    #[must_use]
    pub const fn with_own_socket(mut self) -> Self {
        self.own_socket = true;
        self
    }

    /// Whether a socket address that a name was resolved to may be connected to. What holds for
    /// addresses in records (R7) holds for the names in them: else a peer's name could lead to
    /// this host's own services. An upstream's name was chosen by the operator.
    #[must_use]
    pub fn allows(&self, resolved: SocketAddr) -> bool {
        let address = match self.address.port() {
            Some((Protocol::Quic, _)) => Multiaddr::quic(resolved),
            _ => Multiaddr::tcp(resolved),
        };
        let Some(node) = &self.node else {
            return addr::is_usable(address.as_bytes(), true);
        };
        addr::is_usable(address.as_bytes(), self.local)
            && self.policy.is_none_or(|policy| policy(node, &address))
    }
}

/// Why there is no link. Shown to the operator; the node only learns that it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// No transport takes this kind of address.
    #[error("no transport for this kind of address")]
    Unsupported,
    /// The name has no usable address.
    #[error("the name does not resolve to a usable address")]
    NoAddress,
    /// The network said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It took too long.
    #[error("timed out")]
    TimedOut,
    /// Another node answers there. It was told nothing.
    #[error("another node answers there: {0}")]
    OtherNode(NodeId),
    /// The other end is no member, or does not take this node for one.
    #[error("not authenticated: {0}")]
    Unauthenticated(String),
    /// The transport's task has died, which is a bug.
    #[error("the dial was given up")]
    GivenUp,
}

impl DialError {
    /// The host is there, and says that nobody listens.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
    }

    /// The other end was not authenticated, for this reason.
    pub fn unauthenticated(why: &dyn core::fmt::Display) -> Self {
        Self::Unauthenticated(why.to_string())
    }
}

/// Where a transport hands over the links it has accepted.
#[derive(Clone, Debug)]
pub struct Incoming {
    reports: mpsc::Sender<Report>,
    filters: Filters,
}

impl Incoming {
    pub(super) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self {
            reports,
            filters: Filters::default(),
        }
    }

    /// For links that are to be behind this too: nearer to the wire than those before.
    pub(super) fn filtered(mut self, filter: Arc<dyn Filter>) -> Self {
        self.filters.0.insert(0, filter);
        self
    }

    /// Hands over a link. Waits while the driver is busy; when it is gone the link is dropped.
    pub async fn accept(&self, link: Link) {
        let link = link.filtered(self.filters.0.iter().cloned());
        let _ = self.reports.send(Report::Accepted(link)).await;
    }

    /// Resolves when the driver takes no more links.
    pub async fn closed(&self) {
        self.reports.closed().await;
    }
}
