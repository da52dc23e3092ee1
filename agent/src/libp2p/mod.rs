//! libp2p services beside the agents, such as Spegel and the embedded registry of K3s and RKE2.
//!
//! An agent's record carries the addresses of the service beside it, each with the service's peer
//! ID. So every agent can tell such a service whom to ask, in the format that it expects.

pub(crate) mod learn;
pub(crate) mod offer;
pub(crate) mod offers;
mod peer_id;

use peer_exchange::Multiaddr;
use peer_exchange::addr::{Host, Protocol, p2p_component};
use std::net::IpAddr;

pub(crate) use peer_id::PeerId;

/// What stands for the ID of a service of which nobody knows it: the identity multihash of nothing.
/// With a component of that kind the address is a service's, and no agent dials it.
const UNKNOWN: &[u8] = &[0, 0];

/// Addresses of one service that others are told of: a record has room for 16, its node's among them.
pub(crate) const ADDRESSES: usize = 4;

/// Where a libp2p service is reached over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// `None` where nobody knows it: whoever connects to the address finds out.
    pub(crate) id: Option<PeerId>,
    /// `/ip4/…/tcp/…`, without the peer ID: what Spegel expects.
    pub(crate) address: String,
    /// `None` for a name.
    pub(crate) ip: Option<IpAddr>,
}

impl Service {
    /// What an address in a record says of a service; `None` for addresses of other kinds, and for
    /// those that a strict client would choke on.
    pub(crate) fn of(address: &Multiaddr) -> Option<Self> {
        let id = match p2p_component(address)? {
            UNKNOWN => None,
            multihash => Some(PeerId::from_multihash(multihash)?),
        };
        let (Protocol::Tcp, port) = address.port()? else {
            return None;
        };
        let (host, ip) = match address.host() {
            Host::Ip(ip @ IpAddr::V4(_)) => (format!("/ip4/{ip}"), Some(ip)),
            Host::Ip(ip @ IpAddr::V6(_)) => (format!("/ip6/{ip}"), Some(ip)),
            Host::Dns(name) => (format!("/dns/{name}"), None),
            _ => return None,
        };
        Some(Self {
            id,
            address: format!("{host}/tcp/{port}"),
            ip,
        })
    }

    /// Reads an address such as `/ip4/10.1.2.3/tcp/5001` with the ID of its service, if it is known.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn multiaddr(address: &str, id: Option<&PeerId>) -> Result<Multiaddr, String> {
        let expected = "expected /ip4/1.2.3.4/tcp/PORT, /ip6/…/tcp/PORT or /dns/NAME/tcp/PORT";
        let plain: Multiaddr = address
            .parse()
            .map_err(|error| format!("\"{address}\": {error}; {expected}"))?;
        let is_tcp = matches!(plain.port(), Some((Protocol::Tcp, 1..)));
        if !is_tcp || address.split('/').count() != 5 {
            return Err(format!("\"{address}\" is no TCP address; {expected}"));
        }
        // 0x01a5 as a varint, and the length of the ID, are the component's head.
        let id = id.map_or(UNKNOWN, PeerId::multihash);
        let mut component = format!("a503{:02x}", id.len());
        for byte in id {
            component += &format!("{byte:02x}");
        }
        format!("{address}/0x{component}")
            .parse()
            .map_err(|error| format!("\"{address}\": {error}"))
    }

    /// Reads an address that ends with its service's ID, if that is known:
    /// `/ip4/10.1.2.3/tcp/5001/p2p/12D3KooW…`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Multiaddr, String> {
        match text.split_once("/p2p/") {
            Some((address, id)) => Self::multiaddr(address, Some(&id.parse()?)),
            None => Self::multiaddr(text, None),
        }
    }
}

/// An address for people: `/p2p/12D3KooW…` rather than its bytes.
pub(crate) fn shown(address: &Multiaddr) -> String {
    match Service::of(address) {
        Some(Service {
            id: Some(id),
            address,
            ..
        }) => format!("{address}/p2p/{id}"),
        Some(service) => service.address,
        None => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5";

    #[test]
    fn an_address_with_an_id_reads_as_written() {
        for address in [
            "/ip4/10.1.2.3/tcp/5001",
            "/ip6/fd00::1/tcp/1",
            "/dns/a.b/tcp/65535",
        ] {
            let text = format!("{address}/p2p/{ID}");
            let binary = Service::parse(&text).unwrap();
            assert_eq!(shown(&binary), text);
            let service = Service::of(&binary).unwrap();
            assert_eq!(service.address, address);
            assert_eq!(service.id.unwrap().to_string(), ID);
        }
    }

    #[test]
    fn an_address_without_an_id_is_a_service_all_the_same() {
        let binary = Service::parse("/ip4/10.1.2.3/tcp/5001").unwrap();
        assert_eq!(shown(&binary), "/ip4/10.1.2.3/tcp/5001");
        // Other programs see a peer ID, so none of them takes it for a node.
        assert!(p2p_component(&binary).is_some());
        let service = Service::of(&binary).unwrap();
        assert_eq!(
            (service.id, service.address.as_str()),
            (None, "/ip4/10.1.2.3/tcp/5001")
        );
    }

    #[test]
    fn what_a_strict_client_would_choke_on_is_refused() {
        for text in [
            "/ip4/10.1.2.3",
            "10.1.2.3:5001",
            "/ip4/10.1.2.3/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
            "/ip4/10.1.2.3/udp/5001/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
            "/ip4/10.1.2.3/tcp/0/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
            "/ip4/10.1.2.3/tcp/5001/quic-v1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
            "/ip4/10.1.2/tcp/5001/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
            "/ip4/10.1.2.3/tcp/5001/p2p/12D3KooW",
            "/ip4/10.1.2.3/tcp/5001/p2p/",
        ] {
            assert!(Service::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_addresses_are_no_service() {
        for text in [
            "/ip4/10.1.2.3/tcp/5001",
            // An ID that is no multihash, and one with something behind it.
            "/ip4/10.1.2.3/tcp/5001/0xa50303090807",
            "/ip4/10.1.2.3/tcp/5001/0xa503020000a503020000",
        ] {
            let address: Multiaddr = text.parse().unwrap();
            assert_eq!(Service::of(&address), None, "{text}");
            assert_eq!(shown(&address), text);
        }
    }
}
