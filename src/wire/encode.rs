//! Typed messages to bytes.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use super::generated as pb;
use super::generated::envelope::Kind;
use crate::addr::Protocol;
use crate::id::NodeId;
use crate::record::Sequence;
use crate::wire::accusations;
use crate::wire::columns::Refusals;
use crate::wire::message::{
    Ask, Beat, DialBack, Goodbye, GoodbyeReason, Hello, Message, Request, Response, Shows, Update,
};
use crate::wire::page::{self, Records};
use crate::wire::sets::{Nodes, Sketch};

/// Encodes a message in its envelope.
#[must_use]
pub fn encode(message: Message) -> Bytes {
    envelope(message).encode_to_vec().into()
}

/// Encodes messages one after another into one buffer, which is used again once they are gone: those
/// that are small, and go out all the time, take no memory of their own (N3).
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    buffer: BytesMut,
}

impl Encoder {
    /// Bytes of the buffer.
    const BUFFER: usize = 1024;
    /// What is larger has a place of its own: one that is kept for long keeps little else.
    const SMALL: usize = 128;

    pub(crate) fn encode(&mut self, message: Message) -> Bytes {
        let envelope = envelope(message);
        let len = envelope.encoded_len();
        if len > Self::SMALL {
            return envelope.encode_to_vec().into();
        }
        if self.buffer.capacity() < len {
            self.buffer.reserve(Self::BUFFER);
        }
        match envelope.encode(&mut self.buffer) {
            Ok(()) => self.buffer.split().freeze(),
            Err(_) => envelope.encode_to_vec().into(),
        }
    }
}

fn envelope(message: Message) -> pb::Envelope {
    let kind = match message {
        Message::Hello(m) => Kind::Hello(hello(m)),
        Message::Request(m) => Kind::Request(request(m)),
        Message::Response(m) => Kind::Response(response(m)),
        Message::Update(m) => Kind::Update(update(m)),
        Message::Goodbye(m) => Kind::Goodbye(goodbye(m)),
        Message::Beat(m) => Kind::Beat(beat(m)),
        Message::Ask(m) => Kind::Ask(ask(m)),
        Message::DialBack(m) => Kind::DialBack(dial_back(m)),
    };
    pb::Envelope { kind: Some(kind) }
}

