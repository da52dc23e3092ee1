//! Where the agent listens, and which addresses that makes for others.

use crate::address::Transport;
use crate::config::{Listen, Settings};
use peer_exchange::Multiaddr;
use peer_exchange::addr::Host;
use peer_exchange_quic::Quic;
use peer_exchange_tcp::Tcp;
use peer_exchange_tls::Tls;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// Addresses in a record (R7); the core takes 16.
const ADVERTISED: usize = 16;
/// Documentation prefixes (RFC 5737, RFC 3849): nothing is sent there, the system only says which
/// of its addresses it would send from.
const ANYWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The open sockets.
pub(crate) struct Sockets {
    pub(crate) quic: Option<Arc<Quic>>,
    pub(crate) tcp: Option<Arc<Tcp>>,
    /// In the order of `transports`.
    pub(crate) bound: Vec<(Transport, SocketAddr)>,
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
        };
        for transport in &settings.transports {
            let bound = match transport {
                Transport::Quic => {
                    let mut options = peer_exchange_quic::Options::default();
                    options.half_open = settings.half_open.unwrap_or(options.half_open);
                    let quic = bind(*transport, &settings.listen, |at| {
                        Quic::bind(at, tls.clone(), options)
                    })?;
                    let quic = sockets.quic.insert(Arc::new(quic));
                    quic.local_addresses().to_vec()
                }
                Transport::Tcp => {
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

    /// What others can dial: what the file says, or else what the sockets make likely.
    pub(crate) fn advertised(
        &self,
        settings: &Settings,
        upstreams: &[Multiaddr],
    ) -> Vec<Multiaddr> {
        let mut addresses = settings.named_addresses();
        if settings.advertise.is_empty() {
            for (transport, at) in &self.bound {
                let ip = if at.ip().is_unspecified() {
                    reached_from(at.ip(), upstreams)
                } else {
                    Some(at.ip())
                };
                let ip = ip.filter(|ip| settings.core.local || !ip.is_loopback());
                addresses.extend(ip.map(|ip| transport.at(SocketAddr::new(ip, at.port()))));
            }
        }
        let mut known = std::collections::HashSet::new();
        addresses.retain(|address| known.insert(address.clone()));
        addresses.truncate(ADVERTISED);
        addresses
    }
}

/// Binds what the file names, all of it; of what is usual, IPv6 may be missing on this machine.
fn bind<T>(
    transport: Transport,
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

/// The address of this machine from which the upstreams are reached, or else anybody.
fn reached_from(unspecified: IpAddr, upstreams: &[Multiaddr]) -> Option<IpAddr> {
    let upstreams = upstreams
        .iter()
        .filter_map(|upstream| match upstream.host() {
            Host::Ip(ip) => Some(ip),
            _ => None,
        });
    upstreams
        .chain(ANYWHERE)
        .filter(|to| to.is_ipv4() == unspecified.is_ipv4())
        .find_map(source_towards)
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
        assert!(!is_own(ANYWHERE[0]));
    }

    #[test]
    fn an_upstream_on_loopback_is_reached_from_loopback() {
        let upstream: Multiaddr = "/ip4/127.0.0.1/tcp/7".parse().unwrap();
        let source = reached_from(Ipv4Addr::UNSPECIFIED.into(), &[upstream]);
        assert_eq!(source, Some(Ipv4Addr::LOCALHOST.into()));
    }
}
