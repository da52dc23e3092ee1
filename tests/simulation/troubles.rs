//! What happens to hosts that are not dead: they stand still, their clocks do, they are slow, cut off
//! from one other, restart again and again. Nobody else is to suffer (R30 to R34, N11, N12).

use std::collections::BTreeSet;
use std::time::Duration;

use peer_exchange::NodeId;
use peer_exchange_memory::{Faults, HostId, Network, Random, Restart};

use crate::watch::{SECOND, Watch, at_rest, at_rest_with, listed, time_until, watchful};

const CASES: [(u64, f64); 2] = [(1, 0.0), (2, 0.05)];
const NODES: usize = 30;

/// Whom anybody has taken for down.
fn down(network: &Network<Watch>) -> BTreeSet<NodeId> {
    let downs = &network.observer().downs;
    downs.keys().map(|(_, node)| *node).collect()
}

/// Whom this host has taken for down.
fn down_at(network: &Network<Watch>, host: HostId) -> usize {
    let downs = &network.observer().downs;
    downs.keys().filter(|(by, _)| *by == host).count()
}

/// From now on nothing comes through one way between two that are linked.
fn cut_one(network: &mut Network<Watch>, random: &mut Random) {
    let from = HostId(random.below(network.host_count()));
    let links: Vec<_> = network
        .node(from)
        .into_iter()
        .flat_map(|n| n.links())
        .collect();
    let to = network
        .host_of(&links[random.below(links.len())].node)
        .expect("a host");
    network.set_cuts(move |way| (way.from, way.to) == (from, to));
}

/// R34: a process that was stopped is down meanwhile, and takes nobody for it when it goes on,
/// whether or not its clock has seen the time.
#[test]
fn whoever_has_stood_still_for_long_is_back_in_seconds_and_blames_nobody() {
    for (seed, loss) in CASES {
        for suspended in [false, true] {
            let mut network = at_rest(NODES, seed, loss);
            let (victim, id) = (HostId(7), HostId(7).node_id(seed));
            let time = 600 * SECOND;
            match suspended {
                true => network.suspend(victim, time),
                false => network.pause(victim, time),
            }
            network.run_for(time - SECOND);
            assert_eq!(listed(&network, victim, seed), 0, "{suspended} {loss}");
            network.run_for(SECOND);
            time_until(&mut network, 20 * SECOND, |n| {
                listed(n, victim, seed) == NODES - 1
            });
            network.run_for(20 * SECOND);
            assert!(network.converged());
            assert_eq!(down(&network), BTreeSet::from([id]), "{suspended} {loss}");
            assert_eq!(down_at(&network, victim), 0);
        }
    }
}

/// R29, R34: a clock that jumps an hour ahead harms nobody.
#[test]
fn a_clock_that_jumps_harms_nobody() {
    for (seed, loss) in CASES {
        let mut network = at_rest(100, seed, loss);
        network.jump_clock(HostId(7), 3_600 * SECOND);
        network.run_for(60 * SECOND);
        assert!(network.fault_counts().clock_jumps == 1 && network.converged());
        assert_eq!(down(&network), BTreeSet::new());
    }
}

/// R32: neither hosts that are slow nor ways that are cut between two make anybody down.
#[test]
fn slow_hosts_and_single_cuts_harm_nobody() {
    for (seed, loss) in CASES {
        let mut network = at_rest(NODES, seed, loss);
        [3, 11]
            .into_iter()
            .for_each(|host| network.slow_down(HostId(host), SECOND));
        let mut random = Random::new(seed);
        for _ in 0..10 {
            cut_one(&mut network, &mut random);
            network.run_for(30 * SECOND);
        }
        assert!(network.fault_counts().partitioned > 0, "nothing was cut");
        assert_eq!(down(&network), BTreeSet::new(), "{loss}");
    }
}

