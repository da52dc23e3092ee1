//! The dials under way, and how many there may be (R19).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::{Multiaddr, Protocol};
use crate::id::{DialId, LinkId, NodeId};
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
    /// Likewise, one that may not hear over the link that it has (R32).
    Afresh(NodeId),
    /// Likewise, over one transport alone that may be blocked (R32).
    Probe(NodeId, Protocol),
    /// A peer that is gone (R28).
    Hint(NodeId),
    /// A linked node that wants to know whether it can be reached there (R38).
    Back {
        node: NodeId,
        link: LinkId,
        at: Multiaddr,
        /// Its record lists it, and it may lead elsewhere than its link does.
        listed: bool,
    },
}

impl Purpose {
    /// The peer that is wanted there, unless whoever answers is welcome, or no link is wanted.
    pub(crate) fn node(&self) -> Option<NodeId> {
        match self {
            Self::Upstream(_) | Self::Back { .. } => None,
            Self::Peer(node) | Self::Afresh(node) | Self::Probe(node, _) | Self::Hint(node) => {
                Some(*node)
            }
        }
    }
}

/// A dial that has ended.
pub(crate) struct Dialled {
    pub(crate) dial: DialId,
    pub(crate) purpose: Purpose,
    pub(crate) since: Instant,
}

impl Dialled {
    /// Only to see who is there (R38).
    pub(crate) fn is_back(&self) -> bool {
        matches!(self.purpose, Purpose::Back { .. })
    }
}

/// Dials in a burst, and the time in which one comes back (R19).
const BUDGET: Rate = Rate::new(96, Duration::from_millis(500));
/// Dials in vain in a minute in all, upstreams aside (R28).
const IN_VAIN: usize = 20;
/// Of these, so many may be of peers for rounds and ranks.
const PEERS_IN_VAIN: usize = 5;

/// Of these, so many may be of those in doubt: hints have the rest, whatever happens. [A node that had
/// been cut off dialled none for a minute, and was alone for so long after it could hear again.]
const DOUBTS_IN_VAIN: usize = 10;
/// Dials of those in doubt within minutes, and the time in which one of these comes back. [Without
/// this bound brief identities made each node dial 267 times a minute in vain. With a burst of 64, and
/// one dial of each, 137 pairs of 1,000 that were cut in 90 and 10 were wrong for a moment, and the last
/// knew after 23 s.]
const DOUBTS: Rate = Rate::new(240, Duration::from_secs(6));

/// Why somebody is dialled who may not be there any more, though nobody doubts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// It is gone, and may be back.
    Hint,
    /// A round, or a rank that is to stand.
    Partner,
    /// News waits for it, or it is to watch this node.
    News,
}

const MINUTE: Duration = Duration::from_secs(60);
/// When the budget is used up, an upstream waits for the next dial that comes back.
pub(crate) const NEXT_DIAL: Duration = BUDGET.per_token;
/// Of the dials at once, so many are kept free for upstreams.
const RESERVED: usize = 4;
/// Longer than any transport tries.
const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// What a dial in vain counts as (R28).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Peer,
    Doubt,
    Other,
}

/// `None` where another budget counts.
const fn kind(purpose: &Purpose) -> Option<Kind> {
    match purpose {
        Purpose::Upstream(_) | Purpose::Back { listed: false, .. } => None,
        Purpose::Peer(_) => Some(Kind::Peer),
        Purpose::Afresh(_) | Purpose::Probe(..) => Some(Kind::Doubt),
        Purpose::Hint(_) | Purpose::Back { .. } => Some(Kind::Other),
    }
}

#[derive(Default)]
pub(crate) struct Dialer {
    /// With the time at which each began.
    dials: BTreeMap<DialId, (Purpose, Instant)>,
    last: u64,
    budget: Bucket,
    /// Of the dials of those in doubt.
    doubts: Bucket,
    /// The same, over a longer time.
    lasting_doubts: Bucket,
    /// Of those that others ask for.
    backs: Bucket,
    /// The last dials in vain, by kind.
    in_vain: VecDeque<(Instant, Kind)>,
}

