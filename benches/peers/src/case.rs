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
    /// What everything random comes from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// CPU time that it may take, in seconds.
    #[arg(long, default_value_t = 90)]
    pub cpu_seconds: u64,
}
