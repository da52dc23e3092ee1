//! The nodes that every system is given: who they are, and whom each knows at the start.

use std::net::{Ipv4Addr, SocketAddrV4};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// The port of a node, until it changes.
pub const PORT: u16 = 7000;

/// The port after the change.
pub const NEW_PORT: u16 = 7001;

/// Which upstream each node knows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// The next; the last knows the first.
    Ring,
    /// The one before; the first knows nobody.
    Line,
    /// The first, which knows nobody.
    Star,
}

impl Topology {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Ring, Self::Line, Self::Star];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Line => "line",
            Self::Star => "star",
        }
    }
}

/// A cluster that is about to start.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Everything random comes from it.
    pub seed: u64,
    /// The 32-byte IDs.
    pub ids: Vec<[u8; 32]>,
    /// The upstream of each node.
    pub upstreams: Vec<Option<usize>>,
}

impl Cluster {
    /// A cluster of `size` nodes.
    #[must_use]
    pub fn new(topology: Topology, size: usize, seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut id = || {
            let mut id = [0; 32];
            rng.fill_bytes(&mut id);
            id
        };
        let upstream = |node: usize| match topology {
            Topology::Ring => (size > 1).then(|| (node + 1) % size),
            Topology::Line => node.checked_sub(1),
            Topology::Star => (node > 0).then_some(0),
        };
        Self {
            seed,
            ids: (0..size).map(|_| id()).collect(),
            upstreams: (0..size).map(upstream).collect(),
        }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.ids.len()
    }

    /// A generator for one node's use.
    #[must_use]
    pub fn rng(&self, node: usize) -> SmallRng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&(node as u64 + 1).to_le_bytes());
        SmallRng::from_seed(seed)
    }
}

/// Where a node listens: 10.0.0.0 and its number.
#[must_use]
pub fn address(node: usize, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(
        Ipv4Addr::from_bits(0x0a00_0000 | (node as u32 & 0x00ff_ffff)),
        port,
    )
}

/// Which node listens at such an address.
#[must_use]
pub fn node_at(ip: Ipv4Addr) -> usize {
    (ip.to_bits() & 0x00ff_ffff) as usize
}
