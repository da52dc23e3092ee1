//! The node's own deadlines.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::id::LinkId;
use crate::time::Instant;

/// Between two looks at what may be forgotten or closed.
pub(crate) const SWEEP: Duration = Duration::from_secs(10);

/// The deadlines of which there is one each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// The next round of asking.
    Round,
    /// The own record's renewal.
    Renew,
    /// The next batch of renewals.
    Batch,
    /// The next periodic trace, or one for an upstream that has come up.
    Trace,
    /// The next dial of an upstream or a hint.
    Redial,
    /// The fetch under way has taken too long.
    Fetch,
    /// A higher own version is allowed again (R6).
    Recover,
    /// Housekeeping of links and memories.
    Sweep,
}

const TIMERS: [Timer; 8] = [
    Timer::Round,
    Timer::Renew,
    Timer::Batch,
    Timer::Trace,
    Timer::Redial,
    Timer::Fetch,
    Timer::Recover,
    Timer::Sweep,
];

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Timer(Timer),
    /// The request under way on this link.
    Request(LinkId),
}

#[derive(Default)]
pub(crate) struct Timers {
    at: [Option<Instant>; TIMERS.len()],
    requests: BTreeSet<(Instant, LinkId)>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(at);
    }

    /// Sets it, unless it is due earlier.
    pub(crate) fn at_latest(&mut self, timer: Timer, at: Instant) {
        let slot = &mut self.at[timer as usize];
        *slot = Some(slot.map_or(at, |earlier| earlier.min(at)));
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    pub(crate) fn set_request(&mut self, link: LinkId, at: Instant) {
        self.requests.insert((at, link));
    }

    pub(crate) fn clear_request(&mut self, link: LinkId, at: Instant) {
        self.requests.remove(&(at, link));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let request = self.requests.first().map(|(at, _)| *at);
        self.at.iter().copied().chain([request]).flatten().min()
    }

    /// Takes the next that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Due> {
        if let Some((at, link)) = self.requests.first().copied() {
            if at <= now {
                self.requests.pop_first();
                return Some(Due::Request(link));
            }
        }
        let due = |t: &&Timer| self.at[**t as usize].is_some_and(|at| at <= now);
        let timer = *TIMERS.iter().find(due)?;
        self.clear(timer);
        Some(Due::Timer(timer))
    }
}
