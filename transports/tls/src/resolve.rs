//! From an address to socket addresses.

use std::net::SocketAddr;

use peer_exchange::Multiaddr;
use peer_exchange::addr::Host;
use peer_exchange::driver::{Dial, DialError};

/// Answers of the name server that are tried.
const CANDIDATES: usize = 16;

/// Where this dial may connect to, in the order of preference: the IP address, or every answer of
/// the name server that it [`allows`](Dial::allows).
///
/// # Errors
/// When there is none.
pub async fn resolve(dial: &Dial) -> Result<Vec<SocketAddr>, DialError> {
    let (_, port) = dial.address.port().ok_or(DialError::Unsupported)?;
    let Host::Dns(name) = dial.address.host() else {
        return Ok(dial.address.socket_addr().into_iter().collect());
    };
    let family = Family::of(&dial.address);
    let mut found = Vec::new();
    for candidate in tokio::net::lookup_host((name, port)).await? {
        if family.has(candidate) && dial.allows(candidate) && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found.truncate(CANDIDATES);
    if found.is_empty() {
        return Err(DialError::NoAddress);
    }
    Ok(found)
}

#[derive(Clone, Copy)]
enum Family {
    Any,
    V4,
    V6,
}

impl Family {
    /// `/dns4` and `/dns6` ask for one family.
    fn of(address: &Multiaddr) -> Self {
        match address.as_bytes().first() {
            Some(0x36) => Self::V4,
            Some(0x37) => Self::V6,
            _ => Self::Any,
        }
    }

    fn has(self, candidate: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => candidate.is_ipv4(),
            Self::V6 => candidate.is_ipv6(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer_exchange::{Config, NodeId};

    async fn resolved(address: &str, node: Option<NodeId>) -> Result<Vec<SocketAddr>, DialError> {
        let address = address.parse().unwrap();
        resolve(&Dial::new(address, node, &Config::default())).await
    }

    #[tokio::test]
    async fn an_ip_address_is_its_own_answer() {
        let found = resolved("/ip6/2001:db8::1/udp/7/quic-v1", None).await;
        assert_eq!(found.unwrap(), ["[2001:db8::1]:7".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_peers_name_does_not_lead_to_this_host() {
        // Every resolver knows this one.
        let upstream = resolved("/dns4/localhost/tcp/7", None).await;
        assert_eq!(upstream.unwrap(), ["127.0.0.1:7".parse().unwrap()]);
        let peer = resolved("/dns4/localhost/tcp/7", Some(NodeId::new([1; 32]))).await;
        assert!(matches!(peer, Err(DialError::NoAddress)));
    }
}
