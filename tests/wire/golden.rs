//! Bytes that hold version 1 still: decoded, read, and encoded to the same bytes again.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::addr::Protocol;
use peer_exchange::wire::{
    self, Accusation, Ask, Beat, Decoded, DialBack, Goodbye, GoodbyeReason, Hello, Message,
    Records, Request, Response, Shows,
};
use peer_exchange::{Config, Instant, Kind, Node, NodeId, Position, RequestId, contract};

use crate::support::build::*;
use crate::support::rig::{SEED, identity};

pub(crate) const GOLDEN: &str = include_str!("golden.txt");
const EPOCH: u32 = 0xfedc_ba98;
const WALK: RequestId = RequestId::new(0x1122_3344);

pub(crate) fn golden(name: &str) -> Bytes {
    let line = |l: &&str| l.split(' ').next() == Some(name);
    let line = GOLDEN.lines().find(line).expect("a line of that name");
    let hex = &line[name.len() + 1..];
    let byte = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn decoded(name: &str) -> Message {
    decoded_as(name, name)
}

fn decoded_as(name: &str, kind: &str) -> Message {
    let bytes = golden(name);
    let Ok(Decoded::Message(message)) = wire::decode(bytes.clone()) else {
        panic!("{name} does not decode");
    };
    assert_eq!(message.kind().name(), kind);
    let sign_of_life = matches!(message.kind(), Kind::Beat | Kind::Ask);
    assert_eq!(contract::is_sign_of_life(&bytes), sign_of_life, "{name}");
    assert_eq!(wire::encode(message.clone()), bytes, "{name} encodes anew");
    message
}

fn assert_records(records: &Records) {
    let read: Vec<_> = records.iter().collect();
    let heads: Vec<_> = read
        .iter()
        .map(|r| (r.node, r.sequence, r.remaining_s, r.body.len()))
        .collect();
    let full = read[0].body;
    assert_eq!(
        heads,
        [
            (id(7), seq(1 << 40, 3), 599, full.len()),
            (id(8), seq(2, u32::MAX), 1_800, 10),
            (id(9), seq(u64::MAX, 1), 3_824, 0),
        ]
    );
    assert_eq!(read[1].body, body_of(8));
    // Two addresses, metadata, a lifetime, and the field of the signature.
    let mut expected = body(&[address(7), "/dns/a.b/tcp/80".parse().unwrap()]);
    bytes_field(2, b"zone=1", &mut expected);
    varint_field(3, 600, &mut expected);
    bytes_field(15, &[0xee; 64], &mut expected);
    assert_eq!(full, expected);
}

fn assert_refusals(refusals: &wire::Refusals) {
    let read: Vec<_> = refusals.iter().collect();
    assert_eq!(read, [(id(5), seq(70, 8)), (id(6), seq(71, 9))]);
}

#[test]
fn hello() {
    let expected = Hello {
        min_version: 1,
        max_version: 3,
        features: 5,
        epoch: EPOCH,
        cluster: 0,
        seen: None,
    };
    assert_eq!(decoded("hello"), Message::Hello(expected));
    for (line, seen) in [
        ("hello_seen", "10.0.0.7:7000"),
        ("hello_seen_v6", "[2001:db8::1]:7000"),
    ] {
        let seen = Some(seen.parse().unwrap());
        let expected = Hello { seen, ..expected };
        assert_eq!(decoded_as(line, "hello"), Message::Hello(expected));
    }
    for (line, versions) in [("hello_plain", (1, 1)), ("hello_later", (2, 7))] {
        let expected = Hello {
            min_version: versions.0,
            max_version: versions.1,
            features: 0,
            ..expected
        };
        assert_eq!(decoded_as(line, "hello"), Message::Hello(expected));
    }
}

fn request_of(line: &str) -> Request {
    match decoded_as(line, "request") {
        Message::Request(m) => m,
        other => panic!("{other:?}"),
    }
}

#[test]
fn request() {
    let m = request_of("request");
    assert_eq!((m.id, m.hop_limit, m.count), (WALK, 16, 1_000));
    let walk = m.walk.unwrap();
    assert_eq!((walk.origin(), walk.path()), (id(2), &[id(2), id(3)][..]));
    assert_eq!(m.own, (seq(12, 34), 0xffff));
    assert_records(&m.records);
    assert_eq!(m.shows, Shows::All);
    assert_eq!(&m.overdue[..], b"overdue1");
}

/// R22, R27, R40: the ways in which a table is shown.
#[test]
fn how_a_table_is_shown() {
    let m = request_of("filter");
    let Shows::Filter(filter) = m.shows else {
        panic!("{m:?}")
    };
    assert_eq!((m.id, m.count, filter.len()), (WALK, 3, 3));
    let m = request_of("sketch");
    let Shows::Sketch(sketch) = m.shows else {
        panic!("{m:?}")
    };
    assert_eq!((sketch.parts(), sketch.capacity()), (2, 3));
    assert_eq!(request_of("partial").shows, Shows::Partial);
}

#[test]
fn fetch() {
    let m = request_of("fetch");
    assert_eq!((m.id, &m.fetch[..]), (WALK, &b"fetcfet2"[..]));
}

/// R45, N3: a request at rest, and its answer.
#[test]
fn brief() {
    let m = request_of("brief");
    assert!(golden("brief").len() <= 24);
    assert_eq!((m.id, m.state), (WALK, Some(0x0123_4567_89ab_cdef)));
    assert!(response_of("same").same);
    let differs = response_of("differs");
    assert_eq!((differs.count, differs.strata.len()), (90, 40));
}

fn response_of(line: &str) -> Response {
    match decoded_as(line, "response") {
        Message::Response(m) => m,
        other => panic!("{other:?}"),
    }
}

#[test]
fn response() {
    let m = response_of("response");
    assert_eq!((m.id, m.count), (WALK, 1_000));
    assert_eq!(
        (m.later, m.cut, m.partial, m.same),
        (true, true, false, false)
    );
    assert_records(&m.records);
    assert_eq!(m.wants.iter().collect::<Vec<_>>(), [0, 1, 5, 40]);
    assert_records(&m.renewed);
    assert_refusals(&m.refusals);
    let (wait, sample) = response_of("busy").busy.unwrap();
    assert_eq!(wait, Duration::from_secs(60));
    assert_records(&sample);
}

/// Nodes named to a full table.
#[test]
fn nodes() {
    let m = response_of("nodes");
    assert!(m.partial);
    let beginning = |n: u8| [0, 0, 0, n, 0x5a, 0x5a, 0x5a, 0x5a];
    let named: Vec<_> = m.nodes.iter().collect();
    assert_eq!(named, [(beginning(2), 7), (beginning(3), 255)]);
}

#[test]
fn update() {
    let Message::Update(m) = decoded("update") else {
        panic!()
    };
    assert_eq!(m.request, Some(WALK));
    assert_records(&m.records);
    assert_refusals(&m.refusals);
}

/// On its way through the cluster (R46), and until where.
#[test]
fn news() {
    let Message::Update(m) = decoded_as("news", "update") else {
        panic!()
    };
    let news = m.news.unwrap();
    assert_eq!(news.until, Position::new(0x1122_3344_5566_7788));
    assert!(news.records.is_empty() && m.records.is_empty());
}

/// Where another with the receiver's key is, if that is known (R36).
#[test]
fn another_with_the_same_key() {
    let told = [
        ("same_key_v4", Some("10.0.0.1:7000")),
        ("same_key_v6", Some("[2001:db8::1]:7000")),
        ("same_key_nowhere", None),
    ];
    for (line, at) in told {
        let Message::Update(m) = decoded_as(line, "update") else {
            panic!("no update");
        };
        assert_eq!(m.same_key, Some(at.map(|at| at.parse().unwrap())), "{line}");
    }
}

#[test]
fn goodbye() {
    let expected = Goodbye {
        reason: GoodbyeReason::Shutdown,
        retry_after: Duration::from_secs(600),
    };
    assert_eq!(decoded("goodbye"), Message::Goodbye(expected));
}

#[test]
fn beat_and_ask() {
    let fingerprint = Some(0x4567_89ab_cdef);
    assert_eq!(decoded("beat"), Message::Beat(Beat { fingerprint }));
    let mut asked = Ask {
        watch: true,
        accused: Some(seq(300, 2)),
        ..Ask::default()
    };
    assert_eq!(decoded("ask"), Message::Ask(asked));
    (asked.watch, asked.accused) = (false, None);
    assert_eq!(decoded_as("no_more", "ask"), Message::Ask(asked));
    asked.invite = true;
    assert_eq!(decoded_as("invite", "ask"), Message::Ask(asked));
    (asked.invite, asked.claimed) = (false, Some(seq(300, 2)));
    assert_eq!(decoded_as("claimed", "ask"), Message::Ask(asked));
}

#[test]
fn dial_backs() {
    let (tcp, quic) = (Protocol::Tcp, Protocol::Quic);
    let at = address(7);
    let reached = true;
    for (line, expected) in [
        (
            "dial_back",
            DialBack::Ask {
                over: tcp,
                port: 7_000,
            },
        ),
        (
            "dial_back_quic",
            DialBack::Ask {
                over: quic,
                port: 65_535,
            },
        ),
        ("dial_back_listed", DialBack::Listed),
        ("dialled_back", DialBack::Tried { at, reached }),
    ] {
        let read = decoded_as(line, "dial_back");
        assert_eq!(read, Message::DialBack(expected), "{line}");
    }
}

#[test]
fn accusations() {
    let signature = std::array::from_fn(|i| i as u8);
    for (line, signature) in [
        ("accusations", None),
        ("accusation_signed", Some(signature)),
    ] {
        let Message::Update(update) = decoded_as(line, "update") else {
            panic!("no update");
        };
        let news = update.news.expect("it is on its way");
        let accusation = Accusation {
            subject: id(2),
            at: seq(300, 2),
            by: id(3),
            signature,
        };
        assert_eq!(news.accusations, [accusation]);
        assert_eq!(
            (news.records.len(), news.until.get()),
            (0, 0x1122_3344_5566_7788)
        );
    }
}

/// An earlier version's snapshot, without the own record, is read; what is written now has it.
#[test]
fn snapshot() {
    let node = Node::restore(
        Config::default(),
        identity(1),
        SEED,
        Instant::ZERO,
        &golden("snapshot"),
        Some(Duration::from_secs(10)),
    );
    let node = node.unwrap();
    assert_eq!(node.sequence(), seq(6, 0));
    let known: Vec<NodeId> = node.peers().map(|p| p.node).collect();
    assert_eq!(known, [id(7)]);
    assert_eq!(node.peer(&id(7)).unwrap().sequence, seq(4, 7));
    assert_eq!((node.stats().certificates, node.stats().hints), (1, 1));
    assert_eq!(node.snapshot(node.now()), golden("snapshot_after"));
}
