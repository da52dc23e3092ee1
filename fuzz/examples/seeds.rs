//! Writes the hand-made seeds: a message of every kind, and bytes that are none in every way.
//!
//! ```sh
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds
//! ```

use std::path::Path;
use std::time::Duration;

use peer_exchange::contract;
use peer_exchange::wire::{
    Ask, Beat, Brief, Content, Cursor, Delta, DialBack, Digest, Goodbye, GoodbyeReason, Hello,
    Message, News, Nodes, RecordsBuilder, RefusalsBuilder, Request, Response, Update, Walk,
    WireRecord, encode,
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
    Ok(())
}

fn node(byte: u8) -> NodeId {
    NodeId::new([byte; 32])
}

const SEQUENCE: Sequence = Sequence {
    version: 3,
    beat: 1,
};

fn digest() -> Digest {
    Digest {
        version: 7,
        count: 2,
        fingerprint: 0x0123_4567_89ab_cdef,
        partial: false,
    }
}

fn delta() -> Delta {
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
    Delta {
        from: 2,
        to: 7,
        content: Content::Records(page.finish()),
    }
}

fn messages() -> Vec<(&'static str, Message)> {
    let id = RequestId::new(0x1122_3344_5566_7788);
    let cursor = Some(Cursor {
        epoch: 99,
        version: 4,
    });
    let mut refusals = RefusalsBuilder::default();
    refusals.push(&node(3), SEQUENCE);
    let refusals = refusals.finish();
    let path = vec![node(1), node(2), node(3)];
    let hello = Hello {
        min_version: 1,
        max_version: 1,
        features: 0,
        epoch: 99,
        cluster: 0,
        seen: None,
    };
    let request = Request {
        id,
        brief: None,
        hop_limit: 16,
        walk: Some(Walk {
            origin: node(1),
            path: path.clone(),
        }),
        digest: digest(),
        cursor,
        own: SEQUENCE,
        own_check: 0xbeef,
        push: Some(delta()),
        want: None,
        fetch: vec![1; 8].into(),
        overdue: vec![2; 8].into(),
        strata: vec![0x5a; 40].into(),
        plain: false,
    };
    let response = Response {
        id,
        digest: digest(),
        cursor,
        delta: Some(delta()),
        renewed: Default::default(),
        refusals: refusals.clone(),
        busy: Some((Duration::from_millis(250), Default::default())),
    };
    let update = Update {
        request: Some(id),
        digest: Some(digest()),
        delta: Some(delta()),
        refusals,
        news: None,
    };
    let news = Update {
        news: Some(News {
            records: Default::default(),
            accusations: Vec::new(),
            until: Position::new(0x1122_3344_5566_7788),
        }),
        ..Update::default()
    };
    let nodes = Update {
        delta: Some(Delta {
            from: 0,
            to: 9,
            content: Content::Nodes(Nodes::of([(node(1), 3), (node(9), 258)].into_iter())),
        }),
        ..Update::default()
    };
    let beat = Beat {
        fingerprint: Some(0x0123_4567_89ab),
    };
    let ask = Ask {
        watch: true,
        accused: Some(SEQUENCE),
        invite: true,
    };
    let goodbye = Goodbye {
        reason: GoodbyeReason::Full,
        retry_after: Duration::from_secs(600),
    };
    let dial_back = DialBack::Tried {
        at: Multiaddr::tcp(([10, 0, 0, 1], 7000).into()),
        reached: true,
    };
    vec![
        ("hello", Message::Hello(hello)),
        ("request", Message::Request(request.clone())),
        (
            "brief",
            Message::Request(Request {
                brief: Some(Brief { state: 7, log: 9 }),
                ..request
            }),
        ),
        ("response", Message::Response(response)),
        ("update", Message::Update(update)),
        ("nodes", Message::Update(nodes)),
        ("news", Message::Update(news)),
        ("goodbye", Message::Goodbye(goodbye)),
        ("beat", Message::Beat(beat)),
        ("ask", Message::Ask(ask)),
        ("dial_back", Message::DialBack(dial_back)),
    ]
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
    let delta = Delta {
        from: 0,
        to: 0,
        content: Content::Records(page.finish()),
    };
    let update = encode(Message::Update(Update {
        delta: Some(delta),
        ..Update::default()
    }));
    // A key and a length three times: of the update, the delta and the page.
    let mut rest = &update[..];
    for _ in 0..3 {
        rest = &rest[1..];
        while rest[0] & 0x80 != 0 {
            rest = &rest[1..];
        }
        rest = &rest[1..];
    }
    rest.to_vec()
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
    let both = [long(3, 0), long(4, 0)].concat();
    vec![
        ("empty", vec![]),
        ("unknown_kind", envelope(15, &[])),
        ("malformed", vec![0x08]),
        ("node_id", envelope(3, &[long(3, 32), long(4, 31)].concat())),
        ("path_twice", envelope(3, &[long(3, 32), long(4, 64)].concat())),
        ("walk_origin_only", envelope(3, &long(3, 32))),
        ("walk_path_only", envelope(3, &long(4, 32))),
        ("columns", envelope(4, &[0x2a, 6, 0x0a, 4, 1, 2, 3, 4])),
        ("page", envelope(5, &[0x1a, 4, 0x1a, 2, 1, 2])),
        (
            "delta_both",
            envelope(5, &[&[0x1a, both.len() as u8][..], &both].concat()),
        ),
        ("delta_backwards", envelope(5, &[0x1a, 2, 0x08, 9])),
        ("sketch_empty", envelope(4, &[0x22, 4, 0x2a, 2, 0x10, 1])),
        ("nodes_uneven", envelope(5, &[0x1a, 5, 0x32, 3, 0x12, 1, 7])),
        ("short_ids_wide", envelope(3, &[0x52, 2, 0x10, 9])),
        ("head_absent", envelope(4, &[0x09, 1, 0, 0, 0, 0, 0, 0, 0])),
        ("columns_unpacked", {
            let refusals = [&long(1, 32)[..], &[0x10, 1, 0x18, 1]].concat();
            envelope(4, &[&[0x32, refusals.len() as u8][..], &refusals].concat())
        }),
        ("too_long", vec![0; contract::MESSAGE_BYTES + 1]),
    ]
}