/// R31, R33: one that stands still for seconds at a time, and one that joins and crashes every five
/// seconds, harm nobody but themselves.
#[test]
fn one_that_stalls_and_one_that_crashes_again_and_again_harm_nobody_else() {
    for (seed, loss) in CASES {
        let mut network = at_rest(NODES, seed, loss);
        let (stalls, crashes) = (HostId(3), HostId(11));
        let mut random = Random::new(seed);
        network.observer_mut().clear();
        for _ in 0..24 {
            let stall = Duration::from_millis(1_000 + random.below(3_500) as u64);
            network.pause(stalls, stall);
            // Without what it knew of itself it would be let in once in ten minutes (R6).
            let node = network.node(crashes).expect("it runs");
            let kept = Restart::From(
                node.snapshot(node.now()),
                Some(Duration::from_millis(2_500)),
            );
            network.crash(crashes);
            network.run_for(Duration::from_millis(2_500));
            network.start(crashes, kept);
            network.run_for(Duration::from_millis(2_500));
        }
        let themselves = [stalls, crashes].map(|host| host.node_id(seed));
        let others: Vec<_> = down(&network).into_iter().collect();
        assert!(others.iter().all(|n| themselves.contains(n)), "{loss}");
        let sent = network.observer().sent.values().copied().max();
        let each = sent.unwrap_or_default() / 120;
        eprintln!("stalls and crashes, loss {loss}: {each} bytes a second of the busiest");
        network.run_for(30 * SECOND);
        assert!(network.converged());
    }
}

/// R30: in a cluster of four the third watches too, on request; all of fewer do in any case.
#[test]
fn of_four_all_watch_all() {
    let mut network = at_rest(4, 1, 0.0);
    let beats = |n: &Network<Watch>, host: usize| {
        let node = n.node(HostId(host)).expect("it runs");
        node.stats().sent_of(peer_exchange::Kind::Beat).messages
    };
    let before: Vec<_> = (0..4).map(|host| beats(&network, host)).collect();
    network.run_for(30 * SECOND);
    for (host, before) in before.into_iter().enumerate() {
        let beaten = beats(&network, host) - before;
        assert!(
            (80..=130).contains(&beaten),
            "{host}: {beaten} in 30 s, to three"
        );
    }
}

/// N12: all at once, with what they knew and without.
#[test]
fn a_restart_of_all_takes_nobody_down_for_long() {
    for (snapshots, within) in [(true, 1), (true, 8), (false, 1)] {
        let nodes = 100;
        let mut network = at_rest(nodes, 1, 0.0);
        let kept: Vec<_> = (0..nodes)
            .map(|host| network.node(HostId(host)).map(|n| n.snapshot(n.now())))
            .collect();
        network.observer_mut().clear();
        (0..nodes).for_each(|host| network.crash(HostId(host)));
        let mut random = Random::new(5);
        let gap = within * SECOND / nodes as u32;
        for (host, snapshot) in kept.into_iter().enumerate() {
            let restart = match snapshot.filter(|_| snapshots) {
                Some(bytes) => Restart::From(bytes, Some(SECOND)),
                None => Restart::Empty,
            };
            network.start(HostId(host), restart);
            network.run_for(gap / 2 + gap * random.below(100) as u32 / 100);
        }
        network.run_for(60 * SECOND);
        let busiest = network.observer().sent.values().copied().max();
        let downs = network.observer().downs.len();
        eprintln!("restart {snapshots} {within} s: {downs} downs, busiest {busiest:?} bytes");
        assert!(network.converged(), "{snapshots} {within}");
        assert_eq!(downs, 0, "{snapshots} {within}");
    }
}

/// R30, R55: where a table has room for a part of the cluster only, those that it lists are watched
/// all the same: how long until whoever lists a node knows that it is gone.
fn crashes_with_small_tables(
    nodes: usize,
    capacity: usize,
    crashes: usize,
    seed: u64,
) -> Vec<Duration> {
    let config = watchful().with_capacity(capacity);
    let mut network = at_rest_with(nodes, seed, 0.0, config);
    let mut times = Vec::new();
    let mut random = Random::new(9);
    for _ in 0..crashes {
        let victim = HostId(random.below(nodes));
        if network.node(victim).is_none() {
            continue;
        }
        let id = victim.node_id(seed);
        let lists = |n: &Network<Watch>| -> Vec<HostId> {
            let hosts = (0..nodes).map(HostId);
            let lists = |h: &HostId| n.node(*h).is_some_and(|node| node.peer(&id).is_some());
            hosts.filter(lists).collect()
        };
        network.power_off(victim);
        let start = network.now();
        let mut left = lists(&network);
        while !left.is_empty() && network.now() - start < 60 * SECOND {
            network.run_for(Duration::from_millis(100));
            let now: BTreeSet<_> = lists(&network).into_iter().collect();
            let past = network.now() - start;
            times.extend(left.iter().filter(|h| !now.contains(h)).map(|_| past));
            // Who takes it in meanwhile has not listed it.
            left.retain(|h| now.contains(h));
        }
        times.extend(left.iter().map(|_| 60 * SECOND));
    }
    times
}

