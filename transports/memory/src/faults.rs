//! What goes wrong on the way.

use std::time::Duration;

/// The faults of a network. Probabilities are per message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// One way. Default 1 ms.
    pub latency: Duration,
    /// Probability that a message is lost. A link is ordered and reliable in every real transport;
    /// losing single messages is harsher than what they do.
    pub loss: f64,
    /// Probability that a message arrives twice.
    pub duplicate: f64,
    /// Probability that a message is late, by up to ten latencies, and overtaken.
    pub reorder: f64,
    /// How long a dial into nowhere takes to fail. Default 3 s.
    pub dial_timeout: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            dial_timeout: Duration::from_secs(3),
        }
    }
}

/// How often each fault has really happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Messages lost.
    pub lost: u64,
    /// Messages duplicated.
    pub duplicated: u64,
    /// Messages that were overtaken.
    pub reordered: u64,
    /// Messages and dials that a partition or a cut stopped.
    pub partitioned: u64,
    /// Pauses.
    pub pauses: u64,
    /// Crashes.
    pub crashes: u64,
    /// Restarts.
    pub restarts: u64,
    /// Clock jumps.
    pub clock_jumps: u64,
}
