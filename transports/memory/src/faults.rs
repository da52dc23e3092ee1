//! What goes wrong on the way.

use crate::HostId;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::time::Duration;

/// The faults of a network. Probabilities are per message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// One way. Default 1 ms.
    pub latency: Duration,
    /// Each pair of hosts has a latency of its own, up to this part of it above or below, 0 to 1: the
    /// same both ways and for the whole run. Default 0.
    pub spread: f64,
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
            spread: 0.0,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            dial_timeout: Duration::from_secs(3),
        }
    }
}

impl Faults {
    /// One way between these two, in a network of this seed.
    pub(crate) fn latency_between(&self, seed: u64, a: HostId, b: HostId) -> Duration {
        if self.spread == 0.0 {
            return self.latency;
        }
        let mut hasher = SipHasher13::new_with_keys(seed, 0);
        hasher.write_usize(a.0.min(b.0));
        hasher.write_usize(a.0.max(b.0));
        // Evenly from -1 to 1.
        let side = hasher.finish() as f64 / u64::MAX as f64 * 2.0 - 1.0;
        self.latency.mul_f64((1.0 + self.spread * side).max(0.0))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_has_a_latency_of_its_own_both_ways() {
        let faults = Faults {
            latency: Duration::from_millis(100),
            spread: 0.5,
            ..Faults::default()
        };
        let between = |seed, a, b| faults.latency_between(seed, HostId(a), HostId(b));
        let all: Vec<_> = (0..1_000).map(|b| between(1, 5_000, b)).collect();
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(*least >= Duration::from_millis(50) && *least < Duration::from_millis(52));
        assert!(*most <= Duration::from_millis(150) && *most > Duration::from_millis(148));
        let mean = all.iter().sum::<Duration>() / 1_000;
        assert!((97..103).contains(&mean.as_millis()), "{mean:?}");
        assert_eq!(between(1, 2, 3), between(1, 3, 2));
        assert_ne!(between(1, 2, 3), between(2, 2, 3));
        let even = Faults::default();
        let latency = even.latency_between(1, HostId(2), HostId(3));
        assert_eq!(latency, even.latency);
    }
}
