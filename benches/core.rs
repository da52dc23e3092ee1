//! The core's hot paths, each beside something plain in the same run: N6 is read as a ratio, and
//! allocations are counted.
//!
//! `cargo bench -p peer-exchange`

use std::collections::HashMap;
use std::hash::Hasher;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use peer_exchange::wire::{
    self, Brief, Content, Cursor, Delta, Digest, Message, Records, RecordsBuilder, Request, Update,
    WireRecord,
};
use peer_exchange::{
    Config, Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId, RequestId, Sequence,
    Signing,
};
use peer_exchange_tls::NodeKey;
use siphasher::sip::SipHasher13;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const LINK: LinkId = LinkId::new(1);
/// As many as fit in a message.
const PAGE: u32 = 1_350;

fn main() {
    divan::main();
}

/// One node with a link to another that is played by the benchmark.
#[derive(Debug)]
struct Bench {
    node: Node,
    now: Instant,
    sent: Vec<Bytes>,
}

fn id(n: u32) -> NodeId {
    let mut bytes = [0; 32];
    for (i, chunk) in bytes.chunks_exact_mut(4).enumerate() {
        let word = n
            .wrapping_add(i as u32 * 0x1000_0001)
            .wrapping_mul(0x9e37_79b1);
        chunk.copy_from_slice(&(word ^ word >> 15).to_be_bytes());
    }
    NodeId::new(bytes)
}

fn address(n: u32) -> Multiaddr {
    let [_, b, c, d] = n.to_be_bytes();
    Multiaddr::tcp(([10, b, c, d], 7000).into())
}

impl Bench {
    fn new(n: u32) -> Self {
        Self::of(n, Signing::Off)
    }

    fn of(n: u32, signing: Signing) -> Self {
        let mut config = Config::default().with_signing(signing);
        config.messages_per_second = 100_000;
        config.bytes_per_second = 1 << 30;
        let seal = NodeKey::generate().expect("randomness").seal();
        let identity = Identity::new(id(n))
            .with_addresses(vec![address(n)])
            .with_seal(seal);
        let now = Instant::from_millis(1_000);
        let node = Node::new(config, identity, [n as u8; 32], now).expect("in range");
        Self {
            node,
            now,
            sent: Vec::new(),
        }
    }

    fn link(&mut self, to: u32) {
        self.input(Input::LinkUp {
            link: LINK,
            node: id(to),
            remote: None,
            dial: None,
        });
    }

    fn input(&mut self, input: Input) {
        self.node.handle(self.now, input).expect("no misuse");
        loop {
            match self.node.poll() {
                Effect::Send { bytes, .. } => {
                    self.sent.push(bytes);
                    self.node
                        .handle(self.now, Input::Sent { link: LINK })
                        .expect("no misuse");
                }
                Effect::Dial { dial, .. } => {
                    self.node
                        .handle(self.now, Input::DialFailed { dial })
                        .expect("no misuse");
                }
                Effect::WaitUntil(_) => break,
                Effect::Close { .. } | Effect::Event(_) => {}
            }
        }
    }

    fn message(&mut self, bytes: Bytes) {
        self.input(Input::Message { link: LINK, bytes });
    }
}

fn page(first: u32, n: u32) -> Records {
    let mut page = RecordsBuilder::with_capacity(n as usize);
    for i in first..first + n {
        let mut body = vec![0x0a, 8];
        body.extend_from_slice(address(i).as_bytes());
        let sequence = Sequence {
            version: 1,
            beat: 0,
        };
        let record = WireRecord {
            node: id(i),
            sequence,
            remaining_s: 1_700,
            body: &body,
            signature: None,
        };
        assert!(page.push(record, 64 * 1024 - 256));
    }
    page.finish()
}

fn update(first: u32, n: u32, to: u64) -> Bytes {
    let delta = Delta {
        from: 0,
        to,
        content: Content::Records(page(first, n)),
    };
    wire::encode(Message::Update(Update {
        delta: Some(delta),
        ..Update::default()
    }))
}

