//! What a process has cost.

use std::time::Duration;

/// CPU time of a process, all its threads, to the nanosecond: Linux's `schedstat`.
pub(crate) fn cpu(process: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("Linux's /proc");
    let nanoseconds = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}
