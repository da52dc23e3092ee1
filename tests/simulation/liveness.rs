//! N8: whatever has happened, after calm nobody alive is down at anybody who hears another, and
//! everybody dead is down, or forgotten, everywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use peer_exchange::{NodeId, PeerState};
use peer_exchange_memory::{Faults, HostId, Network, Random, Restart};

use crate::band;
use crate::checkers::Checkers;
use crate::cluster::{Graph, brisk};

/// What one running node has of all others.
#[derive(Default)]
struct Seen {
    states: BTreeMap<NodeId, PeerState>,
    /// It hears nobody: what it says of others is what it knew.
    isolated: bool,
}

/// What does not hold after calm.
fn complaints(seen: &BTreeMap<NodeId, Seen>) -> Vec<String> {
    let mut said = Vec::new();
    for (by, seen_by) in seen.iter().filter(|(_, seen)| !seen.isolated) {
        for (node, state) in &seen_by.states {
            match (seen.contains_key(node), state.is_live()) {
                (true, false) => said.push(format!("{node:?} is alive, and {state:?} at {by:?}")),
                (false, true) => said.push(format!("{node:?} is dead, and {state:?} at {by:?}")),
                _ => {}
            }
        }
        let lacks = seen.keys().filter(|n| *n != by);
        for node in lacks.filter(|n| !seen_by.states.contains_key(n)) {
            said.push(format!("{node:?} is alive, and unknown at {by:?}"));
        }
    }
    said
}

fn look(network: &Network<Checkers>) -> BTreeMap<NodeId, Seen> {
    let nodes = (0..network.host_count()).filter_map(|i| network.node(HostId(i)));
    let seen = nodes.map(|node| {
        let states = node.members().map(|peer| (peer.node, peer.state));
        let seen = Seen {
            states: states.collect(),
            isolated: node.is_isolated(),
        };
        (node.id(), seen)
    });
    seen.collect()
}

const HOSTS: usize = 12;

/// One thing that goes wrong, or is over.
fn trouble(network: &mut Network<Checkers>, cuts: &mut Vec<(HostId, HostId)>, random: &mut Random) {
    let host = HostId(random.below(HOSTS));
    let other = HostId(random.below(HOSTS));
    let some = |random: &mut Random, most: usize| Duration::from_millis(random.below(most) as u64);
    match random.below(9) {
        0 => network.crash(host),
        1 => network.power_off(host),
        2 => {
            let time = some(random, 4_000);
            network.observer_mut().world.waited += time;
            network.pause(host, time);
        }
        3 => network.slow_down(host, some(random, 400)),
        4 => {
            cuts.push((host, other));
            let cuts = cuts.clone();
            network.set_cuts(move |way| cuts.contains(&(way.from, way.to)));
        }
        5 => {
            let salt = random.next_u64();
            network.partition(|h| salt >> (h.0 % 64) & 1 == 1);
        }
        6 => {
            cuts.clear();
            network.heal();
        }
        7 if network.node(host).is_none() => network.start(host, Restart::Empty),
        8 => {
            let kept = network.node(host).map(|n| n.snapshot(n.now()));
            network.crash(host);
            if let Some(kept) = kept {
                network.start(host, Restart::From(kept, Some(Duration::ZERO)));
            }
        }
        _ => {}
    }
}

/// R30 to R35, R29: with every checker at every step.
#[test]
fn after_any_trouble_the_living_are_up_and_the_dead_are_not() {
    let mut counts = Vec::new();
    band::seeds("after_any_trouble", 12, |seed| {
        let mut config = brisk();
        config.detection = Some(Duration::from_secs(3));
        let faults = Faults {
            latency: Duration::from_millis(5),
            loss: 0.02,
            ..Faults::default()
        };
        let mut network = Graph::ring(HOSTS).network(seed, config, faults);
        network.start_all();
        network.run_for(Duration::from_secs(20));
        let (mut random, mut cuts) = (Random::new(seed), Vec::new());
        for _ in 0..30 {
            trouble(&mut network, &mut cuts, &mut random);
            network.run_for(Duration::from_millis(random.below(3_000) as u64));
        }
        network.heal();
        for host in (0..HOSTS).map(HostId) {
            network.slow_down(host, Duration::ZERO);
        }
        network.run_for(Duration::from_secs(60));
        let said = complaints(&look(&network));
        assert!(said.is_empty(), "{said:#?}");
        counts.push(network.fault_counts());
    });
    let happened = |count: fn(&peer_exchange_memory::FaultCounts) -> u64| {
        assert!(counts.iter().map(count).sum::<u64>() > 0, "{counts:?}");
    };
    happened(|c| c.crashes);
    happened(|c| c.restarts);
    happened(|c| c.pauses);
    happened(|c| c.partitioned);
    happened(|c| c.lost);
}

