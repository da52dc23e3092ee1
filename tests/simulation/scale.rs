//! What one crash takes and what a restart of all costs at any size (N10, N12).

use std::time::Duration;

use peer_exchange_memory::{HostId, Network, Random, Restart};

use crate::watch::{SECOND, Watch, at_rest, spread};

/// After a crash it is looked for so long who knows.
const LOOK: Duration = Duration::from_secs(20);
/// Whoever has come is believed after a minute (R32).
const BELIEVED: Duration = Duration::from_secs(65);

/// From the environment of a measurement.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |n| n.parse().expect("a number"))
}

/// One after the other loses power, and nobody says so: how long until each of the others has it as
/// down, the median, p99 and the last; and how many did not, or took another for down. Small
/// clusters get it back each time.
fn crashes(nodes: usize, loss: f64, seed: u64, many: usize) -> ([Duration; 3], usize, usize) {
    let mut network = at_rest(nodes, seed, loss);
    let mut random = Random::new(seed);
    let (mut times, mut missing, mut wrong) = (Vec::new(), 0, 0);
    for _ in 0..many {
        let victim = HostId(random.below(nodes));
        if network.node(victim).is_none() {
            continue;
        }
        let others = (0..nodes).filter(|h| network.node(HostId(*h)).is_some());
        let others = others.count() - 1;
        // At any phase of the beats.
        network.run_for(SECOND * random.below(1_000) as u32 / 1_000);
        network.observer_mut().clear();
        let start = network.now();
        network.power_off(victim);
        network.run_for(LOOK);
        let id = victim.node_id(seed);
        let downs = network.observer().downs.iter();
        let (right, other): (Vec<_>, Vec<_>) = downs.partition(|((_, down), _)| *down == id);
        missing += others - right.len();
        wrong += other.len();
        times.extend(right.into_iter().map(|(_, at)| *at - start));
        if nodes <= 100 {
            network.start(victim, Restart::Empty);
            network.run_for(BELIEVED);
        }
    }
    (spread(times), missing, wrong)
}

/// What a restart of all has led to.
#[derive(Debug)]
struct Restarted {
    downs: usize,
    /// Bytes that the busiest node has sent in the minute after, and all of them in the mean.
    busiest: u64,
    mean: u64,
    converged: bool,
    /// Until all had each other.
    after: Duration,
}

/// All crash at once, and start again within that time, each with its snapshot.
fn restart_all(network: &mut Network<Watch>, within: Duration) -> Restarted {
    let nodes = network.host_count();
    let snapshot = |host| network.node(HostId(host)).map(|n| n.snapshot(n.now()));
    let kept: Vec<_> = (0..nodes).map(snapshot).collect();
    (0..nodes).for_each(|host| network.crash(HostId(host)));
    network.run_for(SECOND);
    network.observer_mut().clear();
    let start = network.now();
    let mut random = Random::new(5);
    let mut starts: Vec<_> = kept.into_iter().enumerate().collect();
    starts.iter().for_each(|(_, kept)| assert!(kept.is_some()));
    for i in (1..nodes).rev() {
        starts.swap(i, random.below(i + 1));
    }
    for (host, kept) in starts {
        let away = network.now() - start + SECOND;
        let kept = kept.expect("it ran");
        network.start(HostId(host), Restart::From(kept, Some(away)));
        network.run_for(within / nodes as u32);
    }
    let settled = network.now() - start + 60 * SECOND;
    network.run_until(start + settled, Network::converged);
    let after = network.now() - start;
    network.run_for(settled - after);
    let watch = network.observer();
    let sent: u64 = watch.sent.values().sum();
    Restarted {
        downs: watch.downs.len(),
        busiest: watch.sent.values().copied().max().unwrap_or_default(),
        mean: sent / nodes as u64,
        converged: network.converged(),
        after,
    }
}

/// N10: `NODES=1000 cargo test --release -p peer-exchange --test simulation scale::n10 -- --ignored
/// --nocapture`, with `LOSS=5` and `CRASHES=20`.
#[test]
#[ignore = "minutes: a measurement"]
fn n10_a_crash_at_any_size() {
    let (nodes, many) = (number("NODES", 1_000), number("CRASHES", 20));
    let loss = number("LOSS", 0) as f64 / 100.0;
    let found = crashes(nodes as usize, loss, number("SEED", 1), many as usize);
    eprintln!("{nodes} nodes, loss {loss}, {many} crashes: {found:?}");
}

/// N12: `NODES=1000 cargo test --release -p peer-exchange --test simulation scale::n12 -- --ignored
/// --nocapture`.
#[test]
#[ignore = "minutes: a measurement"]
fn n12_all_of_a_thousand_start_again() {
    let nodes = number("NODES", 1_000) as usize;
    let loss = number("LOSS", 0) as f64 / 100.0;
    for within in [1, 10] {
        let mut network = at_rest(nodes, number("SEED", 1), loss);
        let found = restart_all(&mut network, within * SECOND);
        eprintln!("{nodes} nodes, loss {loss}, all again within {within} s: {found:?}");
    }
}

/// N10 in short.
#[test]
fn a_crash_is_known_in_three_seconds_at_any_size() {
    for (nodes, many) in [(3, 8), (10, 6), (30, 4), (100, 3)] {
        for loss in [0.0, 0.05] {
            let (times, missing, wrong) = crashes(nodes, loss, 3, many);
            let told = format!("{nodes} nodes, loss {loss}: {times:?}, {missing}, {wrong}");
            assert!(times[1] <= Duration::from_millis(3_300), "{told}");
            assert_eq!((missing, wrong), (0, 0), "{told}");
        }
    }
}

/// N12 in short.
#[test]
fn all_that_start_again_take_nobody_down() {
    for within in [SECOND, 10 * SECOND] {
        let mut network = at_rest(40, 2, 0.0);
        let found = restart_all(&mut network, within);
        assert!(found.converged && found.downs == 0, "{found:?}");
        assert!(found.after <= within + 10 * SECOND, "{found:?}");
        assert!(found.mean <= found.busiest, "{found:?}");
        assert!(found.busiest <= 100_000, "{found:?}");
    }
}
