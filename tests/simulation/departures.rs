//! Who goes and who comes back: crashes, leavers, long partitions, old snapshots.

use std::time::Duration;

use peer_exchange::Input;
use peer_exchange_memory::{Faults, HostId, Network, Restart};

use crate::checkers::Checkers;
use crate::cluster::{Graph, brisk, knows, start};

const NODES: usize = 24;
const LIFETIME: Duration = Duration::from_secs(600);

/// A ring that has converged and come to rest.
fn calm(seed: u64) -> Network<Checkers> {
    let mut network = Graph::ring(NODES).network(seed, brisk(), Faults::default());
    network.start_all();
    network.run_for(Duration::from_secs(20));
    assert!(network.converged());
    network
}

fn who_knows(network: &Network<Checkers>, host: usize) -> Vec<usize> {
    let others = (0..NODES).filter(|i| *i != host);
    others
        .filter(|i| knows(network, *i).contains(&host))
        .collect()
}

#[test]
fn n9_a_crashed_node_is_forgotten_within_its_lifetime() {
    let mut network = calm(1);
    network.crash(HostId(5));
    assert_eq!(who_knows(&network, 5).len(), NODES - 1);
    network.run_for(LIFETIME);
    assert_eq!(who_knows(&network, 5), [0; 0]);
    assert!(network.converged(), "and nobody else is");
}

#[test]
fn r4_a_leaver_is_gone_at_once_and_stays_gone() {
    let mut network = calm(2);
    network.input(HostId(5), Input::Leave);
    network.run_for(20 * Faults::default().latency);
    assert_eq!(who_knows(&network, 5), [0; 0]);
    network.run_for(4 * LIFETIME);
    assert_eq!(who_knows(&network, 5), [0; 0]);
}

#[test]
fn r5_one_that_lost_its_state_is_accepted_again() {
    let mut network = calm(3);
    for _ in 0..5 {
        network.input(HostId(5), Input::SetMetadata(b"before".to_vec()));
        network.run_for(Duration::from_secs(1));
        network.input(HostId(5), Input::SetMetadata(Vec::new()));
    }
    network.run_for(Duration::from_secs(5));
    network.crash(HostId(5));
    // Known to all still, and then forgotten by all, which leaves certificates.
    for down in [Duration::from_secs(2), 2 * LIFETIME] {
        network.run_for(down);
        start(&mut network, 5);
        network.run_for(Duration::from_secs(20));
        assert!(network.converged(), "after {down:?}");
        let node = network.node(HostId(5)).expect("it runs");
        assert!(node.sequence().version > 10, "{:?}", node.sequence());
        // Told of its own sequence by a refusal (R5), or by who had it as down (R33).
        let stats = node.stats();
        assert!(stats.recoveries + stats.refutations > 0);
        network.crash(HostId(5));
    }
}

#[test]
fn r28_a_partition_longer_than_the_lifetime_heals_without_upstreams() {
    let mut network = calm(4);
    // Nobody has an upstream any more.
    for host in 0..NODES {
        network.input(HostId(host), Input::SetUpstreams(Vec::new()));
    }
    network.partition(|h| h.0 >= NODES / 2);
    network.run_for(3 * LIFETIME);
    for host in 0..NODES {
        let side = |i: usize| i >= NODES / 2;
        let known = knows(&network, host);
        assert!(known.iter().all(|k| side(*k) == side(host)), "{known:?}");
        assert_eq!(known.len(), NODES / 2 - 1, "{known:?}");
    }
    assert!(network.fault_counts().partitioned > 0);
    network.heal();
    network.run_for(Duration::from_secs(30));
    assert!(network.converged());
}

/// A host that was asleep for so long, with a snapshot from before, and a newcomer that asks it;
/// everybody else is gone.
fn awakened(seed: u64, asleep: Duration, known: bool) -> Network<Checkers> {
    // One more than the ring has: it asks host 0, and starts late.
    let mut graph = Graph::ring(NODES);
    graph
        .upstreams
        .push(vec![crate::cluster::Upstream::Host(0)]);
    let mut network = graph.network(seed, brisk(), Faults::default());
    for host in 0..NODES {
        start(&mut network, host);
    }
    network.run_for(Duration::from_secs(20));
    network.input(HostId(0), Input::Wake);
    let snapshot = network.node(HostId(0)).map(|n| n.snapshot(n.now()));
    for host in 0..NODES {
        network.crash(HostId(host));
    }
    network.run_for(asleep);
    let restart = Restart::From(snapshot.expect("it ran"), known.then_some(asleep));
    network.start(HostId(0), restart);
    start(&mut network, NODES);
    network.run_for(Duration::from_secs(3));
    network
}

#[test]
fn r29_a_snapshot_of_unknown_age_relays_nothing() {
    for asleep in [Duration::from_secs(1), 10 * LIFETIME] {
        let network = awakened(5, asleep, false);
        assert_eq!(knows(&network, 0), [NODES].into(), "after {asleep:?}");
        assert_eq!(knows(&network, NODES), [0].into(), "after {asleep:?}");
        let hints = network.node(HostId(0)).map(|n| n.stats().hints);
        assert_eq!(hints, Some(NODES as u64 - 1), "they are dialled");
    }
}

#[test]
fn r29_a_snapshot_of_known_age_takes_the_time_that_has_passed() {
    let fresh = awakened(6, Duration::from_secs(1), true);
    assert_eq!(knows(&fresh, 0).len(), NODES);
    let old = awakened(6, 2 * LIFETIME, true);
    assert_eq!(knows(&old, 0), [NODES].into());
}
