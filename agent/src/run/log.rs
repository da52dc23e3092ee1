//! Log lines on standard error, and the rule that a lasting condition is one line per interval.

use crate::config::{Log, LogFormat};
use crate::visible::Visible;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Conditions that are remembered; of more, some are told again too soon.
const CONDITIONS: usize = 1024;

/// Lines that wait while standard error is stuck, such as on a full disk behind it; more are lost.
const WAITING: usize = 4096;

/// The thread that writes. Dropped, it writes what is left, within a second.
pub(super) struct Writer {
    _guard: WorkerGuard,
    lost: ErrorCounter,
}

impl Writer {
    /// Counts the lines that were lost.
    pub(super) fn lost(&self) -> ErrorCounter {
        self.lost.clone()
    }
}

/// Standard error, with everything seen that is written there, whoever has named it.
struct Lines(NonBlocking);

impl MakeWriter<'_> for Lines {
    type Writer = Visible<NonBlocking>;

    fn make_writer(&self) -> Self::Writer {
        Visible::new(self.0.clone())
    }
}

/// Starts logging.
///
/// # Errors
/// When the level is no filter.
pub(super) fn start(log: &Log) -> Result<Writer, String> {
    let level = log.level.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(level).map_err(|error| {
        format!("`log.level` is \"{level}\": {error}; expected error, warn, info or debug")
    })?;
    let (stderr, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(std::io::stderr());
    let writer = Writer {
        _guard: guard,
        lost: stderr.error_counter(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines(stderr))
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(writer)
}

/// Says whether a condition is to be told now: once per interval, with how often it was not.
pub(super) struct Seldom {
    interval: Duration,
    told: HashMap<String, (Instant, u64)>,
}

impl Seldom {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            told: HashMap::new(),
        }
    }

    /// `Some(n)`: tell it, and that it has been left out `n` times.
    pub(super) fn due(&mut self, condition: &str, now: Instant) -> Option<u64> {
        if let Some((at, left_out)) = self.told.get_mut(condition) {
            if now.duration_since(*at) < self.interval {
                *left_out += 1;
                return None;
            }
            let left_out = std::mem::take(left_out);
            *at = now;
            return Some(left_out);
        }
        if self.told.len() >= CONDITIONS {
            let interval = self.interval;
            self.told
                .retain(|_, (at, _)| now.duration_since(*at) < interval);
        }
        if self.told.len() >= CONDITIONS {
            self.told.clear();
        }
        self.told.insert(condition.to_owned(), (now, 0));
        Some(0)
    }

    /// It is over: when it comes back, it is told at once.
    pub(super) fn over(&mut self, condition: &str) {
        self.told.remove(condition);
    }
}

/// Lets so many lines through at once, and one a second after them: a node that joins a thousand
/// others is no thousand lines.
pub(super) struct Burst {
    room: f64,
    at: Instant,
    left_out: u64,
}

/// Lines at once.
const LINES: f64 = 20.0;

impl Burst {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            room: LINES,
            at: now,
            left_out: 0,
        }
    }

    /// `Some(n)`: write it, and that `n` like it were left out before.
    pub(super) fn due(&mut self, now: Instant) -> Option<u64> {
        let refilled = now.duration_since(self.at).as_secs_f64();
        self.room = (self.room + refilled).min(LINES);
        self.at = now;
        if self.room < 1.0 {
            self.left_out += 1;
            return None;
        }
        self.room -= 1.0;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// `" (12 times more since the last line)"`, or nothing.
pub(super) fn again(left_out: u64) -> String {
    match left_out {
        0 => String::new(),
        n => format!(" ({n} times more since the last such line)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_told_once_per_interval() {
        let mut seldom = Seldom::new(Duration::from_secs(60));
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(seldom.due("a", at(0)), Some(0));
        assert_eq!(seldom.due("a", at(1)), None);
        assert_eq!(seldom.due("b", at(1)), Some(0));
        assert_eq!(seldom.due("a", at(59)), None);
        assert_eq!(seldom.due("a", at(60)), Some(2));
        seldom.over("a");
        assert_eq!(seldom.due("a", at(61)), Some(0));
    }

    #[test]
    fn a_rush_of_lines_is_counted_instead_of_written() {
        let start = Instant::now();
        let mut burst = Burst::new(start);
        let written = (0..1000).filter_map(|_| burst.due(start)).count();
        assert_eq!(written, LINES as usize);
        let later = start + Duration::from_secs(1);
        assert_eq!(burst.due(later), Some(1000 - written as u64));
        assert_eq!(burst.due(later), None);
    }

    #[test]
    fn many_conditions_take_bounded_memory() {
        let mut seldom = Seldom::new(Duration::from_secs(60));
        let now = Instant::now();
        for n in 0..10 * CONDITIONS {
            assert!(seldom.due(&n.to_string(), now).is_some());
            assert!(seldom.told.len() <= CONDITIONS);
        }
    }
}