/// One in about 2,000 is told by nobody, and finds out when it dials (docs/costs.md).
#[test]
fn with_small_tables_a_crash_is_known_to_those_that_list_the_node() {
    let runs = (1..=4).flat_map(|seed| crashes_with_small_tables(100, 25, 8, seed));
    let times: Vec<_> = runs.collect();
    let untold = times.iter().filter(|time| **time > 10 * SECOND).count();
    let of = times.len();
    let [p50, p99, last] = crate::watch::spread(times);
    eprintln!("100 nodes, room for 25: {p50:?} {p99:?} {last:?}, {untold} of {of} untold");
    assert!(p99 <= 4 * SECOND, "{p50:?} {p99:?} {last:?}");
    assert!(untold * 250 <= of, "{untold} of {of}");
}

/// `cargo test --release --test simulation small_tables_of_many -- --ignored --nocapture`
#[test]
#[ignore = "minutes: a measurement"]
fn small_tables_of_many_nodes() {
    let spread = crate::watch::spread(crashes_with_small_tables(2_000, 256, 8, 1));
    eprintln!("2,000 nodes, room for 256: {spread:?}");
}

/// Runs so many node-hours at 5 % loss, with a pause of a second an hour and node, two slow nodes,
/// and one way between two cut at any time. How many were taken for down.
fn soak(nodes: usize, node_hours: f64, seed: u64) -> usize {
    let mut network = at_rest(nodes, seed, 0.05);
    network.observer_mut().clear();
    let mut random = Random::new(seed);
    [0, 1]
        .into_iter()
        .for_each(|host| network.slow_down(HostId(host), SECOND / 2));
    let minutes = (node_hours * 60.0 / nodes as f64).ceil() as u32;
    let mut pauses = 0;
    for _ in 0..minutes {
        cut_one(&mut network, &mut random);
        for _ in 0..12 {
            // Twelve times a minute, as often as gives one an hour and node.
            if random.chance(nodes as f64 / 720.0) {
                network.pause(HostId(random.below(nodes)), SECOND);
                pauses += 1;
            }
            network.run_for(5 * SECOND);
        }
    }
    let downs = network.observer().downs.len();
    let counts = network.fault_counts();
    eprintln!("seed {seed}: {minutes} min of {nodes}, {pauses} pauses, {counts:?}: {downs} down");
    assert!(pauses > 0 && counts.lost > 0 && counts.partitioned > 0);
    downs
}

/// N11 in short.
#[test]
fn nobody_healthy_is_down_in_ten_node_hours() {
    assert_eq!(soak(100, 10.0, 1), 0);
}

/// N11: `NODE_HOURS=20000 SEED=1 cargo test --release --test simulation n11 -- --ignored --nocapture`.
/// At most one in 720 nodes an interval pauses, so there are at most 720 nodes.
#[test]
#[ignore = "an hour of a core: N11"]
fn n11_nobody_healthy_is_down() {
    let text = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
    let hours: f64 = text("NODE_HOURS", "20000").parse().expect("a number");
    let seed: u64 = text("SEED", "1").parse().expect("a number");
    let nodes: usize = text("NODES", "100").parse().expect("a number");
    assert_eq!(soak(nodes, hours, seed), 0);
}

/// The checks above bite: whoever is cut off from all is down, at all.
#[test]
fn one_that_is_cut_off_is_seen_by_these_checks() {
    let mut network = at_rest(NODES, 1, 0.0);
    network.set_cuts(|way| way.from == HostId(7));
    network.run_for(10 * SECOND);
    assert_eq!(down(&network), BTreeSet::from([HostId(7).node_id(1)]));
    network.set_faults(Faults::default());
    assert_eq!(listed(&network, HostId(7), 1), 0);
}
