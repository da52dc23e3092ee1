//! Lives and leavers over hours of virtual time: nobody alive is lost, whatever is lost on the way.

use std::time::Duration;

use peer_exchange::{Config, Event, Input};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Restart, Setup};

use crate::cluster::{Graph, Upstream};

/// The shortest there is.
const SHORT: Duration = Duration::from_secs(600);

/// How often a living node was lost.
#[derive(Default)]
struct Losses {
    expired: usize,
    evicted: usize,
}

impl Observer for Losses {
    fn event(&mut self, _: Duration, _: HostId, event: &Event) {
        match event {
            Event::PeerExpired { .. } => self.expired += 1,
            Event::PeerEvicted { .. } => self.evicted += 1,
            _ => {}
        }
    }
}

fn network(graph: &Graph, seed: u64, loss: f64, config: Config) -> Network<Losses> {
    let faults = Faults {
        loss,
        ..Faults::default()
    };
    let setup = Setup {
        seed,
        faults,
        config,
    };
    let mut network = Network::with_observer(setup, Losses::default());
    for upstreams in &graph.upstreams {
        let hosts = upstreams.iter().map(|u| match u {
            Upstream::Host(host) => HostId(*host),
            other => panic!("{other:?}"),
        });
        network.add_host(&hosts.collect::<Vec<_>>());
    }
    network
}

fn converged(network: &mut Network<Losses>) {
    network.start_all();
    network.run_for(Duration::from_secs(60));
    assert!(network.converged());
}

/// Ring, star, and a few random upstreams each.
fn graphs(nodes: usize) -> [Graph; 3] {
    let random = |i: usize| (1..=3).map(|k| (i * 7 + k * k * 11) % nodes);
    [
        Graph::ring(nodes),
        Graph::of(nodes, |i| if i == 0 { vec![] } else { vec![0] }),
        Graph::of(nodes, |i| random(i).filter(|u| *u != i).collect()),
    ]
}
