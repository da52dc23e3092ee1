//! A model of the old behaviour: a request is answered by asking the upstream first, as it was
//! before, without a cap and with the cap of twenty requests in flight per server.
//!
//! Deliberately small: messages take a millisecond, a server has one upstream, and what it knows
//! is the addresses that an answer has brought. A client of each server asks until it has one.

use std::collections::{BTreeMap, VecDeque};

/// How often a client whose request was refused or came back empty asks again: the second of the
/// embedded registry's retries, in milliseconds.
const RETRY: u64 = 1_000;

#[derive(Clone, Copy)]
enum Event {
    /// A request arrives at a server; `from` waits for the answer, `None` for its own client.
    Request { server: usize, from: Option<usize> },
    /// An answer arrives, with so many addresses, or the refusal that the cap makes.
    Answer { server: usize, addresses: u64 },
    /// The client of a server asks.
    Client { server: usize },
}

/// The servers of the old kind, each with one upstream.
pub(crate) struct Old {
    upstreams: Vec<usize>,
    cap: Option<usize>,
    /// Addresses that each server has of itself to give; all empty at a cold start.
    has: Vec<u64>,
    /// Who waits for the answer of the upstream, the first in first.
    waiting: Vec<VecDeque<Option<usize>>>,
    queue: BTreeMap<(u64, u64), Event>,
    order: u64,
    now: u64,
    numbers: Numbers,
}

/// What a run has shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    /// Requests between servers.
    pub(crate) requests: u64,
    /// Answers and refusals between servers.
    pub(crate) answers: u64,
    /// Requests under way at one server, at most.
    pub(crate) most_under_way: usize,
    /// Clients that were given an address.
    pub(crate) learned: u64,
}

/// Servers in a ring, all empty.
pub(crate) fn ring(servers: usize, cap: Option<usize>) -> Old {
    let mut old = Old {
        upstreams: (0..servers).map(|i| (i + 1) % servers).collect(),
        cap,
        has: vec![0; servers],
        waiting: vec![VecDeque::new(); servers],
        queue: BTreeMap::new(),
        order: 0,
        now: 0,
        numbers: Numbers::default(),
    };
    for server in 0..servers {
        old.push(0, Event::Client { server });
    }
    old
}

impl Old {
    /// Runs for so many milliseconds.
    pub(crate) fn run(mut self, until: u64) -> Numbers {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > until {
                break;
            }
            self.now = at;
            self.happens(event);
        }
        self.numbers
    }

    fn push(&mut self, after: u64, event: Event) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), event);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Client { server } => self.ask(server, None),
            Event::Request { server, from } if self.has[server] > 0 => {
                self.answer(server, from, self.has[server]);
            }
            Event::Request { server, from } => self.ask(server, from),
            Event::Answer { server, addresses } => {
                if let Some(from) = self.waiting[server].pop_front() {
                    self.answer(server, from, addresses);
                }
            }
        }
    }

    /// Asks the upstream first. Its answer is the answer.
    fn ask(&mut self, server: usize, from: Option<usize>) {
        if self
            .cap
            .is_some_and(|cap| self.waiting[server].len() >= cap)
        {
            self.answer(server, from, 0);
            return;
        }
        self.waiting[server].push_back(from);
        let under_way = self.waiting[server].len();
        self.numbers.most_under_way = self.numbers.most_under_way.max(under_way);
        self.numbers.requests += 1;
        let request = Event::Request {
            server: self.upstreams[server],
            from: Some(server),
        };
        self.push(1, request);
    }

    fn answer(&mut self, server: usize, to: Option<usize>, addresses: u64) {
        match to {
            Some(asker) => {
                self.numbers.answers += 1;
                let server = asker;
                self.push(1, Event::Answer { server, addresses });
            }
            None if addresses > 0 => self.numbers.learned += 1,
            None => self.push(RETRY, Event::Client { server }),
        }
    }
}

#[test]
fn the_model_answers_where_there_is_no_circle() {
    let mut old = ring(3, Some(20));
    old.has[2] = 3;
    let numbers = old.run(10_000);
    // The client of server1 costs two requests, that of server2 one, and that of server3, which
    // asks its upstream first as well, goes all the way round.
    assert_eq!((numbers.requests, numbers.answers), (2 + 1 + 3, 6));
    assert_eq!(numbers.learned, 3);
}
