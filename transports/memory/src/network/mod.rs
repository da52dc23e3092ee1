//! The network in virtual time: what its user does and sees. What happens on it is in [`events`].

mod dials;
mod events;
mod trouble;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::addr::Protocol;
use peer_exchange::{Config, DialId, Identity, Input, Multiaddr, Node, NodeId};
use siphasher::sip::SipHasher13;

use self::trouble::Cuts;
pub use self::trouble::Way;

use crate::faults::{FaultCounts, Faults};
use crate::host::{Host, HostId};
use crate::observer::{Observer, Quiet};
use crate::queue::Queue;
use crate::random::Random;
use crate::seal::MockSeal;

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

/// How a load balancer chooses among the hosts behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// At random.
    Random,
    /// One after the other.
    InTurn,
    /// Whoever is behind it is led to itself, the others at random.
    ToDialler,
}

struct Balancer {
    hosts: Vec<HostId>,
    how: Balance,
    turn: usize,
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
    /// Where it was dialled: perhaps a balancer's address.
    at: SocketAddr,
    protocol: Protocol,
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
        /// With the address that has led there, and those that did not answer.
        dial: Option<(DialId, Reached)>,
    },
    Down {
        end: EndId,
        orderly: bool,
    },
    DialFailed {
        host: HostId,
        life: u32,
        dial: DialId,
        refused: bool,
    },
    Message {
        end: EndId,
        bytes: Bytes,
    },
}

/// The address that a dial has found its node at, and those before it that did not answer.
type Reached = (Multiaddr, Vec<Multiaddr>);

/// What a host's message becomes on its way: the sender, the receiver, and the bytes.
type Rewrite = Box<dyn FnMut(HostId, HostId, Bytes) -> Vec<Bytes> + Send>;

/// A seeded network of nodes in virtual time, on encoded bytes.
pub struct Network<O = Quiet> {
    setup: Setup,
    now: Duration,
    hosts: Vec<Host>,
    by_address: HashMap<SocketAddr, HostId>,
    balancers: HashMap<SocketAddr, Balancer>,
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
    cuts: Option<Cuts>,
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
            cuts: None,
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
        let identity = Identity::new(id)
            .with_addresses(vec![host.address()])
            .with_seal(Arc::new(MockSeal::new(id)));
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
            queued_wake: None,
            clock: Duration::ZERO,
            stopped: Duration::ZERO,
            side: 0,
            seen: None,
            links: Default::default(),
            paused_until: Duration::ZERO,
            silent: false,
            slow: Duration::ZERO,
            spins: 0,
        });
        host
    }

    /// An address behind which one of these hosts answers, a random one each time.
    pub fn add_balancer(&mut self, address: SocketAddr, hosts: Vec<HostId>) {
        self.balance(address, hosts, Balance::Random);
    }

    /// The same with another way to choose the host.
    pub fn balance(&mut self, address: SocketAddr, hosts: Vec<HostId>, how: Balance) {
        let balancer = Balancer {
            hosts,
            how,
            turn: 0,
        };
        self.balancers.insert(address, balancer);
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
        host.queued_wake = None;
        host.silent = false;
        host.id = host.identity.node;
        self.counts.restarts += u64::from(host.life > 1);
        self.observer.started(self.now, id, &node);
        host.node = Some(Box::new(node));
        self.running += 1;
        self.drain(id);
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
        self.hosts.get(id.0)?.node.as_deref()
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

    /// One way between these two.
    fn latency(&self, a: HostId, b: HostId) -> Duration {
        self.setup.faults.latency_between(self.setup.seed, a, b)
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
}
