//! Writes the hand-made seeds: a message of every kind, and bytes that are none in every way.
//!
//! ```sh
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds
//! ```

use std::path::Path;
use std::time::Duration;

use peer_exchange::contract;
use peer_exchange::wire::{
    Ask, Beat, DialBack, Filter, Goodbye, GoodbyeReason, Hello, Message, News, Nodes, Picks,
    Records, RecordsBuilder, RefusalsBuilder, Request, Response, Shows, Update, Walk, WireRecord,
    encode,
};
use peer_exchange::{Multiaddr, NodeId, Position, RequestId, Sequence};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/decode");
    std::fs::create_dir_all(&folder)?;
    for (name, message) in messages() {
        std::fs::write(folder.join(name), encode(message))?;
    }
    for (name, bytes) in others() {
        std::fs::write(folder.join(name), bytes)?;
    }
    let folder = folder.with_file_name("page");
    std::fs::create_dir_all(&folder)?;
    for (name, records) in pages() {
        std::fs::write(folder.join(name), packed(&records))?;
    }
    let folder = folder.with_file_name("filter");
    std::fs::create_dir_all(&folder)?;
    for n in [0, 1, 2, 7, 30, 200, 1_000, 4_000, 30_000, 60_000] {
        std::fs::write(folder.join(format!("of_{n}")), packed_filter(n))?;
    }
    let folder = folder.with_file_name("picks");
    std::fs::create_dir_all(&folder)?;
    for (name, picks) in picks() {
        std::fs::write(folder.join(name), packed_picks(picks))?;
    }
    Ok(())
}

fn node(byte: u8) -> NodeId {
    NodeId::new([byte; 32])
}

const SEQUENCE: Sequence = Sequence {
    version: 3,
    beat: 1,
};

fn records() -> Records {
    let mut page = RecordsBuilder::default();
    for byte in [1, 2] {
        let record = WireRecord {
            node: node(byte),
            sequence: SEQUENCE,
            remaining_s: 1_799,
            body: b"\x0a\x08\x04\x0a\x00\x00\x01\x06\x0f\xa0",
            signature: None,
        };
        assert!(page.push(record, contract::MESSAGE_BYTES));
    }
    page.finish()
}

const ID: RequestId = RequestId::new(0x1122_3344);

fn requests() -> Vec<(&'static str, Request)> {
    let filter = Filter::of(
        ID.get().into(),
        30,
        (0..30).map(|n| n * 0x0123_4567_89ab_cdef),
    );
    let shown = |shows| Request {
        shows,
        count: 30,
        records: records(),
        ..Request::new(ID)
    };
    let whole = Request {
        hop_limit: 16,
        walk: Walk::of(vec![node(1), node(2), node(3)]),
        own: (SEQUENCE, 0xbeef),
        overdue: vec![2; 8].into(),
        ..shown(Shows::All)
    };
    let brief = Request {
        state: Some(7),
        ..Request::new(ID)
    };
    let fetch = Request {
        fetch: vec![1; 8].into(),
        ..Request::new(ID)
    };
    vec![
        ("request", whole),
        ("filter", shown(Shows::Filter(filter))),
        ("partial", shown(Shows::Partial)),
        ("brief", brief),
        ("fetch", fetch),
    ]
}

fn responses() -> Vec<(&'static str, Response)> {
    let mut refusals = RefusalsBuilder::default();
    refusals.push(&node(3), SEQUENCE);
    let whole = Response {
        count: 90,
        records: records(),
        wants: Picks::of(vec![0, 1, 5, 90]),
        later: true,
        cut: true,
        renewed: records(),
        refusals: refusals.finish(),
        ..Response::to(ID)
    };
    let same = Response {
        same: true,
        ..Response::to(ID)
    };
    let differs = Response {
        count: 9,
        strata: vec![0x5a; 40].into(),
        ..Response::to(ID)
    };
    let nodes = Response {
        partial: true,
        nodes: Nodes::of([(node(1), 3), (node(9), 258)].into_iter()),
        ..Response::to(ID)
    };
    let busy = Response {
        busy: Some((Duration::from_millis(250), records())),
        ..Response::to(ID)
    };
    vec![
        ("response", whole),
        ("same", same),
        ("differs", differs),
        ("nodes", nodes),
        ("busy", busy),
    ]
}

