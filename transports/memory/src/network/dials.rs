//! Where a dial leads.

use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::addr::Protocol;
use peer_exchange::{DialId, Multiaddr, NodeId, Target};

use super::{Balance, Link, Network, Reached, What};
use crate::host::HostId;
use crate::observer::Observer;

/// Between attempts at the addresses of one node, as in the driver.
const STAGGER: Duration = Duration::from_millis(250);

/// What comes of an attempt at one address.
enum Reach {
    Host(HostId, Protocol),
    /// The host is there, and nobody listens.
    Refused,
    Another,
    Silence,
}

impl<O: Observer> Network<O> {
    /// Tries one address after the other, as the driver does.
    pub(super) fn dial(&mut self, from: HostId, dial: DialId, target: &Target) {
        let faults = self.setup.faults;
        let (mut after, mut refused, mut silent) = (Duration::ZERO, true, Vec::new());
        for address in target.addresses() {
            match self.reach(from, address, target.node()) {
                Reach::Host(to, protocol) => {
                    let at = address.socket_addr().unwrap_or_else(|| to.socket());
                    let reached = (address.clone(), silent);
                    return self.connect(from, (to, at), protocol, dial, (after, reached));
                }
                Reach::Refused => after += 2 * faults.latency,
                Reach::Another => {
                    after += 2 * faults.latency;
                    refused = false;
                }
                Reach::Silence => {
                    after += STAGGER;
                    refused = false;
                    silent.push(address.clone());
                }
            }
        }
        let after = match silent.is_empty() {
            true => after,
            false => faults.dial_timeout,
        };
        self.dial_fails(from, dial, refused, after);
    }

    /// Who answers at an address.
    fn reach(&mut self, from: HostId, address: &Multiaddr, expected: Option<NodeId>) -> Reach {
        let socket = address.socket_addr();
        let Some(to) = socket.and_then(|socket| self.resolve(from, socket)) else {
            return Reach::Silence;
        };
        let protocol = address
            .port()
            .map_or(Protocol::Tcp, |(protocol, _)| protocol);
        if self.is_cut(from, to, protocol) || self.is_cut(to, from, protocol) {
            self.counts.partitioned += 1;
            return Reach::Silence;
        }
        let host = &self.hosts[to.0];
        let still = host.paused_until > self.now + self.setup.faults.dial_timeout;
        match &host.node {
            None if !host.silent => Reach::Refused,
            Some(_) if expected.is_some_and(|node| node != host.id) => Reach::Another,
            Some(_) if !still => Reach::Host(to, protocol),
            _ => Reach::Silence,
        }
    }

    fn dial_fails(&mut self, host: HostId, dial: DialId, refused: bool, after: Duration) {
        let life = self.hosts[host.0].life;
        let failed = What::DialFailed {
            host,
            life,
            dial,
            refused,
        };
        self.queue.push(self.now + after, failed);
    }

    fn connect(
        &mut self,
        dialler: HostId,
        (acceptor, at): (HostId, SocketAddr),
        protocol: Protocol,
        dial: DialId,
        (after, reached): (Duration, Reached),
    ) {
        let number = self.next_link;
        self.next_link += 1;
        let latency = self.latency(dialler, acceptor);
        // Whoever stands still does not authenticate itself either.
        let begins = (self.now + after).max(self.hosts[acceptor.0].paused_until);
        let arrives = (begins + latency, begins + 2 * latency);
        let link = Link {
            dialler,
            acceptor,
            at,
            protocol,
            lives: (self.hosts[dialler.0].life, self.hosts[acceptor.0].life),
            open: (true, true),
            arrives,
        };
        self.links.insert(number, link);
        let up = |end, dial| What::Up { end, dial };
        self.queue.push(arrives.0, up(2 * number + 1, None));
        let by = Some((dial, reached));
        self.queue.push(arrives.1, up(2 * number, by));
    }

    fn resolve(&mut self, from: HostId, address: SocketAddr) -> Option<HostId> {
        let balancer = self.balancers.get_mut(&address);
        let Some(balancer) = balancer.filter(|b| !b.hosts.is_empty()) else {
            return self.by_address.get(&address).copied();
        };
        let hosts = &balancer.hosts;
        let chosen = match balancer.how {
            Balance::ToDialler if hosts.contains(&from) => return Some(from),
            Balance::Random | Balance::ToDialler => self.random.below(hosts.len()),
            Balance::InTurn => {
                balancer.turn += 1;
                balancer.turn % hosts.len()
            }
        };
        Some(hosts[chosen])
    }
}
