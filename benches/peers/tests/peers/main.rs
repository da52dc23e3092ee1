//! The comparison at small sizes: that it measures what it says.

mod command;
mod convergence;
mod repeatable;
mod toy;

use peers::case::{Candidate, Case};
use peers::cluster::Topology;

/// A row at the table's limits.
fn case(candidate: Candidate, topology: Topology, size: u32) -> Case {
    Case {
        candidate,
        topology,
        size,
        loss: 0.0,
        streams: false,
        warm_up: None,
        seed: 1,
        cpu_seconds: 100,
        memory_gb: 14,
    }
}
