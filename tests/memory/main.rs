//! Bytes on the heap: what a record costs (N7), that it pins no message (R24), and that no flood
//! makes a node grow without bound (R22).
//!
//! One test, since the counter is that of the whole process.

#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use peer_exchange::wire::{self, Message, Request};
use peer_exchange::{Config, Effect, Input, Instant, Kind, LinkId, Node};

use support::build::*;
use support::rig::{Rig, SEED, config, identity};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn heap() -> usize {
    HEAP.current_usage()
}

#[test]
fn memory_is_bounded() {
    what_a_record_costs();
    a_record_pins_no_message();
    a_list_of_one_prefix_costs_no_product();
    floods_leave_little_behind();
    a_transport_that_never_reports();
    what_goes_on_at_rest_takes_no_memory();
}

/// Two nodes with a link between them, in virtual time.
struct Two {
    nodes: [Node; 2],
    now: Instant,
    /// Messages on their way, and to whom.
    on_their_way: VecDeque<(usize, Bytes)>,
    /// Beats, asks and parts of exchanges.
    messages: usize,
    /// How many of them have taken memory, their answers included, for however short a time.
    took: usize,
}

impl Two {
    const LINK: LinkId = LinkId::new(1);

    fn new() -> Self {
        let node = |n| Node::new(Config::default(), identity(n), SEED, Instant::ZERO).unwrap();
        let mut two = Self {
            nodes: [node(1), node(2)],
            now: Instant::ZERO,
            on_their_way: VecDeque::with_capacity(64),
            messages: 0,
            took: 0,
        };
        for (n, other) in [(0, 2), (1, 1)] {
            let up = Input::LinkUp {
                link: Self::LINK,
                node: id(other),
                remote: None,
                dial: None,
            };
            two.input(n, up);
        }
        two
    }

    fn input(&mut self, n: usize, input: Input) {
        self.nodes[n].handle(self.now, input).unwrap();
    }

    /// Until both wait. Until when they do.
    fn settle(&mut self) -> Instant {
        loop {
            let waits = [0, 1].map(|n| self.effects_of(n));
            let Some((to, bytes)) = self.on_their_way.pop_front() else {
                return waits.into_iter().flatten().min().expect("there is a timer");
            };
            let link = Self::LINK;
            let is_quiet = is_quiet(&bytes);
            self.messages += usize::from(is_quiet);
            // So that what it takes does not hide behind what it gives back.
            let kept = bytes.clone();
            let before = heap();
            HEAP.reset_peak_usage();
            self.input(to, Input::Message { link, bytes });
            self.effects_of(to);
            let takes = HEAP.peak_usage() > before;
            drop(kept);
            self.took += usize::from(takes && is_quiet);
        }
    }

    fn effects_of(&mut self, n: usize) -> Option<Instant> {
        loop {
            match self.nodes[n].poll() {
                Effect::Send { link, bytes } => {
                    self.on_their_way.push_back((1 - n, bytes));
                    self.input(n, Input::Sent { link });
                }
                Effect::WaitUntil(until) => return until,
                _ => {}
            }
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let until = self.settle();
            if until > end {
                return;
            }
            self.now = self.now.max(until);
            for n in [0, 1] {
                self.input(n, Input::Wake);
            }
        }
    }
}

/// A beat, an ask for one, or a part of an exchange.
fn is_quiet(bytes: &Bytes) -> bool {
    let Ok(wire::Decoded::Message(message)) = wire::decode(bytes.clone()) else {
        return false;
    };
    let kinds = [Kind::Beat, Kind::Ask, Kind::Request, Kind::Response];
    kinds.contains(&message.kind())
}

/// N3: an exchange without news, from its request on, and a beat; an hour of them.
fn what_goes_on_at_rest_takes_no_memory() {
    let mut two = Two::new();
    two.run_for(Duration::from_secs(1_200));
    assert_eq!(two.nodes[0].peer_count() + two.nodes[1].peer_count(), 2);
    (two.took, two.messages) = (0, 0);
    two.run_for(Duration::from_secs(3_600));
    // What is small is written into one buffer, and another only where that is full while messages of
    // it are on their way. With memory for each it is one of 80, every answer.
    let (took, messages) = (two.took, two.messages);
    assert!(messages > 7_200, "{messages} messages");
    assert!(took * 1_000 < messages, "{took} of {messages}");
}

/// A node that is handed bytes and whose effects are dropped.
struct Plain(Node);

impl Plain {
    fn new(config: Config) -> Self {
        Self(Node::new(config, identity(1), SEED, Instant::ZERO).unwrap())
    }

    fn input(&mut self, input: Input) {
        self.0.handle(self.0.now(), input).unwrap();
        loop {
            match self.0.poll() {
                Effect::Send { link, .. } => {
                    self.0.handle(self.0.now(), Input::Sent { link }).unwrap();
                }
                Effect::WaitUntil(_) => return,
                _ => {}
            }
        }
    }

    fn link(&mut self, n: u32) -> LinkId {
        let link = LinkId::new(u64::from(n));
        self.input(Input::LinkUp {
            link,
            node: id(n),
            remote: None,
            dial: None,
        });
        link
    }

    fn message(&mut self, link: LinkId, message: Message) {
        let bytes = wire::encode(message);
        self.input(Input::Message { link, bytes });
    }
}

