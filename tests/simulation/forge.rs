//! Forged transitions, with which each checker shows that it bites.

use std::collections::BTreeMap;
use std::time::Duration;

use peer_exchange::wire::{
    Message, News, Records, RecordsBuilder, Request, Response, Update, WireRecord,
};
use peer_exchange::{Instant, LinkId, NodeId, Position, RequestId, Sequence, Signature, Stats};
use peer_exchange_memory::HostId;

use crate::checkers::{Checker, Complaints};
use crate::step::{Facts, Step, What};
use crate::world::World;

/// A node that is whatever a test says.
#[derive(Default)]
pub(crate) struct Forged {
    pub(crate) host: usize,
    pub(crate) now: Duration,
    pub(crate) sequence: Sequence,
    pub(crate) held: BTreeMap<NodeId, (Sequence, Instant)>,
    pub(crate) stats: Stats,
    pub(crate) sizes: Vec<(&'static str, usize, usize)>,
}

impl Facts for Forged {
    fn id(&self) -> NodeId {
        id(self.host)
    }

    fn now(&self) -> Instant {
        Instant::from_duration(self.now)
    }

    fn sequence(&self) -> Sequence {
        self.sequence
    }

    fn held(&self, node: &NodeId) -> Option<(Sequence, Instant)> {
        self.held.get(node).copied()
    }

    fn peers(&self) -> Vec<NodeId> {
        self.held.keys().copied().collect()
    }

    fn stats(&self) -> Stats {
        self.stats
    }

    fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        self.sizes.clone()
    }

    fn check(&self) {}
}

/// One checker before forged nodes: four hosts in a ring, a lifetime of 60 s, reports every 30 s.
pub(crate) struct Stage<C> {
    checker: C,
    pub(crate) world: World,
    pub(crate) nodes: Vec<Forged>,
    now: Duration,
}

/// The link that every forged message uses.
pub(crate) const LINK: LinkId = LinkId::new(7);
const HOSTS: usize = 4;

impl<C: Checker + Default> Stage<C> {
    pub(crate) fn new() -> Self {
        let mut world = World::default();
        world.ids = (0..HOSTS).map(id).collect();
        world.lifetime = Duration::from_secs(60);
        world.report_interval = Duration::from_secs(30);
        for host in 0..HOSTS {
            let listens = vec![id(host)];
            world.listens.insert(HostId(host).address(), listens);
        }
        for host in 0..HOSTS {
            let upstream = HostId((host + 1) % HOSTS).address();
            world.configure(id(host), &[upstream]);
        }
        let forged = |host| Forged {
            host,
            sequence: seq(1, 0),
            ..Forged::default()
        };
        let mut stage = Self {
            checker: C::default(),
            world,
            nodes: (0..HOSTS).map(forged).collect(),
            now: Duration::ZERO,
        };
        for host in 0..HOSTS {
            assert_eq!(stage.see(host, What::Started), [""; 0]);
        }
        stage
    }

    /// From now on it is so late.
    pub(crate) fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = Duration::from_secs(seconds);
        self.nodes.iter_mut().for_each(|n| n.now = self.now);
        self
    }

    /// Shows one transition, and hears what the checker says.
    pub(crate) fn see(&mut self, host: usize, what: What<'_>) -> Vec<String> {
        let step = Step {
            now: self.now,
            host: HostId(host),
            life: 1,
            what,
            facts: &self.nodes[host],
        };
        self.world.note(&step);
        let mut complaints = Complaints::default();
        self.checker.see(&step, &self.world, &mut complaints);
        complaints.0
    }

    pub(crate) fn sends(&mut self, from: usize, to: usize, message: &Message) -> Vec<String> {
        self.see(
            from,
            What::Sent {
                link: LINK,
                to: id(to),
                message,
            },
        )
    }

    pub(crate) fn receives(&mut self, host: usize, from: usize, message: &Message) -> Vec<String> {
        self.see(
            host,
            What::Received {
                link: LINK,
                from: id(from),
                message,
            },
        )
    }
}

pub(crate) fn id(host: usize) -> NodeId {
    NodeId::new([host as u8 + 1; 32])
}

pub(crate) fn seq(version: u64, beat: u32) -> Sequence {
    Sequence { version, beat }
}

/// The body of a record with one address, which differs with `port`.
pub(crate) fn body(port: u8) -> Vec<u8> {
    vec![0x0a, 8, 4, 10, 0, 0, 1, 6, 0, port]
}

/// A page of one record.
pub(crate) fn page(host: usize, sequence: Sequence, remaining_s: u32, body: &[u8]) -> Records {
    page_with(host, sequence, remaining_s, body, None)
}

/// A page of one record with this signature, or none.
pub(crate) fn signed_page(
    host: usize,
    sequence: Sequence,
    body: &[u8],
    signature: Option<&Signature>,
) -> Records {
    page_with(host, sequence, 58, body, signature)
}

fn page_with(
    host: usize,
    sequence: Sequence,
    remaining_s: u32,
    body: &[u8],
    signature: Option<&Signature>,
) -> Records {
    let mut page = RecordsBuilder::default();
    let node = id(host);
    let fits = page.push(
        WireRecord {
            node,
            sequence,
            remaining_s,
            body,
            signature,
        },
        usize::MAX,
    );
    assert!(fits);
    page.finish()
}

/// A rumour of one record.
pub(crate) fn rumour(host: usize, sequence: Sequence, remaining_s: u32) -> Message {
    rumour_of(page(host, sequence, remaining_s, &body(1)))
}

pub(crate) fn rumour_of(records: Records) -> Message {
    Message::Update(Update {
        news: Some(News {
            records,
            accusations: Vec::new(),
            until: Position::new(0),
        }),
        ..Update::default()
    })
}

pub(crate) fn request(number: u32) -> Request {
    Request {
        hop_limit: 16,
        own: (seq(1, 0), 0),
        ..Request::new(RequestId::new(number))
    }
}

pub(crate) fn response(number: u32) -> Response {
    Response::to(RequestId::new(number))
}

/// Asserts that something was said, and that it names the rule.
#[track_caller]
pub(crate) fn bites(said: &[String], rule: &str) {
    assert!(
        said.iter().any(|s| s.starts_with(rule)),
        "nothing about {rule}: {said:?}"
    );
}

/// Asserts that nothing was said.
#[track_caller]
pub(crate) fn silent(said: &[String]) {
    assert!(said.is_empty(), "{said:?}");
}
