//! The messages, as the state machine handles them.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use crate::addr::{Multiaddr, Protocol};
use crate::id::{NodeId, RequestId};
use crate::record::{Sequence, Signature};
use crate::ring::Position;
use crate::wire::Kind;
use crate::wire::columns::Refusals;
use crate::wire::page::Records;
use crate::wire::sets::{Nodes, ShortIds, Sketch};

/// Any message.
#[derive(Clone, PartialEq, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "lives on the stack for the time of one call"
)]
pub enum Message {
    /// The first one on a link.
    Hello(Hello),
    /// Asks.
    Request(Request),
    /// Answers.
    Response(Response),
    /// Pushes.
    Update(Update),
    /// Precedes the end of a link.
    Goodbye(Goodbye),
    /// Its sender is there (R31).
    Beat(Beat),
    /// Wants one (R32).
    Ask(Ask),
    /// Wants to be dialled, or tells what came of it (R38).
    DialBack(DialBack),
}

impl Message {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Request(_) => Kind::Request,
            Self::Response(_) => Kind::Response,
            Self::Update(_) => Kind::Update,
            Self::Goodbye(_) => Kind::Goodbye,
            Self::Beat(_) => Kind::Beat,
            Self::Ask(_) => Kind::Ask,
            Self::DialBack(_) => Kind::DialBack,
        }
    }
}

/// The first message in both directions of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The lowest version that the sender understands.
    pub min_version: u32,
    /// The highest.
    pub max_version: u32,
    /// Optional abilities: [`SKETCHES`](super::SKETCHES), [`NODES`](super::NODES); and what is done
    /// about signatures: [`SIGNS`](super::SIGNS), [`SIGNED_ONLY`](super::SIGNED_ONLY). Of this
    /// link: [`REPLACES`](super::REPLACES). [`DIAL_BACKS`](super::DIAL_BACKS).
    pub features: u64,
    /// Redrawn at every start.
    pub epoch: u64,
    /// A hash of the cluster's name.
    pub cluster: u64,
    /// Where the sender sees the receiver (R38).
    pub seen: Option<SocketAddr>,
}

/// A summary of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest {
    /// The version of the change log.
    pub version: u64,
    /// Number of records.
    pub count: u32,
    /// Fingerprint of the set of (node, version, beat).
    pub fingerprint: u64,
    /// More is known of than there is room for: what it lacks says nothing.
    pub partial: bool,
}

/// A place in another node's change log (R15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// That node's epoch.
    pub epoch: u64,
    /// The version of its log up to which its records have been merged.
    pub version: u64,
}

/// What a delta carries.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Content {
    /// Nothing.
    #[default]
    Empty,
    /// Records.
    Records(Records),
    /// Short IDs, of which the receiver fetches what it lacks (R27).
    Announced(ShortIds),
    /// The whole table, so that the receiver can tell what it lacks, and what the sender lacks.
    Sketch(Sketch),
    /// A sample of the changes, for a receiver whose table is full (R22).
    Nodes(Nodes),
}

/// Changes of the sender's table, after `from` and up to `to`; outside its log if `to` is 0.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Delta {
    /// The version of the sender's log after which it begins.
    pub from: u64,
    /// The version up to which it is complete.
    pub to: u64,
    /// The changes.
    pub content: Content,
}

impl Delta {
    /// Records outside the log, which move no cursor.
    pub(crate) fn unlogged(records: Records) -> Self {
        Self {
            from: 0,
            to: 0,
            content: Content::Records(records),
        }
    }
}

/// The way of a forwarded request (R8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Walk {
    /// Who asked first.
    pub origin: NodeId,
    /// The nodes it has travelled, the origin first and the sender last; at most 64.
    pub path: Vec<NodeId>,
}

/// What a request at rest says in place of all else (R45).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Brief {
    /// The fingerprint of the asker's table, hashed with what the asker's own record is.
    pub state: u64,
    /// The lowest 21 bits of the version of the asker's log.
    pub log: u32,
}

impl Brief {
    const LOG: u64 = (1 << 21) - 1;

    pub(crate) const fn new(state: u64, log: u64) -> Self {
        let log = (log & Self::LOG) as u32;
        Self { state, log }
    }

    /// The version of the asker's log, of which this one was known; `None` if that is newer.
    pub(crate) const fn log_after(self, known: u64) -> Option<u64> {
        let ahead = (self.log as u64).wrapping_sub(known) & Self::LOG;
        if ahead <= Self::LOG / 2 {
            known.checked_add(ahead)
        } else {
            None
        }
    }
}

/// A request.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// The same on every hop of a walk.
    pub id: RequestId,
    /// At rest: nothing else is looked at.
    pub brief: Option<Brief>,
    /// How many more times it may be forwarded; clamped to 64.
    pub hop_limit: u8,
    /// On a forwarded request only.
    pub walk: Option<Walk>,
    /// The asker's table.
    pub digest: Digest,
    /// The asker's cursor into the answerer's log.
    pub cursor: Option<Cursor>,
    /// The sequence of the asker's own record.
    pub own: Sequence,
    /// A check of that record's body.
    pub own_check: u16,
    /// News for the answerer.
    pub push: Option<Delta>,
    /// Records wanted of an announcement.
    pub want: Option<ShortIds>,
    /// Records wanted by the first eight bytes of the node ID, concatenated.
    pub fetch: Bytes,
    /// Records whose renewal is overdue, likewise.
    pub overdue: Bytes,
    /// To estimate how much the tables differ: 40 bytes or none.
    pub strata: Bytes,
    /// No sketch, please.
    pub plain: bool,
}

