//! Operations of a peer that knows what it does: it stays within the form of messages, and goes
//! beyond every limit.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::addr::Protocol;
use peer_exchange::contract;
use peer_exchange::wire::{
    self, Accusation, Ask, Beat, DialBack, Goodbye, GoodbyeReason, Message, News, RecordsBuilder,
    Request, Update, WireRecord,
};
use peer_exchange::{Input, LinkId, NodeId, Position, RequestId, Sequence};

use super::host::Link;
use super::node_ops::World;
use super::ops::{any_link, up};
use super::parts::{self, address};
use super::source::Source;

/// The same message over and over, until the node has enough of it (R54).
pub fn flood(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some(link) = any_link(world, at, source) else {
        return;
    };
    let bytes = needless(world, at, link, source);
    let times = 1 + usize::from(source.u8());
    let in_a_row = source.u8() >= 224;
    for _ in 0..times {
        if !world.hosts[at].links.contains_key(&link) {
            break;
        }
        let bytes = bytes.clone();
        let input = Input::Message { link, bytes };
        match in_a_row {
            true => world.give_in_a_row(at, input),
            false => world.give_quickly(at, input),
        }
        world.credit(at, link);
    }
    world.spent(times);
    world.give(at, Input::Wake);
}

/// What nobody needs so often.
fn needless(world: &World, at: usize, link: LinkId, source: &mut Source<'_>) -> Bytes {
    let message = match source.u8() % 9 {
        0 => Message::Beat(Beat { fingerprint: None }),
        1 => Message::Ask(Ask {
            watch: source.flag(),
            accused: None,
            claimed: None,
            invite: source.flag(),
        }),
        2 => Message::Hello(world.cast.hello(1 + u32::from(source.u8() % 2))),
        3 => Message::Request(brief(source)),
        4 => Message::Request(Request {
            fetch: vec![source.u8(); 8].into(),
            ..brief(source)
        }),
        5 => Message::Update(Update::default()),
        7 => Message::DialBack(DialBack::Ask {
            over: Protocol::Tcp,
            port: 4_000,
        }),
        // Of a kind that nobody knows.
        6 => return Bytes::from_static(&[15 << 3 | 2, 0]),
        _ => {
            let asked = world.hosts[at].links.get(&link).and_then(|l| l.asked);
            let id = asked.unwrap_or(RequestId::new(0));
            Message::Response(wire::Response::to(id))
        }
    };
    wire::encode(message)
}

fn brief(source: &mut Source<'_>) -> Request {
    Request {
        state: Some(1),
        ..Request::new(RequestId::new(1 + u32::from(source.u8())))
    }
}

/// Many nodes of one subnet ask, each more than its share (R54).
pub fn neighbours(world: &mut World, at: usize, source: &mut Source<'_>) {
    let first = source.u16();
    let (nodes, requests) = (1 + source.u8() % 24, 1 + source.u8() % 24);
    for i in 0..nodes {
        let node = parts::numbered(first.wrapping_add(u16::from(i)));
        let remote = SocketAddr::from(([10, 7, 7, i], 4000));
        let link = world.hosts[at].next();
        world.hosts[at].links.insert(link, Link::new(node, None));
        world.give_quickly(at, up(link, node, Some(remote), None));
        let hello = wire::encode(Message::Hello(world.cast.hello(1)));
        world.give_quickly(at, Input::Message { link, bytes: hello });
        for n in 0..requests {
            if !world.hosts[at].links.contains_key(&link) {
                break;
            }
            let request = Request {
                state: Some(1),
                ..Request::new(RequestId::new(u32::from(n) + 1))
            };
            let bytes = wire::encode(Message::Request(request));
            world.give_quickly(at, Input::Message { link, bytes });
            world.credit(at, link);
        }
        world.cut(at, link, true);
    }
    world.spent(usize::from(nodes) * usize::from(requests));
}

/// A node that is linked comes once more, or one with this node's own key (R23, R36).
pub fn twin(world: &mut World, at: usize, source: &mut Source<'_>) {
    let linked = any_link(world, at, source).and_then(|link| world.hosts[at].links.get(&link));
    let node = match linked.map(|link| link.node) {
        Some(node) if source.u8() < 224 => node,
        _ => world.hosts[at].id,
    };
    // In turns, as two that both run.
    for turn in 0..1 + source.below(6) {
        let link = world.hosts[at].next();
        world.hosts[at].links.insert(link, Link::new(node, None));
        let remote = SocketAddr::from(([10, 8, 0, turn as u8], 4000));
        world.give(at, up(link, node, Some(remote), None));
        let hello = world.cast.hello(1 + turn as u32 % 2);
        world.message(at, link, wire::encode(Message::Hello(hello)));
    }
}

/// A record of the teller's own, or of another, that is out of bounds in one way.
pub fn bad_record(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some((link, teller)) = linked(world, at, source) else {
        return;
    };
    let node = match source.flag() {
        true => teller,
        false => world.cast.node(source),
    };
    let (sequence, body) = out_of_bounds(source);
    let signature = parts::signature(source.u8());
    push(world, at, link, &[(node, sequence, body, 1_799, signature)]);
}

