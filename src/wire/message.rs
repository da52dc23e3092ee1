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
use crate::wire::filter::Filter;
use crate::wire::page::{Records, WireRecord};
use crate::wire::picks::Picks;
use crate::wire::sets::{Nodes, Sketch};

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

    /// The records that the two ends exchange in it: not the news on its way.
    pub(crate) fn records(&self) -> impl Iterator<Item = WireRecord<'_>> {
        let records = match self {
            Self::Request(m) => Some(&m.records),
            Self::Response(m) => Some(&m.records),
            Self::Update(m) => Some(&m.records),
            _ => None,
        };
        records.into_iter().flat_map(Records::iter)
    }
}

/// The first message in both directions of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The lowest version that the sender understands.
    pub min_version: u32,
    /// The highest.
    pub max_version: u32,
    /// What is done about signatures: [`SIGNS`](super::SIGNS), [`SIGNED_ONLY`](super::SIGNED_ONLY). Of
    /// this link: [`REPLACES`](super::REPLACES).
    pub features: u32,
    /// Redrawn at every start.
    pub epoch: u32,
    /// A hash of the cluster's name.
    pub cluster: u64,
    /// Where the sender sees the receiver (R38).
    pub seen: Option<SocketAddr>,
}

/// The way of a forwarded request (R8): the nodes that it has travelled, who asked first as the first
/// and the sender as the last; at least one, at most 64.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Walk(Vec<NodeId>);

impl Walk {
    /// Along these nodes; none if there is none.
    #[must_use]
    pub fn of(path: Vec<NodeId>) -> Option<Self> {
        (!path.is_empty()).then_some(Self(path))
    }

    /// Who asked first.
    #[must_use]
    pub fn origin(&self) -> NodeId {
        self.0
            .first()
            .copied()
            .unwrap_or_else(|| NodeId::new([0; NodeId::LEN]))
    }

    /// The nodes it has travelled.
    #[must_use]
    pub fn path(&self) -> &[NodeId] {
        &self.0
    }

    /// One node further.
    pub(crate) fn through(mut self, node: NodeId) -> Self {
        self.0.push(node);
        self
    }
}

/// How an asker shows what it has.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Shows {
    /// The records of the request are all that it has.
    #[default]
    All,
    /// What it lacks says nothing, since its table is full (R22).
    Partial,
    /// A filter of its table (R40).
    Filter(Filter),
    /// A sketch of it (R27).
    Sketch(Sketch),
}

/// A request.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// The same on every hop of a walk.
    pub id: RequestId,
    /// At rest, in place of all else: the fingerprint of the asker's table, hashed with what the
    /// asker's own record is (R45).
    pub state: Option<u64>,
    /// How many more times it may be forwarded; clamped to 64.
    pub hop_limit: u8,
    /// On a forwarded request only.
    pub walk: Option<Walk>,
    /// Number of records in the asker's table.
    pub count: u32,
    /// What the asker has.
    pub shows: Shows,
    /// Records that the answerer may lack.
    pub records: Records,
    /// The sequence of the asker's own record, and a check of its body.
    pub own: (Sequence, u16),
    /// Records whose renewal is overdue, by the first eight bytes of the node ID, concatenated.
    pub overdue: Bytes,
    /// Records wanted, likewise; then nothing else is looked at.
    pub fetch: Bytes,
}

impl Request {
    /// With nothing but its ID.
    #[must_use]
    pub fn new(id: RequestId) -> Self {
        Self {
            id,
            state: None,
            hop_limit: 0,
            walk: None,
            count: 0,
            shows: Shows::All,
            records: Records::default(),
            own: Default::default(),
            overdue: Bytes::new(),
            fetch: Bytes::new(),
        }
    }

    /// Whether it fetches certain records, and so is no exchange of its own.
    #[must_use]
    pub fn is_fetch(&self) -> bool {
        !self.fetch.is_empty()
    }
}

/// A response.
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    /// That of the request.
    pub id: RequestId,
    /// Number of records in the answerer's table.
    pub count: u32,
    /// That table is the asker's.
    pub same: bool,
    /// What the asker lacks.
    pub records: Records,
    /// What the answerer lacks: places in the filter, or elements of the sketch.
    pub wants: Picks,
    /// The answerer asks others itself, and an update comes when it has their answer (R41).
    pub later: bool,
    /// There is more than fits, or than could be told.
    pub cut: bool,
    /// The answerer's table is full.
    pub partial: bool,
    /// A sample, for an asker whose table is full (R22).
    pub nodes: Nodes,
    /// To estimate how much the tables differ: 40 bytes or none.
    pub strata: Bytes,
    /// Of what is overdue at the asker, what has been renewed.
    pub renewed: Records,
    /// What the answerer refuses, and below which sequence.
    pub refusals: Refusals,
    /// Not now: wait for this long. The records are a random sample.
    pub busy: Option<(Duration, Records)>,
}

impl Response {
    /// To this request, with nothing in it.
    #[must_use]
    pub fn to(id: RequestId) -> Self {
        Self {
            id,
            count: 0,
            same: false,
            records: Records::default(),
            wants: Picks::default(),
            later: false,
            cut: false,
            partial: false,
            nodes: Nodes::default(),
            strata: Bytes::new(),
            renewed: Records::default(),
            refusals: Refusals::default(),
            busy: None,
        }
    }
}

/// Pushed records, and news.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update {
    /// The request whose response has wanted this, or promised it for later.
    pub request: Option<RequestId>,
    /// Records.
    pub records: Records,
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ask {
    /// The sender watches the receiver, and wants beats from now on; or does not, any more.
    pub watch: bool,
    /// The sequence at which it has accused it.
    pub accused: Option<Sequence>,
    /// Too few watch the sender: it asks the receiver to.
    pub invite: bool,
    /// The sequence that others tell of, which the sender does not believe (R52).
    pub claimed: Option<Sequence>,
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
