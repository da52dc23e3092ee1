//! Everything that goes into a node.

use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use crate::addr::Multiaddr;
use crate::id::{DialId, LinkId, NodeId};

/// What has happened, or what the embedder wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A link is up: the transport has authenticated the other end.
    LinkUp {
        /// A number never used before.
        link: LinkId,
        /// The other end's authenticated node ID.
        node: NodeId,
        /// Its network address, by which its subnet is limited; `None` where there is none.
        remote: Option<SocketAddr>,
        /// The dial that made it; `None` for an incoming link.
        dial: Option<DialId>,
    },
    /// A link is gone. Not needed after [`Effect::Close`](crate::Effect::Close), and then ignored.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Whether the other end closed it in an orderly way, which is no failure.
        orderly: bool,
    },
    /// A dial has failed: refused, timed out, or not authenticated.
    DialFailed {
        /// Which.
        dial: DialId,
    },
    /// One message has arrived, without the transport's framing.
    Message {
        /// On this link; on one that the node has closed, it is ignored.
        link: LinkId,
        /// The encoded message.
        bytes: Bytes,
    },
    /// The transport has taken one message off its queue: a credit. Exactly one for each
    /// [`Effect::Send`](crate::Effect::Send).
    Sent {
        /// On this link.
        link: LinkId,
    },
    /// Nothing but time has passed. Due at the deadline of
    /// [`Effect::WaitUntil`](crate::Effect::WaitUntil), harmless at any time.
    Wake,
    /// Ask now, at the fast pace.
    Discover,
    /// The own addresses have changed. With none the node is announced no more.
    SetAddresses(Vec<Multiaddr>),
    /// The own metadata has changed.
    SetMetadata(Vec<u8>),
    /// The upstreams have changed: another configuration, or another answer of the name server.
    SetUpstreams(Vec<Multiaddr>),
    /// Leave the cluster: tell everybody, and close every link (R4). After it, the node only
    /// answers `WaitUntil(None)`.
    Leave,
    /// Stop for a while: say goodbye on every link, keep the record. Likewise final.
    Shutdown,
}
