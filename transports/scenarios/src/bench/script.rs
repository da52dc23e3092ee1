//! The messages of two nodes, recorded without a transport.

use std::collections::VecDeque;
use std::time::Duration;

use peer_exchange::{Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId};

use super::config;

/// One message of a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) by_client: bool,
    pub(super) bytes: usize,
}

/// In the order of sending.
pub(super) struct Script {
    /// All records to a client that knows none.
    pub(super) transfer: Vec<Sent>,
    /// One exchange without news.
    pub(super) exchange: Vec<Sent>,
    /// What the two nodes need for the transfer, without a transport.
    pub(super) took: Duration,
}

struct Pair {
    /// The client first.
    nodes: [Node; 2],
    wire: VecDeque<(usize, Input)>,
    sent: Vec<Sent>,
    now: Instant,
}

const LINK: LinkId = LinkId::new(0);

impl Script {
    pub(super) fn record(snapshot: &[u8], records: u16) -> Self {
        let mut pair = Pair::new(snapshot);
        let started = std::time::Instant::now();
        pair.run(|client| client.peer_count() == usize::from(records) + 1);
        let took = started.elapsed();
        let transfer = std::mem::take(&mut pair.sent);
        // What is still under way, and news of the client.
        let quiet = pair.now + Duration::from_secs(5);
        pair.run(|client| client.now() > quiet);
        pair.sent.clear();
        let before = pair.nodes[0].stats().responses_received;
        pair.input(0, Input::Discover);
        pair.run(|client| client.stats().responses_received > before);
        Self {
            transfer,
            exchange: pair.sent.into_iter().take(2).collect(),
            took,
        }
    }
}

impl Pair {
    fn new(snapshot: &[u8]) -> Self {
        let now = Instant::from_millis(1_000);
        let identity = |n: u8| {
            Identity::new(NodeId::new([n; 32]))
                .with_addresses(vec![Multiaddr::tcp(([127, 0, 0, n], 7000).into())])
        };
        let client = Node::new(config(), identity(8), [1; 32], now).expect("in range");
        let (server, seed) = (identity(9), [2; 32]);
        let elapsed = Some(Duration::ZERO);
        let server = Node::restore(config(), server, seed, now, snapshot, elapsed);
        let mut pair = Self {
            nodes: [client, server.expect("its own snapshot")],
            wire: VecDeque::new(),
            sent: Vec::new(),
            now,
        };
        for (i, other) in [(0, 9), (1, 8)] {
            let up = Input::LinkUp {
                link: LINK,
                node: NodeId::new([other; 32]),
                remote: None,
                dial: None,
            };
            pair.input(i, up);
        }
        pair
    }

    fn input(&mut self, i: usize, input: Input) {
        self.nodes[i].handle(self.now, input).expect("it runs");
    }

    /// Until the client is so far; time passes only when both wait.
    fn run(&mut self, done: impl Fn(&Node) -> bool) {
        let limit = self.now + Duration::from_secs(60);
        while !done(&self.nodes[0]) {
            assert!(self.now < limit, "the client gets no further");
            let deadline = self.carry_out();
            if let Some((i, input)) = self.wire.pop_front() {
                self.input(i, input);
            } else {
                self.now = deadline.expect("something is due").max(self.now);
                self.input(0, Input::Wake);
                self.input(1, Input::Wake);
            }
        }
    }

    fn carry_out(&mut self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for i in [0, 1] {
            loop {
                match self.nodes[i].poll() {
                    Effect::Send { bytes, .. } => {
                        self.sent.push(Sent {
                            by_client: i == 0,
                            bytes: bytes.len(),
                        });
                        self.wire.push_back((i, Input::Sent { link: LINK }));
                        let message = Input::Message { link: LINK, bytes };
                        self.wire.push_back((1 - i, message));
                    }
                    // Nobody else is there.
                    Effect::Dial { dial, .. } => {
                        self.wire.push_back((i, Input::DialFailed { dial }));
                    }
                    Effect::Close { reason, .. } => panic!("closed: {reason:?}"),
                    Effect::Event(_) => {}
                    Effect::WaitUntil(deadline) => {
                        next = next.into_iter().chain(deadline).min();
                        break;
                    }
                }
            }
        }
        next
    }
}
