//! The loss of many at once: a partition, a rack, half of the cluster (R39).

use core::time::Duration;

use crate::time::Instant;

/// How long a node looks further than usual.
const LASTS: Duration = Duration::from_secs(15);
/// Ranks watched then, at first and at most.
const FIRST: usize = 8;
const MOST: usize = 64;

#[derive(Default)]
pub(crate) struct Mass {
    until: Option<Instant>,
    ranks: usize,
}

/// So many that went down here while it would last are as good a sign, and this part of all.
const GONE: usize = 8;
const GONE_PART: usize = 16;

impl Mass {
    /// Those that went down since then, and have not come back, are counted.
    pub(crate) fn counts_from(now: Instant) -> Instant {
        now.saturating_sub(LASTS)
    }

    /// So many have gone down of late, and so many others are left. Whether that begins it. [Who
    /// stands among the few that are left watches nobody who is lost, and took eight of each of the
    /// others: 426 of 900 never.]
    pub(crate) fn hear(&mut self, gone: usize, left: usize, now: Instant) -> bool {
        let begins = self.ranks(now).is_none() && gone >= GONE && gone * GONE_PART >= gone + left;
        if begins {
            self.ranks = FIRST;
            self.until = Some(now + LASTS);
        }
        begins
    }

    /// Looks at those watched. At least two, and half of them, lost: this node watches more ranks,
    /// and twice as many each time. Whether it does from now on.
    pub(crate) fn look(&mut self, watched: usize, lost: usize, now: Instant) -> bool {
        if lost < 2 || 2 * lost < watched {
            return false;
        }
        self.ranks = match self.ranks(now) {
            Some(ranks) => (2 * ranks).min(MOST),
            None => FIRST,
        };
        self.until = Some(now + LASTS);
        true
    }

    /// How many ranks are watched, while it lasts.
    pub(crate) fn ranks(&self, now: Instant) -> Option<usize> {
        self.until.filter(|until| *until > now).map(|_| self.ranks)
    }

    /// When it ends.
    pub(crate) fn ends(&self) -> Option<Instant> {
        self.until
    }

    /// Whether it has ended by now; said once.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        self.until.take_if(|until| *until <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::at;

    /// R39: two at least, and half of them.
    #[test]
    fn a_few_lost_nodes_are_no_mass_loss() {
        let mut mass = Mass::default();
        for (watched, lost) in [(3, 0), (3, 1), (1, 1), (5, 2), (64, 31)] {
            assert!(!mass.look(watched, lost, at(100)), "{lost} of {watched}");
        }
        assert_eq!(mass.ranks(at(100)), None);
        assert!(mass.look(3, 2, at(100)));
    }

    /// R39: eight ranks, doubling to 64.
    #[test]
    fn it_looks_twice_as_far_each_time() {
        let mut mass = Mass::default();
        let mut ranks = |second| {
            assert!(mass.look(4, 3, at(second)));
            mass.ranks(at(second)).expect("it lasts")
        };
        assert_eq!(
            [100, 101, 102, 103, 104].map(&mut ranks),
            [8, 16, 32, 64, 64]
        );
    }

    /// R39: that many others are gone says the same; eight at least, and one in sixteen.
    #[test]
    fn many_that_went_down_are_a_sign() {
        for (gone, left) in [(7, 9), (8, 200), (62, 938)] {
            assert!(!Mass::default().hear(gone, left, at(100)), "{gone} {left}");
        }
        let mut mass = Mass::default();
        assert!(mass.hear(8, 20, at(100)));
        assert_eq!(mass.ranks(at(114)), Some(8));
        assert!(!mass.hear(9, 20, at(101)), "it lasts already");
        assert_eq!(mass.ends(), Some(at(115)));
    }

    /// R39: for fifteen seconds after the last sign.
    #[test]
    fn it_ends_by_itself() {
        let mut mass = Mass::default();
        mass.look(3, 3, at(100));
        assert!(!mass.expire(at(114)));
        assert_eq!(mass.ends(), Some(at(115)));
        assert!(mass.expire(at(115)) && !mass.expire(at(115)));
        mass.look(3, 3, at(200));
        assert_eq!(mass.ranks(at(200)), Some(8), "from the beginning");
    }
}