fn updates() -> Vec<(&'static str, Update)> {
    let wanted = Update {
        request: Some(ID),
        records: records(),
        ..Update::default()
    };
    let news = Update {
        news: Some(News {
            records: Default::default(),
            accusations: Vec::new(),
            until: Position::new(0x1122_3344_5566_7788),
        }),
        ..Update::default()
    };
    vec![("update", wanted), ("news", news)]
}

fn messages() -> Vec<(&'static str, Message)> {
    let hello = Hello {
        min_version: 1,
        max_version: 1,
        features: 0,
        epoch: 99,
        cluster: 0,
        seen: None,
    };
    let beat = Beat {
        fingerprint: Some(0x0123_4567_89ab),
    };
    let ask = Ask {
        watch: true,
        accused: Some(SEQUENCE),
        invite: true,
        claimed: Some(SEQUENCE),
    };
    let goodbye = Goodbye {
        reason: GoodbyeReason::Full,
        retry_after: Duration::from_secs(600),
    };
    let dial_back = DialBack::Tried {
        at: Multiaddr::tcp(([10, 0, 0, 1], 7000).into()),
        reached: true,
    };
    let mut all = vec![
        ("hello", Message::Hello(hello)),
        ("goodbye", Message::Goodbye(goodbye)),
        ("beat", Message::Beat(beat)),
        ("ask", Message::Ask(ask)),
        ("dial_back", Message::DialBack(dial_back)),
    ];
    all.extend(
        requests()
            .into_iter()
            .map(|(n, m)| (n, Message::Request(m))),
    );
    all.extend(
        responses()
            .into_iter()
            .map(|(n, m)| (n, Message::Response(m))),
    );
    all.extend(updates().into_iter().map(|(n, m)| (n, Message::Update(m))));
    all
}

/// Records of a page: each of a node, a sequence, a body, and whether it is signed.
type Page = Vec<(NodeId, Sequence, Vec<u8>, bool)>;

/// Pages of every shape.
fn pages() -> Vec<(String, Page)> {
    let ip4: &[u8] = b"\x0a\x08\x04\x0a\x00\x00\x01\x06\x0f\xa0";
    let quic: &[u8] = b"\x0a\x0b\x04\x0a\x00\x00\x01\x91\x02\x0f\xa0\xcd\x03";
    let ip6 = [&b"\x0a\x14\x29"[..], &[0x20; 16], b"\x06\x0f\xa0"].concat();
    let more: &[u8] = b"\x12\x03abc\x18\x3c";
    let shapes = [
        ("empty", vec![]),
        ("ip4", ip4.to_vec()),
        ("ip6", ip6.clone()),
        ("two", [quic, ip4].concat()),
        ("more", [ip4, more].concat()),
        ("odd", vec![0x7a, 1, 1]),
        ("upstreams", [ip4, b"\x2a\x10", &[0; 8], &[9; 8]].concat()),
        ("many", [ip4, b"\x20\x90\x4e\x2a\x00"].concat()),
        ("mixed", [&ip6, quic, &ip6, ip4, more].concat()),
    ];
    let mut pages = Vec::new();
    for (name, body) in &shapes {
        for (count, signed) in [(1, false), (5, true)] {
            let record = |i: u8| {
                let mut body = body.clone();
                if let Some(byte) = body.get_mut(6) {
                    *byte ^= i;
                }
                let sequence = Sequence {
                    version: 1 + u64::from(i / 4) * 1_000,
                    beat: 0,
                };
                (node(i * 50), sequence, body, signed && i % 2 == 0)
            };
            let page = (0..count).map(record).collect();
            pages.push((format!("{name}_{count}"), page));
        }
    }
    pages
}

