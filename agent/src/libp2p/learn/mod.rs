//! Learning the addresses of the service beside this agent from the service itself.

mod answer;
mod client;

pub(crate) use answer::Own;
pub(crate) use client::{Client, Source};
use peer_exchange::Multiaddr;
use std::time::Duration;

/// Backoff after a first failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// After so many failures in a row the service is taken to be gone.
const GONE: u32 = 3;

/// Asks the service for its own addresses. Blocks.
///
/// # Errors
/// Why there are none, for the log.
pub(crate) fn ask(source: &Source, own: &Own<'_>) -> Result<Vec<Multiaddr>, String> {
    let url = &source.url;
    let client = Client::new(source);
    let client = client.map_err(|(key, problem)| format!("`libp2p.{key}`: {problem}"))?;
    let text = client
        .get()
        .map_err(|problem| format!("{url}: {problem}"))?;
    answer::read(&text, own).map_err(|problem| format!("{url}: {problem}"))
}

/// How long to wait before asking again, and what to believe meanwhile.
#[derive(Default)]
pub(crate) struct Pace {
    failures: u32,
}

impl Pace {
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure; true when the service is to be taken for gone.
    pub(crate) fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures >= GONE
    }

    /// Until the next try: the interval, or a jittered backoff after failures.
    pub(crate) fn wait(&self, interval: Duration) -> Duration {
        let (base, cap) = BACKOFF;
        let wait = match self.failures {
            0 => interval,
            n => cap.min(base.saturating_mul(1 << (n - 1).min(16))),
        };
        // Agents that were started at once do not ask at once for ever.
        wait.mul_f64(0.75 + 0.5 * fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_gently() {
        let interval = Duration::from_secs(30);
        let mut pace = Pace::default();
        assert!(pace.wait(interval) >= interval.mul_f64(0.75));
        assert!(!pace.failed() && !pace.failed() && pace.failed());
        for _ in 0..100 {
            pace.failed();
            let wait = pace.wait(interval);
            assert!(wait >= BACKOFF.0 && wait <= BACKOFF.1.mul_f64(1.25));
        }
        assert!(pace.wait(interval) >= BACKOFF.1.mul_f64(0.75));
        pace.succeeded();
        assert!(pace.wait(interval) <= interval.mul_f64(1.25));
    }
}
