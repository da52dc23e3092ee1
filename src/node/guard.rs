//! What protects a node from others: limits, the memory of how they behave, and bans (R18).

use core::net::SocketAddr;
use core::time::Duration;

use crate::config::Config;
use crate::id::NodeId;
use crate::limits::rates::{Cost, RateLimits};
use crate::limits::reputation::Reputation;
use crate::node::state::bans::Bans;
use crate::time::Instant;
use crate::wire::{Content, Delta};

/// Outlives links: reconnecting wipes nothing.
pub(crate) struct Guard {
    pub(crate) limits: RateLimits,
    pub(crate) reputation: Reputation,
    pub(crate) bans: Bans,
}

/// Whether a request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Admitted,
    /// Its node was told to wait on another link, and is told again, without records.
    MustWait(Duration),
    /// Over its limit: it is told to wait for so long.
    OverLimit(Duration),
}

impl Guard {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limits: RateLimits::new(config.node_rates(), config.subnet_rates()),
            reputation: Reputation::default(),
            bans: Bans::default(),
        }
    }

    pub(crate) fn admit_request(
        &mut self,
        now: Instant,
        (node, remote): (NodeId, Option<SocketAddr>),
    ) -> Admission {
        if let Some(wait) = self.reputation.wait_left(now, &node) {
            return Admission::MustWait(wait);
        }
        match self.limits.admit(now, node, remote) {
            Ok(()) => Admission::Admitted,
            Err(wait) => Admission::OverLimit(wait),
        }
    }

    /// Charges what has come in: bytes, and records pushed.
    pub(crate) fn charge_taken(
        &mut self,
        now: Instant,
        (node, remote): (NodeId, Option<SocketAddr>),
        delta: Option<&Delta>,
        bytes: usize,
    ) {
        let cost = Cost {
            messages: 0,
            records: records_in(delta),
            bytes: bytes as u64,
        };
        self.limits.charge(now, node, remote, cost);
    }
}

/// Records that a delta carries.
pub(crate) fn records_in(delta: Option<&Delta>) -> u64 {
    match delta.map(|d| &d.content) {
        Some(Content::Records(records)) => records.len() as u64,
        _ => 0,
    }
}
