//! IDs, addresses, records and messages, well-formed and not.

use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::wire::{
    self, Accusation, Hello, Message, News, Records, RecordsBuilder, Refusals, RefusalsBuilder,
    Request, Response, Shows, Update, WireRecord,
};
use peer_exchange::{Multiaddr, NodeId, Position, RequestId, RingKey, Seal, Sequence, Signature};
use peer_exchange_memory::MockSeal;
use prost::encoding::{WireType, encode_key, encode_varint};
use siphasher::sip::SipHasher13;

/// The 32-byte ID that begins with `n`, so that IDs sort as their numbers do.
pub(crate) fn id(n: u32) -> NodeId {
    let mut bytes = [0x5a; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    NodeId::new(bytes)
}

/// `/ip4/10.a.b.c/tcp/5001` with `n` spread over the octets.
pub(crate) fn address(n: u32) -> Multiaddr {
    let [_, a, b, c] = n.to_be_bytes();
    format!("/ip4/10.{a}.{b}.{c}/tcp/5001").parse().unwrap()
}

pub(crate) const fn seq(version: u64, beat: u32) -> Sequence {
    Sequence { version, beat }
}

/// A length-delimited protobuf field.
pub(crate) fn bytes_field(tag: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// A varint protobuf field.
pub(crate) fn varint_field(tag: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::Varint, out);
    encode_varint(value, out);
}

/// A record body with these addresses and of the default lifetime.
pub(crate) fn body(addresses: &[Multiaddr]) -> Vec<u8> {
    let mut out = Vec::new();
    for address in addresses {
        bytes_field(1, address.as_bytes(), &mut out);
    }
    out
}

/// The body of node `n`: its one address.
pub(crate) fn body_of(n: u32) -> Vec<u8> {
    body(&[address(n)])
}

/// A record as it goes into a page.
#[derive(Clone, Debug)]
pub(crate) struct Rec {
    pub(crate) node: NodeId,
    pub(crate) sequence: Sequence,
    pub(crate) remaining_s: u32,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: Option<Signature>,
}

/// Node `n` at version 1 with a day to live.
pub(crate) fn rec(n: u32) -> Rec {
    Rec {
        node: id(n),
        sequence: seq(1, 0),
        remaining_s: 86_399,
        body: body_of(n),
        signature: None,
    }
}

/// Node `n` with an address that nobody dials.
pub(crate) fn undialled(n: u32) -> Rec {
    let [_, a, b, c] = n.to_be_bytes();
    let nowhere = format!("/ip4/127.{a}.{b}.{c}/tcp/1").parse().unwrap();
    rec(n).body(body(&[nowhere]))
}

impl Rec {
    pub(crate) fn version(mut self, version: u64) -> Self {
        self.sequence.version = version;
        self
    }

    pub(crate) fn beat(mut self, beat: u32) -> Self {
        self.sequence.beat = beat;
        self
    }

    pub(crate) fn life(mut self, remaining_s: u32) -> Self {
        self.remaining_s = remaining_s;
        self
    }

    pub(crate) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// It names these for having accused it falsely.
    pub(crate) fn naming(self, nodes: &[u32]) -> Self {
        self.with_prefixes(7, nodes)
    }

    /// Its upstreams are these.
    pub(crate) fn asking(self, nodes: &[u32]) -> Self {
        self.with_prefixes(5, nodes)
    }

    fn with_prefixes(mut self, field: u32, nodes: &[u32]) -> Self {
        let prefixes: Vec<u8> = nodes
            .iter()
            .flat_map(|n| id(*n).as_ref()[..8].to_vec())
            .collect();
        bytes_field(field, &prefixes, &mut self.body);
        self
    }

    /// As its author signs it, in a cluster without a name.
    pub(crate) fn signed(self) -> Self {
        self.signed_in("")
    }

    /// As its author signs it in this cluster: the bytes of proto/README.md.
    pub(crate) fn signed_in(self, cluster: &str) -> Self {
        let signer = self.node;
        self.signed_by(signer, cluster)
    }

    /// Signed with another's key.
    pub(crate) fn signed_by(mut self, signer: NodeId, cluster: &str) -> Self {
        let about = (self.node, self.sequence);
        let message = statement("record", cluster, about, &self.body);
        self.signature = Some(MockSeal::new(signer).sign(&message));
        self
    }
}

/// What is signed.
fn statement(kind: &str, cluster: &str, about: (NodeId, Sequence), rest: &[u8]) -> Vec<u8> {
    let (node, sequence) = about;
    let mut message = format!("peer-exchange v1 {kind}").into_bytes();
    message.push(cluster.len() as u8);
    message.extend_from_slice(cluster.as_bytes());
    message.extend_from_slice(node.as_bytes());
    message.extend_from_slice(&sequence.version.to_be_bytes());
    message.extend_from_slice(&sequence.beat.to_be_bytes());
    message.extend_from_slice(rest);
    message
}

/// Node `by` accuses `subject` at its first sequence, without a signature.
pub(crate) fn accusation(subject: u32, by: u32) -> Accusation {
    Accusation {
        subject: id(subject),
        at: seq(1, 0),
        by: id(by),
        signature: None,
    }
}

/// With this node's signature, as it is made in this cluster.
pub(crate) fn accused_by(said: Accusation, signer: NodeId, cluster: &str) -> Accusation {
    let (about, by) = ((said.subject, said.at), said.by);
    let message = statement("accusation", cluster, about, by.as_bytes());
    Accusation {
        signature: Some(MockSeal::new(signer).sign(&message)),
        ..said
    }
}

/// On their way through the whole cluster.
pub(crate) fn accusing(accusations: &[Accusation]) -> Message {
    accusing_until(Position::new(0), accusations)
}

/// The same, until there.
pub(crate) fn accusing_until(until: Position, accusations: &[Accusation]) -> Message {
    Message::Update(Update {
        news: Some(News {
            records: page([]),
            accusations: accusations.to_vec(),
            until,
        }),
        ..Update::default()
    })
}

pub(crate) fn page<'a>(records: impl IntoIterator<Item = &'a Rec>) -> Records {
    let mut page = RecordsBuilder::default();
    for r in records {
        let record = WireRecord {
            node: r.node,
            sequence: r.sequence,
            remaining_s: r.remaining_s,
            body: &r.body,
            signature: r.signature.as_ref(),
        };
        assert!(page.push(record, usize::MAX));
    }
    page.finish()
}

