//! The scenarios over one cluster: cold start, one change, nothing changing.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::case::{Candidate, Case};
use crate::cluster::Cluster;
use crate::harness::{Conditions, Counts, Harness, System};
use crate::systems::chitchat::Chitchat;
use crate::systems::foca::Foca;
use crate::systems::iroh_gossip::IrohGossip;
use crate::systems::peer_exchange::PeerExchange;

/// The least that a record can be: a 32-byte ID, an IPv4 address, a port.
pub const LEAST_RECORD: u64 = 38;

/// Virtual time after which a scenario is given up.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Less of a quiet time says nothing: two rounds of chitchat, whose CPU time may end first.
const LEAST_QUIET: Duration = Duration::from_secs(2);

/// What one process has measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// From the start, or the broadcast, until every node has every record.
    pub cold: Option<Spread>,
    /// The share of pairs known at the end of the cold start.
    pub share: f64,
    /// From the change of one record until every node has it.
    pub change: Option<Spread>,
    /// Nothing changing.
    pub steady: Option<Steady>,
    /// The most memory resident, the whole process, all nodes.
    pub peak_bytes: u64,
    /// Connections made until the end of the cold start; none where there are only datagrams.
    pub connections: Option<u64>,
    /// Messages lost in the cold start.
    pub lost: u64,
    /// Why it ended before the end.
    pub stopped: Option<String>,
    /// Equal for equal runs.
    pub trace: u64,
}

/// How something became known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Virtual time until all know all.
    pub all_ms: f64,
    /// Virtual time until 99 % of all pairs are known; of a change, the same as the other.
    pub most_ms: f64,
    /// Messages of all nodes.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// CPU time of the process.
    pub cpu_ns: u64,
}

/// What it costs when nothing changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steady {
    /// Virtual seconds measured.
    pub seconds: f64,
    /// Sent by a node in a second.
    pub messages: f64,
    /// Sent by a node in a second.
    pub bytes: f64,
    /// CPU time of a node, share of a core.
    pub cpu: f64,
}

/// Measures a case in this process.
#[must_use]
pub fn measure(case: &Case) -> Outcome {
    match case.candidate {
        Candidate::PeerExchange => scenarios::<PeerExchange>(case),
        Candidate::Foca => scenarios::<Foca>(case),
        Candidate::Chitchat => scenarios::<Chitchat>(case),
        Candidate::IrohGossip => scenarios::<IrohGossip>(case),
    }
}

fn scenarios<S: System>(case: &Case) -> Outcome {
    let budget = Budget::new(case.cpu_seconds);
    let cluster = Cluster::new(case.topology, case.size as usize, case.seed);
    let start = cpu_time();
    let conditions = Conditions {
        loss: case.loss,
        streams: case.streams || S::NEEDS_STREAMS,
        warm_up: case.warm_up.map_or(S::WARM_UP, Duration::from_secs),
    };
    let mut harness = Harness::<S>::new(&cluster, conditions);
    let mut outcome = Outcome::default();
    // A warm-up is not counted, neither its time nor its messages nor its CPU time.
    let start = if conditions.warm_up.is_zero() {
        start
    } else {
        cpu_time()
    };
    outcome.cold = cold(&mut harness, &budget, start, conditions.warm_up);
    outcome.share = harness.share();
    outcome.connections = harness.system.connections();
    outcome.lost = harness.counts().lost;
    if outcome.cold.is_some() && case.loss == 0.0 {
        outcome.change = change(&mut harness, &budget, case.size as usize / 2);
        outcome.steady = steady(&mut harness, &budget);
    }
    outcome.stopped = budget.reason(outcome.cold.is_none());
    outcome.trace = harness.trace();
    outcome.peak_bytes = peak_bytes().unwrap_or(0);
    outcome
}

fn cold<S: System>(
    harness: &mut Harness<S>,
    budget: &Budget,
    cpu: Duration,
    start: Duration,
) -> Option<Spread> {
    let mut most = None;
    let done = harness.run(PATIENCE, |harness| {
        if most.is_none() && harness.share() >= 0.99 {
            most = Some(harness.now());
        }
        harness.converged() || budget.is_spent()
    });
    let spread = spread(harness, start, Counts::default(), cpu);
    (done && harness.converged()).then(|| Spread {
        most_ms: ms(most.unwrap_or(harness.now()) - start),
        ..spread
    })
}

fn change<S: System>(harness: &mut Harness<S>, budget: &Budget, node: usize) -> Option<Spread> {
    // The rush of the start is over.
    harness.run(Duration::from_secs(2), |_| budget.is_spent());
    let (start, counts, cpu) = (harness.now(), harness.counts(), cpu_time());
    harness.change(node);
    harness.run(PATIENCE, |harness| {
        harness.change_known() || budget.is_spent()
    });
    let spread = spread(harness, start, counts, cpu);
    harness.change_known().then_some(spread)
}

fn steady<S: System>(harness: &mut Harness<S>, budget: &Budget) -> Option<Steady> {
    let (start, counts, cpu) = (harness.now(), harness.counts(), cpu_time());
    harness.run(S::STEADY, |_| budget.is_spent());
    let time = harness.now() - start;
    let per = |sum: f64| sum / harness.size() as f64 / time.as_secs_f64();
    let now = harness.counts();
    (time >= LEAST_QUIET).then(|| Steady {
        seconds: time.as_secs_f64(),
        messages: per((now.messages - counts.messages) as f64),
        bytes: per((now.bytes - counts.bytes) as f64),
        cpu: per((cpu_time() - cpu).as_secs_f64()),
    })
}

fn spread<S: System>(
    harness: &Harness<S>,
    start: Duration,
    before: Counts,
    cpu: Duration,
) -> Spread {
    let now = harness.counts();
    let time = ms(harness.now() - start);
    Spread {
        all_ms: time,
        most_ms: time,
        messages: now.messages - before.messages,
        bytes: now.bytes - before.bytes,
        cpu_ns: (cpu_time() - cpu).as_nanos() as u64,
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How much CPU time may be used; reading the clock costs, so not at every event.
struct Budget {
    seconds: u64,
    events: std::cell::Cell<u64>,
    spent: std::cell::Cell<bool>,
}

impl Budget {
    fn new(seconds: u64) -> Self {
        Self {
            seconds,
            events: std::cell::Cell::new(0),
            spent: std::cell::Cell::new(false),
        }
    }

    fn is_spent(&self) -> bool {
        self.events.set(self.events.get() + 1);
        if self.events.get().is_multiple_of(1_024)
            && cpu_time() >= Duration::from_secs(self.seconds)
        {
            self.spent.set(true);
        }
        self.spent.get()
    }

    fn reason(&self, unfinished: bool) -> Option<String> {
        match (self.spent.get(), unfinished) {
            (true, _) => Some(format!("not within {} s of CPU", self.seconds)),
            (false, true) => Some(format!(
                "not within {} s of virtual time",
                PATIENCE.as_secs()
            )),
            (false, false) => None,
        }
    }
}

/// CPU time of this thread, the only one. The clock of the process is coarse once that has a limit.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The most memory that this process has had resident; `None` where the system does not tell.
fn peak_bytes() -> Option<u64> {
    let status = procfs::process::Process::myself().ok()?.status().ok()?;
    Some(status.vmhwm? * 1_024)
}
