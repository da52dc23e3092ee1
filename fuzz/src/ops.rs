//! The operations on the nodes of a world.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::limits::caps;
use peer_exchange::wire::{self, Message, News, Update};
use peer_exchange::{
    DialId, Input, Instant, LinkId, Multiaddr, NodeId, Position, Sequence, Target,
};

use super::around;
use super::host::Link;
use super::hostile;
use super::messages::{self, message};
use super::node_ops::World;
use super::parts::{self, address};
use super::source::Source;

/// Times stay below this: at the very end of time, where sums saturate, no deadline can move.
const END: Instant = Instant::from_duration(Duration::from_secs(500 * 365 * 86_400));

/// With more upstreams, what dials again and again takes seconds.
pub const MANY: usize = 128;

/// One operation on one of the nodes.
pub fn operation(world: &mut World, source: &mut Source<'_>) {
    let code = source.u8();
    let at = usize::from(code >> 7) % world.hosts.len();
    match code & 0x7f {
        0..=7 => link_up(world, at, source),
        8..=10 => link_down(world, at, source),
        11 => hostile::twin(world, at, source),
        12..=17 => land(world, at, source),
        18 => around::all_there(world, at, source),
        19 => around::reached(world, at, source),
        20 => around::refused(world, at, source),
        21 => around::nobody_there(world, at, source),
        22..=26 => sent(world, at, source),
        27 => hostile::flood(world, at, source),
        28 => hostile::neighbours(world, at, source),
        29 => around::wall_time(world, at, source),
        30..=34 => wake(world, at, source),
        35 => hostile::accuse(world, at, source),
        36..=41 => jump(world, at, source),
        42..=46 => configure(world, at, source),
        47 => world.give(at, Input::Discover),
        48 => stop(world, at, source),
        49..=51 => raw(world, at, source),
        52 => hostile::goodbye(world, at, source),
        53..=69 => structured(world, at, source),
        70..=78 => answer(world, at, source),
        79 => around::tried(world, at, source),
        80..=83 => echo(world, at, source),
        84 => hostile::bad_record(world, at, source),
        85 => hostile::large(world, at, source),
        86..=95 => gossip(world, at, source),
        96..=109 => deliver(world, at, source),
        110..=115 => lose(world, at, source),
        116..=122 => world.settle(1 + source.below(16)),
        123 => crowd(world, at, source),
        124..=126 => restart(world, at, source),
        _ => silence(world, at),
    }
}

pub fn any_link(world: &World, at: usize, source: &mut Source<'_>) -> Option<LinkId> {
    source.pick(&world.hosts[at].link_ids())
}

/// Some are connected from the start.
pub fn prologue(world: &mut World, source: &mut Source<'_>) {
    for at in 0..world.hosts.len() {
        for i in 0..source.below(4) {
            let node = world.cast.ids[2 + i];
            world.hosts[at].next_link += 1;
            let link = LinkId::new(world.hosts[at].next_link + 1_000);
            world.up(at, link, Link::new(node, None), None);
            let hello = world.cast.hello(1 + i as u32);
            world.message(at, link, wire::encode(Message::Hello(hello)));
        }
    }
}

fn link_up(world: &mut World, at: usize, source: &mut Source<'_>) {
    let node = world.cast.node(source);
    let host = &mut world.hosts[at];
    let link = host.new_link(source);
    let dial = match source.u8() {
        // A dial that nobody began, or one that was for somebody else.
        200.. => Some(DialId::new(u64::from(source.u8()))),
        _ => None,
    };
    if host.links.contains_key(&link) {
        return world.give(at, up(link, node, None, dial));
    }
    if let Some(dial) = dial {
        host.dials.remove(&dial);
    }
    host.links.insert(link, Link::new(node, None));
    let remote = address(source).socket_addr();
    world.give(at, up(link, node, remote, dial));
    // A peer says hello first; a hostile one may not.
    if source.u8() < 224 {
        let hello = messages::hello(source, &world.cast);
        world.message(at, link, wire::encode(Message::Hello(hello)));
    }
}

pub fn up(link: LinkId, node: NodeId, remote: Option<SocketAddr>, dial: Option<DialId>) -> Input {
    Input::LinkUp {
        link,
        node,
        remote,
        dial,
    }
}

fn link_down(world: &mut World, at: usize, source: &mut Source<'_>) {
    let orderly = source.flag();
    match any_link(world, at, source) {
        Some(link) => world.cut(at, link, orderly),
        None => {
            let link = LinkId::new(u64::from(source.u8()));
            world.give(at, Input::LinkDown { link, orderly });
        }
    }
}

