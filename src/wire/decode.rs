//! Bytes to typed messages.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use super::generated as pb;
use super::generated::envelope::Kind;
use crate::addr::{Multiaddr, Protocol};
use crate::contract;
use crate::id::{NodeId, Prefix, RequestId};
use crate::record::Sequence;
use crate::ring::Position;
use crate::sketch::Strata;
use crate::wire::accusations;
use crate::wire::columns::Refusals;
use crate::wire::filter::Filter;
use crate::wire::message::{
    Ask, Beat, DialBack, Goodbye, GoodbyeReason, Hello, Message, News, Request, Response, Shows,
    Update, Walk,
};
use crate::wire::page::{self, PageError, Records};
use crate::wire::picks::Picks;
use crate::wire::sets::{Nodes, Sketch};

/// What is wrong with bytes that are no protobuf message, to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Malformed(prost::DecodeError);

impl From<prost::DecodeError> for Malformed {
    fn from(error: prost::DecodeError) -> Self {
        Self(error)
    }
}

/// A message that is not one (blame: its sender).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than 64 KiB.
    #[error("a message has at most {max} bytes, this one {0}", max = contract::MESSAGE_BYTES)]
    TooLong(usize),
    /// No protobuf message of the expected types.
    #[error("the bytes are no message: {0}")]
    Malformed(Malformed),
    /// A node ID of another length than 32 bytes, or a list of them whose length is no multiple.
    #[error("{0}: a node ID has 32 bytes")]
    NodeId(&'static str),
    /// The columns of a list do not fit together.
    #[error("{0}: the columns do not fit together")]
    Columns(&'static str),
    /// A page of records is none, or not the one form of its records (R45).
    #[error("a page of records: {0}")]
    Page(#[from] PageError),
    /// A path that is empty, longer than 64 nodes, or names a node twice.
    #[error("a path has 1 to {} distinct nodes", contract::HOPS)]
    Path,
    /// A request that shows its table in more than one way.
    #[error("a request has a filter, a sketch, or is partial")]
    Shows,
    /// More accusations than a message may have, or of nodes that it does not name.
    #[error(
        "a message has at most {} accusations, of nodes that it names",
        contract::ACCUSATIONS
    )]
    Accusations,
    /// What a dial-back names is no address, no port or no transport.
    #[error("a dial-back is at a port over TCP or QUIC, and tells of a multiaddr")]
    Address,
}

fn malformed(error: prost::DecodeError) -> DecodeError {
    DecodeError::Malformed(error.into())
}

impl DecodeError {
    /// A short name, for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "too_long",
            Self::Malformed(_) => "malformed",
            Self::NodeId(_) => "node_id",
            Self::Columns(_) => "columns",
            Self::Page(_) => "page",
            Self::Path => "path",
            Self::Shows => "shows",
            Self::Accusations => "accusations",
            Self::Address => "address",
        }
    }
}

/// What bytes were found to be.
#[derive(Clone, PartialEq, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "lives on the stack for the time of one call"
)]
pub enum Decoded {
    /// A message.
    Message(Message),
    /// A message of a kind that this version does not know: counted and ignored (R23).
    UnknownKind,
}

/// Decodes one message. Nothing is allocated from a declared count: columns grow with the bytes
/// that are there, at most sixteen bytes for one.
///
/// # Errors
/// See [`DecodeError`]; the bytes then had no effect.
pub fn decode(bytes: Bytes) -> Result<Decoded, DecodeError> {
    if bytes.len() > contract::MESSAGE_BYTES {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let envelope = pb::Envelope::decode(bytes).map_err(malformed)?;
    let Some(kind) = envelope.kind else {
        return Ok(Decoded::UnknownKind);
    };
    Ok(Decoded::Message(match kind {
        Kind::Hello(m) => Message::Hello(hello(m)),
        Kind::Request(m) => Message::Request(request(m)?),
        Kind::Response(m) => Message::Response(response(m)?),
        Kind::Update(m) => Message::Update(update(m)?),
        Kind::Goodbye(m) => Message::Goodbye(goodbye(m)),
        Kind::Beat(m) => Message::Beat(beat(&m)),
        Kind::Ask(m) => Message::Ask(ask(&m)),
        Kind::DialBack(m) => Message::DialBack(dial_back(m)?),
    }))
}

fn hello(m: pb::Hello) -> Hello {
    let pb::Hello {
        min_version,
        max_version,
        features,
        epoch,
        cluster,
        seen,
    } = m;
    Hello {
        min_version: min_version.max(1),
        max_version: if max_version == 0 {
            min_version.max(1)
        } else {
            max_version
        },
        features,
        epoch,
        cluster,
        seen: socket(&seen),
    }
}

/// One of another length is a later version's.
fn socket(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
    };
    Some(SocketAddr::new(
        ip.to_canonical(),
        u16::from_be_bytes(*port),
    ))
}

