//! A row of the table: which system, how many nodes, in which topology, at which loss.

use serde::{Deserialize, Serialize};

use crate::cluster::Topology;
use crate::harness::System;
use crate::systems::chitchat::Chitchat;
use crate::systems::foca::Foca;
use crate::systems::iroh_gossip::IrohGossip;
use crate::systems::peer_exchange::PeerExchange;

/// Who is measured.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Candidate {
    /// This project.
    PeerExchange,
    /// SWIM.
    Foca,
    /// Scuttlebutt.
    Chitchat,
    /// HyParView and PlumTree.
    IrohGossip,
}

impl Candidate {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [
        Self::PeerExchange,
        Self::Foca,
        Self::Chitchat,
        Self::IrohGossip,
    ];

    /// With its version.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PeerExchange => PeerExchange::NAME,
            Self::Foca => Foca::NAME,
            Self::Chitchat => Chitchat::NAME,
            Self::IrohGossip => IrohGossip::NAME,
        }
    }

    /// Whether all that it draws comes from the seed.
    #[must_use]
    pub fn is_seeded(self) -> bool {
        self != Self::Chitchat
    }
}

/// What is measured in one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
pub struct Case {
    /// Who.
    #[arg(value_enum)]
    pub candidate: Candidate,
    /// Who knows whom at the start.
    #[arg(value_enum)]
    pub topology: Topology,
    /// How many nodes: 2 to 16,000,000.
    #[arg(value_parser = clap::value_parser!(u32).range(2..16_000_000))]
    pub size: u32,
    /// Messages lost, of 1.
    #[arg(long, default_value_t = 0.0)]
    pub loss: f64,
    /// What is lost is sent again, as TCP and QUIC do it.
    #[arg(long)]
    pub streams: bool,
    /// Virtual seconds that it runs before it counts; by itself 0, iroh-gossip 5.
    #[arg(long)]
    pub warm_up: Option<u64>,
    /// What everything random comes from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// CPU time that it may take, in seconds.
    #[arg(long, default_value_t = 100)]
    pub cpu_seconds: u64,
    /// Memory that it may take, in gigabytes.
    #[arg(long, default_value_t = 14)]
    pub memory_gb: u64,
}

impl Case {
    /// The sizes of the table.
    pub const SIZES: [u32; 4] = [3, 10, 100, 1_000];

    /// The loss of the table's last part.
    pub const LOSS: f64 = 0.1;

    /// How many seeds the table's medians are over.
    #[must_use]
    pub fn seeds(size: u32) -> u64 {
        if size < 1_000 { 3 } else { 1 }
    }

    /// Every row of the table up to this size, the costly ones first.
    #[must_use]
    pub fn all(largest: u32, cpu_seconds: u64, memory_gb: u64) -> Vec<Self> {
        let mut cases = Vec::new();
        let sizes = Self::SIZES.into_iter().rev();
        for size in sizes.filter(|size| *size <= largest) {
            for candidate in [
                Candidate::Chitchat,
                Candidate::Foca,
                Candidate::IrohGossip,
                Candidate::PeerExchange,
            ] {
                for topology in Topology::ALL {
                    for seed in 1..=Self::seeds(size) {
                        let mut add = |loss, streams| {
                            cases.push(Self {
                                candidate,
                                topology,
                                size,
                                loss,
                                streams,
                                warm_up: None,
                                seed,
                                cpu_seconds,
                                memory_gb,
                            });
                        };
                        add(0.0, false);
                        add(Self::LOSS, candidate == Candidate::IrohGossip);
                        if candidate == Candidate::PeerExchange {
                            add(Self::LOSS, true);
                        }
                    }
                }
            }
        }
        cases
    }

    /// Whether two at once could fill the machine: chitchat keeps some 9.6 kB per pair of nodes.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.candidate == Candidate::Chitchat && self.size >= 500
    }

    /// For people.
    #[must_use]
    pub fn label(&self) -> String {
        let loss = match (self.loss > 0.0, self.streams) {
            (false, _) => String::new(),
            (true, false) => format!(", {:.0} % lost", self.loss * 100.0),
            (true, true) => format!(", {:.0} % lost and sent again", self.loss * 100.0),
        };
        let (name, size) = (self.candidate.name(), self.size);
        let topology = self.topology.name();
        format!("{name}, {size} {topology}{loss}, seed {}", self.seed)
    }
}
