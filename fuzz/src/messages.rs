//! Any message: valid ones, and such as no honest node would send.

use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::addr::Protocol;
use peer_exchange::contract;
use peer_exchange::wire::{
    Accusation, Ask, Beat, DialBack, Filter, Goodbye, GoodbyeReason, Hello, Message, NO_DIAL_BACKS,
    News, Picks, Request, Response, SIGNED_ONLY, SIGNS, Shows, Update, Walk,
};
use peer_exchange::{Multiaddr, Position, RequestId};

use super::parts::{Cast, signature, sketch, socket, strata};
use super::source::Source;

/// A message of any kind.
pub fn message(source: &mut Source<'_>, cast: &Cast) -> Message {
    match source.u8() % 19 {
        0 | 1 => Message::Hello(hello(source, cast)),
        2..=5 => Message::Request(request(source, cast)),
        6..=8 => Message::Response(response(source, cast)),
        9..=11 => Message::Update(update(source, cast)),
        12..=15 => Message::Goodbye(goodbye(source)),
        16 => Message::Beat(Beat {
            fingerprint: source.maybe(|s| s.number() >> 16),
        }),
        17 => Message::DialBack(dial_back(source)),
        _ => Message::Ask(Ask {
            watch: source.flag(),
            // Zeros stand for none.
            accused: source
                .maybe(|s| cast.sequence(s))
                .filter(|at| at.version != 0 || at.beat != 0),
            invite: source.flag(),
            claimed: source
                .maybe(|s| cast.sequence(s))
                .filter(|at| at.version != 0 || at.beat != 0),
        }),
    }
}

pub fn hello(source: &mut Source<'_>, cast: &Cast) -> Hello {
    let odd = source.u8();
    let [min_version, max_version] = match odd {
        // Zeros stand for the first, and for the same.
        255 => [source.u32().max(1), source.u32().max(1)],
        254 => [2, 9],
        253 => [3, 3],
        _ => [1, 1],
    };
    Hello {
        min_version,
        max_version,
        // Mostly: takes what is about addresses.
        features: (source.number() as u32 | SIGNS)
            & match source.u8() {
                0..200 => !(NO_DIAL_BACKS | SIGNED_ONLY),
                _ => u32::MAX ^ SIGNS,
            },
        epoch: cast.epoch(source),
        // Mostly: no other cluster.
        cluster: cast.hello(0).cluster ^ u64::from(odd == 252),
        seen: source.maybe(socket),
    }
}

fn dial_back(source: &mut Source<'_>) -> DialBack {
    match source.u8() % 8 {
        0..=2 => DialBack::Ask {
            over: match source.flag() {
                true => Protocol::Tcp,
                false => Protocol::Quic,
            },
            port: source.u16().max(1),
        },
        3 => DialBack::Listed,
        _ => DialBack::Tried {
            at: Multiaddr::tcp(socket(source)),
            reached: source.flag(),
        },
    }
}

pub fn request(source: &mut Source<'_>, cast: &Cast) -> Request {
    let id = cast.request_id(source);
    Request {
        id,
        state: source.maybe(|s| s.number()),
        hop_limit: source.u8() % (contract::HOPS as u8 + 1),
        walk: source.maybe(|s| walk(s, cast)).flatten(),
        count: source.number() as u32,
        shows: shows(source, id),
        records: source.maybe(|s| cast.records(s)).unwrap_or_default(),
        own: (cast.sequence(source), source.u16()),
        overdue: cast.prefixes(source),
        fetch: cast.prefixes(source),
    }
}

/// Mostly it ends with whoever sends it, as it has to.
fn walk(source: &mut Source<'_>, cast: &Cast) -> Option<Walk> {
    let mut path = cast.path(source, contract::HOPS - 1);
    if let Some(speaker) = cast.speaker.filter(|_| source.u8() < 224) {
        path.retain(|node| *node != speaker);
        path.push(speaker);
    }
    Walk::of(path)
}

/// A filter, a sketch, or neither.
fn shows(source: &mut Source<'_>, id: RequestId) -> Shows {
    match source.u8() % 8 {
        0 => Shows::Partial,
        1 | 2 => Shows::Sketch(sketch(source)),
        3..=5 => {
            let hashes: Vec<u64> = (0..source.below(40)).map(|_| source.number()).collect();
            let filter = Filter::of(id.get().into(), hashes.len(), hashes.into_iter());
            Shows::Filter(filter)
        }
        _ => Shows::All,
    }
}

pub fn response(source: &mut Source<'_>, cast: &Cast) -> Response {
    Response {
        id: cast.request_id(source),
        count: source.number() as u32,
        same: source.u8() % 8 == 1,
        records: source.maybe(|s| cast.records(s)).unwrap_or_default(),
        wants: source.maybe(wants).unwrap_or_default(),
        later: source.u8() % 4 == 1,
        cut: source.u8() % 4 == 1,
        partial: source.u8() % 8 == 1,
        nodes: source.maybe(|s| cast.nodes(s)).unwrap_or_default(),
        strata: strata(source),
        renewed: cast.records(source),
        refusals: cast.refusals(source),
        busy: match source.u8() {
            0..=220 => None,
            _ => {
                let wait = Duration::from_millis(u64::from(source.number() as u32));
                Some((wait, cast.records(source)))
            }
        },
    }
}

/// Places near each other, or anywhere.
fn wants(source: &mut Source<'_>) -> Picks {
    let near = source.flag();
    let place = |s: &mut Source<'_>| match near {
        true => u32::from(s.u8()),
        false => s.number() as u32 & 0x7ff_ffff,
    };
    Picks::of((0..source.below(40)).map(|_| place(source)).collect())
}

pub fn update(source: &mut Source<'_>, cast: &Cast) -> Update {
    Update {
        // Zero stands for none.
        request: source
            .maybe(|s| cast.request_id(s))
            .filter(|id| id.get() != 0),
        records: source.maybe(|s| cast.records(s)).unwrap_or_default(),
        refusals: cast.refusals(source),
        news: source.maybe(|s| News {
            records: cast.records(s),
            accusations: accusations(s, cast),
            until: Position::new(s.u64()),
        }),
        same_key: source.maybe(|s| {
            let port = s.u64() as u16;
            s.maybe(|s| {
                SocketAddr::from((
                    s.u64().to_be_bytes()[..4].try_into().unwrap_or([0; 4]),
                    port,
                ))
            })
        }),
    }
}

fn accusations(source: &mut Source<'_>, cast: &Cast) -> Vec<Accusation> {
    let count = source.below(contract::ACCUSATIONS + 1) * usize::from(source.flag());
    let one = |s: &mut Source<'_>| Accusation {
        subject: cast.node(s),
        at: cast.sequence(s),
        by: cast.node(s),
        signature: signature(s.u8()).copied(),
    };
    (0..count).map(|_| one(source)).collect()
}

fn goodbye(source: &mut Source<'_>) -> Goodbye {
    use GoodbyeReason as R;
    let reasons = [
        R::Unspecified,
        R::Leaving,
        R::Full,
        R::Idle,
        R::Duplicate,
        R::Misbehaviour,
        R::Version,
        R::Shutdown,
        R::OtherCluster,
        R::SameKey,
    ];
    Goodbye {
        reason: reasons[source.below(reasons.len())],
        retry_after: Duration::from_millis(u64::from(source.number() as u32)),
    }
}