fn path(bytes: &Bytes) -> Result<Vec<NodeId>, DecodeError> {
    if bytes.len() % NodeId::LEN != 0 {
        return Err(DecodeError::NodeId("path"));
    }
    if bytes.is_empty() || bytes.len() > contract::HOPS * NodeId::LEN {
        return Err(DecodeError::Path);
    }
    // Exactly as long: traces are kept. A filter would hide the length.
    let mut nodes = Vec::with_capacity(bytes.len() / NodeId::LEN);
    let ids = bytes.chunks_exact(NodeId::LEN);
    nodes.extend(ids.filter_map(NodeId::from_slice));
    let mut sorted = nodes.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(DecodeError::Path);
    }
    Ok(nodes)
}

fn checked<T>(value: T, is_consistent: bool, what: &'static str) -> Result<T, DecodeError> {
    if is_consistent {
        Ok(value)
    } else {
        Err(DecodeError::Columns(what))
    }
}

pub(super) fn records(page: &Bytes) -> Result<Records, DecodeError> {
    Ok(page::unpack(page)?)
}

pub(super) fn refusals(m: Option<pb::Refusals>) -> Result<Refusals, DecodeError> {
    let Some(m) = m else {
        return Ok(Refusals::default());
    };
    let refusals = Refusals {
        nodes: m.nodes,
        versions: m.versions,
        beats: m.beats,
    };
    let ok = refusals.is_consistent();
    checked(refusals, ok, "refusals")
}

fn sketch(m: pb::Sketch) -> Result<Sketch, DecodeError> {
    let pb::Sketch { parts, sums } = m;
    let sketch = Sketch { parts, sums };
    let ok = sketch.is_consistent();
    checked(sketch, ok, "sketch")
}

fn nodes(m: pb::Nodes) -> Result<Nodes, DecodeError> {
    let pb::Nodes { prefixes, versions } = m;
    let nodes = Nodes { prefixes, versions };
    let ok = nodes.is_consistent();
    checked(nodes, ok, "nodes")
}

fn prefixes(bytes: Bytes, what: &'static str) -> Result<Bytes, DecodeError> {
    let ok = bytes.len() % Prefix::LEN == 0;
    checked(bytes, ok, what)
}

/// How the asker shows its table: in one way.
fn shows(m: &mut pb::Request) -> Result<Shows, DecodeError> {
    let (filter, set) = (core::mem::take(&mut m.filter), m.sketch.take());
    match (m.partial, filter.is_empty(), set) {
        (false, true, None) => Ok(Shows::All),
        (true, true, None) => Ok(Shows::Partial),
        (false, false, None) => Filter::decode(m.id.into(), &filter)
            .map(Shows::Filter)
            .ok_or(DecodeError::Columns("filter")),
        (false, true, Some(set)) => Ok(Shows::Sketch(sketch(set)?)),
        _ => Err(DecodeError::Shows),
    }
}

fn request(mut m: pb::Request) -> Result<Request, DecodeError> {
    let walk = (!m.path.is_empty()).then(|| path(&m.path)).transpose()?;
    let own = Sequence {
        version: m.own_version,
        beat: m.own_beat,
    };
    Ok(Request {
        id: RequestId::new(m.id),
        state: m.state,
        hop_limit: m.hop_limit.min(contract::HOPS as u32) as u8,
        walk: walk.and_then(Walk::of),
        count: m.count,
        shows: shows(&mut m)?,
        records: records(&m.records)?,
        own: (own, m.own_check as u16),
        overdue: prefixes(m.overdue, "overdue")?,
        fetch: prefixes(m.fetch, "fetch")?,
    })
}

