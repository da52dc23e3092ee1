//! When an address is dialled whatever it has led to, and what comes of meeting oneself (R37).

use core::time::Duration;

use crate::node::cx::Cx;
use crate::time::Instant;

/// Looks in the first minute, counted from the start.
const FIRST: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
    Duration::from_secs(60),
];
/// From then on.
const LATER: Duration = Duration::from_secs(600);
/// After meeting oneself the next try follows within this time, doubling to [`SELDOM`].
const SOON: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(30);
/// An address that has led to this node so often in a row, and to no other, is reported.
pub(crate) const ALWAYS: u8 = 5;

pub(crate) struct Looks {
    started: Instant,
    next: Instant,
    done: usize,
    /// Nobody is heard: no backoff is waited for.
    urgent: bool,
    /// Dials in a row that have led to this node.
    met_itself: u8,
}

impl Looks {
    pub(crate) fn new(cx: &mut Cx) -> Self {
        Self {
            started: cx.now,
            next: cx.now + cx.jitter(FIRST[0], 75),
            done: 0,
            urgent: false,
            met_itself: 0,
        }
    }

    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// The address is being dialled: the next look is the first one that is still to come.
    pub(crate) fn dialled(&mut self, cx: &mut Cx) {
        self.urgent = false;
        while self.next <= cx.now {
            self.done += 1;
            self.next = match FIRST.get(self.done) {
                Some(after) => self.started + cx.jitter(*after, 75),
                None => cx.now + cx.jitter(LATER, 75),
            };
        }
    }

    /// There was no room for it.
    pub(crate) fn postpone(&mut self, until: Instant) {
        self.next = self.next.max(until);
    }

    /// This node hears nobody: at once, and as after a start.
    pub(crate) fn at_once(&mut self, now: Instant) {
        self.started = now;
        self.done = 0;
        self.next = now;
        self.urgent = true;
    }

    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Another node was met for the first time in a while: as after a start. [Behind a balancer that
    /// was away all come back at once, and the first to be met is one of many.]
    pub(crate) fn start_anew(&mut self, cx: &mut Cx) {
        let met_itself = self.met_itself;
        *self = Self::new(cx);
        self.met_itself = met_itself;
    }

    /// A dial has led to this node. When there is to be another try.
    pub(crate) fn met_itself(&mut self, cx: &mut Cx) -> Duration {
        let wait = SOON.saturating_mul(1 << self.met_itself.min(5)).min(SELDOM);
        self.met_itself = self.met_itself.saturating_add(1);
        cx.jitter(wait, 50)
    }

    /// A dial has led to another node.
    pub(crate) fn met_another(&mut self) {
        self.met_itself = 0;
    }

    /// How many dials in a row have led to this node.
    pub(crate) fn times_itself(&self) -> u8 {
        self.met_itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx};

    /// R37: 1, 4, 16 and 60 s after the start, then every ten minutes.
    #[test]
    fn looks_are_frequent_at_first_and_never_end() {
        let mut cx = cx(at(100));
        let mut looks = Looks::new(&mut cx);
        for second in [1, 4, 16, 60] {
            let (low, high) = (
                at(100) + Duration::from_millis(750 * second),
                at(100 + second),
            );
            assert!((low..=high).contains(&looks.next()), "{second}");
            assert!(!looks.is_due(low - Duration::from_millis(1)));
            cx.now = looks.next();
            assert!(looks.is_due(cx.now));
            looks.dialled(&mut cx);
        }
        for _ in 0..100 {
            let wait = looks.next() - cx.now;
            assert!(
                (Duration::from_secs(450)..=LATER).contains(&wait),
                "{wait:?}"
            );
            cx.now = looks.next();
            looks.dialled(&mut cx);
        }
    }

    /// A dial for another reason is no look: the next one stays where it is.
    #[test]
    fn a_dial_in_between_moves_nothing() {
        let mut cx = cx(at(0));
        let mut looks = Looks::new(&mut cx);
        let next = looks.next();
        looks.dialled(&mut cx);
        assert_eq!(looks.next(), next);
    }

    /// A machine that has slept does not make up for what it has missed.
    #[test]
    fn missed_looks_are_one() {
        let mut cx = cx(at(0));
        let mut looks = Looks::new(&mut cx);
        cx.now = at(3_600);
        looks.dialled(&mut cx);
        assert!(looks.next() >= at(3_600 + 450));
    }

    /// R37, R34.
    #[test]
    fn who_hears_nobody_looks_at_once() {
        let mut cx = cx(at(0));
        let mut looks = Looks::new(&mut cx);
        cx.now = at(100);
        looks.dialled(&mut cx);
        assert!(!looks.is_due(at(200)));
        looks.at_once(at(200));
        assert!(looks.is_due(at(200)) && looks.is_urgent());
        cx.now = at(200);
        looks.dialled(&mut cx);
        assert!(!looks.is_urgent());
        assert!(
            looks.next() > at(202) && looks.next() <= at(204),
            "as after a start"
        );
    }

    /// R37.
    #[test]
    fn after_a_while_without_anybody_looks_begin_anew() {
        let mut cx = cx(at(0));
        let mut looks = Looks::new(&mut cx);
        looks.met_itself(&mut cx);
        cx.now = at(700);
        looks.dialled(&mut cx);
        looks.start_anew(&mut cx);
        assert!(looks.next() > at(700) && looks.next() <= at(701));
        assert_eq!(looks.times_itself(), 1);
    }

    /// R37: within a second, backing off to 30 s.
    #[test]
    fn meeting_oneself_is_followed_by_another_try() {
        let mut cx = cx(at(0));
        let mut looks = Looks::new(&mut cx);
        let waits = [1, 2, 4, 8, 16, 30, 30, 30].map(Duration::from_secs);
        for (times, most) in waits.into_iter().enumerate() {
            assert_eq!(usize::from(looks.times_itself()), times);
            let wait = looks.met_itself(&mut cx);
            assert!(wait >= most / 2 && wait < most, "{times}: {wait:?}");
        }
        looks.met_another();
        assert_eq!(looks.times_itself(), 0);
        assert!(looks.met_itself(&mut cx) < SOON);
    }
}