/// N7: at most 96 bytes for a record with one IPv4 address, all indexes included.
fn what_a_record_costs() {
    const RECORDS: u32 = 16_000;
    let mut node = Plain::new(config(|c| {
        c.capacity = 16_384;
        c.bytes_per_second = 1 << 30;
    }));
    let link = node.link(2);
    let before = heap();
    for first in (0..RECORDS).step_by(1_000) {
        let page: Vec<_> = (first..first + 1_000).map(|n| rec(100_000 + n)).collect();
        node.message(link, push(&page));
    }
    assert_eq!(node.0.peer_count(), RECORDS as usize);
    let each = (heap() - before) / RECORDS as usize;
    println!("{each} bytes a record");
    assert!(each <= 96, "{each} bytes a record");
    assert!(
        each >= 60,
        "{each} bytes: not what was meant to be measured"
    );
    let counted = node.0.stats().table_bytes as usize / RECORDS as usize;
    assert!(each.abs_diff(counted) <= 16, "{each} and {counted}");
}

/// R24: one record each out of two hundred messages of 60 KiB.
fn a_record_pins_no_message() {
    let mut node = Plain::new(config(|c| c.bytes_per_second = 1 << 30));
    let link = node.link(2);
    let before = heap();
    for n in 0..200 {
        // The rest of the message is a field that this version does not know. The body is too
        // long to be kept in place.
        let mut metadata = body_of(1_000 + n);
        bytes_field(2, &[7; 200], &mut metadata);
        let mut bytes = wire::encode(push(&[rec(1_000 + n).body(metadata)])).to_vec();
        bytes_field(1_000, &vec![0; 60_000], &mut bytes);
        node.input(Input::Message {
            link,
            bytes: Bytes::from(bytes),
        });
    }
    assert_eq!(node.0.peer_count(), 200);
    let kept = heap() - before;
    assert!(kept < 200 * 1_000, "{kept} bytes for 200 records");
}

/// 8,000 prefixes, all the same, against 10,000 nodes with that prefix.
fn a_list_of_one_prefix_costs_no_product() {
    let mut node = Plain::new(Config::default());
    let link = node.link(2);
    let twin = |n: u32| {
        let mut bytes = [9; 32];
        bytes[8..12].copy_from_slice(&n.to_be_bytes());
        Rec {
            node: bytes.into(),
            ..rec(n)
        }
    };
    for first in (0..10_000).step_by(1_000) {
        let page: Vec<_> = (first..first + 1_000).map(twin).collect();
        node.message(link, push(&page));
    }
    assert_eq!(node.0.peer_count(), 10_000);
    let asked = Request {
        overdue: vec![9; 8 * 8_000].into(),
        ..request(3)
    };
    let before = heap();
    HEAP.reset_peak_usage();
    node.message(link, Message::Request(asked));
    let peak = HEAP.peak_usage() - before;
    assert!(peak < 4 << 20, "{peak} bytes at the peak");
}

/// Every kind of message from two hundred nodes, for an hour of the node's time.
fn floods_leave_little_behind() {
    let mut rig = Rig::new(
        0x7f00_0001,
        config(|c| {
            c.capacity = 256;
            c.max_links = 16;
            c.upstreams = vec![address(9)];
        }),
    );
    rig.checks = false;
    rig.upstream(9);
    let base = heap();
    let mut most = 0;
    for minute in 0..60_u32 {
        let links: Vec<_> = (0..40).map(|n| rig.link(5_000 + minute * 40 + n)).collect();
        for (i, link) in links.iter().enumerate() {
            let i = i as u32;
            flood(&mut rig, *link, 5_000 + minute * 40 + i);
        }
        rig.sent.clear();
        rig.events.clear();
        rig.closed.clear();
        for (dial, _) in std::mem::take(&mut rig.dials) {
            rig.input(Input::DialFailed { dial });
        }
        for link in links {
            rig.input(Input::LinkDown {
                link,
                orderly: false,
            });
        }
        rig.pass(Duration::from_secs(60));
        rig.sent.clear();
        rig.events.clear();
        most = most.max(heap().saturating_sub(base));
    }
    rig.check();
    let stats = rig.node.stats();
    assert!(
        stats.records_learned + stats.records_evicted > 10_000,
        "{stats:?}"
    );
    assert!(stats.certificates > 100, "{stats:?}");
    assert!(most < 4 << 20, "{most} bytes");
}

/// What node `n` sends.
fn flood(rig: &mut Rig, link: LinkId, n: u32) {
    let records: Vec<_> = (0..200).map(|k| rec(1_000_000 + n * 200 + k)).collect();
    rig.message(link, rumour(&records));
    rig.message(link, push(&records));
    let dying: Vec<_> = (0..200)
        .map(|k| rec(9_000_000 + n * 200 + k).life(2))
        .collect();
    rig.message(link, rumour(&dying));
    rig.message(link, Message::Request(request(n)));
    rig.message(link, refuse(&[(id(3), seq(5, 5)), (id(4), seq(5, 5))]));
    rig.raw(link, vec![0xff; 60_000]);
}

/// Nothing is ever reported sent: what is outstanding is bounded, and so is what waits.
fn a_transport_that_never_reports() {
    let mut rig = Rig::new(1, config(|c| c.capacity = 1_024));
    rig.credits = false;
    rig.checks = false;
    let links: Vec<_> = (0..32).map(|n| rig.link(2 + n)).collect();
    let before = heap();
    for round in 0..200_u32 {
        for (i, link) in links.iter().enumerate() {
            let n = 500 + (round * 32 + i as u32) % 900;
            let news = rec(n).version(u64::from(round) + 1);
            rig.message(*link, rumour(&[news]));
            rig.message(*link, Message::Request(request(round)));
        }
        rig.sent.clear();
        rig.events.clear();
        rig.dials.clear();
        rig.pass(Duration::from_millis(100));
    }
    rig.check();
    let kept = heap() - before;
    assert!(kept < 1 << 20, "{kept} bytes");
}
