//! Asking upstreams for the records of nodes to which they lead, where the table is crowded (R47).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{LinkId, NodeId, Prefix, RequestId};

/// The shortest rest: by a coarse clock a round trip takes no time. [Twice nothing is nothing: a node
/// that lacked somebody had its next deadline now, for ever.]
const LEAST: Duration = Duration::from_micros(100);

/// One question at a time.
#[derive(Default)]
pub(crate) struct Ahead {
    under_way: Option<(LinkId, RequestId)>,
    /// Asked for since the last rest.
    asked: BTreeSet<Prefix>,
    /// Asked for before that, and in vain.
    before: BTreeSet<Prefix>,
    /// The last rest, if all has been asked for before.
    rest: Duration,
}

impl Ahead {
    pub(crate) fn awaits(&self, link: LinkId, request: RequestId) -> bool {
        self.under_way == Some((link, request))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Of what is lacking, the nearest first, each with the upstream that leads to it: whom to ask now,
    /// for what. `None`: everything has been asked for.
    pub(crate) fn next(&self, lacking: &[(NodeId, Prefix)]) -> Option<(NodeId, Vec<Prefix>)> {
        let fresh = || lacking.iter().filter(|(_, p)| !self.asked.contains(p));
        let (upstream, _) = fresh().next()?;
        let of_it = fresh().filter(|(by, _)| by == upstream);
        Some((*upstream, of_it.map(|(_, prefix)| *prefix).collect()))
    }

    /// This is asked for, if there is a link.
    pub(crate) fn asked(&mut self, on: Option<(LinkId, RequestId)>, wanted: &[Prefix]) {
        self.under_way = on;
        self.asked.extend(wanted);
        if !wanted.iter().all(|prefix| self.before.contains(prefix)) {
            self.rest = Duration::ZERO;
        }
    }

    /// The answer is here, or will not come.
    pub(crate) fn ended(&mut self) -> Option<(LinkId, RequestId)> {
        self.under_way.take()
    }

    /// Everything has been asked for: what has not come may be there later. How long to rest, from
    /// `first` to `most`: twice as long each time, unless something else was missing.
    pub(crate) fn rest(&mut self, first: Duration, most: Duration) -> Duration {
        self.rest = (self.rest * 2).max(first).max(LEAST).min(most);
        self.rest
    }

    /// The rest is over: everything may be asked for again.
    pub(crate) fn begin(&mut self) {
        self.before = core::mem::take(&mut self.asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::node;

    const MS: Duration = Duration::from_millis(1);

    fn prefix(n: u32) -> Prefix {
        node(n).prefix()
    }

    #[test]
    fn each_upstream_is_asked_for_all_to_which_it_leads() {
        let mut ahead = Ahead::default();
        let lacking = [(1, 7), (2, 8), (1, 9)].map(|(by, n)| (node(by), prefix(n)));
        let first = ahead.next(&lacking).unwrap();
        assert_eq!(first, (node(1), [prefix(7), prefix(9)].into()));
        let on = (LinkId::new(4), RequestId::new(5));
        ahead.asked(Some(on), &first.1);
        assert!(ahead.awaits(on.0, on.1) && !ahead.is_idle());
        assert_eq!(ahead.ended(), Some(on));
        let second = ahead.next(&lacking).unwrap();
        assert_eq!(second, (node(2), [prefix(8)].into()));
        ahead.asked(None, &second.1);
        assert_eq!(ahead.next(&lacking), None);
        ahead.begin();
        assert_eq!(ahead.next(&lacking), Some(first));
    }

    #[test]
    fn what_does_not_come_is_asked_for_ever_more_rarely() {
        let mut ahead = Ahead::default();
        let mut rest = |n| {
            ahead.asked(None, &[prefix(n)]);
            let rest = ahead.rest(MS, 5 * MS);
            ahead.begin();
            rest
        };
        let rests = [7, 7, 7, 7, 8, 8].map(&mut rest);
        assert_eq!(rests, [1, 2, 4, 5, 1, 2].map(|n| n * MS));
    }

    #[test]
    fn a_round_trip_of_no_time_is_followed_by_a_rest() {
        let mut ahead = Ahead::default();
        let rests = [0; 3].map(|_| ahead.rest(Duration::ZERO, 5 * MS));
        assert_eq!(rests, [LEAST, 2 * LEAST, 4 * LEAST]);
    }

    #[test]
    fn no_rest_is_longer_than_the_longest_whatever_a_round_trip_takes() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.rest(7 * MS, 5 * MS), 5 * MS);
    }
}