/// A node that knows so many, and the record of its only partner, whose request at rest says the
/// same.
fn same_in_brief(records: u32) -> (Bench, Bytes) {
    let (mut bench, _) = same_on_both(records);
    bench.message(update(2, 1, 1));
    let mut bits = vec![0x0a, 8];
    bits.extend_from_slice(address(2).as_bytes());
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(&bits);
    let check = hasher.finish() as u16;
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(&bench.node.fingerprint().to_le_bytes());
    hasher.write(&1u64.to_le_bytes());
    hasher.write(&0u32.to_le_bytes());
    hasher.write(&check.to_le_bytes());
    let brief = Brief {
        state: hasher.finish(),
        log: records,
    };
    let request = Request {
        brief: Some(brief),
        ..empty_request()
    };
    bench.sent.clear();
    (bench, wire::encode(Message::Request(request)))
}

/// A node that knows so many, and a request of another that knows the same.
fn same_on_both(records: u32) -> (Bench, Bytes) {
    let mut bench = Bench::new(1);
    bench.link(2);
    for first in (0..records).step_by(PAGE as usize) {
        bench.message(update(first + 10, PAGE.min(records - first), 1));
    }
    bench.sent.clear();
    let digest = Digest {
        version: u64::from(records),
        count: bench.node.stats().records as u32,
        fingerprint: bench.node.fingerprint(),
        partial: false,
    };
    let request = Request {
        hop_limit: 16,
        digest,
        cursor: Some(Cursor {
            epoch: 1 << 60,
            version: u64::from(records),
        }),
        own: Sequence {
            version: 1,
            beat: 0,
        },
        own_check: 0xabcd,
        ..empty_request()
    };
    (bench, wire::encode(Message::Request(request)))
}

fn empty_request() -> Request {
    Request {
        id: RequestId::new(7),
        brief: None,
        hop_limit: 0,
        walk: None,
        digest: Digest::default(),
        cursor: None,
        own: Sequence::default(),
        own_check: 0,
        push: None,
        want: None,
        fetch: Bytes::new(),
        overdue: Bytes::new(),
        strata: Bytes::new(),
        plain: false,
    }
}

/// N3 and N6: an unchanged exchange, the answerer's side. It costs the same at any size.
#[divan::bench(args = [10, 1_000, 10_000])]
fn answer_an_unchanged_request(bencher: Bencher<'_, '_>, records: u32) {
    let (mut bench, request) = same_in_brief(records);
    bench.message(request.clone());
    // Beside its answer the node asks for itself: it has just learned so much.
    let is_answer = |b: &&Bytes| {
        matches!(
            wire::decode((*b).clone()),
            Ok(wire::Decoded::Message(Message::Response(_)))
        )
    };
    let answer = bench.sent.iter().find(is_answer).expect("answers");
    assert!(request.len() <= 24 && answer.len() <= 24, "N3");
    bencher.bench_local(|| {
        bench.now = bench.now + Duration::from_micros(100);
        bench.message(request.clone());
        bench.sent.clear();
    });
}

/// The least that could be done with the same bytes: decode the request, encode an answer.
#[divan::bench]
fn answer_an_unchanged_request_codec_alone(bencher: Bencher<'_, '_>) {
    let (mut bench, request) = same_in_brief(10);
    bench.message(request.clone());
    let answer = bench.sent.pop().expect("answers");
    let Ok(wire::Decoded::Message(answer)) = wire::decode(answer) else {
        panic!("an answer")
    };
    bencher.bench_local(|| {
        let request = wire::decode(black_box(request.clone()));
        (request, wire::encode(black_box(answer.clone())))
    });
}

/// N6: a full page into an empty table.
#[divan::bench]
fn merge_a_full_page(bencher: Bencher<'_, '_>) {
    let bytes = update(10, PAGE, 1);
    bencher
        .counter(ItemsCount::new(PAGE))
        .with_inputs(|| {
            let mut bench = Bench::new(1);
            bench.link(2);
            bench
        })
        .bench_local_values(|mut bench| {
            bench.message(bytes.clone());
            bench
        });
}

/// R50: a page with signatures, as many records as fit; each is checked with Ed25519. All inputs that
/// it takes are in the time.
#[divan::bench(sample_count = 10)]
fn merge_a_full_signed_page(bencher: Bencher<'_, '_>) {
    let page = signed_page();
    let n = page.len();
    let delta = Delta {
        from: 0,
        to: 1,
        content: Content::Records(page),
    };
    let bytes = wire::encode(Message::Update(Update {
        delta: Some(delta),
        ..Update::default()
    }));
    bencher
        .counter(ItemsCount::new(n))
        .with_inputs(|| {
            let mut bench = Bench::of(1, Signing::Require);
            bench.link(2);
            bench
        })
        .bench_local_values(|mut bench| {
            bench.message(bytes.clone());
            while bench.node.peer_count() < n {
                bench.input(Input::Wake);
            }
            bench
        });
}

