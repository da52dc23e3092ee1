//! The dials under way, and how many there may be (R19).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::{DialId, NodeId};
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

/// What a dial is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A configured upstream, whoever answers there.
    Upstream(Multiaddr),
    /// A peer that the table has.
    Peer(NodeId),
    /// A peer that has expired (R28).
    Hint(NodeId),
}

/// A dial that has ended.
pub(crate) struct Dialled {
    pub(crate) dial: DialId,
    pub(crate) purpose: Purpose,
    pub(crate) since: Instant,
}

/// Dials in a burst, and the time in which one comes back (R19).
const BUDGET: Rate = Rate::new(96, Duration::from_millis(500));
/// When the budget is used up, an upstream waits for the next dial that comes back.
pub(crate) const NEXT_DIAL: Duration = BUDGET.per_token;
/// Of the dials at once, so many are kept free for upstreams.
const RESERVED: usize = 4;
/// Longer than any transport tries.
const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Dialer {
    /// With the time at which each began.
    dials: BTreeMap<DialId, (Purpose, Instant)>,
    last: u64,
    budget: Bucket,
}

impl Dialer {
    /// Begins a dial, if there may be one more at once and in this time.
    pub(crate) fn begin(&mut self, purpose: Purpose, now: Instant) -> Option<DialId> {
        let reserved = match purpose {
            Purpose::Upstream(_) => 0,
            Purpose::Peer(_) | Purpose::Hint(_) => RESERVED,
        };
        if self.dials.len() + reserved >= caps::DIALS {
            return None;
        }
        self.budget.take(BUDGET, now, 1).ok()?;
        self.last += 1;
        let dial = DialId::new(self.last);
        self.dials.insert(dial, (purpose, now));
        Some(dial)
    }

    /// Takes a dial that has ended off the list.
    pub(crate) fn finish(&mut self, dial: DialId) -> Option<Dialled> {
        let (purpose, since) = self.dials.remove(&dial)?;
        Some(Dialled {
            dial,
            purpose,
            since,
        })
    }

    /// Whether this peer is being dialled, as one or as a hint.
    pub(crate) fn is_dialing(&self, node: &NodeId) -> bool {
        self.dials
            .values()
            .any(|(p, _)| matches!(p, Purpose::Peer(n) | Purpose::Hint(n) if n == node))
    }

    pub(crate) fn contains(&self, dial: DialId) -> bool {
        self.dials.contains_key(&dial)
    }

    /// Dials whose outcome nobody has reported for long.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<DialId> {
        let since = now.saturating_sub(DIAL_TIMEOUT);
        let late = self.dials.iter().filter(|(_, (_, at))| *at < since);
        late.map(|(dial, _)| *dial).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.dials.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    fn upstream() -> Purpose {
        Purpose::Upstream(Multiaddr::tcp(([10, 0, 0, 1], 7000).into()))
    }

    fn begin(dialer: &mut Dialer, purpose: &Purpose, times: usize, now: Instant) -> usize {
        let begun = (0..times).filter(|_| dialer.begin(purpose.clone(), now).is_some());
        begun.count()
    }

    /// R22.
    #[test]
    fn so_many_dials_at_once_and_no_more() {
        let mut dialer = Dialer::default();
        assert_eq!(begin(&mut dialer, &upstream(), 50, at(0)), caps::DIALS);
        assert_eq!(dialer.len(), caps::DIALS);
        dialer.finish(DialId::new(1)).unwrap();
        assert_eq!(begin(&mut dialer, &upstream(), 50, at(0)), 1);
    }

    /// R20: an upstream comes first, so peers and hints leave a few places to it.
    #[test]
    fn peers_and_hints_leave_places_to_upstreams() {
        for other in [Purpose::Peer(node(1)), Purpose::Hint(node(1))] {
            let mut dialer = Dialer::default();
            let others = begin(&mut dialer, &other, 50, at(0));
            assert_eq!(others, caps::DIALS - RESERVED);
            assert_eq!(begin(&mut dialer, &upstream(), 50, at(0)), RESERVED);
        }
    }

    /// R19: a burst, then one in half a second.
    #[test]
    fn dials_are_budgeted() {
        let mut dialer = Dialer::default();
        let dial_and_finish = |dialer: &mut Dialer, now| {
            let begun = dialer.begin(upstream(), now);
            begun.and_then(|dial| dialer.finish(dial)).is_some()
        };
        let burst = (0..200).filter(|_| dial_and_finish(&mut dialer, at(0)));
        assert_eq!(burst.count(), 96);
        let next = at(0) + NEXT_DIAL;
        assert!(!dial_and_finish(
            &mut dialer,
            next - Duration::from_millis(1)
        ));
        assert!(dial_and_finish(&mut dialer, next));
        assert!(!dial_and_finish(&mut dialer, next));
    }

    /// R19: only what is dialled costs.
    #[test]
    fn what_finds_no_place_costs_nothing() {
        let mut dialer = Dialer::default();
        begin(&mut dialer, &upstream(), 1_000, at(0));
        for dial in 1..=caps::DIALS as u64 {
            dialer.finish(DialId::new(dial)).unwrap();
        }
        assert_eq!(begin(&mut dialer, &upstream(), 50, at(0)), caps::DIALS);
    }

    #[test]
    fn a_dial_ends_once_and_its_number_is_never_used_again() {
        let mut dialer = Dialer::default();
        let first = dialer.begin(Purpose::Peer(node(1)), at(3)).unwrap();
        assert!(dialer.contains(first));
        let ended = dialer.finish(first).unwrap();
        assert_eq!(ended.dial, first);
        assert_eq!(ended.purpose, Purpose::Peer(node(1)));
        assert_eq!(ended.since, at(3));
        assert!(dialer.finish(first).is_none());
        assert!(!dialer.contains(first));
        assert_ne!(dialer.begin(upstream(), at(4)), Some(first));
    }

    #[test]
    fn a_node_is_being_dialled_as_a_peer_or_as_a_hint() {
        let mut dialer = Dialer::default();
        dialer.begin(Purpose::Peer(node(1)), at(0)).unwrap();
        let hint = dialer.begin(Purpose::Hint(node(2)), at(0)).unwrap();
        dialer.begin(upstream(), at(0)).unwrap();
        assert!(dialer.is_dialing(&node(1)) && dialer.is_dialing(&node(2)));
        assert!(!dialer.is_dialing(&node(3)));
        dialer.finish(hint).unwrap();
        assert!(!dialer.is_dialing(&node(2)));
    }

    /// A transport that never reports an outcome does not take a place for ever.
    #[test]
    fn a_dial_is_overdue_after_a_minute() {
        let mut dialer = Dialer::default();
        let first = dialer.begin(upstream(), at(1)).unwrap();
        dialer.begin(upstream(), at(2)).unwrap();
        let end = at(1) + DIAL_TIMEOUT;
        assert!(dialer.overdue(at(0)).is_empty());
        assert!(dialer.overdue(end).is_empty());
        assert_eq!(dialer.overdue(end + Duration::from_nanos(1)), [first]);
        dialer.finish(first);
        assert!(dialer.overdue(end + Duration::from_millis(1)).is_empty());
    }
}