/// The page alone, out of an update that has nothing else.
fn packed(records: &Page) -> Vec<u8> {
    let mut page = RecordsBuilder::default();
    let signature = [9; 64];
    for (node, sequence, body, signed) in records {
        let record = WireRecord {
            node: *node,
            sequence: *sequence,
            remaining_s: 1_799,
            body,
            signature: signed.then_some(&signature),
        };
        assert!(page.push(record, contract::MESSAGE_BYTES));
    }
    let update = encode(Message::Update(Update {
        records: page.finish(),
        ..Update::default()
    }));
    opened(opened(&update)).to_vec()
}

/// After a key of one byte and a length.
fn opened(field: &[u8]) -> &[u8] {
    let Some((_, mut rest)) = field.split_first() else {
        return &[];
    };
    while rest.first().is_some_and(|byte| byte & 0x80 != 0) {
        rest = &rest[1..];
    }
    rest.get(1..).unwrap_or_default()
}

/// A request's ID and its filter of so many records, which follow each other.
fn packed_filter(n: u64) -> Vec<u8> {
    let hashes = (0..n).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let request = encode(Message::Request(Request {
        shows: Shows::Filter(Filter::of(ID.get().into(), n as usize, hashes)),
        ..Request::new(ID)
    }));
    let (id, filter) = opened(&request)[1..].split_at(4);
    [id, opened(filter)].concat()
}

/// Places of every density.
fn picks() -> Vec<(String, Picks)> {
    let mut all = vec![(
        "outlier".into(),
        Picks::of((0..50).chain([900_000]).collect()),
    )];
    for (count, every) in [(1, 1), (1, 5_000), (9, 1), (9, 7), (300, 1), (300, 100)] {
        let places = (0..count).map(|i| i * every + every / 2);
        all.push((
            format!("{count}_every_{every}"),
            Picks::of(places.collect()),
        ));
    }
    for (name, last) in [("all", 32_768), ("most", 30_000), ("few", 3)] {
        all.push((name.into(), Picks::of((0..last).collect())));
    }
    all
}

/// What a response wants, alone.
fn packed_picks(wants: Picks) -> Vec<u8> {
    let response = encode(Message::Response(Response {
        wants,
        ..Response::to(ID)
    }));
    opened(&opened(&response)[5..]).to_vec()
}

/// Protobuf by hand: what the encoder would never write.
fn others() -> Vec<(&'static str, Vec<u8>)> {
    let long = |tag: u8, len: u8| -> Vec<u8> {
        let mut out = vec![tag << 3 | 2, len];
        out.resize(out.len() + usize::from(len), 7);
        out
    };
    let envelope = |kind: u8, body: &[u8]| -> Vec<u8> {
        let mut out = vec![kind << 3 | 2, body.len() as u8];
        out.extend_from_slice(body);
        out
    };
    vec![
        ("empty", vec![]),
        ("unknown_kind", envelope(15, &[])),
        ("malformed", vec![0x08]),
        ("node_id", envelope(2, &long(13, 31))),
        ("path_twice", envelope(2, &long(13, 64))),
        ("filter_short", envelope(2, &[0x3a, 2, 0x07, 0xff])),
        (
            "filter_and_sketch",
            envelope(2, &[0x3a, 2, 0, 0, 0x42, 6, 8, 1, 0x12, 2, 0, 0]),
        ),
        ("sketch_empty", envelope(2, &[0x42, 2, 0x08, 1])),
        ("wants_large", envelope(3, &[0x2a, 5, 0xf8, 0, 0, 0, 1])),
        ("nodes_uneven", envelope(3, &[0x4a, 3, 0x12, 1, 7])),
        ("columns", envelope(3, &[0x62, 6, 0x0a, 4, 1, 2, 3, 4])),
        ("page", envelope(4, &[0x12, 2, 1, 2])),
        ("columns_unpacked", {
            let refusals = [&long(1, 32)[..], &[0x10, 1, 0x18, 1]].concat();
            envelope(3, &[&[0x62, refusals.len() as u8][..], &refusals].concat())
        }),
        ("too_long", vec![0; contract::MESSAGE_BYTES + 1]),
    ]
}
