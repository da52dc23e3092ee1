//! The network in virtual time.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::{
    Config, DialId, Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId, Target,
};
use siphasher::sip::SipHasher13;

use crate::faults::{FaultCounts, Faults};
use crate::host::{Host, HostId};
use crate::observer::{Observer, Quiet};
use crate::queue::Queue;
use crate::random::Random;

/// What a network is made from.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Everything random comes from it.
    pub seed: u64,
    /// Latency, loss and the like.
    pub faults: Faults,
    /// The configuration of every host; its upstreams are given when a host is added.
    pub config: Config,
}

/// What a host has after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Nothing: the state is lost.
    Empty,
    /// A snapshot, taken so long ago, if that is known.
    From(Vec<u8>, Option<Duration>),
}

/// One end of a link: twice the link's number, one more at the acceptor's end.
type EndId = u64;

struct Link {
    dialler: HostId,
    acceptor: HostId,
    lives: (u32, u32),
    /// The ends that are still open.
    open: (bool, bool),
    /// When the last message in each direction arrives: the next comes no earlier.
    arrives: (Duration, Duration),
}

enum What {
    Wake {
        host: HostId,
        life: u32,
    },
    Up {
        end: EndId,
        dial: Option<DialId>,
    },
    Down {
        end: EndId,
        orderly: bool,
    },
    DialFailed {
        host: HostId,
        life: u32,
        dial: DialId,
    },
    Message {
        end: EndId,
        bytes: Bytes,
    },
}

/// What a host's message becomes on its way: the sender, the receiver, and the bytes.
type Rewrite = Box<dyn FnMut(HostId, HostId, Bytes) -> Vec<Bytes> + Send>;

/// A seeded network of nodes in virtual time, on encoded bytes.
pub struct Network<O = Quiet> {
    setup: Setup,
    now: Duration,
    hosts: Vec<Host>,
    by_address: HashMap<SocketAddr, HostId>,
    /// Addresses of load balancers, and the hosts behind them.
    balancers: HashMap<SocketAddr, Vec<HostId>>,
    links: HashMap<u64, Link>,
    next_link: u64,
    queue: Queue<What>,
    random: Random,
    counts: FaultCounts,
    messages: u64,
    bytes: u64,
    trace: SipHasher13,
    /// How many running hosts have this (fingerprint, peers).
    views: BTreeMap<(u64, usize), usize>,
    running: usize,
    known: u64,
    rewrite: Option<Rewrite>,
    observer: O,
}

impl Network<Quiet> {
    /// An empty network that nobody watches.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self::with_observer(setup, Quiet)
    }
}

impl<O: Observer> Network<O> {
    /// An empty network.
    pub fn with_observer(setup: Setup, observer: O) -> Self {
        Self {
            random: Random::new(setup.seed),
            setup,
            now: Duration::ZERO,
            hosts: Vec::new(),
            by_address: HashMap::new(),
            balancers: HashMap::new(),
            links: HashMap::new(),
            next_link: 0,
            queue: Queue::default(),
            counts: FaultCounts::default(),
            messages: 0,
            bytes: 0,
            trace: SipHasher13::new_with_keys(0, 0),
            views: BTreeMap::new(),
            running: 0,
            known: 0,
            rewrite: None,
            observer,
        }
    }

    /// Adds a host that is not running yet.
    pub fn add_host(&mut self, upstreams: &[HostId]) -> HostId {
        self.add_host_at(upstreams.iter().map(|host| host.address()).collect())
    }

    /// Likewise, with upstreams by address: also such as nobody listens on.
    pub fn add_host_at(&mut self, upstreams: Vec<Multiaddr>) -> HostId {
        let host = HostId(self.hosts.len());
        let id = host.node_id(self.setup.seed);
        let identity = Identity {
            node: id,
            addresses: vec![host.address()],
            metadata: Vec::new(),
        };
        let mut config = self.setup.config.clone();
        config.upstreams = upstreams;
        self.by_address.insert(host.socket(), host);
        self.hosts.push(Host {
            id,
            node: None,
            config,
            identity,
            life: 0,
            wake_at: None,
            clock: Duration::ZERO,
            side: 0,
            seen: None,
            links: Default::default(),
            spins: 0,
        });
        host
    }

