//! Everything that comes out of a node.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use crate::addr::{Multiaddr, Protocol};
use crate::error::PeerFault;
use crate::id::{DialId, LinkId, NodeId};
use crate::time::Instant;

/// What the embedder does next. Exhaustive, so that a driver which forgets one does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an effect that is dropped is lost"]
pub enum Effect {
    /// Send one message, and report [`Input::Sent`](crate::Input::Sent) when it has left the queue.
    Send {
        /// On this link.
        link: LinkId,
        /// The encoded message; the transport frames it.
        bytes: Bytes,
    },
    /// Connect, and report [`Input::LinkUp`](crate::Input::LinkUp) or
    /// [`Input::DialFailed`](crate::Input::DialFailed), or
    /// [`DialRefused`](crate::Input::DialRefused) where that is known.
    Dial {
        /// To be returned with the outcome.
        dial: DialId,
        /// Where to.
        target: Target,
    },
    /// Close the link after what was sent on it.
    Close {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Something worth knowing. Nothing has to be done.
    Event(Event),
    /// Nothing more to do: wait for input until then, and `Wake` the node. `None`: for ever.
    WaitUntil(Option<Instant>),
}

/// Where to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A configured upstream: whichever node answers there.
    Upstream(Multiaddr),
    /// A known peer: this node and no other.
    Peer {
        /// The node ID that the transport has to find there.
        node: NodeId,
        /// Its addresses, most preferred first; at least one.
        addresses: Vec<Multiaddr>,
    },
    /// A known peer at this address, to see whether it is there (R38). Where the transport has one
    /// socket for many links, this dial has another: what is on the way lets through what comes from
    /// where something went.
    Back {
        /// The node ID that the transport has to find there.
        node: NodeId,
        /// One of its addresses.
        address: Multiaddr,
    },
}

impl Target {
    /// Where it may be dialled, most preferred first; at least one.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        match self {
            Self::Upstream(address) | Self::Back { address, .. } => core::slice::from_ref(address),
            Self::Peer { addresses, .. } => addresses.as_slice(),
        }
    }

    /// The node that has to answer there; `None` where whoever answers is welcome.
    #[must_use]
    pub const fn node(&self) -> Option<NodeId> {
        match self {
            Self::Upstream(_) => None,
            Self::Peer { node, .. } | Self::Back { node, .. } => Some(*node),
        }
    }
}

/// Why the node closes a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Unused for a while.
    Idle,
    /// There is another link to the same node.
    Duplicate,
    /// There is no room for it.
    Full,
    /// It leads to the node itself.
    SelfConnection,
    /// It leads to another node with this node's key.
    SameKey,
    /// Its node is refused for what it did.
    Refused,
    /// Its node has broken the protocol again and again.
    Misbehaviour,
    /// Requests on it get no answer.
    Unresponsive,
    /// No version in common.
    Version,
    /// Its node is of another cluster: see [`Event::OtherCluster`].
    OtherCluster,
    /// It was dialled only to see who is there (R38).
    DialBack,
    /// The other end said goodbye.
    Goodbye,
    /// This node leaves or stops.
    Leaving,
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer is known that was not known before.
    PeerUp {
        /// Whose record [`Node::peer`](crate::Node::peer) now has.
        node: NodeId,
    },
    /// A peer's record has changed: its addresses, its metadata, or what it says to the detector.
    PeerChanged {
        /// Whose.
        node: NodeId,
    },
    /// A peer's record has not been renewed in its lifetime.
    PeerExpired {
        /// Whose.
        node: NodeId,
    },
    /// A peer is down: it was silent for those who watch it (R32). It may come back, which is a
    /// [`PeerUp`](Self::PeerUp).
    PeerDown {
        /// Who.
        node: NodeId,
    },
    /// This node hears nobody (R34): it accuses nobody until it does.
    Isolated,
    /// It hears somebody again.
    IsolationOver,
    /// Over this transport nodes do not answer that do over another: it may be blocked on the way,
    /// as UDP often is. Said once, of the first node it is found out with, until it is
    /// [open](Self::TransportOpen) (R32).
    TransportBlocked {
        /// Which transport.
        protocol: Protocol,
        /// Who does not answer over it.
        node: NodeId,
    },
    /// Over this transport nodes answer again.
    TransportOpen {
        /// Which transport.
        protocol: Protocol,
    },
    /// A peer has left.
    PeerLeft {
        /// Who.
        node: NodeId,
    },
    /// A peer was dropped to make room.
    PeerEvicted {
        /// Who.
        node: NodeId,
    },
    /// A peer could not be dialled, or has stopped to answer.
    PeerUnreachable {
        /// Who.
        node: NodeId,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// The configured upstreams of these nodes form a cycle, in the order of asking, the smallest
    /// node ID first. A cycle of one node: it connects to itself.
    LoopDetected {
        /// Once round.
        path: Vec<NodeId>,
    },
    /// An upstream answers.
    UpstreamUp {
        /// As configured.
        address: Multiaddr,
        /// The node found there.
        node: NodeId,
    },
    /// An upstream could not be reached, or its link is gone.
    UpstreamDown {
        /// As configured.
        address: Multiaddr,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// This node answers a peer `Busy`, once per reporting interval and peer.
    Throttled {
        /// Whom.
        node: NodeId,
        /// What it was told to wait.
        retry_after: Duration,
    },
    /// A peer answered `Busy`, and is left alone for this long.
    Deferred {
        /// Who.
        node: NodeId,
        /// How long.
        retry_after: Duration,
    },
    /// An upstream's address has led to this node itself five times in a row, and none to another
    /// node: a load balancer may lead each node behind it to itself. Then no cluster can come of
    /// it: name another upstream, or the nodes' own addresses. Once per reporting interval (R37).
    UpstreamIsItself {
        /// As configured.
        address: Multiaddr,
    },
    /// Others have dialled this node at that address, and found it (R38).
    OwnAddressReached {
        /// Configured, or where others see this node.
        address: Multiaddr,
    },
    /// Nobody finds this node at that address that has tried, two at least where there are two (R38).
    OwnAddressUnreachable {
        /// Likewise.
        address: Multiaddr,
    },
    /// Another node has this node's key: it announces records under this node's ID, and goes on, or
    /// was met, by this node or by another that says so. Once per reporting interval where it is met
    /// (R6, R36).
    DuplicateIdentity {
        /// Where it was met, seen from there; `None` where it is known by its records alone.
        at: Option<SocketAddr>,
    },
    /// Two contents under one version of a peer's record: the first stays (R1).
    Conflict {
        /// Whose.
        node: NodeId,
        /// Which version.
        version: u64,
    },
    /// A node of another cluster has come, or was dialled. Its link is closed, and it is left alone
    /// for [`Config::backoff_cap`](crate::Config::backoff_cap).
    OtherCluster {
        /// Who.
        node: NodeId,
        /// What keeps the two apart.
        what: Mismatch,
    },
    /// A peer has sent something wrong.
    Blamed {
        /// On this link.
        link: LinkId,
        /// Who.
        node: NodeId,
        /// What.
        fault: PeerFault,
    },
}

/// What keeps two nodes apart that speak the same version (R50).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The names of their clusters differ.
    Name,
    /// One takes only signed records, and the other signs none.
    Signing,
}

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Name => "its cluster has another name",
            Self::Signing => "one of the two requires signed records, and the other does not sign",
        })
    }
}