/// A push of these records.
pub(crate) fn push<'a>(records: impl IntoIterator<Item = &'a Rec>) -> Message {
    Message::Update(Update {
        records: page(records),
        ..Update::default()
    })
}

/// These records, as they were wanted or promised.
pub(crate) fn for_request<'a>(
    id: RequestId,
    records: impl IntoIterator<Item = &'a Rec>,
) -> Message {
    Message::Update(Update {
        request: Some(id),
        records: page(records),
        ..Update::default()
    })
}

/// News of these records, to be passed on to the part of the ring before place 0 (R46).
pub(crate) fn rumour<'a>(records: impl IntoIterator<Item = &'a Rec>) -> Message {
    news(Position::new(0), records)
}

/// The same, to be passed on until there.
pub(crate) fn news<'a>(until: Position, records: impl IntoIterator<Item = &'a Rec>) -> Message {
    let records = page(records);
    Message::Update(Update {
        news: Some(News {
            records,
            accusations: Vec::new(),
            until,
        }),
        ..Update::default()
    })
}

/// Where node `n` stands on the ring of a cluster without a name.
pub(crate) fn place(n: u32) -> Position {
    RingKey::new("").position(&id(n))
}

pub(crate) fn refusals(list: &[(NodeId, Sequence)]) -> Refusals {
    let mut out = RefusalsBuilder::default();
    list.iter().for_each(|(n, s)| out.push(n, *s));
    out.finish()
}