    /// An address behind which one of these hosts answers, another each time.
    pub fn add_balancer(&mut self, address: SocketAddr, hosts: Vec<HostId>) {
        self.balancers.insert(address, hosts);
    }

    /// Another configuration for the next start of a host.
    pub fn config_mut(&mut self, host: HostId) -> &mut Config {
        &mut self.hosts[host.0].config
    }

    /// Another identity for the next start of a host.
    pub fn identity_mut(&mut self, host: HostId) -> &mut Identity {
        &mut self.hosts[host.0].identity
    }

    /// Starts every host that is not running.
    pub fn start_all(&mut self) {
        for host in 0..self.hosts.len() {
            if self.hosts[host].node.is_none() {
                self.start(HostId(host), Restart::Empty);
            }
        }
    }

    /// Starts a host.
    ///
    /// # Panics
    /// When its configuration is out of range.
    pub fn start(&mut self, id: HostId, restart: Restart) {
        let seed = self.random.bytes32();
        let at = self.local_time(id);
        let host = &mut self.hosts[id.0];
        let (config, identity) = (host.config.clone(), host.identity.clone());
        let node = match restart {
            Restart::Empty => Node::new(config, identity, seed, at),
            Restart::From(snapshot, elapsed) => {
                Node::restore(config, identity, seed, at, &snapshot, elapsed)
            }
        };
        let node = node.expect("the configuration of a simulated host is in range");
        host.life += 1;
        host.id = host.identity.node;
        self.counts.restarts += u64::from(host.life > 1);
        self.observer.started(self.now, id, &node);
        host.node = Some(node);
        self.running += 1;
        self.drain(id);
    }

