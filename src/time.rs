//! Time as the state machine sees it.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: a duration since an origin that the embedder picks.
///
/// The node reads no clock. Any monotonic clock will do: on a host with `std`, the duration since
/// a `std::time::Instant` taken at start; in a simulation, virtual time. Where the machine may be
/// suspended, take one that counts the time of sleep too (`CLOCK_BOOTTIME` on Linux, as the driver
/// does): otherwise the node wakes up with records that have died elsewhere (R29). Arithmetic saturates;
/// the resolution is one nanosecond and the range 584 years; what a
/// table keeps is counted in seconds, in 32 bits: 136 years after the origin a node takes no record any more.
///
/// A node clamps what it is given, so that time never runs backwards for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// The point `since` after the origin.
    #[must_use]
    pub const fn from_duration(since: Duration) -> Self {
        Self(nanos(since))
    }

    /// The point `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The time that has passed since the origin.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time from `earlier` until `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self` less `duration`, the origin at least.
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

/// The time from the other point until this one; zero if the other is later.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.saturating_since(rhs)
    }
}

/// The point that much earlier, the origin at least.
impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        self.saturating_sub(rhs)
    }
}

/// The time since the origin, as a duration is written: `1.5s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_duration().fmt(f)
    }
}

/// The mean round-trip time after one more (RFC 6298, with its gain of 1/8).
pub(crate) fn smoothed(mean: Option<Duration>, round_trip: Duration) -> Duration {
    mean.map_or(round_trip, |mean| (mean * 7 + round_trip) / 8)
}

const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let end = Instant::from_duration(Duration::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(
            Instant::ZERO.saturating_sub(Duration::from_secs(1)),
            Instant::ZERO
        );
        assert_eq!(Instant::ZERO.saturating_since(end), Duration::ZERO);
    }

    #[test]
    fn keeps_durations_exactly() {
        let d = Duration::new(1_800, 123_456_789);
        assert_eq!(Instant::from_duration(d).as_duration(), d);
        assert_eq!(
            (Instant::from_millis(5) + d).saturating_since(Instant::from_millis(5)),
            d
        );
    }
}
