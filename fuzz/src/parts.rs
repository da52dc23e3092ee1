//! What messages are made of: node IDs, records, addresses, and what a peer may have seen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use peer_exchange::contract;
use peer_exchange::limits::caps;
use peer_exchange::wire::{
    Decoded, Hello, Message, Nodes, Records, RecordsBuilder, Refusals, RefusalsBuilder, SIGNS,
    Shows, Sketch, VERSION, WireRecord, decode,
};
use peer_exchange::{Multiaddr, NodeId, RequestId, Seal, Sequence, Signature};

use super::source::Source;

/// Bytes of a page, so that two of them fit one message.
const PAGE: usize = 24 * 1024;

/// Who there is, and what a hostile peer may guess from what it has seen.
pub struct Cast {
    /// The real nodes first, then invented ones, below, between and above them.
    pub ids: Vec<NodeId>,
    /// Requests that the real nodes have sent, the newest last.
    pub requests: Vec<RequestId>,
    /// The epochs of the real nodes.
    pub epochs: Vec<u32>,
    /// The sequences of their records.
    pub sequences: Vec<Sequence>,
    /// Bodies that went over a link.
    pub bodies: Vec<Bytes>,
    /// Who speaks.
    pub speaker: Option<NodeId>,
    /// What the real nodes say of their cluster.
    cluster: u64,
}

/// One of a few, so that what is said of them fits together now and then.
pub fn socket(source: &mut Source<'_>) -> SocketAddr {
    let host = match source.u8() {
        n @ 0..240 => IpAddr::from([10, 0, 0, n % 4]),
        n => IpAddr::from(u128::from(n).to_be_bytes()),
    };
    SocketAddr::new(host, 1 + u16::from(source.u8() % 4))
}

impl Cast {
    pub fn new(real: [NodeId; 2]) -> Self {
        let invented = [0x00, 0x3f, 0x41, 0x7f, 0x81, 0xff];
        let invented = invented.map(|byte| NodeId::new([byte; 32]));
        Self {
            ids: real.into_iter().chain(invented).collect(),
            requests: Vec::new(),
            epochs: Vec::new(),
            sequences: Vec::new(),
            bodies: Vec::new(),
            speaker: None,
            cluster: 0,
        }
    }

    /// What a node of the same cluster says first.
    pub fn hello(&self, epoch: u32) -> Hello {
        Hello {
            min_version: VERSION,
            max_version: VERSION,
            features: SIGNS,
            epoch,
            cluster: self.cluster,
            seen: None,
        }
    }

    pub fn node(&self, source: &mut Source<'_>) -> NodeId {
        match source.u8() {
            160..=191 if self.speaker.is_some() => self.speaker.unwrap_or(self.ids[0]),
            choice @ 0..=191 => self.ids[usize::from(choice) % self.ids.len()],
            _ => numbered(source.u16()),
        }
    }

    /// Distinct nodes in any order.
    pub fn path(&self, source: &mut Source<'_>, most: usize) -> Vec<NodeId> {
        let mut path = Vec::new();
        let long = source.u8();
        for i in 0..1 + usize::from(long % 8) {
            let node = self.node(source);
            // Now and then a long one.
            let node = if long > 240 { numbered(i as u16) } else { node };
            if !path.contains(&node) {
                path.push(node);
            }
        }
        if long > 250 {
            path.extend((1_000..).take(most - path.len()).map(numbered));
        }
        path.truncate(most);
        path
    }

    /// Nodes named to a full table: more than one takes, now and then.
    pub fn nodes(&self, source: &mut Source<'_>) -> Nodes {
        let long = source.u8();
        let few: Vec<_> = (0..usize::from(long % 8))
            .map(|_| (self.node(source), u64::from(source.u8())))
            .collect();
        let many = if long > 240 {
            2 * caps::SAMPLE as u16
        } else {
            0
        };
        let many = (0..many).map(|i| (numbered(i), 1));
        Nodes::of(few.into_iter().chain(many))
    }

    pub fn request_id(&self, source: &mut Source<'_>) -> RequestId {
        let guessed = source.pick(&self.requests);
        let id = guessed.unwrap_or_else(|| RequestId::new(source.u64() as u32));
        if source.u8() == 255 {
            return RequestId::new(source.u64() as u32);
        }
        id
    }

    pub fn epoch(&self, source: &mut Source<'_>) -> u32 {
        let guessed = source.pick(&self.epochs);
        if source.u8() > 200 {
            return source.number() as u32;
        }
        guessed.unwrap_or(1)
    }

    pub fn sequence(&self, source: &mut Source<'_>) -> Sequence {
        match source.u8() % 4 {
            0 => Sequence {
                version: source.number(),
                beat: source.number() as u32,
            },
            1 => {
                let seen = source.pick(&self.sequences).unwrap_or_default();
                let more = u64::from(source.u8() % 3);
                Sequence {
                    version: seen.version.saturating_add(more),
                    beat: u32::from(source.u8()),
                }
            }
            _ => Sequence {
                version: 1 + u64::from(source.u8() % 4),
                beat: u32::from(source.u8() % 4),
            },
        }
    }

