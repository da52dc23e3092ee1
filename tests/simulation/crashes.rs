//! Crashes, partitions and pauses: who is dead is down for all in seconds, nobody alive is (N10 to
//! N12).

use std::collections::BTreeMap;
use std::time::Duration;

use peer_exchange_memory::{HostId, Network, Restart};

use crate::watch::{SECOND, Watch, at_rest, delays, listed, spread, time_until};

const SEEDS: u64 = 16;
const CASES: [(usize, f64); 4] = [(30, 0.0), (30, 0.05), (100, 0.0), (100, 0.05)];

/// R32, R33, N10: from the host of a process that crashes comes the end of its links.
#[test]
fn a_crash_is_known_to_all_within_the_detection_time() {
    for (nodes, loss) in CASES {
        for seed in 0..4 {
            let mut network = at_rest(nodes, seed, loss);
            let victim = HostId(7);
            let crashed = network.now();
            network.crash(victim);
            let most = Duration::from_millis(3_500);
            time_until(&mut network, most, |n| listed(n, victim, seed) == 0);
            network.run_for(Duration::from_secs(20));
            let downs = &network.observer().downs;
            assert_eq!(downs.len(), nodes - 1, "nobody else is down");
            assert!(downs.keys().all(|(_, down)| *down == victim.node_id(seed)));
            assert!(downs.values().all(|at| *at - crashed <= most));

            network.start(victim, Restart::Empty);
            time_until(&mut network, Duration::from_secs(20), |n| {
                listed(n, victim, seed) == nodes - 1
            });
        }
    }
}

/// R30 to R34: a host that is cut off says nothing, not even that its links have ended. It hears
/// nobody, and accuses nobody; once it is back, it is up for all, and all are for it.
#[test]
fn one_that_is_cut_off_is_down_for_all_and_accuses_nobody() {
    for (nodes, loss) in CASES {
        let mut times = Vec::new();
        for seed in 0..SEEDS {
            let mut network = at_rest(nodes, seed, loss);
            let (victim, id) = (HostId(7), HostId(7).node_id(seed));
            network.partition(|host| host == victim);
            let cut = network.now();
            time_until(&mut network, 8 * SECOND, |n| listed(n, victim, seed) == 0);
            times.extend(delays(&network, cut));
            network.run_for(Duration::from_secs(20));
            let watch = network.observer();
            assert!(watch.downs.keys().all(|(_, down)| *down == id));
            assert_eq!(watch.downs.len(), nodes - 1);
            assert_eq!(watch.isolated, [victim]);

            network.heal();
            time_until(&mut network, Duration::from_secs(20), |n| {
                listed(n, victim, seed) == nodes - 1
            });
            network.run_for(Duration::from_secs(20));
            assert!(network.converged());
            assert_eq!(network.observer().downs.len(), nodes - 1);
        }
        let [_, p99, last] = spread(times);
        assert!(
            p99 <= Duration::from_millis(3_500),
            "{nodes} nodes, loss {loss}: {p99:?}, {last:?}"
        );
    }
}

/// R34, N11: whoever stands still for a second is not taken for dead, and takes nobody for it.
#[test]
fn a_pause_of_a_second_harms_nobody() {
    for (nodes, loss) in CASES {
        for seed in 0..4 {
            let mut network = at_rest(nodes, seed, loss);
            for host in 0..10 {
                network.pause(HostId(host), Duration::from_secs(1));
                network.run_for(Duration::from_secs(10));
            }
            assert_eq!(network.observer().downs, BTreeMap::new());
            assert!(network.converged());
        }
    }
}

/// R28, R35, R39, N12: halves that were apart find each other again.
#[test]
fn halves_that_were_apart_are_one_again() {
    for (nodes, loss) in CASES {
        for seed in 0..2 {
            let mut network = at_rest(nodes, seed, loss);
            let side = |host: HostId| host.0 % 2 == 0;
            network.partition(side);
            let apart = |n: &Network<Watch>| {
                let all = (0..nodes).filter_map(|i| n.node(HostId(i)));
                all.into_iter().all(|n| n.peer_count() == nodes / 2 - 1)
            };
            time_until(&mut network, Duration::from_secs(60), apart);
            network.run_for(Duration::from_secs(60));
            network.heal();
            time_until(&mut network, Duration::from_secs(90), Network::converged);
        }
    }
}

/// N9: beats and asks of a cluster at rest, sent and received together.
#[test]
fn at_rest_watching_costs_a_hundred_bytes_a_second_at_most() {
    for (nodes, loss) in CASES {
        let mut network = at_rest(nodes, 0, loss);
        let (before, time) = (network.bytes(), 120);
        network.run_for(time * SECOND);
        let each = 2.0 * (network.bytes() - before) as f64 / f64::from(time) / nodes as f64;
        // Where a tenth of all exchanges fail, links end now and then, and traces begin anew (R12).
        let most = if loss > 0.0 { 115.0 } else { 100.0 };
        assert!(
            (1.0..=most).contains(&each),
            "{nodes} {loss}: {each} bytes a second"
        );
        eprintln!("at rest, {nodes} nodes, loss {loss}: {each:.0} bytes a second");
    }
}

/// R32: after a partition those from beyond are believed at once: they were known before.
#[test]
fn a_crash_right_after_a_partition_is_known_as_soon_as_another() {
    for seed in 0..4 {
        let mut network = at_rest(40, seed, 0.0);
        network.partition(|host| host.0 % 2 == 0);
        network.run_for(30 * SECOND);
        network.heal();
        time_until(&mut network, 20 * SECOND, Network::converged);
        network.run_for(2 * SECOND);
        let victim = HostId(7);
        network.power_off(victim);
        let most = Duration::from_millis(3_500);
        time_until(&mut network, most, |n| listed(n, victim, seed) == 0);
    }
}
