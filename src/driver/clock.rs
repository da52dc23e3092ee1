//! The time that the machine has slept, and what the wall clock says.
//!
//! The runtime's clock stands still while the machine is suspended. A node that does not notice
//! wakes up with records that have died elsewhere and whose certificates are gone: it would raise
//! the dead (R29). A process that is stopped (`SIGSTOP`) needs nothing of this: the clock goes on.

use alloc::boxed::Box;
use core::time::Duration;
use std::time::{Instant, SystemTime};

/// How long the machine has slept since the driver was made.
pub(super) type Asleep = Box<dyn FnMut() -> Duration + Send>;

/// A clock that goes on while the machine sleeps, and how far it may seem to run ahead of the
/// runtime's by accident.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod sleepless {
    use core::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    #[cfg(not(target_vendor = "apple"))]
    const CLOCK: ClockId = ClockId::Boottime;
    // There the runtime's is CLOCK_UPTIME_RAW, and this one counts sleep.
    #[cfg(target_vendor = "apple")]
    const CLOCK: ClockId = ClockId::Monotonic;

    pub(super) const TOLERANCE: Duration = Duration::from_millis(100);

    pub(super) fn now() -> Duration {
        Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
    }
}

/// Elsewhere the wall clock alone tells ([`WallClock`]).
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod sleepless {
    use core::time::Duration;

    pub(super) const TOLERANCE: Duration = Duration::from_millis(100);

    pub(super) const fn now() -> Duration {
        Duration::ZERO
    }
}

/// Adds up how long the machine has slept since it was made.
pub(super) struct Sleep {
    base: (Instant, Duration),
    total: Duration,
}

/// The runtime's clock first. [`Sleep::total`] reads it last: whatever comes between two readings
/// makes the sleep seem shorter, never longer.
fn base() -> (Instant, Duration) {
    let awake = Instant::now();
    (awake, sleepless::now())
}

impl Sleep {
    pub(super) fn new() -> Self {
        Self {
            base: base(),
            total: Duration::ZERO,
        }
    }

    pub(super) fn total(&mut self) -> Duration {
        let (awake_before, before) = self.base;
        let passed = sleepless::now().saturating_sub(before);
        let slept = passed.saturating_sub(awake_before.elapsed());
        if slept >= sleepless::TOLERANCE {
            self.total += slept;
            self.base = base();
        }
        self.total
    }
}

/// The machine's wall clock, since 1970.
pub(super) fn wall() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

/// A wall clock, beside the time that the node is given: a machine that was paused from outside, as
/// virtual ones are, has no other that knows (R34).
pub(super) struct WallClock {
    read: Box<dyn FnMut() -> Duration + Send>,
    /// What the node was told last, and when.
    told: Option<(Duration, crate::time::Instant)>,
}

/// The node is told when the two have parted by so much.
const PARTED: Duration = Duration::from_secs(1);

impl WallClock {
    pub(super) fn new(read: impl FnMut() -> Duration + Send + 'static) -> Self {
        Self {
            read: Box::new(read),
            told: None,
        }
    }

    /// What it says now, if it is the first time or not what was to be expected.
    pub(super) fn news(&mut self, now: crate::time::Instant) -> Option<Duration> {
        let read = (self.read)();
        let is_expected = self
            .told
            .is_some_and(|(told, then)| read.abs_diff(told + now.saturating_since(then)) < PARTED);
        if is_expected {
            return None;
        }
        self.told = Some((read, now));
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awake_there_is_no_sleep() {
        let mut sleep = Sleep::new();
        std::thread::sleep(Duration::from_millis(120));
        assert_eq!(sleep.total(), Duration::ZERO);
    }

    #[test]
    fn sleep_adds_up() {
        let mut sleep = Sleep::new();
        for seconds in 1..=2 {
            // As after a second in which only the sleepless clock went on.
            sleep.base.1 = sleep.base.1.saturating_sub(Duration::from_secs(1));
            let slept = Duration::from_secs(seconds);
            assert!(sleep.total().abs_diff(slept) < Duration::from_millis(500));
            assert_eq!(sleep.total(), sleep.total(), "counted once");
        }
    }

    #[test]
    fn the_wall_clock_is_told_at_first_and_when_it_jumps() {
        let at = crate::time::Instant::from_millis;
        let mut readings = [100, 105, 3_710, 3_711, 111].into_iter();
        let mut wall = WallClock::new(move || Duration::from_secs(readings.next().unwrap_or(0)));
        let told = [0, 5_000, 10_000, 11_000, 12_000].map(|ms| wall.news(at(ms)));
        let s = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(told, [s(100), None, s(3_710), None, s(111)]);
    }
}