/// R29, N12: all start again within ten seconds, each from its snapshot; nobody is taken for down.
#[test]
fn when_all_start_again_within_ten_seconds_nobody_is_down() {
    for seed in 0..4 {
        let mut config = brisk();
        config.detection = Some(Duration::from_secs(3));
        let hosts = 60;
        let mut network = Graph::ring(hosts).network(seed, config, Faults::default());
        network.start_all();
        network.run_for(Duration::from_secs(90));
        let kept: Vec<_> = (0..hosts)
            .map(|h| network.node(HostId(h)).map(|n| n.snapshot(n.now())))
            .collect();
        for host in 0..hosts {
            network.crash(HostId(host));
        }
        let start = network.now();
        for (host, kept) in kept.into_iter().enumerate() {
            let from = Restart::From(kept.expect("it ran"), Some(network.now() - start));
            network.start(HostId(host), from);
            network.run_for(Duration::from_secs(10) / hosts as u32);
        }
        network.run_for(Duration::from_secs(20));
        let downs = (0..hosts).filter_map(|h| network.node(HostId(h)));
        let downs: u64 = downs.map(|n| n.stats().downs).sum();
        assert_eq!(downs, 0, "seed {seed}");
        assert!(network.converged());
    }
}

mod bites {
    use super::*;
    use crate::forge::id;

    fn seen(states: &[(u8, PeerState)]) -> Seen {
        Seen {
            states: states
                .iter()
                .map(|(n, s)| (id(usize::from(*n)), *s))
                .collect(),
            isolated: false,
        }
    }

    fn two(first: &[(u8, PeerState)]) -> BTreeMap<NodeId, Seen> {
        let second = seen(&[(0, PeerState::Up)]);
        BTreeMap::from([(id(0), seen(first)), (id(1), second)])
    }

    #[test]
    fn at_one_that_is_alive_and_down_or_unknown() {
        assert!(complaints(&two(&[(1, PeerState::Up)])).is_empty());
        assert!(complaints(&two(&[(1, PeerState::Suspect)])).is_empty());
        assert_eq!(complaints(&two(&[(1, PeerState::Down)])).len(), 1);
        assert_eq!(complaints(&two(&[(1, PeerState::Left)])).len(), 1);
        assert_eq!(complaints(&two(&[])).len(), 1);
    }

    #[test]
    fn at_one_that_is_dead_and_up() {
        let known = |state| two(&[(1, PeerState::Up), (2, state)]);
        assert!(complaints(&known(PeerState::Down)).is_empty());
        assert_eq!(complaints(&known(PeerState::Up)).len(), 1);
        assert_eq!(complaints(&known(PeerState::Suspect)).len(), 1);
    }

    #[test]
    fn but_not_at_who_hears_nobody() {
        let mut all = two(&[(1, PeerState::Down)]);
        all.get_mut(&id(0)).expect("it is there").isolated = true;
        assert!(complaints(&all).is_empty());
    }

    /// Nodes without a detector: the dead stay up.
    #[test]
    fn at_nodes_that_watch_nobody() {
        let mut config = brisk();
        config.detection = None;
        let mut network = Graph::ring(4).network(1, config, Faults::default());
        network.start_all();
        network.run_for(Duration::from_secs(20));
        assert!(complaints(&look(&network)).is_empty());
        network.power_off(HostId(2));
        network.run_for(Duration::from_secs(60));
        assert_eq!(complaints(&look(&network)).len(), 3);
    }
}
