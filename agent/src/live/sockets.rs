//! Where the agent listens, and which addresses that makes for others.

use super::either::{Either, OtherWays};
use crate::address;
use crate::config::{Listen, Settings};
use peer_exchange::Multiaddr;
use peer_exchange::driver::Transport;
use peer_exchange_quic::Quic;
use peer_exchange_tcp::Tcp;
use peer_exchange_tls::Tls;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// Addresses in a record (R7); the core takes 16.
const ADVERTISED: usize = 16;
/// The open sockets.
pub(crate) struct Sockets {
    pub(crate) quic: Option<Arc<Quic>>,
    pub(crate) tcp: Option<Arc<Tcp>>,
    /// In the order of `transports`.
    pub(crate) bound: Vec<(address::Transport, SocketAddr)>,
    /// Who is let in at both.
    pub(crate) tls: Tls,
}

impl Sockets {
    /// Opens them.
    ///
    /// # Errors
    /// A message that says which and why.
    pub(crate) fn open(settings: &Settings, tls: &Tls) -> Result<Self, String> {
        let mut sockets = Self {
            quic: None,
            tcp: None,
            bound: Vec::new(),
            tls: tls.clone(),
        };
        for transport in &settings.transports {
            let bound = match transport {
                address::Transport::Quic => {
                    let mut options = peer_exchange_quic::Options::default();
                    options.half_open = settings.half_open.unwrap_or(options.half_open);
                    let quic = bind(*transport, &settings.listen, |at| {
                        Quic::bind(at, tls.clone(), options)
                    })?;
                    let quic = sockets.quic.insert(Arc::new(quic));
                    quic.local_addresses().to_vec()
                }
                address::Transport::Tcp => {
                    let mut options = peer_exchange_tcp::Options::default();
                    options.half_open = settings.half_open.unwrap_or(options.half_open);
                    let tcp = bind(*transport, &settings.listen, |at| {
                        Tcp::bind(at, tls.clone(), options)
                    })?;
                    let tcp = sockets.tcp.insert(Arc::new(tcp));
                    tcp.local_addresses().to_vec()
                }
            };
            let bound = bound.into_iter().map(|at| (*transport, at));
            sockets.bound.extend(bound);
        }
        Ok(sockets)
    }

    /// All of them as one, for the driver.
    pub(crate) fn transport(&self, ways: OtherWays) -> Either {
        let quic = self.quic.clone().map(|t| Arc::new(t) as Arc<dyn Transport>);
        let tcp = self.tcp.clone().map(|t| Arc::new(t) as Arc<dyn Transport>);
        Either::new(quic.into_iter().chain(tcp).collect(), ways)
    }

    /// What others are told at once: what the file says, or else each socket's own address.
    pub(crate) fn advertised(&self, settings: &Settings) -> Vec<Multiaddr> {
        let mut addresses = settings.named_addresses();
        if settings.advertise.is_empty() {
            let own = self.bound.iter().filter(|(_, at)| {
                let ip = at.ip();
                let is_told = !ip.is_unspecified() && !is_link_local(ip);
                is_told && (settings.core.local || !ip.is_loopback())
            });
            addresses.extend(own.map(|(transport, at)| transport.at(*at)));
        }
        let mut known = std::collections::HashSet::new();
        addresses.retain(|address| known.insert(address.clone()));
        addresses.truncate(ADVERTISED);
        addresses
    }

    /// Sockets that listen at every address of this machine, where the file says none: others tell
    /// at which they see this node, and it is announced once they reach it there.
    pub(crate) fn listening(&self, settings: &Settings) -> Vec<Multiaddr> {
        let every = self.bound.iter().filter(|(_, at)| at.ip().is_unspecified());
        let every = every.filter(|_| settings.advertise.is_empty());
        every.map(|(transport, at)| transport.at(*at)).collect()
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Binds what the file names, all of it; of what is usual, IPv6 may be missing on this machine.
fn bind<T>(
    transport: address::Transport,
    listen: &Listen,
    bind: impl Fn(&[SocketAddr]) -> io::Result<T>,
) -> Result<T, String> {
    let all = bind(&listen.addresses);
    let v4: Vec<_> = listen
        .addresses
        .iter()
        .copied()
        .filter(SocketAddr::is_ipv4)
        .collect();
    let outcome = match all {
        Err(_) if !listen.explicit && v4.len() < listen.addresses.len() => bind(&v4),
        outcome => outcome,
    };
    outcome.map_err(|error| {
        let shown: Vec<_> = listen.addresses.iter().map(SocketAddr::to_string).collect();
        format!(
            "cannot listen on {} for {}: {error}; set `listen` to addresses of this machine and a free port",
            shown.join(", "),
            transport.name()
        )
    })
}

/// The address of this machine from which the system would send there. Nothing is sent.
fn source_towards(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Any port will do: connecting a datagram socket only looks up the route.
    socket.connect((to, 9)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified()).then_some(source)
}

/// Whether this is an address of this machine.
pub(crate) fn is_own(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    // From all of 127.0.0.0/8 the system sends as 127.0.0.1.
    ip.is_loopback() || source_towards(ip) == Some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_own_and_documentation_is_not() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        // RFC 5737.
        assert!(!is_own(Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