impl Request {
    /// Whether it fetches certain records, and so is no exchange of its own.
    #[must_use]
    pub fn is_fetch(&self) -> bool {
        self.want.is_some() || !self.fetch.is_empty()
    }
}

/// A response.
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    /// That of the request.
    pub id: RequestId,
    /// The answerer's table. Count and fingerprint 0: the same set as in the request.
    pub digest: Digest,
    /// The answerer's cursor into the asker's log.
    pub cursor: Option<Cursor>,
    /// What has changed since the asker's cursor.
    pub delta: Option<Delta>,
    /// Of what is overdue at the asker, what has been renewed.
    pub renewed: Records,
    /// What the answerer refuses, and below which sequence.
    pub refusals: Refusals,
    /// Not now: wait for this long. The records are a random sample.
    pub busy: Option<(Duration, Records)>,
}

/// Pushed records, announcements, news.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update {
    /// The request that this is late knowledge for (R9).
    pub request: Option<RequestId>,
    /// The sender's table.
    pub digest: Option<Digest>,
    /// Records or an announcement.
    pub delta: Option<Delta>,
    /// What the sender refuses.
    pub refusals: Refusals,
    /// What is on its way through the cluster.
    pub news: Option<News>,
    /// Another node has the receiver's key; where the sender has met it, if it knows (R36).
    pub same_key: Option<Option<SocketAddr>>,
}

/// News on its way through the cluster (R46).
#[derive(Clone, PartialEq, Debug)]
pub struct News {
    /// What has changed.
    pub records: Records,
    /// Who is accused of being silent; at most 64.
    pub accusations: Vec<Accusation>,
    /// The end of the part of the ring that the receiver passes it on to: the part begins at the
    /// receiver, and this place is not in it. Where it is the receiver's own, that is the ring.
    pub until: Position,
}

/// A node that is watched is silent (R32).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accusation {
    /// Which.
    pub subject: NodeId,
    /// The sequence of its record that the accuser knows: a higher one refutes this.
    pub at: Sequence,
    /// The accuser.
    pub by: NodeId,
    /// Its signature, where the cluster signs (R50).
    pub signature: Option<Signature>,
}

/// Its sender is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beat {
    /// The lowest 48 bits of the fingerprint of the sender's table; none where it has had to choose.
    pub fingerprint: Option<u64>,
}

impl Beat {
    /// Bytes of the fingerprint.
    pub(crate) const LEN: usize = 6;
    const MASK: u64 = (1 << 48) - 1;

    /// Of a table with this fingerprint.
    pub(crate) fn new(fingerprint: Option<u64>) -> Self {
        let fingerprint = fingerprint.map(|f| f & Self::MASK);
        Self { fingerprint }
    }
}

/// Whether the receiver is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The sender watches the receiver, and wants beats from now on; or does not, any more.
    pub watch: bool,
    /// The sequence at which it has accused it.
    pub accused: Option<Sequence>,
    /// Too few watch the sender: it asks the receiver to.
    pub invite: bool,
}

/// About the addresses of one of the two ends (R38).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DialBack {
    /// The receiver is to dial the sender at the IP address that the link has for it.
    Ask {
        /// Over TCP or QUIC.
        over: Protocol,
        /// Not 0.
        port: u16,
    },
    /// It may try an address of the sender's record, whichever and whenever it likes.
    Listed,
    /// What came of a dial of the receiver.
    Tried {
        /// Where to.
        at: Multiaddr,
        /// Its key was found there.
        reached: bool,
    },
}

/// Why a link ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GoodbyeReason {
    /// Not said, or not known to this version.
    Unspecified,
    /// The node leaves the cluster.
    Leaving,
    /// No room for another link. No failure.
    Full,
    /// Not needed now. No failure.
    Idle,
    /// There is another link between the two. No failure.
    Duplicate,
    /// The receiver has broken the protocol.
    Misbehaviour,
    /// No version in common.
    Version,
    /// The node stops and will come back.
    Shutdown,
    /// The receiver is of another cluster, or the two do not agree on signatures (R50).
    OtherCluster,
    /// Another node with this key is linked already (R36).
    SameKey,
}

/// The last message on a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Goodbye {
    /// Why.
    pub reason: GoodbyeReason,
    /// Come back after this long; zero: not said.
    pub retry_after: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R45: the low bits tell the version from the one that was known, and never lead back.
    #[test]
    fn the_version_of_a_log_is_told_by_its_lowest_bits() {
        let brief = |log| Brief::new(0, log);
        for (known, log) in [(0, 0), (7, 7), (7, 9), (2_000_000, 2_500_000), (3, 1 << 20)] {
            assert_eq!(brief(log).log_after(known), Some(log), "{known} {log}");
        }
        assert_eq!(brief(1 << 20).log_after(0), None, "half of the range");
        assert_eq!(brief(8).log_after(9), None, "an old one");
        assert_eq!(brief(5).log_after(u64::MAX), None);
    }
}
