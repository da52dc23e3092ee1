//! A server that asks itself, through a load balancer or plainly.

use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::{Multiaddr, UpstreamState};
use peer_exchange_memory::HostId;

use crate::watch::{MS, network};

#[test]
fn a_self_loop_through_a_load_balancer_is_a_cycle_of_one() {
    let front = SocketAddr::from(([10, 254, 0, 1], 9345));
    let mut network = network(3);
    let host = network.add_host_at(vec![Multiaddr::tcp(front)]);
    network.add_balancer(front, vec![host]);
    network.start_all();
    network.run_for(Duration::from_secs(400));
    let cycle = [host.node_id(3)];
    let watch = network.observer();
    // Not at the first dial: a balancer may lead elsewhere at the next.
    watch.assert_reported(&[host], &cycle, 60_000 * MS);
    assert_eq!(watch.requests, 0, "nobody asks himself");
    let node = network.node(host).expect("it runs");
    assert!(node.upstreams().all(|u| u.state == UpstreamState::Itself));
    assert_eq!(node.loops().count(), 1);
}

#[test]
fn two_addresses_of_one_server_are_one_upstream() {
    let front = SocketAddr::from(([10, 254, 0, 1], 9345));
    let mut network = network(4);
    let first = network.add_host(&[]);
    let upstreams = vec![first.address(), Multiaddr::tcp(front)];
    let second = network.add_host_at(upstreams);
    network.add_balancer(front, vec![first]);
    network.start_all();
    network.run_for(Duration::from_secs(60));
    assert!(network.converged());
    let watch = network.observer();
    assert_eq!(watch.cycles, []);
    assert_eq!(watch.most_under_way, 1);
    let links = network.node(second).map(|n| n.links().count());
    assert_eq!(links, Some(1), "the second link goes");
}

#[test]
fn behind_a_balancer_of_two_both_meet_and_each_may_meet_itself() {
    let front = SocketAddr::from(([10, 254, 0, 1], 9345));
    for seed in 0..20 {
        let mut network = network(seed);
        let hosts = [HostId(0), HostId(1)];
        for _ in hosts {
            network.add_host_at(vec![Multiaddr::tcp(front)]);
        }
        network.add_balancer(front, hosts.to_vec());
        network.start_all();
        let met = network.run_until(Duration::from_secs(30), |n| n.converged());
        assert!(met, "{seed}");
        for (host, _, path) in &network.observer().cycles {
            let own = path.as_slice() == [host.node_id(seed)];
            assert!(own || path.len() == 2, "{seed}: {path:?}");
        }
    }
}
