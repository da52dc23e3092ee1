//! The known reproduction: server1 alone, server2 joins server1, server3 joins server2; then
//! server1 restarts with server3 as its upstream, and everybody else is warm.

use std::time::Duration;

use peer_exchange::Input;
use peer_exchange_memory::{HostId, Network, Restart};

use crate::watch::{MS, Watch, canonical, network};

const SERVER1: HostId = HostId(0);
const SERVER2: HostId = HostId(1);
const SERVER3: HostId = HostId(2);

fn warm(seed: u64) -> Network<Watch> {
    let mut network = network(seed);
    network.add_host(&[]);
    network.add_host(&[SERVER1]);
    network.add_host(&[SERVER2]);
    for host in [SERVER1, SERVER2, SERVER3] {
        network.start(host, Restart::Empty);
        network.run_for(Duration::from_secs(120));
    }
    assert!(network.converged());
    assert_eq!(network.observer().cycles, [], "there is none yet");
    network
}

/// server1 restarts into the ring, and takes `down` for it.
fn restarted(seed: u64, down: Duration, snapshot: bool) -> (Network<Watch>, Duration) {
    let mut network = warm(seed);
    // Lifetimes are as of the last input.
    network.input(SERVER1, Input::Wake);
    let state = network.node(SERVER1).map(|n| n.snapshot(n.now()));
    network.crash(SERVER1);
    network.run_for(down);
    network.observer_mut().reset();
    network.config_mut(SERVER1).upstreams = vec![SERVER3.address()];
    let restart = match state.filter(|_| snapshot) {
        Some(state) => Restart::From(state, Some(down)),
        None => Restart::Empty,
    };
    let at = network.now();
    network.start(SERVER1, restart);
    (network, at)
}

#[test]
fn no_storm_and_the_cycle_is_reported_at_once() {
    for (seed, snapshot) in (0..20).flat_map(|s| [(s, false), (s, true)]) {
        let (mut network, at) = restarted(seed, Duration::from_secs(5), snapshot);
        network.run_for(Duration::from_secs(300));
        assert!(network.converged(), "{seed}");
        let watch = network.observer();
        assert_eq!(watch.most_under_way, 1, "{seed}: one per upstream");
        assert!(watch.deepest() <= 3, "{seed}: {} forwards", watch.deepest());
        // server2 has to find that server1 is back: its backoff after 5 s is 8 s at most.
        let cycle = canonical(seed, &[SERVER1, SERVER3, SERVER2]);
        let hosts = [SERVER1, SERVER2, SERVER3];
        let soon = at + Duration::from_secs(10);
        watch.assert_reported(&hosts, &cycle, soon);
        // Five minutes of three nodes; the old behaviour needs that many in a tenth of a second.
        assert!(network.observer().requests < 150, "{seed}");
    }
}

#[test]
fn the_report_takes_milliseconds_once_the_ring_is_closed() {
    for seed in 0..20 {
        let (mut network, at) = restarted(seed, 100 * MS, false);
        // server2 dials again at once; and nobody sends two traces of its own in a second.
        network.run_for(Duration::from_secs(3));
        let cycle = canonical(seed, &[SERVER1, SERVER3, SERVER2]);
        let hosts = [SERVER1, SERVER2, SERVER3];
        let soon = at + 1_500 * MS;
        network.observer().assert_reported(&hosts, &cycle, soon);
    }
}
