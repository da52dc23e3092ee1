//! One event queue in virtual time for every system: it carries messages with one latency, loses
//! some, wakes nodes, counts, and watches who knows whom.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::cluster::Cluster;

/// Every link's latency.
pub const LATENCY: Duration = Duration::from_millis(1);

/// A system under measurement: all nodes of one cluster, each with nothing but its own state.
pub trait System: Sized {
    /// A message on its way.
    type Payload;
    /// What a node asks to be told later.
    type Timer;

    /// How the table names it, with its version.
    const NAME: &'static str;
    /// Whether it relies on streams, on which what is lost is sent again.
    const NEEDS_STREAMS: bool = false;
    /// How long it runs before [`go`](Self::go), unless the case says otherwise.
    const WARM_UP: Duration = Duration::ZERO;
    /// How long nothing changes, to measure what that costs: at least a minute, and a full period
    /// of the rarest thing it does.
    const STEADY: Duration;

    /// The nodes, none of them started.
    fn new(cluster: &Cluster) -> Self;
    /// Starts a node, which knows only its upstream.
    fn start(&mut self, node: usize, out: &mut Out<Self>);
    /// The node may tell of itself: the measurement begins.
    fn go(&mut self, _node: usize, _out: &mut Out<Self>) {}
    /// A message has arrived.
    fn message(&mut self, node: usize, from: usize, payload: Self::Payload, out: &mut Out<Self>);
    /// A timer has expired.
    fn timer(&mut self, node: usize, timer: Self::Timer, out: &mut Out<Self>);
    /// The node's port becomes [`NEW_PORT`](crate::cluster::NEW_PORT).
    fn change(&mut self, node: usize, out: &mut Out<Self>);
    /// How many others' records the node has.
    fn known(&self, node: usize) -> usize;
    /// How many connections were made so far; none where there are only datagrams.
    fn connections(&self) -> Option<u64> {
        None
    }
    /// Whether the node has the new port of `changed`.
    fn knows_change(&self, node: usize, changed: usize) -> bool;
}

/// What the network does, and for how long before it counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions {
    /// Messages lost, of 1.
    pub loss: f64,
    /// What is lost is sent again, and arrives later.
    pub streams: bool,
    /// How long the system runs before it counts.
    pub warm_up: Duration,
}

/// What comes out of a node.
pub struct Out<S: System> {
    now: Duration,
    sends: Vec<(usize, usize, usize, S::Payload)>,
    timers: Vec<(usize, Duration, S::Timer)>,
}

impl<S: System> Out<S> {
    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// A message of `len` encoded bytes.
    pub fn send(&mut self, from: usize, to: usize, len: usize, payload: S::Payload) {
        self.sends.push((from, to, len, payload));
    }

    /// Something for the node after this time.
    pub fn after(&mut self, node: usize, delay: Duration, timer: S::Timer) {
        self.timers.push((node, delay, timer));
    }
}

enum Event<S: System> {
    Message {
        from: usize,
        to: usize,
        payload: S::Payload,
    },
    Timer {
        node: usize,
        timer: S::Timer,
    },
}

/// Messages and their encoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages sent.
    pub messages: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Messages lost, of those sent.
    pub lost: u64,
}

/// A cluster in virtual time.
pub struct Harness<S: System> {
    /// The nodes.
    pub system: S,
    size: usize,
    now: Duration,
    queue: BTreeMap<(Duration, u64), Event<S>>,
    next: u64,
    conditions: Conditions,
    rng: SmallRng,
    /// When the last message between two nodes arrives, on a reliable stream that loses.
    arrives: HashMap<(usize, usize), Duration>,
    known: Vec<usize>,
    pairs: u64,
    full: usize,
    changed: Option<(usize, Vec<bool>)>,
    counts: Counts,
    trace: DefaultHasher,
}

