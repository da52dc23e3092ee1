//! Nodes over QUIC and TCP on loopback that live shortly and are in a hurry.

use peer_exchange::{Config, Driver, Handle, Identity, Instant, Multiaddr, Node, Transport};
use peer_exchange_quic::Quic;
use peer_exchange_tcp::Tcp;
use peer_exchange_tls::{Membership, NodeKey, Tls, random_seed};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Who a node is, across restarts.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) key: NodeKey,
    pub(super) membership: Membership,
    pub(super) upstreams: Vec<Multiaddr>,
    pub(super) snapshot: Option<Vec<u8>>,
}

pub(super) struct Running {
    pub(super) handle: Handle,
    /// Over QUIC, and over TCP.
    pub(super) addresses: Vec<Multiaddr>,
}

impl Plan {
    pub(super) fn new(membership: &Membership) -> Self {
        Self {
            key: NodeKey::generate().unwrap(),
            membership: membership.clone(),
            upstreams: Vec::new(),
            snapshot: None,
        }
    }

    /// On free ports, inside a runtime.
    pub(super) fn start(&self) -> Running {
        let tls = Tls::new(&self.key, &self.membership).unwrap();
        let at: [SocketAddr; 1] = [(Ipv4Addr::LOCALHOST, 0).into()];
        // Whoever crashes is noticed in seconds, as all else here.
        let mut options = peer_exchange_quic::Options::default();
        options.keep_alive = Duration::from_secs(1);
        options.idle_timeout = Duration::from_secs(4);
        let quic = Quic::bind(&at, tls.clone(), options).unwrap();
        let tcp = Tcp::bind(&at, tls, peer_exchange_tcp::Options::default()).unwrap();
        let addresses = vec![
            Multiaddr::quic(quic.local_addresses()[0]),
            Multiaddr::tcp(tcp.local_addresses()[0]),
        ];
        let identity = Identity::new(self.key.node()).with_addresses(addresses.clone());
        let (seed, now) = (random_seed().unwrap(), Instant::ZERO);
        let node = match &self.snapshot {
            None => Node::new(self.config(), identity, seed, now),
            Some(bytes) => {
                let elapsed = Some(Duration::ZERO);
                Node::restore(self.config(), identity, seed, now, bytes, elapsed)
            }
        };
        let (quic, tcp): (Arc<dyn Transport>, Arc<dyn Transport>) = (Arc::new(quic), Arc::new(tcp));
        let driver = Driver::new(node.unwrap())
            .with_transport(quic)
            .with_transport(tcp);
        Running {
            handle: driver.spawn(),
            addresses,
        }
    }

    /// The shortest life there is, and links that are closed when they are not used for a second.
    fn config(&self) -> Config {
        let mut config = Config::default();
        config.upstreams.clone_from(&self.upstreams);
        config.local = true;
        config.lifetime = Duration::from_secs(600);
        config.quiet_round = Duration::from_millis(500);
        config.link_idle = Duration::from_secs(1);
        config.request_timeout = Duration::from_secs(1);
        config
    }
}
