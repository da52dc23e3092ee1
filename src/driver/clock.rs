//! The time that the machine has slept.
//!
//! The runtime's clock stands still while the machine is suspended. A node that does not notice
//! wakes up with records that have died elsewhere and whose certificates are gone: it would raise
//! the dead (R29). A process that is stopped (`SIGSTOP`) needs nothing of this: the clock goes on.

use alloc::boxed::Box;
use core::time::Duration;
use std::time::Instant;

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
    /// Differences add up, however many readings there are between.
    pub(super) const EXACT: bool = true;

    pub(super) fn now() -> Duration {
        Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
    }
}

/// Elsewhere the wall clock, of which only jumps ahead count. One that was set ahead looks like
/// sleep too: what has then expired too early comes back with its next renewal.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod sleepless {
    use core::time::Duration;
    use std::time::SystemTime;

    pub(super) const TOLERANCE: Duration = Duration::from_secs(10);
    /// The two run at slightly different speeds: each reading begins anew.
    pub(super) const EXACT: bool = false;

    pub(super) fn now() -> Duration {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default()
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
        } else if !sleepless::EXACT {
            self.base = base();
        }
        self.total
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
}