/// In each of the ways that there are.
fn out_of_bounds(source: &mut Source<'_>) -> (Sequence, Bytes) {
    let good = address(source);
    let good = [good.as_bytes()];
    let sequence = |version| Sequence { version, beat: 0 };
    let field = |number: u8, length: usize| {
        let mut out = parts::body(&good, &[], None).to_vec();
        parts::put_bytes(&mut out, number, &vec![7; length]);
        Bytes::from(out)
    };
    let body = match source.u8() % 10 {
        0 => field(15, contract::BODY_BYTES),
        1 => Bytes::from_static(&[0x0a, 9, 4]),
        2 => parts::body(&[good[0]; contract::ADDRESSES + 1], &[], None),
        3 => parts::body(&[&[source.u8(); 9]], &[], None),
        4 => parts::body(&good, &[1; contract::METADATA_BYTES + 1], None),
        5 => parts::body(&good, &[], Some(source.number())),
        6 => field(5, 1 + source.below(80)),
        7 => field(7, 1 + source.below(80)),
        8 => return (sequence(0), parts::body(&good, &[], None)),
        _ => return (sequence(1 << 50), parts::body(&good, &[], None)),
    };
    (sequence(1 + u64::from(source.u8())), body)
}

/// A crowd that says as much as may be said: the table's bytes are used up before its places (R55).
pub fn large(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some((link, _)) = linked(world, at, source) else {
        return;
    };
    let (first, count) = (source.u16(), usize::from(source.u8()));
    let signature = parts::signature(source.u8());
    let version = 1 + u64::from(source.u8() % 4);
    let (size, has_left) = [(900, false), (200, false), (40, false), (40, true)][source.below(4)];
    // In a row: what is signed waits for its checks, and what comes behind it waits, too (R50).
    for page in 0..1 + source.below(6) {
        let record = |i: usize| {
            let number = first.wrapping_add((page * count + i) as u16);
            let [high, low] = number.to_be_bytes();
            let socket = SocketAddr::from(([10, 10, high, low], 4000));
            let address = peer_exchange::Multiaddr::tcp(socket);
            let addresses = [address.as_bytes()];
            let addresses = if has_left { &[][..] } else { &addresses };
            let mut body = parts::body(addresses, &[], None).to_vec();
            parts::put_bytes(&mut body, 15, &vec![low; size]);
            let sequence = Sequence { version, beat: 0 };
            (
                parts::numbered(number),
                sequence,
                body.into(),
                1_799,
                signature,
            )
        };
        let records: Vec<_> = (0..count).map(record).collect();
        let update = wire::encode(pushed(&records));
        world.give_in_a_row(
            at,
            Input::Message {
                link,
                bytes: update,
            },
        );
    }
    world.give(at, Input::Wake);
}

/// A record as it is put together here.
pub type Made = (
    NodeId,
    Sequence,
    Bytes,
    u32,
    Option<&'static peer_exchange::Signature>,
);

/// Pushes these over the link.
pub fn push(world: &mut World, at: usize, link: LinkId, records: &[Made]) {
    world.message(at, link, wire::encode(pushed(records)));
}

fn pushed(records: &[Made]) -> Message {
    Message::Update(Update {
        records: page(records),
        ..Update::default()
    })
}

/// These as one page.
pub fn page(records: &[Made]) -> wire::Records {
    let mut page = RecordsBuilder::default();
    for (node, sequence, body, remaining_s, signature) in records {
        let record = WireRecord {
            node: *node,
            sequence: *sequence,
            remaining_s: *remaining_s,
            body,
            signature: *signature,
        };
        page.push(record, contract::MESSAGE_BYTES - 4_096);
    }
    page.finish()
}

/// Somebody is accused by others that are known, at the sequence that the node knows, or near it
/// (R32): all that it takes to be believed.
pub fn accuse(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some((link, teller)) = linked(world, at, source) else {
        return;
    };
    let host = &world.hosts[at];
    let members: Vec<_> = host.node.members().map(|p| (p.node, p.sequence)).collect();
    let own = (host.id, host.node.sequence());
    let (subject, known) = match source.u8() {
        0..64 => own,
        _ => source.pick(&members).unwrap_or(own),
    };
    let shift = [0, 0, 0, 0, 0, 1, 2, u64::MAX][source.below(8)];
    let sequence = Sequence {
        version: known.version.wrapping_add(shift),
        ..known
    };
    let accusation = |by, choice: u8| Accusation {
        subject,
        at: sequence,
        by,
        signature: parts::signature(choice).copied(),
    };
    let mut accusations = vec![accusation(teller, source.u8())];
    for _ in 0..source.below(4) {
        let by = source.pick(&members).map_or(own.0, |(node, _)| node);
        accusations.push(accusation(by, source.u8()));
    }
    let until = match source.flag() {
        true => Position::new(u64::MAX),
        false => Position::new(source.number()),
    };
    let news = News {
        records: wire::Records::default(),
        accusations,
        until,
    };
    let update = Update {
        news: Some(news),
        ..Update::default()
    };
    world.message(at, link, wire::encode(Message::Update(update)));
}

/// The other end goes, for whatever reason it likes to give.
pub fn goodbye(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some((link, _)) = linked(world, at, source) else {
        return;
    };
    let reason = match source.u8() % 4 {
        0 => GoodbyeReason::SameKey,
        1 => GoodbyeReason::Full,
        _ => GoodbyeReason::Shutdown,
    };
    let goodbye = Goodbye {
        reason,
        retry_after: Duration::from_millis(u64::from(source.u16())),
    };
    world.message(at, link, wire::encode(Message::Goodbye(goodbye)));
}

fn linked(world: &World, at: usize, source: &mut Source<'_>) -> Option<(LinkId, NodeId)> {
    let link = any_link(world, at, source)?;
    Some((link, world.hosts[at].links.get(&link)?.node))
}