    /// Kills a host without a word; the other ends of its links see them break.
    pub fn crash(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0];
        if host.node.take().is_none() {
            return;
        }
        host.wake_at = None;
        self.forget_view(id);
        self.running -= 1;
        self.counts.crashes += 1;
        self.observer.crashed(self.now, id);
        for number in std::mem::take(&mut self.hosts[id.0].links) {
            let Some(link) = self.links.get_mut(&number) else {
                continue;
            };
            let end = 2 * number + u64::from(link.acceptor == id);
            close_end(link, end);
            let at = self.now + self.setup.faults.latency;
            self.queue.push(
                at,
                What::Down {
                    end: end ^ 1,
                    orderly: false,
                },
            );
        }
    }

    /// Separates the hosts for which `other_side` holds from the rest: messages and dials across
    /// are lost, links stay.
    pub fn partition(&mut self, other_side: impl Fn(HostId) -> bool) {
        for (i, host) in self.hosts.iter_mut().enumerate() {
            host.side = u8::from(other_side(HostId(i)));
        }
    }

    /// Ends the partition.
    pub fn heal(&mut self) {
        self.partition(|_| false);
    }

    /// Moves a host's clock forward, as if it had been asleep.
    pub fn jump_clock(&mut self, id: HostId, by: Duration) {
        self.hosts[id.0].clock += by;
        self.counts.clock_jumps += 1;
        self.input(id, Input::Wake);
    }

    /// From now on each message travels as what this makes of it: none, one, or several. So some
    /// hosts can speak as nodes of another version do.
    pub fn set_rewrite(
        &mut self,
        rewrite: impl FnMut(HostId, HostId, Bytes) -> Vec<Bytes> + Send + 'static,
    ) {
        self.rewrite = Some(Box::new(rewrite));
    }

    /// Another set of faults from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.setup.faults = faults;
    }

    /// Gives a host an input of the embedder's kind.
    pub fn input(&mut self, id: HostId, input: Input) {
        self.handle(id, input);
        self.drain(id);
    }

    /// The virtual time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Number of hosts.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// The node of a running host.
    pub fn node(&self, id: HostId) -> Option<&Node> {
        self.hosts.get(id.0)?.node.as_ref()
    }

    /// The host with this node ID.
    pub fn host_of(&self, node: &NodeId) -> Option<HostId> {
        self.hosts.iter().position(|h| h.id == *node).map(HostId)
    }

    /// Messages sent so far by all nodes.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Their encoded bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How often each fault has happened.
    pub fn fault_counts(&self) -> FaultCounts {
        self.counts
    }

    /// A hash of everything that has happened: equal for equal runs.
    pub fn trace_hash(&self) -> u64 {
        self.trace.finish()
    }

    /// The observer.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// The observer, to be changed.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Pairs (node, known live peer), over all running nodes.
    pub fn known_pairs(&self) -> u64 {
        self.known
    }

    /// Whether every running node has the same set, and knows as many live peers as are running
    /// beside itself: each then knows the newest record of every other.
    pub fn converged(&self) -> bool {
        match self.views.first_key_value() {
            Some(((_, peers), n)) => *n == self.running && peers + 1 == self.running,
            None => self.running == 0,
        }
    }

    /// Runs until `done`, at most until the virtual time `until`; true if done.
    pub fn run_until(&mut self, until: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            if self.queue.next_at().is_none_or(|at| at > until) {
                self.now = self.now.max(until);
                return false;
            }
            self.step();
        }
    }

    /// Runs for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time, |_| false);
    }

    fn step(&mut self) {
        let Some((at, what)) = self.queue.pop() else {
            return;
        };
        self.now = self.now.max(at);
        match what {
            What::Wake { host, life } => self.wake(host, life, at),
            What::Up { end, dial } => self.link_up(end, dial),
            What::Down { end, orderly } => self.link_down(end, orderly),
            What::DialFailed { host, life, dial } => {
                if self.hosts[host.0].life == life {
                    self.input(host, Input::DialFailed { dial });
                }
            }
            What::Message { end, bytes } => self.deliver(end, bytes),
        }
    }

    fn wake(&mut self, id: HostId, life: u32, at: Duration) {
        let host = &mut self.hosts[id.0];
        if host.life != life || host.wake_at != Some(at) {
            return;
        }
        host.wake_at = None;
        host.spins += 1;
        assert!(host.spins < 10_000, "{id:?} is woken for ever at {at:?}");
        self.input(id, Input::Wake);
    }

    fn link_up(&mut self, end: EndId, dial: Option<DialId>) {
        let Some(link) = self.links.get(&(end / 2)) else {
            return;
        };
        let (host, peer) = ends(link, end);
        if !is_open(link, end) || !self.is_alive(link, end) {
            return;
        }
        let node = self.hosts[peer.0].id;
        let remote = Some(peer.socket());
        self.hosts[host.0].links.insert(end / 2);
        self.input(
            host,
            Input::LinkUp {
                link: LinkId(end),
                node,
                remote,
                dial,
            },
        );
    }

    fn link_down(&mut self, end: EndId, orderly: bool) {
        let Some(link) = self.links.get_mut(&(end / 2)) else {
            return;
        };
        if !is_open(link, end) {
            return;
        }
        close_end(link, end);
        let (host, _) = ends(link, end);
        let alive = link_life(link, end) == self.hosts[host.0].life;
        self.prune(end / 2, host);
        if alive {
            self.input(
                host,
                Input::LinkDown {
                    link: LinkId(end),
                    orderly,
                },
            );
        }
    }

    fn deliver(&mut self, end: EndId, bytes: Bytes) {
        let Some(link) = self.links.get(&(end / 2)) else {
            return;
        };
        let (host, peer) = ends(link, end);
        if !is_open(link, end) || !self.is_alive(link, end) {
            return;
        }
        self.observer.delivered(self.now, peer, host, &bytes);
        self.input(
            host,
            Input::Message {
                link: LinkId(end),
                bytes,
            },
        );
    }

    fn is_alive(&self, link: &Link, end: EndId) -> bool {
        let (host, _) = ends(link, end);
        let host = &self.hosts[host.0];
        host.node.is_some() && link_life(link, end) == host.life
    }

    fn local_time(&self, id: HostId) -> Instant {
        Instant::from_duration(self.now + self.hosts[id.0].clock)
    }

    fn handle(&mut self, id: HostId, input: Input) {
        let at = self.local_time(id);
        let Some(node) = &mut self.hosts[id.0].node else {
            return;
        };
        // A copy for the observer is cheap: messages are shared.
        let seen = input.clone();
        let outcome = node.handle(at, input);
        debug_assert!(outcome.is_ok(), "{id:?}: {outcome:?} for {seen:?}");
        self.observer.handled(self.now, id, &seen, node);
    }

    /// Carries out the node's effects until it waits.
    fn drain(&mut self, id: HostId) {
        loop {
            let Some(node) = &mut self.hosts[id.0].node else {
                return;
            };
            let effect = node.poll();
            self.observer.effect(self.now, id, &effect, node);
            match effect {
                Effect::Send { link, bytes } => {
                    self.send(id, link.0, bytes);
                    self.handle(id, Input::Sent { link });
                }
                Effect::Dial { dial, target } => self.dial(id, dial, &target),
                Effect::Close { link, .. } => self.close(id, link.0),
                Effect::Event(event) => self.observer.event(self.now, id, &event),
                Effect::WaitUntil(deadline) => {
                    self.schedule_wake(id, deadline);
                    break;
                }
            }
        }
        self.update_view(id);
    }

    fn schedule_wake(&mut self, id: HostId, deadline: Option<Instant>) {
        let host = &mut self.hosts[id.0];
        let at = deadline.map(|d| d.as_duration().saturating_sub(host.clock).max(self.now));
        if at.is_none_or(|at| at > self.now) {
            host.spins = 0;
        }
        if host.wake_at != at {
            host.wake_at = at;
            if let Some(at) = at {
                self.queue.push(
                    at,
                    What::Wake {
                        host: id,
                        life: host.life,
                    },
                );
            }
        }
    }

    fn send(&mut self, from: HostId, end: EndId, bytes: Bytes) {
        let (Some(rewrite), Some(link)) = (&mut self.rewrite, self.links.get(&(end / 2))) else {
            return self.send_one(from, end, bytes);
        };
        let (_, to) = ends(link, end);
        for bytes in rewrite(from, to, bytes) {
            self.send_one(from, end, bytes);
        }
    }

    fn send_one(&mut self, from: HostId, end: EndId, bytes: Bytes) {
        self.messages += 1;
        self.bytes += bytes.len() as u64;
        self.trace.write_u64(self.now.as_nanos() as u64);
        self.trace.write_u64(end);
        self.trace.write(&bytes);
        let Some(link) = self.links.get(&(end / 2)) else {
            return;
        };
        let (_, to) = ends(link, end);
        self.observer.sent(self.now, from, to, &bytes);
        if self.hosts[from.0].side != self.hosts[to.0].side {
            self.counts.partitioned += 1;
            return;
        }
        let faults = self.setup.faults;
        if self.random.chance(faults.loss) {
            self.counts.lost += 1;
            return;
        }
        if self.random.chance(faults.duplicate) {
            self.counts.duplicated += 1;
            self.transmit(end, bytes.clone());
        }
        self.transmit(end, bytes);
    }

    fn transmit(&mut self, end: EndId, bytes: Bytes) {
        let faults = self.setup.faults;
        let mut at = self.now + faults.latency;
        let late = self.random.chance(faults.reorder);
        if late {
            self.counts.reordered += 1;
            let most = (faults.latency * 10).as_nanos() as usize;
            at += Duration::from_nanos(self.random.below(most) as u64);
        }
        let Some(link) = self.links.get_mut(&(end / 2)) else {
            return;
        };
        let last = if end % 2 == 0 {
            &mut link.arrives.0
        } else {
            &mut link.arrives.1
        };
        if !late {
            at = at.max(*last);
            *last = at;
        }
        self.queue.push(
            at,
            What::Message {
                end: end ^ 1,
                bytes,
            },
        );
    }

    fn dial(&mut self, from: HostId, dial: DialId, target: &Target) {
        let (addresses, expected) = match target {
            Target::Upstream(address) => (std::slice::from_ref(address), None),
            Target::Peer { node, addresses } => (addresses.as_slice(), Some(*node)),
        };
        let latency = self.setup.faults.latency;
        let life = self.hosts[from.0].life;
        let to = addresses
            .first()
            .and_then(Multiaddr::socket_addr)
            .and_then(|a| self.resolve(a));
        let failed = What::DialFailed {
            host: from,
            life,
            dial,
        };
        let Some(to) = to else {
            self.queue
                .push(self.now + self.setup.faults.dial_timeout, failed);
            return;
        };
        if self.hosts[from.0].side != self.hosts[to.0].side {
            self.counts.partitioned += 1;
            self.queue
                .push(self.now + self.setup.faults.dial_timeout, failed);
            return;
        }
        let host = &self.hosts[to.0];
        if host.node.is_none() || expected.is_some_and(|node| node != host.id) {
            self.queue.push(self.now + 2 * latency, failed);
            return;
        }
        let number = self.next_link;
        self.next_link += 1;
        let lives = (life, host.life);
        let open = (true, true);
        let arrives = (self.now + latency, self.now + 2 * latency);
        self.links.insert(
            number,
            Link {
                dialler: from,
                acceptor: to,
                lives,
                open,
                arrives,
            },
        );
        self.queue.push(
            self.now + latency,
            What::Up {
                end: 2 * number + 1,
                dial: None,
            },
        );
        self.queue.push(
            self.now + 2 * latency,
            What::Up {
                end: 2 * number,
                dial: Some(dial),
            },
        );
    }

    fn resolve(&mut self, address: SocketAddr) -> Option<HostId> {
        match self.balancers.get(&address) {
            Some(hosts) if !hosts.is_empty() => Some(hosts[self.random.below(hosts.len())]),
            _ => self.by_address.get(&address).copied(),
        }
    }

    fn close(&mut self, host: HostId, end: EndId) {
        let Some(link) = self.links.get_mut(&(end / 2)) else {
            return;
        };
        close_end(link, end);
        let last = if end % 2 == 0 {
            link.arrives.0
        } else {
            link.arrives.1
        };
        let at = last.max(self.now + self.setup.faults.latency);
        self.queue.push(
            at,
            What::Down {
                end: end ^ 1,
                orderly: true,
            },
        );
        self.prune(end / 2, host);
    }

    /// Forgets a link both ends of which are closed.
    fn prune(&mut self, number: u64, host: HostId) {
        let Some(link) = self.links.get(&number) else {
            return;
        };
        if link.dialler != link.acceptor {
            self.hosts[host.0].links.remove(&number);
        }
        if link.open == (false, false) {
            for host in [link.dialler, link.acceptor] {
                self.hosts[host.0].links.remove(&number);
            }
            self.links.remove(&number);
        }
    }

    fn update_view(&mut self, id: HostId) {
        let Some(node) = &self.hosts[id.0].node else {
            return;
        };
        let view = (node.fingerprint(), node.peer_count());
        if self.hosts[id.0].seen == Some(view) {
            return;
        }
        self.forget_view(id);
        self.hosts[id.0].seen = Some(view);
        *self.views.entry(view).or_default() += 1;
        self.known += view.1 as u64;
    }

    fn forget_view(&mut self, id: HostId) {
        let Some(view) = self.hosts[id.0].seen.take() else {
            return;
        };
        self.known -= view.1 as u64;
        if let Some(n) = self.views.get_mut(&view) {
            *n -= 1;
            if *n == 0 {
                self.views.remove(&view);
            }
        }
    }
}

fn ends(link: &Link, end: EndId) -> (HostId, HostId) {
    if end % 2 == 0 {
        (link.dialler, link.acceptor)
    } else {
        (link.acceptor, link.dialler)
    }
}

fn link_life(link: &Link, end: EndId) -> u32 {
    if end % 2 == 0 {
        link.lives.0
    } else {
        link.lives.1
    }
}

fn is_open(link: &Link, end: EndId) -> bool {
    if end % 2 == 0 {
        link.open.0
    } else {
        link.open.1
    }
}

fn close_end(link: &mut Link, end: EndId) {
    *if end % 2 == 0 {
        &mut link.open.0
    } else {
        &mut link.open.1
    } = false;
}
