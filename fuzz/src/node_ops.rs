//! The target `node_ops`: a world of one or two real nodes, everybody else invented.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{self, Decoded};
use peer_exchange::{DialId, Effect, Input, Instant, LinkId, NodeId};

use super::host::{Host, Link};
use super::ops;
use super::parts::{Cast, place};
use super::reached::Reached;
use super::source::Source;

/// Messages that can be played back.
const HEARD: usize = 24;
/// Operations in one run: enough to fill everything, few enough to be quick.
const OPERATIONS: usize = 300;
/// What a run may cost, counted in things looked at: a large world gets fewer operations.
const COST: usize = 60_000;
/// Wakes within which a deadline has to move on.
const PATIENCE: usize = 100;

/// Any list of operations. Now and then it is run twice, and does the same both times.
pub fn node_ops(data: &[u8]) {
    let first = run(data);
    if data.first().is_some_and(|byte| byte % 8 == 7) {
        let second = run(data);
        assert!(
            first.trace == second.trace,
            "the same inputs, other effects"
        );
    }
}

/// What is reached on the way.
pub fn reached_by(data: &[u8]) -> Reached {
    run_watched(data).reached()
}

/// Likewise, and notes what is reached.
pub fn run_watched(data: &[u8]) -> World {
    let mut source = Source::new(data);
    let mut world = World::new(&mut source);
    for host in &mut world.hosts {
        host.reached = Some(Box::default());
    }
    play(&mut world, &mut source);
    world
}

/// Plays the operations in `data`, and gives the world as it is then.
pub fn run(data: &[u8]) -> World {
    let mut source = Source::new(data);
    let mut world = World::new(&mut source);
    play(&mut world, &mut source);
    world
}

fn play(world: &mut World, source: &mut Source<'_>) {
    ops::prologue(world, source);
    for _ in 0..OPERATIONS {
        if source.is_empty() || world.cost > COST {
            break;
        }
        ops::operation(world, source);
    }
}

/// The nodes, who else there is, and what was said.
pub struct World {
    pub hosts: Vec<Host>,
    pub cast: Cast,
    pub heard: VecDeque<Bytes>,
    cost: usize,
    trace: Vec<(usize, Effect)>,
    recording: bool,
}

impl World {
    fn new(source: &mut Source<'_>) -> Self {
        let how = source.u8();
        let cast = Cast::new([NodeId::new([0x40; 32]), NodeId::new([0x80; 32])]);
        let count = 1 + u8::from(how & 64 != 0);
        let hosts = (0..count).map(|i| Host::new(cast.ids[usize::from(i)], i, source));
        Self {
            hosts: hosts.collect(),
            cast,
            heard: VecDeque::new(),
            cost: 0,
            trace: Vec::new(),
            recording: how % 8 == 7,
        }
    }

    /// What all of its nodes have reached.
    pub fn reached(&mut self) -> Reached {
        let mut all = Reached::default();
        for host in &mut self.hosts {
            host.tell_stats();
            if let Some(reached) = &host.reached {
                all.add_all(reached);
            }
        }
        all
    }

    /// An input now.
    pub fn give(&mut self, at: usize, input: Input) {
        let now = self.hosts[at].clock;
        self.give_at(at, now, input);
    }

    /// An input at some time, everything that follows from it, and every check.
    pub fn give_at(&mut self, at: usize, now: Instant, input: Input) {
        self.give_unchecked(at, now, input);
        self.hosts[at].check();
        let things = self.hosts[at].things(usize::MAX);
        self.spent(50 + things);
    }

    pub fn spent(&mut self, cost: usize) {
        self.cost += cost;
    }

    /// Likewise, with the checks of effects and deadline only.
    pub fn give_unchecked(&mut self, at: usize, now: Instant, input: Input) {
        self.hosts[at].give(now, input);
        self.drain(at);
        for _ in 0..PATIENCE {
            let host = &mut self.hosts[at];
            if host.deadline.is_none_or(|deadline| deadline > host.clock) {
                break;
            }
            host.give(host.clock, Input::Wake);
            self.drain(at);
        }
        let host = &self.hosts[at];
        assert!(
            host.deadline.is_none_or(|deadline| deadline > host.clock),
            "the deadline stays at {:?}, it is {:?}",
            host.deadline,
            host.clock
        );
    }

    /// Likewise, where more of the same follows.
    pub fn give_quickly(&mut self, at: usize, input: Input) {
        let now = self.hosts[at].clock;
        self.give_unchecked(at, now, input);
    }

    /// An input upon which another follows before the node is woken, though it would be due.
    pub fn give_in_a_row(&mut self, at: usize, input: Input) {
        let now = self.hosts[at].clock;
        self.hosts[at].give(now, input);
        self.drain(at);
    }

    /// All that was sent on this link has left.
    pub fn credit(&mut self, at: usize, link: LinkId) {
        while self.hosts[at].take_sent(link).is_some() {
            self.give_quickly(at, Input::Sent { link });
        }
    }

    fn drain(&mut self, at: usize) {
        while let Some(effect) = self.hosts[at].poll() {
            match &effect {
                Effect::Send { bytes, .. } => self.hear(bytes),
                Effect::Close { link, .. } => self.closed(at, *link),
                _ => {}
            }
            if self.recording {
                self.trace.push((at, effect));
            }
        }
    }

