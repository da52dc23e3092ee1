//! Three servers in a ring, all tables empty, all asking at once.

use std::time::Duration;

use peer_exchange::{Kind, Node};
use peer_exchange_memory::{HostId, Network};

use crate::old;
use crate::watch::{MS, Watch, canonical, network};

const HOSTS: [HostId; 3] = [HostId(0), HostId(1), HostId(2)];

/// server1 asks server2, which asks server3, which asks server1. No jitter: all ask at once.
fn ring(seed: u64) -> Network<Watch> {
    let mut network = network(seed);
    for host in 0..3 {
        let host = network.add_host(&[HostId((host + 1) % 3)]);
        network.config_mut(host).start_jitter = Duration::ZERO;
    }
    network.start_all();
    network
}

#[test]
fn it_converges_without_recursion() {
    for seed in 0..50 {
        let mut network = ring(seed);
        assert!(network.run_until(100 * MS, Network::converged), "{seed}");
        network.run_for(Duration::from_secs(600));
        let watch = network.observer();
        assert_eq!(watch.most_under_way, 1, "{seed}: one per upstream");
        assert!(watch.deepest() <= 3, "{seed}: {} forwards", watch.deepest());
        assert!(watch.forwarded <= 9, "{seed}: {}", watch.forwarded);
    }
}

#[test]
fn the_cycle_is_reported_at_every_node_within_one_walk() {
    for seed in 0..50 {
        let mut network = ring(seed);
        network.run_for(Duration::from_secs(60));
        let cycle = canonical(seed, &HOSTS);
        // N5: ten hops.
        let soon = 10 * MS;
        network.observer().assert_reported(&HOSTS, &cycle, soon);
    }
}

fn beats(node: &Node) -> u64 {
    let sent = |kind| node.stats().sent_of(kind).messages;
    sent(Kind::Beat) + sent(Kind::Ask)
}

#[test]
fn the_old_behaviour_storms_where_the_node_does_not() {
    let seconds = 60;
    // With one request of a client at each server, and never an answer that is not empty.
    let uncapped = old::ring(3, None).run(seconds * 1_000);
    let capped = old::ring(3, Some(20)).run(seconds * 1_000);
    let mut network = ring(1);
    network.run_for(Duration::from_secs(seconds));
    // What liveness costs is another question: beats do not ask.
    let nodes = HOSTS.map(|host| network.node(host).map_or(0, beats));
    let new = network.messages() - nodes.iter().sum::<u64>();

    // Three requests circle for ever, one hop a millisecond; nobody is ever answered.
    assert_eq!(uncapped.requests, 3 * (seconds * 1_000 + 1));
    assert_eq!(uncapped.answers, 0);
    assert_eq!(uncapped.most_under_way, 60_001);
    // The cap turns the circle into bursts: every refusal makes the client ask again.
    assert!(capped.requests > 1_000, "{}", capped.requests);
    assert_eq!(capped.most_under_way, 20);
    assert_eq!(capped.learned, 0, "the circle with every source empty");
    assert!(new < 200, "{new}");
    assert!(
        uncapped.requests > 500 * new,
        "{} to {new}",
        uncapped.requests
    );
    assert!(capped.requests > 5 * new, "{} to {new}", capped.requests);
}
