//! Exponential backoff with full jitter (R17; "Exponential Backoff And Jitter", AWS Architecture
//! Blog, 2015).

use core::time::Duration;

use crate::rng::Stream;
use crate::time::Instant;

/// Failures in a row, and when to try again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Backoff {
    failures: u8,
    after_failure: Instant,
    /// What the other end has asked for: no success here makes it shorter.
    held_until: Instant,
}

impl Backoff {
    /// Counts a failure: the next try is within `base` · 2^failures, at most `cap`.
    pub(crate) fn fail(
        &mut self,
        now: Instant,
        base: Duration,
        cap: Duration,
        random: &mut Stream,
    ) {
        let ceiling = base.saturating_mul(1 << self.failures.min(20)).min(cap);
        self.failures = self.failures.saturating_add(1);
        // A floor of a tenth, so that full jitter never means at once.
        self.after_failure = now + random.jitter(ceiling, 10);
    }

    /// Waits for at least `wait`, without counting a failure.
    pub(crate) fn hold(&mut self, now: Instant, wait: Duration) {
        self.held_until = self.held_until.max(now + wait);
    }

    /// A link has held for long enough (30 s).
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
        self.after_failure = Instant::ZERO;
    }

    pub(crate) fn failures(&self) -> u8 {
        self.failures
    }

    pub(crate) fn retry_at(&self) -> Instant {
        self.after_failure.max(self.held_until)
    }

    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        self.retry_at() <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn doubles_to_the_cap() {
        let (base, cap) = (Duration::from_millis(500), Duration::from_secs(300));
        let mut random = Stream::new(&[3; 32], Purpose::Choices);
        let mut backoff = Backoff::default();
        for failure in 0..40_u32 {
            let now = Instant::from_millis(u64::from(failure));
            backoff.fail(now, base, cap, &mut random);
            let wait = backoff.retry_at().saturating_since(now);
            let ceiling = base.saturating_mul(1 << failure.min(20)).min(cap);
            assert!(
                wait < ceiling && wait >= ceiling / 10,
                "{failure}: {wait:?}"
            );
        }
        assert_eq!(backoff.failures(), 40);
        backoff.reset();
        assert!(backoff.is_ready(Instant::ZERO));
    }

    #[test]
    fn a_hold_outlasts_success_and_failure() {
        let mut random = Stream::new(&[3; 32], Purpose::Choices);
        let mut backoff = Backoff::default();
        let (t, minute) = (Instant::ZERO, Duration::from_secs(60));
        backoff.hold(t, minute);
        backoff.fail(t, Duration::from_millis(10), minute, &mut random);
        backoff.reset();
        assert_eq!(backoff.retry_at(), t + minute);
    }
}
