//! One node by hand, at the traps of R2, R3, R9 and R24: each test fails when the rule is taken
//! out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{Hello, Message, WireRecord, encode};
use peer_exchange::{
    Config, DialId, Effect, Event, Identity, Input, Instant, LinkId, Node, NodeId, RequestId,
};
use peer_exchange_memory::HostId;

use crate::forge::{body, id, page, request, response, rumour, rumour_of, seq};
use crate::step::records;
use crate::world::World;

/// A node and the messages that it sends, to whom.
struct Bench {
    node: Node,
    now: Duration,
    said: Vec<(LinkId, Message)>,
    events: Vec<Event>,
    dials: Vec<DialId>,
}

/// The link to the forged node of this number.
fn link(peer: usize) -> LinkId {
    LinkId::new(peer as u64)
}

impl Bench {
    /// Node 0, with node 1 as its upstream.
    fn new() -> Self {
        let mut config = Config::default();
        config.upstreams = vec![HostId(1).address()];
        config.start_jitter = Duration::ZERO;
        let identity = Identity::new(id(0)).with_addresses(vec![HostId(0).address()]);
        let node = Node::new(config, identity, [7; 32], Instant::ZERO);
        let mut bench = Self {
            node: node.expect("in range"),
            now: Duration::ZERO,
            said: Vec::new(),
            events: Vec::new(),
            dials: Vec::new(),
        };
        bench.give(Input::Wake);
        bench
    }

    fn give(&mut self, input: Input) {
        let now = Instant::from_duration(self.now);
        self.node.handle(now, input).expect("no misuse");
        self.said.clear();
        self.events.clear();
        loop {
            match self.node.poll() {
                Effect::Send { link, bytes } => {
                    self.said.push((link, World::decode(&bytes)));
                    self.node.handle(now, Input::Sent { link }).expect("ours");
                }
                Effect::Dial { dial, .. } => self.dials.push(dial),
                Effect::Event(event) => self.events.push(event),
                Effect::Close { .. } => {}
                Effect::WaitUntil(_) => break,
            }
        }
    }

    fn connect(&mut self, peer: usize, dial: Option<DialId>) {
        self.give(Input::LinkUp {
            link: link(peer),
            node: id(peer),
            remote: None,
            dial,
        });
        let hello = Hello {
            min_version: 1,
            max_version: 1,
            features: 0,
            epoch: peer as u32 + 1,
            cluster: 0,
            seen: None,
        };
        let mut said = core::mem::take(&mut self.said);
        self.hears(peer, Message::Hello(hello));
        said.append(&mut self.said);
        self.said = said;
    }

    fn hears(&mut self, peer: usize, message: Message) {
        let bytes = encode(message);
        self.give(Input::Message {
            link: link(peer),
            bytes,
        });
    }

    /// The request that it has just sent.
    fn asks(&self) -> Option<u32> {
        self.said.iter().find_map(|(_, m)| match m {
            Message::Request(r) => Some(r.id.get()),
            _ => None,
        })
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.give(Input::Wake);
    }

    fn knows(&self, node: NodeId) -> bool {
        self.node.peer(&node).is_some()
    }

    /// The remaining lifetime under which it relays the record of `about` to a new peer.
    fn relays(&mut self, about: usize, to: usize) -> Option<u32> {
        self.connect(to, None);
        self.hears(to, Message::Request(request(9)));
        let said = self.said.iter().filter(|(l, _)| *l == link(to));
        let all: Vec<_> = said.flat_map(|(_, m)| records(m)).collect();
        all.iter()
            .find(|r| r.node == id(about))
            .map(|r| r.remaining_s)
    }
}

#[test]
fn r2_a_relayed_record_has_lived() {
    let mut bench = Bench::new();
    bench.connect(2, None);
    bench.hears(2, rumour(3, seq(1, 0), 1_000));
    assert_eq!(bench.relays(3, 4), Some(999), "a hop costs a second");
    bench.later(400);
    assert_eq!(bench.relays(3, 5), Some(599), "time costs time");
}

#[test]
fn r2_two_that_swap_a_record_cannot_keep_it_alive() {
    let mut bench = Bench::new();
    bench.connect(2, None);
    // Node 2 tells what it is told, at once and for ever.
    let mut told = 600;
    for second in 0..100 {
        bench.hears(2, rumour(3, seq(1, 0), told));
        told = bench.relays(3, 10 + second).unwrap_or(told);
        bench.later(7);
    }
    assert!(!bench.knows(id(3)), "alive after 700 s of a 600 s life");
}