/// The outcome of a dial.
fn land(world: &mut World, at: usize, source: &mut Source<'_>) {
    let dials: Vec<_> = world.hosts[at].dials.keys().copied().collect();
    let Some(dial) = source.pick(&dials) else {
        let dial = DialId::new(u64::from(source.u8()));
        return world.give(at, Input::DialFailed { dial });
    };
    let outcome = source.u8();
    if outcome < 48 {
        world.hosts[at].dials.remove(&dial);
        return world.give(at, Input::DialFailed { dial });
    }
    if outcome < 144 && world.connect(at, dial) {
        return;
    }
    let expected = match world.hosts[at].dials.remove(&dial) {
        Some(Target::Peer { node, .. } | Target::Back { node, .. }) if outcome < 240 => node,
        _ => world.cast.node(source),
    };
    let host = &mut world.hosts[at];
    let link = host.new_link(source);
    if host.links.contains_key(&link) {
        return world.give(at, Input::DialFailed { dial });
    }
    world.up(at, link, Link::new(expected, None), Some(dial));
    let hello = messages::hello(source, &world.cast);
    world.message(at, link, wire::encode(Message::Hello(hello)));
}

/// A credit, also for what was never sent on a link.
fn sent(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some(link) = any_link(world, at, source) else {
        return world.give(
            at,
            Input::Sent {
                link: LinkId::new(7),
            },
        );
    };
    for _ in 0..1 + source.below(8) {
        world.hosts[at].take_sent(link);
        world.give(at, Input::Sent { link });
    }
}

fn wake(world: &mut World, at: usize, source: &mut Source<'_>) {
    for _ in 0..1 + source.below(4) {
        if let Some(deadline) = world.hosts[at].deadline {
            world.give_at(at, deadline.min(END), Input::Wake);
        }
    }
}

/// The clock jumps, forward or back.
fn jump(world: &mut World, at: usize, source: &mut Source<'_>) {
    let now = world.hosts[at].clock;
    let by = match source.u8() % 8 {
        0 => return world.give_at(at, Instant::ZERO, Input::Wake),
        1 => {
            let back = Duration::from_millis(u64::from(source.u16()));
            return world.give_at(at, now.saturating_sub(back), Input::Wake);
        }
        2 | 3 => Duration::from_millis(u64::from(source.u16())),
        4 | 5 => Duration::from_secs(u64::from(source.u16())),
        6 => Duration::from_secs(86_400 * u64::from(source.u16())),
        _ => Duration::from_nanos(u64::from(source.u8())),
    };
    world.give_at(at, (now + by).min(END), Input::Wake);
}

fn configure(world: &mut World, at: usize, source: &mut Source<'_>) {
    let list = |source: &mut Source<'_>, most: usize| -> Vec<Multiaddr> {
        (0..source.below(most)).map(|_| address(source)).collect()
    };
    let input = match source.u8() % 8 {
        0 => Input::SetAddresses(Vec::new()),
        1 => Input::SetAddresses(list(source, 20)),
        2 => Input::SetListening(list(source, 20)),
        3 => Input::SetMetadata(source.bytes(300).to_vec()),
        4 => {
            let many = match source.u16() {
                65_000.. => caps::UPSTREAMS as u32 + 1,
                64_900..65_000 => caps::UPSTREAMS as u32,
                n => u32::from(n % 100),
            };
            let address = |i: u32| {
                let [.., high, low] = i.to_be_bytes();
                Multiaddr::tcp(SocketAddr::from(([10, 1, high, low], 1)))
            };
            Input::SetUpstreams((0..many).map(address).collect())
        }
        5 => Input::SetUpstreams(Vec::new()),
        _ => Input::SetUpstreams(list(source, 4)),
    };
    world.give(at, input);
}

fn stop(world: &mut World, at: usize, source: &mut Source<'_>) {
    let input = match source.u8() % 8 {
        0 => Input::Leave,
        1 => Input::Shutdown,
        _ => Input::Discover,
    };
    world.give(at, input);
}

fn raw(world: &mut World, at: usize, source: &mut Source<'_>) {
    let link = any_link(world, at, source).unwrap_or(LinkId::new(9));
    let bytes = match source.u8() {
        255 => parts::oversized(),
        how @ 240..=254 => parts::broken(how),
        _ => source.bytes(128),
    };
    world.message(at, link, bytes);
}

fn structured(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some(link) = any_link(world, at, source) else {
        return;
    };
    world.cast.speaker = world.hosts[at].links.get(&link).map(|l| l.node);
    let message = message(source, &world.cast);
    world.message(at, link, wire::encode(message));
}

/// News of few nodes in few versions, so that they meet: alive, left, and back again.
fn gossip(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some(link) = any_link(world, at, source) else {
        return;
    };
    let teller = world.hosts[at].links.get(&link).map(|l| l.node);
    let count = 1 + source.below(4);
    let records: Vec<_> = (0..count)
        .map(|_| little(source, &world.cast.ids, teller))
        .collect();
    let records = hostile::page(&records);
    let update = match source.u8() % 4 {
        0 => Update {
            news: Some(News {
                records,
                accusations: Vec::new(),
                until: Position::new(u64::from(source.u8()) << 56),
            }),
            ..Update::default()
        },
        _ => Update {
            records,
            ..Update::default()
        },
    };
    world.message(at, link, wire::encode(Message::Update(update)));
}

