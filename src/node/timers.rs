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
    /// A look for cycles in the table (R47).
    Cycles,
    /// The answer to a question about what lies ahead is late, or a rest from asking is over (R47).
    Ahead,
    /// The own record names other upstreams (R47).
    Name,
    /// The next dial of an upstream or a hint.
    Redial,
    /// A hub tells its askers what it has gathered (R41).
    Late,
    /// A higher own version is allowed again (R6).
    Recover,
    /// A look at the ranks of the ring.
    Standing,
    /// A transport that was blocked is tried again (R32).
    Probe,
    /// Something is due about a node that is watched, or a beat (R30).
    Detect,
    /// Housekeeping of links and memories.
    Sweep,
}

const TIMERS: [Timer; 12] = [
    Timer::Round,
    Timer::Renew,
    Timer::Cycles,
    Timer::Ahead,
    Timer::Name,
    Timer::Redial,
    Timer::Late,
    Timer::Recover,
    Timer::Standing,
    Timer::Probe,
    Timer::Detect,
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

    /// When it is due.
    pub(crate) fn at(&self, timer: Timer) -> Option<Instant> {
        self.at[timer as usize]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::at;
    use alloc::vec::Vec;

    /// All that is due, in order.
    fn due(timers: &mut Timers, seconds: u64) -> Vec<Due> {
        let due = core::iter::from_fn(|| timers.pop(at(seconds)));
        due.take(2 * TIMERS.len()).collect()
    }

    #[test]
    fn each_timer_has_its_own_deadline() {
        for timer in TIMERS {
            let mut timers = Timers::default();
            timers.set(timer, at(5));
            let set = TIMERS.iter().filter(|other| timers.is_set(**other));
            assert_eq!(set.copied().collect::<Vec<_>>(), [timer]);
            assert_eq!(due(&mut timers, 5), [Due::Timer(timer)]);
        }
    }

    #[test]
    fn nothing_is_due_before_its_time_and_everything_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Renew, at(5));
        timers.set_request(LinkId::new(1), at(6));
        assert_eq!(due(&mut timers, 4), []);
        assert_eq!(due(&mut timers, 5), [Due::Timer(Timer::Renew)]);
        assert!(!timers.is_set(Timer::Renew));
        assert_eq!(due(&mut timers, 6), [Due::Request(LinkId::new(1))]);
        assert_eq!(due(&mut timers, 100), []);
    }

    /// The next deadline is the earliest of all, whatever it is for.
    #[test]
    fn the_next_deadline_is_the_earliest() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::Sweep, at(9));
        timers.set(Timer::Renew, at(8));
        assert_eq!(timers.next(), Some(at(8)));
        timers.set_request(LinkId::new(1), at(7));
        timers.set_request(LinkId::new(2), at(10));
        assert_eq!(timers.next(), Some(at(7)));
        timers.clear_request(LinkId::new(1), at(7));
        assert_eq!(timers.next(), Some(at(8)));
    }

    /// What a time-out frees is there for the round that is due at the same time.
    #[test]
    fn requests_are_due_before_timers_the_earliest_first() {
        let mut timers = Timers::default();
        timers.set(Timer::Round, at(1));
        timers.set_request(LinkId::new(1), at(5));
        timers.set_request(LinkId::new(2), at(3));
        timers.set_request(LinkId::new(3), at(8));
        let requests = [2, 1].map(|link| Due::Request(LinkId::new(link)));
        let mut expected = requests.to_vec();
        expected.push(Due::Timer(Timer::Round));
        assert_eq!(due(&mut timers, 5), expected);
    }

    /// Timers that are due at once come in one order, so that the same input gives the same output.
    #[test]
    fn timers_are_due_in_the_order_of_their_declaration() {
        let mut timers = Timers::default();
        for (seconds, timer) in TIMERS.iter().rev().enumerate() {
            timers.set(*timer, at(seconds as u64));
        }
        let expected: Vec<_> = TIMERS.iter().map(|timer| Due::Timer(*timer)).collect();
        assert_eq!(due(&mut timers, 100), expected);
    }

    #[test]
    fn at_latest_only_brings_a_timer_forward() {
        let mut timers = Timers::default();
        for (wanted, is) in [(9, 9), (12, 9), (4, 4), (6, 4)] {
            timers.at_latest(Timer::Round, at(wanted));
            assert_eq!(timers.next(), Some(at(is)), "wanted {wanted}");
        }
        timers.set(Timer::Round, at(30));
        assert_eq!(timers.next(), Some(at(30)), "set puts it off, too");
    }

    #[test]
    fn a_cleared_timer_is_not_due() {
        let mut timers = Timers::default();
        timers.set(Timer::Round, at(1));
        timers.set(Timer::Late, at(1));
        timers.clear(Timer::Round);
        assert!(!timers.is_set(Timer::Round) && timers.is_set(Timer::Late));
        assert_eq!(due(&mut timers, 1), [Due::Timer(Timer::Late)]);
    }

    /// A request that was replaced by a later one on the same link has its own deadline.
    #[test]
    fn clearing_a_request_leaves_the_others() {
        let mut timers = Timers::default();
        timers.set_request(LinkId::new(1), at(5));
        timers.set_request(LinkId::new(1), at(6));
        timers.set_request(LinkId::new(2), at(5));
        timers.clear_request(LinkId::new(1), at(5));
        let requests = [2, 1].map(|link| Due::Request(LinkId::new(link)));
        assert_eq!(due(&mut timers, 10), requests);
    }
}
