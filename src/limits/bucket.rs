//! A token bucket.

use core::time::Duration;

use crate::time::Instant;

/// The size and rate of a bucket.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Rate {
    /// Tokens of a full bucket.
    pub(crate) burst: u64,
    /// The time in which one token comes back.
    pub(crate) per_token: Duration,
}

impl Rate {
    pub(crate) const fn new(burst: u64, per_token: Duration) -> Self {
        Self { burst, per_token }
    }

    /// So many times as fast, from a bucket as many times as large.
    pub(crate) fn times(self, times: u64) -> Self {
        Self {
            burst: self.burst.saturating_mul(times),
            per_token: self.per_token / times.max(1) as u32,
        }
    }

    /// So many times as slow, from a bucket as many times as small.
    pub(crate) fn slower(self, times: u32) -> Self {
        Self {
            burst: (self.burst / u64::from(times.max(1))).max(1),
            per_token: self.per_token * times,
        }
    }

    /// `per_second` tokens a second.
    pub(crate) const fn per_second(burst: u64, per_second: u64) -> Self {
        let nanos = 1_000_000_000 / if per_second == 0 { 1 } else { per_second };
        Self {
            burst,
            per_token: Duration::from_nanos(if nanos == 0 { 1 } else { nanos }),
        }
    }
}

/// A token bucket, kept as the time at which it will be full again (the virtual scheduling form
/// of the generic cell rate algorithm, ITU-T I.371): 8 bytes, and no work while it is idle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes `tokens`, or says how long to wait for them. More than a full bucket is charged as a
    /// full one.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant, tokens: u64) -> Result<(), Duration> {
        let cost = scale(rate.per_token, tokens.min(rate.burst));
        let depth = scale(rate.per_token, rate.burst);
        let full_at = self.full_at.max(now) + cost;
        let over = full_at.saturating_since(now).saturating_sub(depth);
        if over > Duration::ZERO {
            return Err(over);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Takes `tokens` even when they are not there: the debt is paid before the next take.
    pub(crate) fn charge(&mut self, rate: Rate, now: Instant, tokens: u64) {
        let limit = now + scale(rate.per_token, rate.burst.saturating_mul(2));
        self.full_at = (self.full_at.max(now) + scale(rate.per_token, tokens)).min(limit);
    }

    /// Puts tokens back that were taken.
    pub(crate) fn give_back(&mut self, rate: Rate, tokens: u64) {
        self.full_at = self.full_at.saturating_sub(scale(rate.per_token, tokens));
    }

    /// Whether a token is there.
    pub(crate) fn has(&self, rate: Rate, now: Instant) -> bool {
        Self {
            full_at: self.full_at,
        }
        .take(rate, now, 1)
        .is_ok()
    }

    /// When it will be full again.
    pub(crate) fn full_at(&self) -> Instant {
        self.full_at
    }

    /// Whether it is full: then it is as good as a new one.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

fn scale(per_token: Duration, tokens: u64) -> Duration {
    let nanos = per_token.as_nanos().saturating_mul(u128::from(tokens));
    Duration::from_nanos(nanos.min(u128::from(u64::MAX)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::per_second(3, 1);

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::default();
        let t = Instant::from_millis(10_000);
        for _ in 0..3 {
            assert_eq!(bucket.take(RATE, t, 1), Ok(()));
        }
        assert_eq!(bucket.take(RATE, t, 1), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(RATE, t + Duration::from_secs(1), 1), Ok(()));
        assert!(!bucket.has(RATE, t + Duration::from_secs(1)));
        assert!(bucket.is_full(t + Duration::from_secs(4)));
    }

    #[test]
    fn a_debt_is_paid_first_and_is_bounded() {
        let mut bucket = Bucket::default();
        let t = Instant::ZERO;
        bucket.charge(RATE, t, 1_000_000);
        assert_eq!(bucket.take(RATE, t, 1), Err(Duration::from_secs(4)));
        assert_eq!(bucket.take(RATE, t + Duration::from_secs(4), 1), Ok(()));
    }
}
