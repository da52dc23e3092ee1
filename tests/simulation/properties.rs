//! Random graphs under random faults: after calm, everybody of a part knows everybody alive in it.

use std::collections::BTreeSet;
use std::time::Duration;

use peer_exchange::{Input, Signing};
use peer_exchange_memory::{FaultCounts, Faults, HostId, Network, Restart};
use proptest::prelude::*;

use crate::band;
use crate::checkers::Checkers;
use crate::cluster::{Graph, Upstream, brisk, knows};

/// Something that goes wrong, or is done, in the middle of a run. Hosts are taken modulo.
#[derive(Clone, Copy, Debug)]
enum Incident {
    Crash(usize),
    /// A crashed host comes back without its state.
    Restart(usize),
    /// A host is killed and restored at once from what it had so many seconds ago, known or not.
    Restore(usize, bool),
    /// Hosts are separated by this bit of their number.
    Partition(u8),
    Heal,
    Jump(usize, u64),
    Leave(usize),
    Discover(usize),
    /// New content, and so a higher version.
    Change(usize, u8),
}

/// A run: who asks whom, what the network does to messages, and what happens when.
#[derive(Clone, Debug)]
struct Plan {
    graph: Graph,
    loss: f64,
    duplicate: f64,
    reorder: f64,
    /// With the seconds to the next.
    incidents: Vec<(u8, Incident)>,
}

fn upstream() -> impl Strategy<Value = Upstream> {
    prop_oneof![
        12 => any::<usize>().prop_map(Upstream::Host),
        1 => Just(Upstream::Nowhere),
        1 => Just(Upstream::Balancer),
    ]
}

/// Rings, self-loops, diamonds, shared cycles, parts without a connection: all of them are among
/// the graphs with up to three random upstreams a host; rings and diamonds are also made on
/// purpose.
fn graph() -> impl Strategy<Value = Graph> {
    let random = (1_usize..12).prop_flat_map(|hosts| {
        let upstreams = proptest::collection::vec(upstream(), 0..=3);
        let hosts = proptest::collection::vec(upstreams, hosts..=hosts);
        (hosts, 0_usize..4).prop_map(|(upstreams, balanced)| Graph {
            upstreams,
            balanced,
        })
    });
    prop_oneof![
        4 => random,
        1 => (1_usize..10).prop_map(Graph::ring),
        // Two ways from the first to the last, and back.
        1 => (2_usize..5).prop_map(|wide| Graph::of(wide + 2, |i| match i {
            0 => (1..=wide).collect(),
            i if i <= wide => vec![wide + 1],
            _ => vec![0],
        })),
    ]
}

