//! How many connections may be half-open, for how long, and what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::handshake::HandshakeError;

/// Bounds the incoming connections that have not proven membership, and counts.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    size: usize,
    timeout: Duration,
    counters: Counters,
}

/// Room for one half-open connection, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    timeout: Duration,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    failed: AtomicU64,
    not_ours: AtomicU64,
    wrong_token: AtomicU64,
    timed_out: AtomicU64,
    turned_away: AtomicU64,
}

/// What became of incoming connections. All only rise, but `half_open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeStats {
    /// Became links.
    pub accepted: u64,
    /// The connection broke, or its TLS handshake failed: plain bytes, another authority.
    pub failed: u64,
    /// The other end speaks another protocol, or has no Ed25519 key.
    pub not_ours: u64,
    /// The other end does not know the token.
    pub wrong_token: u64,
    /// Did not finish in time.
    pub timed_out: u64,
    /// Dropped or asked to come again (QUIC retry) for want of room.
    pub turned_away: u64,
    /// Now: half-open.
    pub half_open: u64,
}

/// With more than half of the room taken, nobody gets longer than this: a flood of connections
/// that never finish goes by quickly, and an honest one needs a few round trips.
const CROWDED: Duration = Duration::from_secs(1);

impl Gate {
    /// For so many half-open connections, each for so long at most.
    #[must_use]
    pub fn new(size: usize, timeout: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            size,
            timeout,
            counters: Counters::default(),
        }
    }

    /// Waits for room.
    pub async fn enter(&self) -> Permit {
        let permit = self.permits.clone().acquire_owned().await;
        self.permit(permit.expect("the semaphore is never closed"))
    }

    /// Room, if there is any.
    pub fn try_enter(&self) -> Option<Permit> {
        let permit = self.permits.clone().try_acquire_owned().ok()?;
        Some(self.permit(permit))
    }

    fn permit(&self, permit: OwnedSemaphorePermit) -> Permit {
        let timeout = if self.is_crowded() {
            self.timeout.min(CROWDED)
        } else {
            self.timeout
        };
        Permit {
            _permit: permit,
            timeout,
        }
    }

    /// More than half of the room is taken.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.permits.available_permits() < self.size / 2
    }

    /// Runs a handshake within the permit's time, and counts how it ends. Keep the permit until
    /// the driver has the link: there is no other bound on links that wait for it.
    ///
    /// # Errors
    /// Those of the handshake, and when it takes too long.
    pub async fn admit<T>(
        &self,
        permit: &Permit,
        handshake: impl Future<Output = Result<T, HandshakeError>>,
    ) -> Result<T, HandshakeError> {
        let outcome = timeout(permit.timeout, handshake).await;
        let outcome = outcome.unwrap_or(Err(HandshakeError::TimedOut));
        let counters = &self.counters;
        let counter = match &outcome {
            Ok(_) => &counters.accepted,
            Err(HandshakeError::WrongToken) => &counters.wrong_token,
            Err(HandshakeError::TimedOut) => &counters.timed_out,
            Err(HandshakeError::Protocol | HandshakeError::NoKey) => &counters.not_ours,
            Err(_) => &counters.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// Counts a connection that was not even looked at.
    pub fn turned_away(&self) {
        self.counters.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> HandshakeStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HandshakeStats {
            accepted: read(&self.counters.accepted),
            failed: read(&self.counters.failed),
            not_ours: read(&self.counters.not_ours),
            wrong_token: read(&self.counters.wrong_token),
            timed_out: read(&self.counters.timed_out),
            turned_away: read(&self.counters.turned_away),
            half_open: (self.size - self.permits.available_permits()) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_gets_less_time() {
        let gate = Gate::new(4, Duration::from_secs(5));
        let start = Instant::now();
        let first = gate.enter().await;
        assert!(
            gate.admit(&first, pending::<Result<(), _>>())
                .await
                .is_err()
        );
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        drop(first);
        let _crowd = [gate.enter().await, gate.enter().await];
        let last = gate.enter().await;
        assert!(gate.admit(&last, pending::<Result<(), _>>()).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(6));
        assert_eq!((gate.stats().timed_out, gate.stats().half_open), (2, 3));
    }

    #[tokio::test]
    async fn beyond_its_size_nobody_enters() {
        let gate = Gate::new(1, Duration::from_secs(5));
        let first = gate.try_enter();
        assert!(first.is_some() && gate.try_enter().is_none());
        drop(first);
        assert!(gate.try_enter().is_some());
    }
}
