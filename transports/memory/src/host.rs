//! A host of the network.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use peer_exchange::{Config, Identity, Multiaddr, Node, NodeId};

/// The number of a host, in the order in which it was added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub usize);

impl HostId {
    /// Where it listens: 10.0.0.0 and its number, port 7000.
    #[must_use]
    pub fn socket(self) -> SocketAddr {
        let n = self.0 as u32;
        SocketAddr::from((Ipv4Addr::from(0x0a00_0000 | (n & 0x00ff_ffff)), 7000))
    }

    /// The same as a multiaddr.
    #[must_use]
    pub fn address(self) -> Multiaddr {
        Multiaddr::tcp(self.socket())
    }

    /// Its node ID in a network with this seed.
    #[must_use]
    pub fn node_id(self, seed: u64) -> NodeId {
        let mut random = crate::Random::new(seed ^ 0x006e_6f64_6520_6964);
        let salt = random.next_u64();
        NodeId::new(crate::Random::new(salt ^ self.0 as u64).bytes32())
    }
}

pub(crate) struct Host {
    pub(crate) id: NodeId,
    /// Boxed: hosts that are added one by one move those before them.
    pub(crate) node: Option<Box<Node>>,
    pub(crate) config: Config,
    pub(crate) identity: Identity,
    /// Rises with every start: what was meant for an earlier life is dropped.
    pub(crate) life: u32,
    pub(crate) wake_at: Option<Duration>,
    /// The next wake in the queue: not later than `wake_at`.
    pub(crate) queued_wake: Option<Duration>,
    /// What its clock shows beyond the network's.
    pub(crate) clock: Duration,
    /// For how long its clock has stood still.
    pub(crate) stopped: Duration,
    /// Which side of the partition it is on.
    pub(crate) side: u8,
    /// What counts for convergence, as last seen.
    pub(crate) seen: Option<(u64, usize)>,
    /// Its links by number, for crashes.
    pub(crate) links: std::collections::BTreeSet<u64>,
    /// It has lost its power: dials to it get no answer.
    pub(crate) silent: bool,
    /// Until when it stands still.
    pub(crate) paused_until: Duration,
    /// What it is sent is late by up to so much.
    pub(crate) slow: Duration,
    /// Wakes in a row without time passing.
    pub(crate) spins: u32,
}