#[test]
fn r2_a_relay_cannot_move_the_deadline() {
    for other in [10, 1_700] {
        let mut bench = Bench::new();
        bench.connect(2, None);
        bench.hears(2, rumour(3, seq(1, 0), 1_000));
        bench.hears(2, rumour(3, seq(1, 0), other));
        let left = bench.node.peer(&id(3)).map(|p| p.lifetime_left);
        assert_eq!(left, Some(Duration::from_secs(1_000)), "after {other}");
    }
}

#[test]
fn r3_what_has_expired_stays_dead() {
    let mut bench = Bench::new();
    bench.connect(2, None);
    bench.hears(2, rumour(3, seq(4, 2), 20));
    assert!(bench.knows(id(3)));
    bench.later(20);
    assert_eq!(bench.events, [Event::PeerExpired { node: id(3) }]);
    for sequence in [seq(4, 2), seq(4, 0), seq(3, 9)] {
        bench.hears(2, rumour(3, sequence, 1_000));
        assert!(!bench.knows(id(3)), "{sequence:?} has come back");
        let refuses = bench.said.iter().any(|(_, m)| match m {
            Message::Update(u) => u.refusals.iter().any(|r| r == (id(3), seq(4, 2))),
            _ => false,
        });
        assert!(refuses, "the refusing sequence is said");
    }
    bench.hears(2, rumour(3, seq(5, 0), 1_000));
    assert!(bench.knows(id(3)), "the node itself is back");
}

#[test]
fn r3_nothing_is_relayed_in_its_last_moments() {
    let mut bench = Bench::new();
    bench.connect(2, None);
    bench.hears(2, rumour(3, seq(1, 0), 300));
    bench.later(90);
    assert_eq!(bench.relays(3, 4), Some(209));
    // The last max(2 s, lifetime/500): the lifetime of a body that names none is 86,400 s.
    bench.later(38);
    assert_eq!(bench.relays(3, 5), None);
    assert!(bench.knows(id(3)), "known until its end");
}

#[test]
fn r4_what_an_answer_has_buried_does_not_go_back_with_the_push() {
    let mut bench = Bench::new();
    let dial = bench.dials[0];
    bench.connect(1, Some(dial));
    let number = bench.asks().expect("it asks its upstream");
    bench.connect(2, None);
    bench.hears(2, rumour(3, seq(1, 0), 1_000));
    let mut answer = response(number);
    answer.count = 1;
    answer.records = page(3, seq(2, 0), 3_800, &[]);
    bench.hears(1, Message::Response(answer));
    assert!(!bench.knows(id(3)), "it has left");
    let live = |r: WireRecord<'_>| r.node == id(3) && r.sequence.version == 1;
    let old = |(_, m): &(LinkId, Message)| records(m).any(live);
    assert!(!bench.said.iter().any(old), "{:?}", bench.said);
}

#[test]
fn r9_an_answer_does_not_wait_for_the_upstream() {
    let mut bench = Bench::new();
    let dial = bench.dials[0];
    bench.connect(1, Some(dial));
    bench.connect(2, None);
    // The node's own request to its upstream is under way, and will never be answered.
    let asked = bench.node.stats().requests_sent;
    assert_eq!(asked, 1, "it has asked its upstream");
    bench.hears(2, Message::Request(request(5)));
    let answered = |bench: &Bench, number| {
        let answer = |(l, m): &(LinkId, Message)| {
            *l == link(2) && matches!(m, Message::Response(r) if r.id == RequestId::new(number))
        };
        bench.said.iter().any(answer)
    };
    assert!(answered(&bench, 5), "{:?}", bench.said);
    // Nor when it forwards: the upstream has nothing, and waits for the next request.
    let mut bench = Bench::new();
    let dial = bench.dials[0];
    bench.connect(1, Some(dial));
    while let Some(number) = bench.asks() {
        bench.hears(1, Message::Response(response(number)));
    }
    bench.connect(2, None);
    bench.hears(2, Message::Request(request(6)));
    assert_eq!(bench.node.stats().requests_forwarded, 1);
    assert!(answered(&bench, 6), "{:?}", bench.said);
}

/// A message buffer that tells when nobody has a slice of it any more.
struct Watched(Vec<u8>, Arc<AtomicBool>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

#[test]
fn r24_a_record_does_not_pin_its_message() {
    let long = [body(1), vec![0x12, 100], vec![b'm'; 100]].concat();
    for body in [body(1), long] {
        let mut bench = Bench::new();
        bench.connect(2, None);
        let freed = Arc::new(AtomicBool::new(false));
        let message = encode(rumour_of(page(3, seq(1, 0), 1_000, &body)));
        let watched = Watched(message.to_vec(), Arc::clone(&freed));
        let bytes = Bytes::from_owner(watched);
        bench.give(Input::Message {
            link: link(2),
            bytes,
        });
        assert!(bench.knows(id(3)));
        let n = body.len();
        assert!(freed.load(Ordering::SeqCst), "a body of {n} bytes pins it");
    }
}