    pub fn records(&self, source: &mut Source<'_>) -> Records {
        let mut page = RecordsBuilder::default();
        for _ in 0..source.below(6) {
            let body = self.body(source);
            let (node, sequence) = (self.node(source), self.sequence(source));
            let remaining_s = remaining(source);
            let record = WireRecord {
                node,
                sequence,
                remaining_s,
                body: &body,
                signature: signature(source.u8()),
            };
            page.push(record, PAGE);
        }
        if source.u8() > 224 {
            many(source, &mut page);
        }
        page.finish()
    }

    fn body(&self, source: &mut Source<'_>) -> Bytes {
        match source.u8() % 8 {
            0 => source.bytes(64),
            1 => source.pick_bytes(&self.bodies),
            2 => body(&[], &[], None),
            3 => body(&[&[source.u8(); 300]], &[], Some(source.number())),
            4 => {
                let many = vec![[4_u8, 10, 0, 0, 1, 6, 0, 80]; source.below(40)];
                let many: Vec<&[u8]> = many.iter().map(|a| a.as_slice()).collect();
                body(&many, &source.bytes(300), None)
            }
            _ => {
                let address = address(source);
                let lifetime = source.maybe(Source::u16).map(|n| u64::from(n) * 10);
                body(&[address.as_bytes()], &source.bytes(4), lifetime)
            }
        }
    }

    pub fn refusals(&self, source: &mut Source<'_>) -> Refusals {
        let mut list = RefusalsBuilder::default();
        for _ in 0..source.below(4) {
            list.push(&self.node(source), self.sequence(source));
        }
        list.finish()
    }

    /// Node ID prefixes, concatenated.
    pub fn prefixes(&self, source: &mut Source<'_>) -> Bytes {
        let mut out = Vec::new();
        for _ in 0..source.below(5) {
            out.extend_from_slice(&self.node(source).as_bytes()[..8]);
        }
        out.into()
    }
}

/// An invented node: well spread, the same for the same number.
pub fn numbered(number: u16) -> NodeId {
    let mut bytes = [0x5a; 32];
    let mixed = u32::from(number).wrapping_mul(0x9e37_79b1);
    bytes[..4].copy_from_slice(&mixed.to_be_bytes());
    bytes[30..].copy_from_slice(&number.to_be_bytes());
    NodeId::new(bytes)
}

/// A crowd of records, of which a table has no room for all.
fn many(source: &mut Source<'_>, page: &mut RecordsBuilder) {
    let first = source.u16();
    let remaining_s = remaining(source);
    let signature = signature(source.u8());
    for i in 0..2 * u16::from(source.u8()) {
        let number = first.wrapping_add(i);
        let [high, low] = number.to_be_bytes();
        let socket = SocketAddr::from(([10, 9, high, low], 4000));
        let body = body(&[Multiaddr::tcp(socket).as_bytes()], &[], None);
        let record = WireRecord {
            node: numbered(number),
            sequence: Sequence {
                version: 1,
                beat: 0,
            },
            remaining_s,
            body: &body,
            signature,
        };
        page.push(record, PAGE);
    }
}

/// What [`LooseSeal`] takes.
pub const GOOD: Signature = [1; 64];

/// None, a good one or a bad one, without a byte more of the source.
pub fn signature(choice: u8) -> Option<&'static Signature> {
    match choice % 4 {
        0 => None,
        3 => Some(&[2; 64]),
        _ => Some(&GOOD),
    }
}

/// A seal that takes one signature for every message, so that the fuzzer finds it.
#[derive(Debug)]
pub struct LooseSeal;

impl Seal for LooseSeal {
    fn sign(&self, _: &[u8]) -> Signature {
        GOOD
    }

    fn verify(&self, _: &NodeId, _: &[u8], signature: &Signature) -> bool {
        *signature == GOOD
    }
}

/// From nothing to a century.
fn remaining(source: &mut Source<'_>) -> u32 {
    match source.u8() % 8 {
        0 => 0,
        1 => 1 + u32::from(source.u8()),
        2 => u32::MAX,
        3 => 100 * 365 * 86_400,
        _ => 1_799,
    }
}

/// A usable address, and a real node's if the number is one.
pub fn place(number: u8) -> Multiaddr {
    Multiaddr::tcp(SocketAddr::from(([10, 0, 0, number], 4000)))
}

/// The same over the other transport.
pub fn over_udp(number: u8) -> Multiaddr {
    Multiaddr::quic(SocketAddr::from(([10, 0, 0, number], 4000)))
}

