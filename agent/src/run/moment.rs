//! When something happened, in a way that can be compared after a restart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time, by the wall clock and by the time since the machine's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Milliseconds since 1970.
    wall_ms: u64,
    /// Milliseconds since the machine's start, suspension included; 0 where the system does not tell.
    boot_ms: u64,
    /// Which start of the machine; 0 where the system does not tell.
    boot: u128,
}

/// Bytes of a moment in a file.
pub(super) const LEN: usize = 32;

impl Moment {
    pub(super) fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let (boot_ms, boot) = since_boot().unwrap_or_default();
        Self {
            wall_ms: wall.unwrap_or_default().as_millis() as u64,
            boot_ms,
            boot,
        }
    }

    /// How long it took from `earlier` to this. By the machine's own time if it has not been
    /// started again, else by the wall clock; `None` if that has gone backwards (R29).
    pub(super) fn since(&self, earlier: &Self) -> Option<Duration> {
        let ms = if self.boot == earlier.boot && self.boot != 0 {
            self.boot_ms.checked_sub(earlier.boot_ms)
        } else {
            self.wall_ms.checked_sub(earlier.wall_ms)
        };
        ms.map(Duration::from_millis)
    }

    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&self.wall_ms.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.boot_ms.to_be_bytes());
        bytes[16..].copy_from_slice(&self.boot.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; LEN]) -> Self {
        let number = |at: usize| {
            let bytes = bytes[at..].first_chunk::<8>();
            bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
        };
        Self {
            wall_ms: number(0),
            boot_ms: number(8),
            boot: u128::from(number(16)) << 64 | u128::from(number(24)),
        }
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Option<(u64, u128)> {
    use rustix::time::{ClockId, clock_gettime};
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot = u128::from_str_radix(&id.trim().replace('-', ""), 16).ok()?;
    let t = clock_gettime(ClockId::Boottime);
    let ms = u64::try_from(t.tv_sec).ok()? * 1_000 + u64::try_from(t.tv_nsec).ok()? / 1_000_000;
    Some((ms, boot))
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> Option<(u64, u128)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall_ms: u64, boot_ms: u64, boot: u128) -> Moment {
        Moment {
            wall_ms,
            boot_ms,
            boot,
        }
    }

    #[test]
    fn without_a_new_start_the_wall_clock_may_lie() {
        let earlier = moment(5_000, 100, 7);
        let seconds = |later: Moment| later.since(&earlier).map(|t| t.as_millis());
        assert_eq!(seconds(moment(1, 400, 7)), Some(300));
        assert_eq!(seconds(moment(9_000, 400, 8)), Some(4_000));
        assert_eq!(seconds(moment(4_999, 400, 8)), None);
        assert_eq!(seconds(moment(6_000, 0, 0)), Some(1_000));
    }

    #[test]
    fn bytes_read_as_written() {
        let now = Moment::now();
        assert_eq!(Moment::from_bytes(&now.to_bytes()), now);
    }
}