fn response(m: pb::Response) -> Result<Response, DecodeError> {
    let busy = match m.busy {
        None => None,
        Some(busy) => Some((
            Duration::from_millis(u64::from(busy.retry_after_ms)),
            records(&busy.sample)?,
        )),
    };
    Ok(Response {
        id: RequestId::new(m.id),
        count: m.count,
        same: m.same,
        records: records(&m.records)?,
        wants: Picks::decode(&m.wants).ok_or(DecodeError::Columns("wants"))?,
        later: m.later,
        cut: m.cut,
        partial: m.partial,
        nodes: m.nodes.map(nodes).transpose()?.unwrap_or_default(),
        // Of another length, it is a later version's.
        strata: if m.strata.len() == Strata::LEN {
            m.strata
        } else {
            Bytes::new()
        },
        renewed: records(&m.renewed)?,
        refusals: refusals(m.refusals)?,
        busy,
    })
}

fn update(m: pb::Update) -> Result<Update, DecodeError> {
    let is_news = m.news.is_some() || m.accusations.is_some();
    let news = m.news.as_ref().map(records).transpose()?;
    let accusations = m.accusations.as_ref();
    let accusations = accusations.map(|m| accusations::decode(m).ok_or(DecodeError::Accusations));
    let accusations = accusations.transpose()?;
    Ok(Update {
        request: (m.request != 0).then_some(RequestId::new(m.request)),
        records: records(&m.records)?,
        refusals: refusals(m.refusals)?,
        news: is_news.then(|| News {
            records: news.unwrap_or_default(),
            accusations: accusations.unwrap_or_default(),
            until: Position::new(m.until),
        }),
        same_key: m.same_key.as_deref().map(socket),
    })
}

/// A fingerprint of another length is a later version's.
fn beat(m: &pb::Beat) -> Beat {
    let of_length = (m.fingerprint.len() == Beat::LEN).then(|| {
        let bytes = m.fingerprint.iter().rev();
        bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    });
    Beat::new(of_length)
}

fn dial_back(m: pb::DialBack) -> Result<DialBack, DecodeError> {
    use pb::dial_back::Over;
    if !m.at.is_empty() {
        let at = Multiaddr::from_bytes(m.at).map_err(|_| DecodeError::Address)?;
        let reached = m.reached;
        return Ok(DialBack::Tried { at, reached });
    }
    let over = match Over::try_from(m.over) {
        Ok(Over::Tcp) => Protocol::Tcp,
        Ok(Over::Quic) => Protocol::Quic,
        Err(_) => return Err(DecodeError::Address),
    };
    match u16::try_from(m.port) {
        Ok(0) => Ok(DialBack::Listed),
        Ok(port) => Ok(DialBack::Ask { over, port }),
        Err(_) => Err(DecodeError::Address),
    }
}

fn ask(m: &pb::Ask) -> Ask {
    let said = |version, beat| {
        let sequence = Sequence { version, beat };
        (sequence != Sequence::default()).then_some(sequence)
    };
    Ask {
        watch: m.watch,
        accused: said(m.version, m.beat),
        invite: m.invite,
        claimed: said(m.claimed_version, m.claimed_beat),
    }
}

fn goodbye(m: pb::Goodbye) -> Goodbye {
    use pb::goodbye::Reason;
    let reason = match Reason::try_from(m.reason).unwrap_or(Reason::Unspecified) {
        Reason::Unspecified => GoodbyeReason::Unspecified,
        Reason::Leaving => GoodbyeReason::Leaving,
        Reason::Full => GoodbyeReason::Full,
        Reason::Idle => GoodbyeReason::Idle,
        Reason::Duplicate => GoodbyeReason::Duplicate,
        Reason::Misbehaviour => GoodbyeReason::Misbehaviour,
        Reason::Version => GoodbyeReason::Version,
        Reason::Shutdown => GoodbyeReason::Shutdown,
        Reason::OtherCluster => GoodbyeReason::OtherCluster,
        Reason::SameKey => GoodbyeReason::SameKey,
    };
    Goodbye {
        reason,
        retry_after: Duration::from_millis(u64::from(m.retry_after_ms)),
    }
}
