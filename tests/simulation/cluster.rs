//! Clusters to simulate: graphs of upstreams, and the short lifetimes that make runs fast.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::{Config, Multiaddr};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Restart, Setup};

use crate::checkers::Checkers;
use crate::world::World;

/// What a host is configured to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// A host of this number, modulo their count; itself too.
    Host(usize),
    /// Where nobody listens.
    Nowhere,
    /// The load balancer in front of the first hosts.
    Balancer,
}

/// A directed graph of upstreams.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// By host.
    pub(crate) upstreams: Vec<Vec<Upstream>>,
    /// How many of the first hosts stand behind the load balancer.
    pub(crate) balanced: usize,
}

impl Graph {
    pub(crate) fn of(hosts: usize, asks: impl Fn(usize) -> Vec<usize>) -> Self {
        let upstreams = |i| asks(i).into_iter().map(Upstream::Host).collect();
        Self {
            upstreams: (0..hosts).map(upstreams).collect(),
            balanced: 0,
        }
    }

    pub(crate) fn ring(hosts: usize) -> Self {
        Self::of(hosts, |i| vec![(i + 1) % hosts])
    }

    pub(crate) fn len(&self) -> usize {
        self.upstreams.len()
    }

    /// The hosts that an upstream may lead to.
    fn behind(&self, upstream: Upstream) -> Vec<usize> {
        match upstream {
            Upstream::Host(i) => vec![i % self.len()],
            Upstream::Nowhere => Vec::new(),
            Upstream::Balancer => (0..self.balanced.min(self.len())).collect(),
        }
    }

    /// The weakly connected parts of the hosts for which `live` holds. An edge over a load
    /// balancer leads to one of several, so with `sure` it connects nothing.
    pub(crate) fn parts(&self, live: impl Fn(usize) -> bool, sure: bool) -> Vec<BTreeSet<usize>> {
        let mut part: Vec<usize> = (0..self.len()).collect();
        for (i, upstreams) in self.upstreams.iter().enumerate() {
            for other in upstreams.iter().map(|u| self.behind(*u)) {
                if sure && other.len() > 1 {
                    continue;
                }
                for j in other.into_iter().filter(|j| live(i) && live(*j)) {
                    let (from, to) = (part[i], part[j]);
                    part.iter_mut()
                        .filter(|p| **p == from)
                        .for_each(|p| *p = to);
                }
            }
        }
        let members = |p| {
            (0..self.len())
                .filter(|i| live(*i) && part[*i] == p)
                .collect()
        };
        let parts = (0..self.len()).map(members);
        parts.filter(|m: &BTreeSet<usize>| !m.is_empty()).collect()
    }

    fn balancer(&self) -> SocketAddr {
        SocketAddr::from(([10, 254, 0, 1], 7000))
    }

    fn address(&self, upstream: Upstream) -> Multiaddr {
        match upstream {
            Upstream::Host(i) => HostId(i % self.len()).address(),
            Upstream::Nowhere => Multiaddr::tcp(SocketAddr::from(([10, 255, 0, 1], 7000))),
            Upstream::Balancer => Multiaddr::tcp(self.balancer()),
        }
    }

    /// A network of it with all checkers, not started.
    pub(crate) fn network(&self, seed: u64, config: Config, faults: Faults) -> Network<Checkers> {
        let mut world = World::new(seed, self.len(), &config);
        let balanced = self.behind(Upstream::Balancer);
        let ids = balanced.iter().map(|i| world.ids[*i]).collect();
        let address = Multiaddr::tcp(self.balancer());
        world.listens.insert(address, ids);
        let mut network = self.observed(seed, config, faults, Checkers::new(world));
        let hosts = balanced.into_iter().map(HostId).collect();
        network.add_balancer(self.balancer(), hosts);
        network
    }

    /// A network of it under any eyes, not started, and without a balancer.
    pub(crate) fn observed<O: Observer>(
        &self,
        seed: u64,
        config: Config,
        faults: Faults,
        observer: O,
    ) -> Network<O> {
        let setup = Setup {
            seed,
            faults,
            config,
        };
        let mut network = Network::with_observer(setup, observer);
        for upstreams in &self.upstreams {
            network.add_host_at(upstreams.iter().map(|u| self.address(*u)).collect());
        }
        network
    }
}

/// Messages are lost with this probability, and nothing else is wrong.
pub(crate) fn losing(loss: f64) -> Faults {
    Faults {
        loss,
        ..Faults::default()
    }
}

/// Intervals of seconds and the shortest lifetime, so that minutes of virtual time show what days
/// would.
pub(crate) fn brisk() -> Config {
    let mut config = Config::default();
    config.lifetime = Duration::from_secs(600);
    config.quiet_round = Duration::from_secs(3);
    config.backoff_cap = Duration::from_secs(5);
    config.report_interval = Duration::from_secs(20);
    config
}

/// The hosts that this one knows.
pub(crate) fn knows(network: &Network<Checkers>, host: usize) -> BTreeSet<usize> {
    let node = network.node(HostId(host));
    let peers = node.into_iter().flat_map(|n| n.peers());
    let hosts = peers.filter_map(|p| network.host_of(&p.node));
    hosts.map(|h| h.0).collect()
}

/// Starts a host with nothing.
pub(crate) fn start(network: &mut Network<Checkers>, host: usize) {
    network.start(HostId(host), Restart::Empty);
}