/// One of few that there are.
fn little(source: &mut Source<'_>, ids: &[NodeId], teller: Option<NodeId>) -> hostile::Made {
    let (who, what) = (source.u8(), source.u8());
    let node = teller.filter(|_| who >= 128);
    let node = node.unwrap_or(ids[usize::from(who) % ids.len()]);
    let how = source.u8();
    let first = match how {
        0..128 => parts::place(1 + what % 4),
        _ => address(source),
    };
    let both = [first, parts::over_udp(1 + what % 4)];
    let addresses: Vec<_> = both.iter().map(Multiaddr::as_bytes).collect();
    let addresses = match what {
        192.. => &[][..],
        _ if how % 4 == 3 => &addresses[..],
        _ => &addresses[..1],
    };
    let mut body = parts::body(addresses, &[], None).to_vec();
    if how % 8 == 6 {
        // Whom it asks, or whom it names (R33, R47).
        let other = ids[usize::from(how >> 3) % ids.len()];
        parts::put_bytes(&mut body, 5 + (what & 2), &other.as_bytes()[..8]);
    }
    let sequence = Sequence {
        version: 1 + u64::from(what >> 2 & 3),
        beat: u32::from(what >> 4 & 3),
    };
    let signature = match how % 16 {
        14 => None,
        15 => parts::signature(3),
        _ => parts::signature(1),
    };
    let remaining = if how % 32 == 9 { 0 } else { 1_799 };
    (node, sequence, body.into(), remaining, signature)
}

/// An answer to what the node has really asked.
fn answer(world: &mut World, at: usize, source: &mut Source<'_>) {
    let asked = |l: &Link| l.asked;
    let links: Vec<_> = world.hosts[at]
        .links
        .iter()
        .filter_map(|(id, link)| Some((*id, asked(link)?)))
        .collect();
    let Some((link, id)) = source.pick(&links) else {
        return;
    };
    world.cast.speaker = world.hosts[at].links.get(&link).map(|l| l.node);
    let mut response = messages::response(source, &world.cast);
    response.id = id;
    world.message(at, link, wire::encode(Message::Response(response)));
}

/// What a node has said comes back to it, or to another, as it was or with a byte changed.
fn echo(world: &mut World, at: usize, source: &mut Source<'_>) {
    let i = source.below(world.heard.len());
    let Some(bytes) = world.heard.get(i).cloned() else {
        return;
    };
    let Some(link) = any_link(world, at, source) else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if source.flag() {
        let (place, change) = (usize::from(source.u16()) % bytes.len(), source.u8());
        bytes[place] ^= change;
    }
    world.message(at, link, bytes.into());
}

/// The next message of the other real node, in order or not, once or twice.
fn deliver(world: &mut World, at: usize, source: &mut Source<'_>) {
    if let Some(link) = any_link(world, at, source) {
        let how = source.u8();
        if how > 224 {
            world.swap(at, link);
        }
        if let Some(bytes) = world.deliver(at, link) {
            if how % 8 == 7 {
                world.message(at, link, bytes);
            }
        }
    }
}

fn lose(world: &mut World, at: usize, source: &mut Source<'_>) {
    if let Some(link) = any_link(world, at, source) {
        if let Some(link) = world.hosts[at].links.get_mut(&link) {
            link.inbox.pop_front();
        }
        world.hosts[at].take_sent(link);
        world.give(at, Input::Sent { link });
    }
}

/// Many links at once, each from another node.
fn crowd(world: &mut World, at: usize, source: &mut Source<'_>) {
    let first = source.u16();
    for i in 0..u16::from(source.u8() % 40) {
        let host = &mut world.hosts[at];
        host.next_link += 1;
        let link = LinkId::new(host.next_link + 1_000);
        let node = parts::numbered(first.wrapping_add(i));
        world.up(at, link, Link::new(node, None), None);
    }
}

fn restart(world: &mut World, at: usize, source: &mut Source<'_>) {
    let elapsed = source.maybe(|s| Duration::from_secs(u64::from(s.u16())));
    world.restart(at, elapsed, source);
}

/// Nobody says anything for a while: the node does not spin.
fn silence(world: &mut World, at: usize) {
    let host = &world.hosts[at];
    // Each thing that has a deadline may have one of its own, and a dial or two that follow.
    let most = 200 + 2 * host.things(7);
    let (before, over) = (host.clock, host.over);
    if host.node.upstreams().count() > MANY {
        return;
    }
    for _ in 0..most {
        match world.hosts[at].deadline {
            Some(deadline) if deadline < END => world.give_unchecked(at, deadline, Input::Wake),
            _ => return,
        }
    }
    world.spent(most);
    world.give(at, Input::Wake);
    let passed = world.hosts[at].clock.saturating_since(before);
    let least = Duration::from_millis(100);
    assert!(over || passed >= least, "{most} wakes in {passed:?}");
}

/// Bytes for a link.
pub fn to_link(link: LinkId, bytes: Bytes) -> Input {
    Input::Message { link, bytes }
}
