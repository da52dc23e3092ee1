//! What can be read of a node.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::{LinkId, NodeId};
use crate::record::Sequence;
use crate::time::Instant;

/// What is known of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerView {
    /// Who.
    pub node: NodeId,
    /// How new its record is.
    pub sequence: Sequence,
    /// Its usable addresses, most preferred first.
    pub addresses: Vec<Multiaddr>,
    /// Its metadata.
    pub metadata: Vec<u8>,
    /// Since when it has been known here, rounded down to a second: a restart begins anew, and so
    /// does a peer that had left.
    pub first_seen: Instant,
    /// Its record is signed, and the signature was checked: by this life of the node, or the one
    /// whose snapshot it was restored from (R50).
    pub signed: bool,
    /// Who told what is known now.
    pub learned_from: LearnedFrom,
    /// How long the record lives on without a renewal.
    pub lifetime_left: Duration,
    /// The lifetime that its author gave it.
    pub lifetime: Duration,
    /// No dial to it has failed since the last that succeeded.
    pub reachable: bool,
    /// There is a link to it.
    pub linked: bool,
}

/// Who told a record. A renewal, which is passed on without the record, changes nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LearnedFrom {
    /// Its node, over a link of its own.
    Itself,
    /// Another node.
    Relay(NodeId),
    /// The snapshot that this node was restored from.
    Snapshot,
    /// A node whose link has been gone for so long that it is not remembered.
    Forgotten,
}

/// One link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkView {
    /// Its number.
    pub link: LinkId,
    /// The node at its other end.
    pub node: NodeId,
    /// Its network address when the link came up. Over QUIC it may be another one since: a link
    /// outlives such a change, which is not reported here.
    pub remote: Option<SocketAddr>,
    /// This node has dialled it.
    pub dialled: bool,
    /// The mean round-trip time of exchanges on it.
    pub round_trip: Option<Duration>,
    /// Since when.
    pub up_at: Instant,
}

/// The links to the nodes at the ranks +1, +2, +4, … of the ring (R46).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StandingView {
    /// How many are to be kept.
    pub wanted: usize,
    /// How many of them there are.
    pub linked: usize,
    /// How many more there would be, the furthest, if `Config::max_links` were twice as many as
    /// all.
    pub left_out: usize,
}

/// How an upstream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamState {
    /// There is a link to it.
    Up,
    /// It is being dialled.
    Dialing,
    /// It is dialled again at that time.
    Waiting(Instant),
    /// It is this node itself.
    Itself,
}

/// One configured upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamView {
    /// As configured.
    pub address: Multiaddr,
    /// The node found there.
    pub node: Option<NodeId>,
    /// How it stands.
    pub state: UpstreamState,
    /// Failures in a row.
    pub failures: u8,
    /// When it last brought news.
    pub last_news: Option<Instant>,
}

/// A cycle among configured upstreams that the node is on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopView {
    /// In the order of asking, the smallest node ID first.
    pub path: Vec<NodeId>,
    /// When it was found first.
    pub first_seen: Instant,
    /// When it was found last.
    pub last_seen: Instant,
    /// How often.
    pub times: u64,
}