impl Dialer {
    /// Begins a dial, if there may be one more at once and in this time.
    pub(crate) fn begin(&mut self, purpose: Purpose, now: Instant) -> Option<DialId> {
        let is_doubt = kind(&purpose) == Some(Kind::Doubt);
        let (budget, most) = match purpose {
            Purpose::Upstream(_) => (&mut self.budget, caps::DIALS),
            Purpose::Peer(_) | Purpose::Hint(_) => (&mut self.budget, caps::DIALS - RESERVED),
            // Places of their own: after the loss of many, hints and lost links would take all.
            Purpose::Afresh(_) | Purpose::Probe(..) => (&mut self.doubts, caps::DOUBT_DIALS),
            Purpose::Back { .. } => (&mut self.backs, caps::DIAL_BACKS),
        };
        let place = |purpose: &Purpose| match purpose {
            Purpose::Afresh(_) | Purpose::Probe(..) => 1,
            Purpose::Back { .. } => 2,
            _ => 0,
        };
        let alike = |(p, _): &&(Purpose, Instant)| place(p) == place(&purpose);
        if self.dials.values().filter(alike).count() >= most {
            return None;
        }
        if is_doubt && !self.lasting_doubts.has(DOUBTS, now) {
            return None;
        }
        budget.take(BUDGET, now, 1).ok()?;
        if is_doubt {
            self.lasting_doubts.take(DOUBTS, now, 1).ok()?;
        }
        self.last += 1;
        let dial = DialId::new(self.last);
        self.dials.insert(dial, (purpose, now));
        Some(dial)
    }

    /// Whether a peer may be dialled that may not be there any more (R28). Those under way count as
    /// if they were in vain.
    pub(crate) fn may_be_in_vain(&self, reason: Reason, now: Instant) -> bool {
        let lately = |(at, _): &&(Instant, Kind)| now.saturating_since(*at) < MINUTE;
        let failed = self.in_vain.iter().filter(lately).map(|(_, kind)| *kind);
        let under_way = self.dials.values().filter_map(|(p, _)| kind(p));
        let (mut peers, mut doubts, mut others) = (0, 0, 0);
        for kind in under_way.chain(failed) {
            *match kind {
                Kind::Peer => &mut peers,
                Kind::Doubt => &mut doubts,
                Kind::Other => &mut others,
            } += 1;
        }
        peers + doubts.min(DOUBTS_IN_VAIN) + others < IN_VAIN
            && (reason != Reason::Partner || peers < PEERS_IN_VAIN)
    }