fn incident() -> impl Strategy<Value = Incident> {
    let host = || any::<prop::sample::Index>().prop_map(|i| i.index(64));
    prop_oneof![
        3 => host().prop_map(Incident::Crash),
        3 => host().prop_map(Incident::Restart),
        2 => (host(), any::<bool>()).prop_map(|(h, known)| Incident::Restore(h, known)),
        2 => (0_u8..3).prop_map(Incident::Partition),
        2 => Just(Incident::Heal),
        1 => (host(), 1_u64..900).prop_map(|(h, s)| Incident::Jump(h, s)),
        1 => host().prop_map(Incident::Leave),
        1 => host().prop_map(Incident::Discover),
        2 => (host(), any::<u8>()).prop_map(|(h, m)| Incident::Change(h, m)),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let incidents = proptest::collection::vec((0_u8..20, incident()), 0..12);
    let chance = || prop_oneof![Just(0.0), 0.01..0.3];
    (graph(), chance(), chance(), chance(), incidents).prop_map(
        |(graph, loss, duplicate, reorder, incidents)| Plan {
            graph,
            loss,
            duplicate,
            reorder,
            incidents,
        },
    )
}

/// Half of the runs are signed (R50).
fn signing(seed: u64) -> Signing {
    match seed % 2 {
        0 => Signing::Off,
        _ => Signing::Require,
    }
}

impl Plan {
    fn faults(&self) -> Faults {
        Faults {
            loss: self.loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            ..Faults::default()
        }
    }

    /// Runs it, with all checkers, until long after calm.
    fn run(&self, seed: u64) -> Run {
        let mut network =
            self.graph
                .network(seed, brisk().with_signing(signing(seed)), self.faults());
        network.start_all();
        let mut left = BTreeSet::new();
        for (seconds, incident) in &self.incidents {
            self.happens(&mut network, *incident, &mut left);
            network.run_for(Duration::from_secs(u64::from(*seconds)));
        }
        network.heal();
        network.set_faults(Faults::default());
        for host in (0..self.graph.len()).filter(|h| !left.contains(h)) {
            if network.node(HostId(host)).is_none() {
                network.start(HostId(host), Restart::Empty);
            }
        }
        network.run_for(CALM);
        Run { network, left }
    }

    fn happens(
        &self,
        network: &mut Network<Checkers>,
        incident: Incident,
        left: &mut BTreeSet<usize>,
    ) {
        let host = |i: usize| HostId(i % self.graph.len());
        let is_left = |i: &usize| left.contains(&host(*i).0);
        match incident {
            Incident::Crash(i) if !is_left(&i) => network.crash(host(i)),
            Incident::Restart(i) if network.node(host(i)).is_none() => {
                network.start(host(i), Restart::Empty);
            }
            Incident::Restore(i, known) if !is_left(&i) => {
                // Lifetimes are as of the last input.
                network.input(host(i), Input::Wake);
                let Some(snapshot) = network.node(host(i)).map(|n| n.snapshot(n.now())) else {
                    return;
                };
                let asleep = Duration::from_secs(5);
                network.crash(host(i));
                network.run_for(asleep);
                let age = known.then_some(asleep);
                network.start(host(i), Restart::From(snapshot, age));
            }
            Incident::Partition(bit) => network.partition(|h| h.0 >> bit & 1 == 1),
            Incident::Heal => network.heal(),
            Incident::Jump(i, seconds) => {
                network.jump_clock(host(i), Duration::from_secs(seconds));
            }
            Incident::Leave(i) if network.node(host(i)).is_some() && !is_left(&i) => {
                network.input(host(i), Input::Leave);
                left.insert(host(i).0);
            }
            Incident::Discover(i) if !is_left(&i) => network.input(host(i), Input::Discover),
            Incident::Change(i, m) if !is_left(&i) => {
                network.input(host(i), Input::SetMetadata(vec![m]));
            }
            _ => {}
        }
    }
}

/// Long enough for every lifetime, backoff and probe of a load balancer of the brisk
/// configuration.
const CALM: Duration = Duration::from_secs(1_400);

struct Run {
    network: Network<Checkers>,
    left: BTreeSet<usize>,
}

impl Run {
    fn assert_converged(&self, graph: &Graph) {
        let live = |i: usize| !self.left.contains(&i);
        let possible = graph.parts(|_| true, false);
        for part in graph.parts(live, true) {
            for host in &part {
                let mut known = knows(&self.network, *host);
                known.insert(*host);
                assert!(
                    known.is_superset(&part),
                    "{host} knows {known:?} of {part:?}"
                );
                let whole = possible.iter().find(|p| p.contains(host));
                let stray = known
                    .iter()
                    .find(|k| !live(**k) || !whole.is_some_and(|whole| whole.contains(*k)));
                assert_eq!(stray, None, "{host} knows {known:?}");
            }
        }
    }
}

fn sum(a: FaultCounts, b: FaultCounts) -> FaultCounts {
    let mut all = a;
    all.lost += b.lost;
    all.duplicated += b.duplicated;
    all.reordered += b.reordered;
    all.partitioned += b.partitioned;
    all.crashes += b.crashes;
    all.restarts += b.restarts;
    all.clock_jumps += b.clock_jumps;
    all
}

#[test]
fn everybody_learns_everybody_after_calm() {
    let mut fired = FaultCounts::default();
    let mut seen = 0;
    let mut runs = 0;
    band::property(
        "everybody_learns_everybody_after_calm",
        60,
        &plan(),
        |seed, plan| {
            let run = plan.run(seed);
            run.assert_converged(&plan.graph);
            fired = sum(fired, run.network.fault_counts());
            seen += run.network.observer().seen;
            runs += 1;
        },
    );
    assert!(seen > 0, "the checkers have seen nothing");
    let all = [
        fired.lost,
        fired.duplicated,
        fired.reordered,
        fired.partitioned,
        fired.crashes,
        fired.restarts,
        fired.clock_jumps,
    ];
    // One seed alone need not have every fault.
    assert!(
        runs < 60 || all.iter().all(|n| *n > 0),
        "not every fault: {fired:?}"
    );
}

#[test]
fn everybody_learns_everybody_without_faults() {
    // Cold starts forward requests: what the checkers say of walks is not said of nothing.
    let (mut runs, mut forwarded) = (0, 0);
    band::property(
        "everybody_learns_everybody_without_faults",
        60,
        &graph(),
        |seed, graph| {
            let config = brisk().with_signing(signing(seed));
            let mut network = graph.network(seed, config, Faults::default());
            network.start_all();
            network.run_for(Duration::from_secs(60));
            let hosts = (0..graph.len()).filter_map(|h| network.node(HostId(h)));
            forwarded += hosts.map(|n| n.stats().requests_forwarded).sum::<u64>();
            runs += 1;
            let left = BTreeSet::new();
            Run { network, left }.assert_converged(&graph);
        },
    );
    assert!(runs < 60 || forwarded > 0);
}

#[test]
fn a_run_replays_to_the_same_trace() {
    band::property(
        "a_run_replays_to_the_same_trace",
        6,
        &plan(),
        |seed, plan| {
            let hash = |seed| plan.run(seed).network.trace_hash();
            assert_eq!(hash(seed), hash(seed));
            // A graph without a single edge sends nothing.
            let sends = plan.run(seed).network.messages() > 0;
            assert!(!sends || hash(seed) != hash(seed + 1));
        },
    );
}