/// R50: what all of its time goes to: as many checks alone.
#[divan::bench]
fn check_a_signature_alone(bencher: Bencher<'_, '_>) {
    let key = NodeKey::generate().expect("randomness");
    let (node, message) = (key.node(), [7; 96]);
    let seal = key.seal();
    let signature = seal.sign(&message);
    bencher.bench_local(|| assert!(seal.verify(&node, black_box(&message), &signature)));
}

/// R50: for each change and each beat of the own record.
#[divan::bench]
fn sign_alone(bencher: Bencher<'_, '_>) {
    let seal = NodeKey::generate().expect("randomness").seal();
    bencher.bench_local(|| seal.sign(black_box(&[7; 96])));
}

/// Records of nodes with keys of their own, as many as fit.
fn signed_page() -> Records {
    let mut page = RecordsBuilder::default();
    for i in 10.. {
        let key = NodeKey::generate().expect("randomness");
        let mut body = vec![0x0a, 8];
        body.extend_from_slice(address(i).as_bytes());
        let mut message = b"peer-exchange v1 record\0".to_vec();
        message.extend_from_slice(key.node().as_bytes());
        message.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        message.extend_from_slice(&body);
        let sequence = Sequence {
            version: 1,
            beat: 0,
        };
        let record = WireRecord {
            node: key.node(),
            sequence,
            remaining_s: 1_700,
            body: &body,
            signature: Some(&key.seal().sign(&message)),
        };
        if !page.push(record, 64 * 1024 - 256) {
            break;
        }
    }
    page.finish()
}

/// The same page, all of it known already.
#[divan::bench]
fn merge_a_known_page(bencher: Bencher<'_, '_>) {
    let bytes = update(10, PAGE, 1);
    let mut bench = Bench::new(1);
    bench.link(2);
    bench.message(bytes.clone());
    bencher.counter(ItemsCount::new(PAGE)).bench_local(|| {
        bench.now = bench.now + Duration::from_secs(2);
        bench.message(bytes.clone());
        bench.sent.clear();
    });
}

/// The plain thing: the same records into a standard hash map, bodies copied.
#[divan::bench]
fn merge_a_full_page_hash_map_alone(bencher: Bencher<'_, '_>) {
    let records = page(10, PAGE);
    bencher.counter(ItemsCount::new(PAGE)).bench_local(|| {
        let mut map: HashMap<NodeId, (Sequence, Box<[u8]>)> = HashMap::new();
        for record in black_box(&records).iter() {
            map.insert(record.node, (record.sequence, record.body.into()));
        }
        map
    });
}

/// As a page: what it costs to pack it.
#[divan::bench(args = [10, 100, PAGE])]
fn encode_a_page(bencher: Bencher<'_, '_>, n: u32) {
    let delta = Delta {
        from: 0,
        to: 1,
        content: Content::Records(page(10, n)),
    };
    let update = Message::Update(Update {
        delta: Some(delta),
        ..Update::default()
    });
    bencher
        .counter(ItemsCount::new(n))
        .with_inputs(|| update.clone())
        .bench_local_values(wire::encode);
}

/// And to unpack it, the check included that it is in its one form.
#[divan::bench(args = [10, 100, PAGE])]
fn decode_a_page(bencher: Bencher<'_, '_>, n: u32) {
    let bytes = update(10, n, 1);
    bencher
        .counter(ItemsCount::new(n))
        .bench_local(|| wire::decode(black_box(bytes.clone())));
}

/// The plain thing: a page of its parts as they are, sorted, in one vector.
#[divan::bench(args = [10, 100, PAGE])]
fn encode_a_page_plain_bytes_alone(bencher: Bencher<'_, '_>, n: u32) {
    let records = page(10, n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| {
        let mut out = Vec::with_capacity(48 * n as usize);
        for record in black_box(&records).iter() {
            out.extend_from_slice(record.node.as_bytes());
            out.extend_from_slice(&record.sequence.version.to_be_bytes());
            out.extend_from_slice(&record.remaining_s.to_be_bytes());
            out.push(record.body.len() as u8);
            out.extend_from_slice(record.body);
        }
        out
    });
}