    /// A dial for this was in vain.
    pub(crate) fn was_in_vain(&mut self, purpose: &Purpose, now: Instant) {
        let Some(kind) = kind(purpose) else {
            return;
        };
        let alike = |(_, of): &&(Instant, Kind)| *of == kind;
        if self.in_vain.iter().filter(alike).count() >= IN_VAIN {
            let first = self.in_vain.iter().position(|(_, of)| *of == kind);
            first.map(|first| self.in_vain.remove(first));
        }
        self.in_vain.push_back((now, kind));
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

    /// Whether this peer is being dialled, as one or as a hint. [While one is tried over a transport
    /// that is blocked, it may be in doubt.]
    pub(crate) fn is_dialing(&self, node: &NodeId) -> bool {
        let mut dials = self.dials.values().map(|(purpose, _)| purpose);
        dials.any(|p| p.node() == Some(*node) && !matches!(p, Purpose::Probe(..)))
    }

    /// The peer that this dial is for, unless it is an upstream's.
    pub(crate) fn peer(&self, dial: DialId) -> Option<NodeId> {
        self.dials.get(&dial)?.0.node()
    }

    /// Whether it is over one transport alone.
    pub(crate) fn is_probe(&self, dial: DialId) -> bool {
        let dial = self.dials.get(&dial);
        dial.is_some_and(|(purpose, _)| matches!(purpose, Purpose::Probe(..)))
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

    /// R32, R39: whoever is in doubt is dialled all the same.
    #[test]
    fn those_in_doubt_have_places_of_their_own() {
        let mut dialer = Dialer::default();
        assert_eq!(begin(&mut dialer, &upstream(), 50, at(0)), caps::DIALS);
        let doubt = Purpose::Afresh(node(1));
        assert_eq!(begin(&mut dialer, &doubt, 100, at(0)), caps::DOUBT_DIALS);
        assert_eq!(dialer.len(), caps::DIALS + caps::DOUBT_DIALS);
        assert_eq!(doubt.node(), Some(node(1)));
        assert!(dialer.is_dialing(&node(1)) && dialer.peer(DialId::new(1)).is_none());
    }

    /// R28: so they are not dialled for ever at the pace of the first minute.
    #[test]
    fn those_in_doubt_are_dialled_ten_times_a_minute_in_the_end() {
        let mut dialer = Dialer::default();
        let doubt = Purpose::Afresh(node(1));
        let minute = |minute: u64, dialer: &mut Dialer| {
            let tenths = (0..600).map(|n| at(60 * minute) + Duration::from_millis(100 * n));
            let begun = tenths.filter(|now| {
                let dial = dialer.begin(doubt.clone(), *now);
                dial.and_then(|dial| dialer.finish(dial)).is_some()
            });
            begun.count()
        };
        let begun: Vec<_> = (10..15).map(|nth| minute(nth, &mut dialer)).collect();
        assert!(begun.iter().sum::<usize>() <= 240 + 50, "{begun:?}");
        assert!(begun[0] > 200 && begun[4] <= 10, "{begun:?}");
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

    /// R28: twenty in a minute, five of them of peers, those under way included; who answers costs
    /// nothing.
    #[test]
    fn dials_in_vain_are_budgeted() {
        let mut dialer = Dialer::default();
        let peer = Purpose::Peer(node(1));
        for _ in 0..40 {
            let dial = dialer.begin(peer.clone(), at(0)).unwrap();
            dialer.finish(dial);
        }
        for second in 0..5 {
            assert!(dialer.may_be_in_vain(Reason::Partner, at(second)));
            let dial = dialer.begin(peer.clone(), at(second)).unwrap();
            if second < 3 {
                dialer.finish(dial);
                dialer.was_in_vain(&peer, at(second));
            }
        }
        assert!(!dialer.may_be_in_vain(Reason::Partner, at(59)));
        assert!(dialer.may_be_in_vain(Reason::News, at(59)));
        assert!(
            dialer.may_be_in_vain(Reason::Partner, at(60)),
            "the first is a minute ago"
        );
        dialer.was_in_vain(&upstream(), at(59));
        // Two are under way for ever, and of those in doubt ten count.
        let vain = |dialer: &mut Dialer, purpose: Purpose, times| {
            (0..times).for_each(|_| dialer.was_in_vain(&purpose, at(100)));
        };
        vain(&mut dialer, Purpose::Afresh(node(3)), 100);
        assert!(dialer.may_be_in_vain(Reason::Hint, at(100)));
        vain(&mut dialer, Purpose::Hint(node(4)), 7);
        assert!(dialer.may_be_in_vain(Reason::News, at(100)));
        vain(&mut dialer, Purpose::Hint(node(4)), 1);
        for reason in [Reason::Hint, Reason::Partner, Reason::News] {
            assert!(!dialer.may_be_in_vain(reason, at(159)), "{reason:?}");
        }
        assert!(dialer.may_be_in_vain(Reason::Hint, at(160)));
        assert!(dialer.in_vain.len() <= 3 * IN_VAIN);
    }
}