    fn hear(&mut self, bytes: &Bytes) {
        if self.heard.len() >= HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back(bytes.clone());
        if let Ok(Decoded::Message(message)) = wire::decode(bytes.clone()) {
            self.cast.overhears(&message);
        }
    }

    /// A message arrives.
    pub fn message(&mut self, at: usize, link: LinkId, bytes: Bytes) {
        self.give(at, ops::to_link(link, bytes));
    }

    /// The node has closed a link: what it sent before still arrives, then the end.
    fn closed(&mut self, at: usize, link: LinkId) {
        let Some(gone) = self.hosts[at].links.remove(&link) else {
            return;
        };
        if let Some(end) = self.other_end(at, &gone) {
            end.inbox.extend(gone.queue);
            end.closed = Some(true);
        }
    }

    /// A link breaks at this end at once, at the other when it is next looked at.
    pub fn cut(&mut self, at: usize, link: LinkId, orderly: bool) {
        if let Some(gone) = self.hosts[at].links.remove(&link) {
            if let Some(end) = self.other_end(at, &gone) {
                end.closed = Some(orderly);
            }
        }
        self.give(at, Input::LinkDown { link, orderly });
    }

    fn other_end(&mut self, at: usize, link: &Link) -> Option<&mut Link> {
        let other = 1 - at;
        self.hosts.get_mut(other)?.links.get_mut(&link.other?)
    }

    /// Carries out a dial to a real node, itself included. Says whether it was one.
    pub fn connect(&mut self, at: usize, dial: DialId) -> bool {
        let Some(target) = self.hosts[at].dials.get(&dial) else {
            return false;
        };
        let addresses = target.addresses();
        let answers = |i: &usize| {
            let socket = place(*i as u8).socket_addr();
            addresses.iter().any(|a| a.socket_addr() == socket)
        };
        let Some(other) = (0..self.hosts.len()).find(answers) else {
            return false;
        };
        self.hosts[at].dials.remove(&dial);
        let (from, to) = (self.hosts[at].id, self.hosts[other].id);
        let (ours, theirs) = (self.hosts[at].next(), self.hosts[other].next());
        // A node closes both ends of a connection to itself by itself.
        let paired = at != other;
        let first = Link::new(to, paired.then_some(theirs));
        let mut second = Link::new(from, paired.then_some(ours));
        self.up(at, ours, first, Some(dial));
        if paired && !self.hosts[at].links.contains_key(&ours) {
            second.closed = Some(true);
        }
        self.up(other, theirs, second, None);
        true
    }

    /// A link is up.
    pub fn up(&mut self, at: usize, link: LinkId, new: Link, dial: Option<DialId>) {
        let node = new.node;
        self.hosts[at].links.insert(link, new);
        let remote = None;
        self.give(
            at,
            Input::LinkUp {
                link,
                node,
                remote,
                dial,
            },
        );
    }

    /// Brings the next message from the other real node over this link, or its end.
    pub fn deliver(&mut self, at: usize, link: LinkId) -> Option<Bytes> {
        let other = self.hosts[at].links.get(&link)?.other?;
        let waiting = self.hosts[at].links.get_mut(&link)?.inbox.pop_front();
        let bytes = match waiting {
            Some(bytes) => bytes,
            None => match self.hosts.get_mut(1 - at)?.take_sent(other) {
                Some(bytes) => {
                    self.give(1 - at, Input::Sent { link: other });
                    bytes
                }
                None => {
                    let orderly = self.hosts[at].links.get(&link)?.closed?;
                    self.cut(at, link, orderly);
                    return None;
                }
            },
        };
        self.message(at, link, bytes.clone());
        Some(bytes)
    }

    /// The next two messages change places: a transport never does this, a tampered one may.
    pub fn swap(&mut self, at: usize, link: LinkId) {
        if let Some(link) = self.hosts[at].links.get_mut(&link) {
            if link.inbox.len() > 1 {
                link.inbox.swap(0, 1);
            }
        }
    }

    /// Everything goes well for a while: messages arrive, credits return, deadlines are kept.
    pub fn settle(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for at in 0..self.hosts.len() {
                let dials: Vec<_> = self.hosts[at].dials.keys().copied().collect();
                for dial in dials {
                    self.connect(at, dial);
                }
                for link in self.hosts[at].link_ids() {
                    self.deliver(at, link);
                    let invented = self.hosts[at].links.get(&link);
                    if invented.is_some_and(|l| l.other.is_none()) {
                        self.hosts[at].take_sent(link);
                        self.give(at, Input::Sent { link });
                    }
                }
            }
            for at in 0..self.hosts.len() {
                let soon = self.hosts[at].clock + Duration::from_millis(1);
                self.give_at(at, soon, Input::Wake);
            }
        }
    }

    /// A node dies and comes back with its snapshot.
    pub fn restart(&mut self, at: usize, elapsed: Option<Duration>, source: &mut Source<'_>) {
        for link in self.hosts[at].link_ids() {
            if let Some(gone) = self.hosts[at].links.remove(&link) {
                if let Some(end) = self.other_end(at, &gone) {
                    end.closed = Some(false);
                }
            }
        }
        let restarted = self.hosts[at].restart(at as u8, elapsed, source);
        restarted.expect("a node's own snapshot can be restored");
    }
}
