//! What this process has cost.

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time of this process, all threads.
pub(crate) fn cpu_time() -> Duration {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        t.tv_sec.try_into().unwrap_or(0),
        t.tv_nsec.try_into().unwrap_or(0),
    )
}

/// The most memory that this process has had resident, in bytes; `None` where the system does not
/// tell (`VmHWM` of Linux).
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    memory("VmHWM:")
}

/// The memory that this process has resident now, in bytes; `None` where the system does not tell.
pub(crate) fn rss_bytes() -> Option<u64> {
    memory("VmRSS:")
}

fn memory(which: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(which))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// How many files and sockets this process has open, and how many it may have, if it is nearly all
/// of them: then connections fail, its own and those that come. `None` also where the system does
/// not tell.
pub(crate) fn scarce_descriptors() -> Option<(u64, u64)> {
    let limit = getrlimit(Resource::Nofile).current?;
    let open = match std::fs::read_dir("/proc/self/fd") {
        Ok(entries) => entries.count() as u64,
        // To look takes one, too.
        Err(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => limit,
        Err(_) => return None,
    };
    is_scarce(open, limit).then_some((open, limit))
}

/// A sixteenth is left, or less than what a few dials and requests take.
const fn is_scarce(open: u64, limit: u64) -> bool {
    let left = limit.saturating_sub(open);
    left < 16 || left < limit / 16
}

/// Bytes for a reader: `1.3 kB`, `64.1 MB`.
pub(crate) fn bytes(n: f64) -> String {
    match n {
        n if n >= 1e9 => format!("{:.1} GB", n / 1e9),
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        n => format!("{n:.0} B"),
    }
}

/// A count for a reader: `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sixteenth_of_the_descriptors_is_kept() {
        assert!(!is_scarce(900, 1_024) && is_scarce(961, 1_024));
        assert!(!is_scarce(48, 64) && is_scarce(49, 64) && is_scarce(64, 64));
    }

    #[test]
    fn numbers_for_readers() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(999.0), "999 B");
        assert_eq!(bytes(64_123_000.0), "64.1 MB");
    }
}
