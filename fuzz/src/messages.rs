//! Any message: valid ones, and such as no honest node would send.

use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::addr::Protocol;
use peer_exchange::contract;
use peer_exchange::wire::{
    Accusation, Ask, Beat, Brief, Content, Cursor, DIAL_BACKS, Delta, DialBack, Digest, Goodbye,
    GoodbyeReason, Hello, Message, NODES, News, Request, Response, SKETCHES, Update, Walk,
};
use peer_exchange::{Multiaddr, Position};

use super::parts::{Cast, short_ids, signature, sketch, socket, strata};
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
        }),
    }
}

pub fn hello(source: &mut Source<'_>, cast: &Cast) -> Hello {
    let odd = source.u8();
    let [min_version, max_version] = match odd {
        255 => [source.u32(), source.u32()],
        254 => [2, 9],
        253 => [0, 0],
        _ => [1, 1],
    };
    Hello {
        min_version,
        max_version,
        // Mostly: takes sketches, nodes, and what is about addresses.
        features: source.number()
            | match source.u8() {
                0..200 => SKETCHES | NODES | DIAL_BACKS,
                _ => 0,
            },
        epoch: cast.epoch(source),
        // Mostly: no other cluster.
        cluster: u64::from(odd == 252),
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
    let brief = source.maybe(|s| Brief {
        state: s.number(),
        log: s.number() as u32,
    });
    Request {
        brief,
        id: cast.request_id(source),
        hop_limit: source.u8() % (contract::HOPS as u8 + 1),
        walk: source.maybe(|s| walk(s, cast)),
        digest: digest(source),
        cursor: source.maybe(|s| cursor(s, cast)),
        own: cast.sequence(source),
        own_check: source.u16(),
        push: source.maybe(|s| delta(s, cast)),
        want: source.maybe(short_ids),
        fetch: cast.prefixes(source),
        overdue: cast.prefixes(source),
        strata: strata(source),
        plain: source.u8() % 8 == 1,
    }
}

pub fn response(source: &mut Source<'_>, cast: &Cast) -> Response {
    Response {
        id: cast.request_id(source),
        digest: digest(source),
        cursor: source.maybe(|s| cursor(s, cast)),
        delta: source.maybe(|s| delta(s, cast)),
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

pub fn update(source: &mut Source<'_>, cast: &Cast) -> Update {
    Update {
        // Zero stands for none.
        request: source
            .maybe(|s| cast.request_id(s))
            .filter(|id| id.get() != 0),
        digest: source.maybe(digest),
        delta: source.maybe(|s| delta(s, cast)),
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
        signature: signature(u32::from(s.u8())).copied(),
    };
    (0..count).map(|_| one(source)).collect()
}

fn walk(source: &mut Source<'_>, cast: &Cast) -> Walk {
    let path = cast.path(source, contract::HOPS);
    Walk {
        origin: path[0],
        path,
    }
}

fn digest(source: &mut Source<'_>) -> Digest {
    Digest {
        version: source.number(),
        count: source.number() as u32,
        fingerprint: source.number(),
        partial: source.flag(),
    }
}

fn cursor(source: &mut Source<'_>, cast: &Cast) -> Cursor {
    Cursor {
        epoch: cast.epoch(source),
        version: source.number(),
    }
}

fn delta(source: &mut Source<'_>, cast: &Cast) -> Delta {
    let (a, b) = match source.u8() {
        0..=150 => (0, 0),
        151..=200 => (0, u64::from(source.u8())),
        _ => (source.number(), source.number()),
    };
    Delta {
        from: a.min(b),
        to: a.max(b),
        content: match source.u8() {
            // Above what the corpus uses, for the most part.
            232..=255 => Content::Nodes(cast.nodes(source)),
            other => match other % 8 {
                0 => Content::Empty,
                1 | 2 => Content::Announced(short_ids(source)),
                3 => Content::Sketch(sketch(source)),
                _ => Content::Records(cast.records(source)),
            },
        },
    }
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