pub(super) fn path(nodes: &[NodeId]) -> Bytes {
    let mut out = Vec::with_capacity(nodes.len() * NodeId::LEN);
    nodes
        .iter()
        .for_each(|n| out.extend_from_slice(n.as_bytes()));
    out.into()
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn hello(m: Hello) -> pb::Hello {
    let Hello {
        min_version,
        max_version,
        features,
        epoch,
        cluster,
        seen,
    } = m;
    pb::Hello {
        min_version: if min_version == 1 { 0 } else { min_version },
        max_version: if max_version == min_version {
            0
        } else {
            max_version
        },
        features,
        epoch,
        cluster,
        seen: seen.map(socket).unwrap_or_default(),
    }
}

fn socket(at: SocketAddr) -> Bytes {
    let port = at.port().to_be_bytes();
    match at.ip() {
        IpAddr::V4(ip) => [&ip.octets()[..], &port].concat().into(),
        IpAddr::V6(ip) => [&ip.octets()[..], &port].concat().into(),
    }
}

pub(super) fn records(m: &Records) -> Bytes {
    page::pack(m).into()
}

pub(super) fn refusals(m: Refusals) -> Option<pb::Refusals> {
    let Refusals {
        nodes,
        versions,
        beats,
    } = m;
    let some = !nodes.is_empty();
    some.then_some(pb::Refusals {
        nodes,
        versions,
        beats,
    })
}

fn sketch(m: Sketch) -> pb::Sketch {
    let Sketch { parts, sums } = m;
    pb::Sketch { parts, sums }
}

fn nodes(m: Nodes) -> pb::Nodes {
    let Nodes { prefixes, versions } = m;
    pb::Nodes { prefixes, versions }
}

fn request(m: Request) -> pb::Request {
    let (Sequence { version, beat }, own_check) = m.own;
    let mut out = pb::Request {
        id: m.id.get(),
        state: m.state,
        hop_limit: u32::from(m.hop_limit),
        path: m.walk.map(|walk| path(walk.path())).unwrap_or_default(),
        count: m.count,
        records: records(&m.records),
        own_version: version,
        own_beat: beat,
        own_check: u32::from(own_check),
        overdue: m.overdue,
        fetch: m.fetch,
        ..pb::Request::default()
    };
    match m.shows {
        Shows::All => {}
        Shows::Partial => out.partial = true,
        Shows::Filter(filter) => out.filter = filter.encode().into(),
        Shows::Sketch(s) => out.sketch = Some(sketch(s)),
    }
    out
}

fn response(m: Response) -> pb::Response {
    let Response {
        same,
        later,
        cut,
        partial,
        count,
        strata,
        ..
    } = m;
    pb::Response {
        id: m.id.get(),
        count,
        same,
        records: records(&m.records),
        wants: m.wants.encode().into(),
        later,
        cut,
        partial,
        nodes: (!m.nodes.is_empty()).then(|| nodes(m.nodes)),
        strata,
        renewed: records(&m.renewed),
        refusals: refusals(m.refusals),
        busy: m.busy.map(|(wait, sample)| pb::Busy {
            retry_after_ms: millis(wait),
            sample: records(&sample),
        }),
    }
}

fn update(m: Update) -> pb::Update {
    let (mut news, mut accusations, mut until) = (None, None, 0);
    if let Some(m) = m.news {
        let silent = m.records.is_empty() && !m.accusations.is_empty();
        news = (!silent).then(|| records(&m.records));
        accusations = accusations::encode(&m.accusations);
        until = m.until.get();
    }
    pb::Update {
        request: m.request.map_or(0, |id| id.get()),
        records: records(&m.records),
        refusals: refusals(m.refusals),
        news,
        until,
        accusations,
        same_key: m.same_key.map(socket_bytes),
    }
}

/// As `socket` reads it.
fn socket_bytes(at: Option<SocketAddr>) -> Bytes {
    at.map(socket).unwrap_or_default()
}

fn beat(m: Beat) -> pb::Beat {
    let bytes = m.fingerprint.map(u64::to_le_bytes);
    let fingerprint = bytes.map(|b| Bytes::copy_from_slice(&b[..Beat::LEN]));
    pb::Beat {
        fingerprint: fingerprint.unwrap_or_default(),
    }
}

fn dial_back(m: DialBack) -> pb::DialBack {
    use pb::dial_back::Over;
    match m {
        DialBack::Ask { over, port } => pb::DialBack {
            port: u32::from(port),
            over: match over {
                Protocol::Quic => Over::Quic.into(),
                _ => Over::Tcp.into(),
            },
            ..pb::DialBack::default()
        },
        DialBack::Listed => pb::DialBack::default(),
        DialBack::Tried { at, reached } => pb::DialBack {
            at: at.into_bytes(),
            reached,
            ..pb::DialBack::default()
        },
    }
}

fn ask(m: Ask) -> pb::Ask {
    let Sequence { version, beat } = m.accused.unwrap_or_default();
    let claimed = m.claimed.unwrap_or_default();
    pb::Ask {
        watch: m.watch,
        version,
        beat,
        invite: m.invite,
        claimed_version: claimed.version,
        claimed_beat: claimed.beat,
    }
}

fn goodbye(m: Goodbye) -> pb::Goodbye {
    use pb::goodbye::Reason;
    let reason = match m.reason {
        GoodbyeReason::Unspecified => Reason::Unspecified,
        GoodbyeReason::Leaving => Reason::Leaving,
        GoodbyeReason::Full => Reason::Full,
        GoodbyeReason::Idle => Reason::Idle,
        GoodbyeReason::Duplicate => Reason::Duplicate,
        GoodbyeReason::Misbehaviour => Reason::Misbehaviour,
        GoodbyeReason::Version => Reason::Version,
        GoodbyeReason::Shutdown => Reason::Shutdown,
        GoodbyeReason::OtherCluster => Reason::OtherCluster,
        GoodbyeReason::SameKey => Reason::SameKey,
    };
    pb::Goodbye {
        reason: reason as i32,
        retry_after_ms: millis(m.retry_after),
    }
}
