//! Fingerprints in beats that differ, and when to find out why (R31).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::LinkId;
use crate::time::Instant;

/// News that is under way makes fingerprints differ for a moment: this long.
const GUARD: Duration = Duration::from_millis(150);
/// Between two exchanges for repair, at least; it doubles while they bring nothing.
const PAUSE: Duration = Duration::from_millis(600);

#[derive(Default)]
pub(crate) struct Repairs {
    /// Links whose fingerprint differs, and when that has lasted long enough.
    differing: BTreeMap<LinkId, Instant>,
    pause: Duration,
    next: Instant,
}

impl Repairs {
    /// A beat has come with the same fingerprint, or with another.
    pub(crate) fn seen(&mut self, link: LinkId, is_equal: bool, now: Instant) {
        if is_equal {
            self.differing.remove(&link);
        } else {
            self.differing.entry(link).or_insert(now + GUARD);
        }
    }

    /// The link is gone.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.differing.remove(&link);
    }

    /// The own fingerprint has changed: what differed may be equal now, and what was in vain is
    /// worth another try.
    pub(crate) fn changed(&mut self, now: Instant) {
        for due in self.differing.values_mut() {
            *due = (*due).max(now + GUARD);
        }
        self.pause = Duration::ZERO;
        self.next = self.next.min(now + PAUSE);
    }

    /// The link on which to find out, if it is time.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<LinkId> {
        if self.next_due()? > now {
            return None;
        }
        let (link, _) = self.differing.iter().min_by_key(|(_, due)| **due)?;
        let link = *link;
        self.differing.remove(&link);
        self.next = now + self.pause.max(PAUSE);
        Some(link)
    }

    /// What the exchange has brought. In vain: the next one waits longer, up to `most`.
    pub(crate) fn ended(&mut self, brought_news: bool, most: Duration) {
        self.pause = if brought_news {
            Duration::ZERO
        } else {
            (2 * self.pause.max(PAUSE)).min(most)
        };
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        let first = self.differing.values().min().copied();
        first.map(|due| due.max(self.next))
    }

    pub(crate) fn len(&self) -> usize {
        self.differing.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId::new(1);
    const OTHER: LinkId = LinkId::new(2);
    const MOST: Duration = Duration::from_secs(20);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(100_000 + millis)
    }

    /// R31: a change that is under way to both is no reason to ask.
    #[test]
    fn what_differs_for_a_moment_is_let_be() {
        let mut repairs = Repairs::default();
        repairs.seen(LINK, false, at(0));
        assert_eq!(repairs.pop_due(at(149)), None);
        repairs.seen(LINK, true, at(149));
        assert_eq!((repairs.pop_due(at(999)), repairs.next_due()), (None, None));
    }

    /// R31: 150 ms.
    #[test]
    fn what_differs_for_longer_is_found_out() {
        let mut repairs = Repairs::default();
        repairs.seen(LINK, false, at(0));
        repairs.seen(LINK, false, at(100));
        assert_eq!(repairs.next_due(), Some(at(150)));
        assert_eq!(repairs.pop_due(at(150)), Some(LINK));
        assert_eq!(repairs.len(), 0);
    }

    /// R31: one exchange every 600 ms, whoever differs.
    #[test]
    fn one_at_a_time() {
        let mut repairs = Repairs::default();
        repairs.seen(LINK, false, at(0));
        repairs.seen(OTHER, false, at(1));
        assert_eq!(repairs.pop_due(at(151)), Some(LINK));
        assert_eq!(repairs.pop_due(at(750)), None);
        assert_eq!(repairs.pop_due(at(751)), Some(OTHER));
    }

    /// R31: with two nodes that never agree it becomes rare.
    #[test]
    fn what_is_in_vain_becomes_rare() {
        let mut repairs = Repairs::default();
        let mut now = 0;
        let mut waits = [0; 8];
        for wait in &mut waits {
            repairs.seen(LINK, false, at(now));
            let due = repairs.next_due().expect("it differs");
            *wait = due.saturating_since(at(now)).as_millis();
            now += *wait as u64;
            assert_eq!(repairs.pop_due(at(now)), Some(LINK));
            repairs.ended(false, MOST);
        }
        assert_eq!(
            waits,
            [150, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 20_000]
        );
    }

    /// R31: news of one's own is a reason to look again soon, and gives the other time to have it.
    #[test]
    fn a_change_of_ones_own_starts_anew() {
        let mut repairs = Repairs::default();
        (0..6).for_each(|_| repairs.ended(false, MOST));
        repairs.seen(LINK, false, at(0));
        repairs.pop_due(at(150));
        repairs.seen(LINK, false, at(200));
        assert_eq!(repairs.next_due(), Some(at(20_150)));
        repairs.changed(at(1_000));
        assert_eq!(repairs.next_due(), Some(at(1_600)));
    }

    #[test]
    fn a_link_that_is_gone_is_forgotten() {
        let mut repairs = Repairs::default();
        repairs.seen(LINK, false, at(0));
        repairs.forget(LINK);
        assert_eq!(repairs.pop_due(at(999)), None);
    }
}