pub(crate) fn refuse(list: &[(NodeId, Sequence)]) -> Message {
    Message::Update(Update {
        refusals: refusals(list),
        ..Update::default()
    })
}

/// The Hello of a node that takes nothing about addresses.
pub(crate) fn hello(epoch: u32) -> Message {
    hello_with(wire::NO_DIAL_BACKS, epoch)
}

/// The Hello of a node with these features.
pub(crate) fn hello_with(features: u32, epoch: u32) -> Message {
    Message::Hello(Hello {
        min_version: 1,
        max_version: 1,
        features,
        epoch,
        cluster: 0,
        seen: None,
    })
}

/// The Hello of a node that sees the receiver there, and takes what is about addresses.
pub(crate) fn hello_seeing(epoch: u32, seen: Option<SocketAddr>) -> Message {
    let Message::Hello(hello) = hello_with(0, epoch) else {
        unreachable!("a Hello");
    };
    Message::Hello(Hello { seen, ..hello })
}

/// A request that shows an empty table and no record of its own.
pub(crate) fn request(id: u32) -> Request {
    Request {
        hop_limit: 16,
        ..Request::new(RequestId::new(id))
    }
}

/// The filter of a table with these records under this request's salt, as proto/README.md has it.
pub(crate) fn filter<'a>(id: u32, records: impl IntoIterator<Item = &'a Rec>) -> Shows {
    let mixed = records.into_iter().map(|r| mix(record_hash(r), id.into()));
    let mixed: Vec<u64> = mixed.collect();
    let end = (mixed.len() as u128) << 12;
    let mut values: Vec<u64> = mixed
        .iter()
        .map(|m| ((u128::from(*m) * end) >> 64) as u64)
        .collect();
    values.sort_unstable();
    let mut bits = String::from("00000");
    let count = values.len();
    let len = (usize::BITS - count.leading_zeros()) as usize;
    bits += &format!("{len:05b}");
    if len > 0 {
        bits += &format!("{count:0len$b}");
    }
    let mut last = 0;
    for value in values {
        let distance = value - last;
        bits += &"0".repeat((distance >> 12) as usize);
        bits += &format!("1{:012b}", distance & 0xfff);
        last = value;
    }
    while bits.len() % 8 != 0 {
        bits.push('0');
    }
    let bytes: Vec<u8> = (0..bits.len() / 8)
        .map(|i| u8::from_str_radix(&bits[8 * i..8 * i + 8], 2).unwrap())
        .collect();
    let (mut request, mut envelope) = (vec![0x0d], Vec::new());
    request.extend(id.to_le_bytes());
    bytes_field(7, &bytes, &mut request);
    bytes_field(2, &request, &mut envelope);
    match wire::decode(envelope.into()) {
        Ok(wire::Decoded::Message(Message::Request(request))) => request.shows,
        other => panic!("no filter: {other:?}"),
    }
}

/// What fingerprints are made of.
pub(crate) fn record_hash(r: &Rec) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(r.node.as_bytes());
    hasher.write(&r.sequence.version.to_le_bytes());
    hasher.write(&r.sequence.beat.to_le_bytes());
    hasher.finish()
}

/// The finaliser of MurmurHash3 over a hash and a salt.
fn mix(hash: u64, salt: u64) -> u64 {
    let mut x = hash ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// A response that says: the same table as yours.
pub(crate) fn response(id: RequestId) -> Response {
    Response {
        same: true,
        ..Response::to(id)
    }
}

/// `Busy` with nothing else.
pub(crate) fn busy(id: RequestId, wait: Duration) -> Message {
    Message::Response(Response {
        busy: Some((wait, Records::default())),
        ..response(id)
    })
}

/// An answer with these records, of a node that has no others but itself.
pub(crate) fn answer<'a>(id: RequestId, records: impl IntoIterator<Item = &'a Rec>) -> Message {
    let records = page(records);
    Message::Response(Response {
        count: records.len() as u32 + 1,
        records,
        ..Response::to(id)
    })
}
