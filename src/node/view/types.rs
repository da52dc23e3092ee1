//! What can be read of a node.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::{LinkId, NodeId};
use crate::record::Sequence;
use crate::time::Instant;

/// What a peer is, as far as is known here (R35). Only a change to or from `Suspect` is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PeerState {
    /// It takes part.
    Up,
    /// It is accused of being silent (R32), and counts as up until more of its neighbours say so.
    Suspect,
    /// It was silent for those who watch it (R32). It is in no answer, and comes back by a higher
    /// sequence of its own.
    Down,
    /// It has said that it leaves (R4).
    Left,
}

impl PeerState {
    /// In one word, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Left => "left",
        }
    }

    /// Whether it takes part: it is up, or suspect.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Up | Self::Suspect)
    }
}

/// What is known of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerView {
    /// Who.
    pub node: NodeId,
    /// How new its record is.
    pub sequence: Sequence,
    /// What it is.
    pub state: PeerState,
    /// Since when it has been that here; of `Up` and `Left` rounded down to a second. A restart of
    /// this node begins anew.
    pub since: Instant,
    /// Of `Suspect` and `Down`: whose accusations made it that.
    pub accused_by: Vec<NodeId>,
    /// Its usable addresses, most preferred first. Of one that is down, the last ones; where very
    /// many are down, none.
    pub addresses: Vec<Multiaddr>,
    /// Its metadata, likewise.
    pub metadata: Vec<u8>,
    /// Since when it has been known here, rounded down to a second: a restart begins anew, and so
    /// does a peer that was down or had left.
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
    /// No dial to it has failed since the last that succeeded. Like the next two a fact of this
    /// node alone, whatever the state.
    pub reachable: bool,
    /// There is a link to it.
    pub linked: bool,
    /// The last one broke, or ended by silence, and it has not been dialled since.
    pub link_lost: bool,
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
    /// One of so many (65,534 have told of what is known) that who it was is not remembered.
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

/// What is known of an own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnAddressState {
    /// Nobody has tried it, or it is not decided.
    Unproven,
    /// Others have dialled it, and found this node.
    Proven,
    /// Nobody finds this node there that has tried.
    Unreachable,
}

impl OwnAddressState {
    /// In one word, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Proven => "proven",
            Self::Unreachable => "unreachable",
        }
    }
}

/// One address of this node (R38).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnAddressView {
    /// Which.
    pub address: Multiaddr,
    /// It is among those that the node was given; else others see this node there.
    pub configured: bool,
    /// It is in the own record.
    pub advertised: bool,
    /// What came of trying it.
    pub state: OwnAddressState,
    /// Since when.
    pub since: Instant,
    /// The latest of those that have found this node there, at most 8.
    pub reached_by: Vec<NodeId>,
    /// Likewise, that have not.
    pub missed_by: Vec<NodeId>,
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
    /// Many are configured, and the record of a live node lists this address: it is not dialled as long
    /// as that is so (R44).
    Listed,
    /// Its last dial has led to this node itself. It is tried again, within 30 s.
    Itself,
}

/// One configured upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamView {
    /// As configured.
    pub address: Multiaddr,
    /// The node found there last: behind a load balancer it may be another one at each dial.
    pub node: Option<NodeId>,
    /// How it stands.
    pub state: UpstreamState,
    /// How many dials in a row have led to this node itself (R37).
    pub times_itself: u8,
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
    /// Whether it was there when it was looked for last: within seconds of any change of what records
    /// say of upstreams.
    pub present: bool,
}
