//! Everything that goes into a node.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

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
    /// Likewise, and every address has refused: its host answered that nobody listens there.
    DialRefused {
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
    /// What the wall clock says: the time since an origin of the embedder's choice, such as 1970.
    /// Where it has run on while the clock of `now` stood still, as on a machine that was paused
    /// and does not know, records age by that (R34). To be given at the start and before what
    /// comes after such a pause; at most once a second is enough. Optional.
    WallTime {
        /// Since that origin.
        since_origin: Duration,
    },
    /// The transport has found out at which address a dial of several found its node, to be said
    /// before the dial's [`LinkUp`](Self::LinkUp). Optional: else nothing is said about transports
    /// that are blocked (R32).
    Reached {
        /// Which dial.
        dial: DialId,
        /// The address that has led to the node.
        at: Multiaddr,
        /// Those that were tried before it, or at the same time, and had not answered by then:
        /// neither refused nor broken off.
        silent: Vec<Multiaddr>,
    },
    /// Ask now, at the fast pace.
    Discover,
    /// The own addresses have changed. With none the node is announced no more.
    SetAddresses(Vec<Multiaddr>),
    /// Other sockets listen at every address of this machine: see
    /// [`Identity::listening`](crate::Identity::listening).
    SetListening(Vec<Multiaddr>),
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
