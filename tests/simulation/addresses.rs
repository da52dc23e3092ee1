//! Nodes that nobody has told where they are (R38).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::{Config, Multiaddr, OwnAddressState};
use peer_exchange_memory::{Balance, Faults, HostId, Network, Setup};

const SECOND: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(100);

fn network(seed: u64) -> Network {
    let faults = Faults {
        latency: LATENCY,
        ..Faults::default()
    };
    Network::new(Setup {
        seed,
        faults,
        config: Config::default(),
    })
}

/// It listens at this port of every address, and knows none.
fn listens(network: &mut Network, host: HostId, port: u16) {
    let identity = network.identity_mut(host);
    identity.addresses = Vec::new();
    identity.listening = vec![Multiaddr::tcp(([0; 4], port).into())];
}

fn ring(network: &mut Network, hosts: usize) {
    for n in 0..hosts {
        let host = network.add_host(&[HostId((n + 1) % hosts)]);
        listens(network, host, host.socket().port());
    }
}

fn announced(network: &Network) -> Vec<Vec<Multiaddr>> {
    let hosts = (0..network.host_count()).map(HostId);
    let nodes = hosts.filter_map(|host| network.node(host));
    nodes.map(|node| node.addresses().to_vec()).collect()
}

#[test]
fn nodes_that_are_told_no_address_find_each_other_at_proven_ones() {
    for hosts in [2, 3, 20, 100] {
        let mut network = network(7);
        ring(&mut network, hosts);
        network.start_all();
        let met = network.run_until(60 * SECOND, Network::converged);
        eprintln!(
            "{hosts}: {} hops",
            network.now().as_millis() / LATENCY.as_millis()
        );
        assert!(met, "{hosts}");
        let own: Vec<_> = (0..hosts).map(|n| vec![HostId(n).address()]).collect();
        assert_eq!(announced(&network), own);
    }
}

/// Behind NAT, say: it takes part, and nobody is told of it.
#[test]
fn a_node_that_nobody_reaches_is_not_announced() {
    let mut network = network(8);
    ring(&mut network, 10);
    let closed = HostId(4);
    listens(&mut network, closed, 7_001);
    network.start_all();
    network.run_for(120 * SECOND);
    for n in (0..10).filter(|n| *n != closed.0) {
        assert_eq!(network.node(HostId(n)).unwrap().peer_count(), 8, "{n}");
    }
    let node = network.node(closed).unwrap();
    assert_eq!((node.addresses(), node.peer_count()), (&[][..], 9));
    let states: Vec<_> = node.own_addresses().map(|own| own.state).collect();
    assert_eq!(states, [OwnAddressState::Unreachable]);
}

/// A balancer's address leads to others as well: whoever is seen there is not announced there.
#[test]
fn nobody_announces_the_address_of_a_balancer() {
    let front = SocketAddr::from(([10, 254, 0, 1], 7000));
    for (seed, how) in [
        (9, Balance::Random),
        (10, Balance::InTurn),
        (11, Balance::Random),
    ] {
        let mut network = network(seed);
        for n in 0..30 {
            network.add_host_at(vec![Multiaddr::tcp(front)]);
            listens(&mut network, HostId(n), 7_000);
        }
        network.balance(front, (0..4).map(HostId).collect(), how);
        network.start_all();
        network.run_for(120 * SECOND);
        assert!(network.converged(), "{how:?} {seed}");
        let all: BTreeSet<Multiaddr> = announced(&network).into_iter().flatten().collect();
        let own: BTreeSet<_> = (0..30).map(|n| HostId(n).address()).collect();
        assert_eq!(all, own, "{how:?} {seed}");
    }
}