impl<S: System> Harness<S> {
    /// Every node, started at once; and warmed up. A warm-up loses nothing, and nothing of it
    /// counts.
    #[must_use]
    pub fn new(cluster: &Cluster, conditions: Conditions) -> Self {
        let size = cluster.size();
        let mut harness = Self {
            system: S::new(cluster),
            size,
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            next: 0,
            conditions,
            rng: SmallRng::seed_from_u64(cluster.seed ^ 0x6c6f_7373),
            arrives: HashMap::new(),
            known: vec![0; size],
            pairs: 0,
            full: 0,
            changed: None,
            counts: Counts::default(),
            trace: DefaultHasher::new(),
        };
        if !conditions.warm_up.is_zero() {
            harness.conditions.loss = 0.0;
        }
        for node in 0..size {
            harness.act(node, |system, out| system.start(node, out));
        }
        if !conditions.warm_up.is_zero() {
            harness.run(conditions.warm_up, |_| false);
            harness.counts = Counts::default();
            harness.conditions.loss = conditions.loss;
        }
        for node in 0..size {
            harness.act(node, |system, out| system.go(node, out));
        }
        harness
    }

    /// How many nodes there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The virtual time, the warm-up included.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// What was sent since the start, without the warm-up.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// A hash of who has sent how much to whom, and when: equal for equal runs.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Of all (node, other node), the share in which the first has the record of the second.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.pairs as f64 / (self.size * (self.size - 1)) as f64
    }

    /// Whether every node has every record.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.full == self.size
    }

    /// Changes the port of a node.
    pub fn change(&mut self, node: usize) {
        let mut knows = vec![false; self.size];
        knows[node] = true;
        self.changed = Some((node, knows));
        self.act(node, |system, out| system.change(node, out));
    }

    /// Whether every node has the new port.
    #[must_use]
    pub fn change_known(&self) -> bool {
        let knows = |(_, knows): &(usize, Vec<bool>)| knows.iter().all(|knows| *knows);
        self.changed.as_ref().is_some_and(knows)
    }

    /// Runs for so long at most, until `done`; true if done.
    pub fn run(&mut self, time: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now + time;
        loop {
            if done(self) {
                return true;
            }
            match self.queue.first_key_value() {
                Some(((at, _), _)) if *at <= until => {}
                _ => {
                    self.now = until;
                    return false;
                }
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let Some(((at, _), event)) = self.queue.pop_first() else {
            return;
        };
        self.now = at;
        match event {
            Event::Message { from, to, payload } => {
                self.act(to, |system, out| system.message(to, from, payload, out));
            }
            Event::Timer { node, timer } => {
                self.act(node, |system, out| system.timer(node, timer, out));
            }
        }
    }

    fn act(&mut self, node: usize, act: impl FnOnce(&mut S, &mut Out<S>)) {
        let mut out = Out {
            now: self.now,
            sends: Vec::new(),
            timers: Vec::new(),
        };
        act(&mut self.system, &mut out);
        for (from, to, len, payload) in out.sends {
            self.send(from, to, len, payload);
        }
        for (node, delay, timer) in out.timers {
            self.push(self.now + delay, Event::Timer { node, timer });
        }
        self.watch(node);
    }

    fn send(&mut self, from: usize, to: usize, len: usize, payload: S::Payload) {
        (self.now, from, to, len).hash(&mut self.trace);
        self.count(len);
        let mut at = self.now + LATENCY;
        let Conditions { loss, streams, .. } = self.conditions;
        if loss > 0.0 {
            while self.rng.random_bool(loss) {
                self.counts.lost += 1;
                if !streams {
                    return;
                }
                // Sent again after one round trip, the least in which a loss can be noticed.
                self.count(len);
                at += 2 * LATENCY;
            }
            if streams {
                let last = self.arrives.entry((from, to)).or_default();
                at = at.max(*last);
                *last = at;
            }
        }
        self.push(at, Event::Message { from, to, payload });
    }

    fn count(&mut self, len: usize) {
        self.counts.messages += 1;
        self.counts.bytes += len as u64;
    }

    fn push(&mut self, at: Duration, event: Event<S>) {
        self.next += 1;
        self.queue.insert((at, self.next), event);
    }

    /// Only the node that has acted can know more than before.
    fn watch(&mut self, node: usize) {
        let (before, now) = (self.known[node], self.system.known(node));
        if before != now {
            let all = self.size - 1;
            self.known[node] = now;
            self.pairs = self.pairs + now as u64 - before as u64;
            self.full = self.full + usize::from(now == all) - usize::from(before == all);
        }
        if let Some((changed, knows)) = &mut self.changed {
            knows[node] = node == *changed || self.system.knows_change(node, *changed);
        }
    }
}