/// Usable and unusable addresses (R7).
pub fn address(source: &mut Source<'_>) -> Multiaddr {
    let port = 4000 + u16::from(source.u8() % 4);
    let ip: std::net::IpAddr = match source.u8() % 32 {
        0 => Ipv4Addr::UNSPECIFIED.into(),
        1 => Ipv4Addr::LOCALHOST.into(),
        2 => Ipv4Addr::new(224, 0, 0, 1).into(),
        3 => Ipv4Addr::new(169, 254, 1, 1).into(),
        4 => Ipv4Addr::BROADCAST.into(),
        5 => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        6 => std::net::Ipv6Addr::LOCALHOST.into(),
        7 => std::net::Ipv6Addr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]).into(),
        8 => return Multiaddr::tcp(SocketAddr::from(([10, 0, 0, 1], 0))),
        9 => return "/dns/localhost/tcp/1".parse().expect("a fixed address"),
        10 => return "/dns/a.example/udp/1/quic-v1".parse().expect("a fixed one"),
        last => Ipv4Addr::new(10, 0, 0, last % 8).into(),
    };
    match source.flag() {
        true => Multiaddr::quic(SocketAddr::new(ip, port)),
        false => Multiaddr::tcp(SocketAddr::new(ip, port)),
    }
}

/// A record's body, valid or not (record.proto).
pub fn body(addresses: &[&[u8]], metadata: &[u8], lifetime: Option<u64>) -> Bytes {
    let mut out = Vec::new();
    addresses.iter().for_each(|a| put_bytes(&mut out, 1, a));
    if !metadata.is_empty() {
        put_bytes(&mut out, 2, metadata);
    }
    if let Some(seconds) = lifetime {
        out.push(3 << 3);
        put_varint(&mut out, seconds);
    }
    out.into()
}

/// A sketch of a few parts, as they come off the wire: of sums that may be of nothing.
pub fn sketch(source: &mut Source<'_>) -> Sketch {
    let (parts, capacity) = (1 + source.below(4), 1 + source.below(14));
    let mut inner = vec![0x08, parts as u8];
    let mut sums = source.bytes(2 * parts * capacity).to_vec();
    sums.resize(2 * parts * capacity, 0);
    put_bytes(&mut inner, 2, &sums);
    let (mut request, mut envelope) = (Vec::new(), Vec::new());
    put_bytes(&mut request, 8, &inner);
    put_bytes(&mut envelope, 2, &request);
    match decode(envelope.into()) {
        Ok(Decoded::Message(Message::Request(request))) => match request.shows {
            Shows::Sketch(sketch) => sketch,
            other => panic!("a sketch was written, this was read: {other:?}"),
        },
        other => panic!("a request was written, this was read: {other:?}"),
    }
}

/// What an answer has to estimate a difference from, or nothing.
pub fn strata(source: &mut Source<'_>) -> Bytes {
    match source.u8() % 4 {
        1 => Bytes::copy_from_slice(&[source.u8(); 40]),
        2 => {
            let mut bytes = source.bytes(40).to_vec();
            bytes.resize(40, 0);
            bytes.into()
        }
        _ => Bytes::new(),
    }
}

/// A protobuf field of bytes.
pub fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Source<'_> {
    fn pick_bytes(&mut self, list: &[Bytes]) -> Bytes {
        let i = self.below(list.len());
        list.get(i).cloned().unwrap_or_default()
    }
}

/// How many requests and bodies are remembered.
const REMEMBERED: usize = 16;

impl Cast {
    /// Learns from what a real node has sent.
    pub fn overhears(&mut self, message: &Message) {
        match message {
            Message::Hello(m) => {
                remember(&mut self.epochs, m.epoch);
                self.cluster = m.cluster;
            }
            Message::Request(m) => {
                remember(&mut self.requests, m.id);
                remember(&mut self.sequences, m.own.0);
            }
            Message::Update(m) => {
                let news = m.news.as_ref().map(|n| &n.records);
                for record in news.iter().flat_map(|records| records.iter()).take(2) {
                    remember(&mut self.bodies, Bytes::copy_from_slice(record.body));
                }
            }
            _ => {}
        }
    }
}

fn remember<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if list.last() == Some(&value) {
        return;
    }
    if list.len() >= REMEMBERED {
        list.remove(0);
    }
    list.push(value);
}

/// A message that is none, in one of the ways that there are.
pub fn broken(how: u8) -> Bytes {
    let list = |tag: u8, len: u8| [&[tag << 3 | 2, len][..], &vec![7; len.into()]].concat();
    let message = |kind: u8, inner: &[u8]| {
        let mut out = Vec::new();
        put_bytes(&mut out, kind, inner);
        Bytes::from(out)
    };
    match how % 10 {
        0 => Bytes::from_static(&[0x08]),
        1 => message(2, &list(13, 31)),
        2 => message(2, &list(13, 64)),
        3 => message(2, &[0x3a, 2, 0, 0, 0x42, 6, 8, 1, 0x12, 2, 0, 0]),
        4 => message(3, &[0x62, 6, 0x0a, 4, 1, 2, 3, 4]),
        5 => message(4, &[0x12, 2, 1, 2]),
        6 => message(15, &[]),
        // Accusations, and a dial-back.
        7 => message(4, &[&[0x22, 0, 0x32, 35][..], &list(1, 33)].concat()),
        8 => message(8, &[0x08, 1, 0x10, 9]),
        _ => Bytes::new(),
    }
}

/// Bytes that are surely no message: one more than the cap.
pub fn oversized() -> Bytes {
    vec![0; contract::MESSAGE_BYTES + 1].into()
}
