//! Hosts that are reached over two transports, of which one is blocked (R32).

use std::collections::BTreeMap;
use std::time::Duration;

use peer_exchange::Multiaddr;
use peer_exchange::addr::Protocol;
use peer_exchange_memory::{HostId, Network, Way};

use crate::cluster::{Graph, losing};
use crate::watch::{AT_REST, SECOND, Watch, watchful};

const NODES: usize = 20;

/// Each listens over QUIC and TCP.
fn dual(seed: u64, loss: f64, blocked: impl Fn(Way) -> bool + Send + 'static) -> Network<Watch> {
    let mut network = Graph::ring(NODES).observed(seed, watchful(), losing(loss), Watch::default());
    for host in (0..NODES).map(HostId) {
        let socket = host.socket();
        network.identity_mut(host).addresses =
            vec![Multiaddr::quic(socket), Multiaddr::tcp(socket)];
    }
    network.set_cuts(blocked);
    network.start_all();
    network.run_for(AT_REST);
    assert!(network.converged());
    network
}

/// One way is enough to block it: from these hosts to those.
fn blocks(protocol: Protocol, both: bool) -> impl Fn(Way) -> bool + Send + Copy {
    move |way: Way| way.protocol == protocol && (both || way.from.0 < way.to.0)
}

/// R32: with UDP blocked and TCP open, or the reverse, in the middle of things and for a while,
/// nobody is down, and news goes over what is open.
#[test]
fn what_is_blocked_over_one_transport_is_up_over_the_other() {
    for protocol in [Protocol::Quic, Protocol::Tcp] {
        for both in [true, false] {
            for (seed, loss) in [(1, 0.0), (2, 0.05)] {
                let told = format!("{protocol:?} {both} {loss}");
                let mut network = dual(seed, loss, |_| false);
                network.set_cuts(blocks(protocol, both));
                network.run_for(60 * SECOND);
                assert!(network.fault_counts().partitioned > 0, "{told}");
                assert_eq!(network.observer().downs, BTreeMap::new(), "{told}");
                assert!(network.converged(), "{told}");
                network.input(
                    HostId(3),
                    peer_exchange::Input::SetMetadata(b"new".to_vec()),
                );
                let until = network.now() + 5 * SECOND;
                assert!(network.run_until(until, Network::converged), "{told}");
                network.set_cuts(|_| false);
                network.run_for(60 * SECOND);
                assert_eq!(network.observer().downs, BTreeMap::new(), "{told}");
            }
        }
    }
}

/// R32: from the start. Upstreams here have one address, over TCP.
#[test]
fn what_is_blocked_from_the_start_is_up_over_the_other() {
    for both in [true, false] {
        let network = dual(1, 0.0, blocks(Protocol::Quic, both));
        assert_eq!(network.observer().downs, BTreeMap::new());
        assert!(network.fault_counts().partitioned > 0);
    }
}

/// R32: each says once that UDP does not get through, and takes it back once it does; at 5 % loss
/// nobody says so who can be reached.
#[test]
fn what_is_blocked_is_told_once_and_taken_back() {
    for (seed, loss) in [(1, 0.0), (2, 0.05)] {
        let mut network = dual(seed, loss, |_| false);
        network.run_for(120 * SECOND);
        assert_eq!(network.observer().blocked, [], "{loss}");
        network.set_cuts(blocks(Protocol::Quic, true));
        network.run_for(180 * SECOND);
        let told = network.observer().blocked.clone();
        let of = |host| told.iter().filter(|(h, _)| *h == HostId(host)).count();
        let most = (0..NODES).map(of).max();
        assert_eq!(most, Some(1), "{loss}: {told:?}");
        assert!(told.len() >= NODES / 2, "{loss}: {told:?}");
        network.set_cuts(|_| false);
        network.run_for(180 * SECOND);
        let open = |host| {
            let node = network.node(HostId(host)).expect("it runs");
            node.stats().transports_blocked
        };
        assert_eq!((0..NODES).map(open).sum::<u64>(), 0, "{loss}");
        let said = &network.observer().blocked;
        assert_eq!(said.len(), 2 * told.len(), "{loss}: {said:?}");
        assert_eq!(network.observer().downs, BTreeMap::new(), "{loss}");
    }
}

/// The checks above bite: with both transports blocked it is down.
#[test]
fn what_is_blocked_over_both_is_down() {
    let mut network = dual(1, 0.0, |_| false);
    network.set_cuts(|way| HostId(7) == way.to || HostId(7) == way.from);
    network.run_for(Duration::from_secs(10));
    let id = HostId(7).node_id(1);
    let downs = network.observer().downs.keys().filter(|(_, n)| *n == id);
    assert_eq!(downs.count(), NODES - 1);
}
