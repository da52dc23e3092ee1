//! What is remembered of peers beyond their links: exchanges, backoff, round-trip times (R15, R17).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::backoff::Backoff;
use crate::limits::caps;
use crate::node::cx::Cx;
use crate::time::{self, Instant};

/// Where a peer was found is tried first for so long.
const FOUND: Duration = Duration::from_secs(3_600);

#[derive(Default)]
struct Peer {
    backoff: Backoff,
    round_trip: Option<Duration>,
    /// For how long it was linked, as far as its links have ended.
    linked: Duration,
    /// Where a dial has found it, and when.
    found: Option<(SocketAddr, Instant)>,
    /// The fingerprint of the own table when the last exchange with it was over, and when that was.
    in_sync: Option<(u64, Instant)>,
    /// It was told `Busy` until then, which was reported.
    throttled_until: Instant,
    used_at: Instant,
}

#[derive(Default)]
pub(crate) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
    /// The mean round-trip time of all, for links that have none yet.
    round_trip: Option<Duration>,
}

impl Peers {
    /// The memory of a peer, made if there is none. Beyond the cap an eighth goes, the longest
    /// unused first: what is lost is at the price of one whole exchange.
    fn entry(&mut self, node: NodeId, now: Instant) -> &mut Peer {
        if self.peers.len() >= caps::PEERS && !self.peers.contains_key(&node) {
            self.make_room();
        }
        let peer = self.peers.entry(node).or_default();
        peer.used_at = now;
        peer
    }

    fn make_room(&mut self) {
        let mut ages: Vec<_> = self.peers.iter().map(|(n, p)| (p.used_at, *n)).collect();
        ages.sort_unstable();
        for (_, node) in ages.into_iter().take(caps::PEERS / 8) {
            self.peers.remove(&node);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }
}

/// Exchanges with them (R15).
impl Peers {
    /// An exchange with this node is over: each knows what the other knew, while the own table is
    /// of this fingerprint.
    pub(crate) fn set_in_sync(&mut self, node: NodeId, fingerprint: u64, now: Instant) {
        self.entry(node, now).in_sync = Some((fingerprint, now));
    }

    /// Whether an exchange with this node would bring nothing that is known to be new: there has
    /// been one since `since`, and nothing has changed here.
    pub(crate) fn is_in_sync(&self, node: &NodeId, fingerprint: u64, since: Instant) -> bool {
        let in_sync = self.peers.get(node).and_then(|p| p.in_sync);
        in_sync.is_some_and(|(then, at)| then == fingerprint && at > since)
    }
}

/// When a peer may be asked or dialled again (R17).
impl Peers {
    pub(crate) fn is_ready(&self, node: &NodeId, now: Instant) -> bool {
        self.peers.get(node).is_none_or(|p| p.backoff.is_ready(now))
    }

    /// Asking or dialling it has failed. Says how long it is left alone.
    pub(crate) fn failed(&mut self, node: NodeId, cx: &mut Cx) -> Duration {
        cx.fail(&mut self.entry(node, cx.now).backoff)
    }

    /// It is left alone until then, which is no failure.
    pub(crate) fn hold(&mut self, node: NodeId, until: Instant, now: Instant) {
        let backoff = &mut self.entry(node, now).backoff;
        backoff.hold(until, Duration::ZERO);
    }

    /// A link of it has lasted.
    pub(crate) fn lasted(&mut self, node: &NodeId) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.backoff.reset();
        }
    }

    /// A link of it has ended.
    pub(crate) fn link_ended(
        &mut self,
        node: NodeId,
        round_trip: Option<Duration>,
        lasted: bool,
        now: Instant,
    ) {
        let peer = self.entry(node, now);
        peer.round_trip = round_trip.or(peer.round_trip);
        if lasted {
            peer.backoff.reset();
        }
    }

    /// A link of it, which has ended, was there for so long.
    pub(crate) fn was_linked(&mut self, node: NodeId, time: Duration, now: Instant) {
        self.entry(node, now).linked += time;
    }

    /// For how long it was linked, in links that have ended.
    pub(crate) fn linked_for(&self, node: &NodeId) -> Duration {
        self.peers.get(node).map(|p| p.linked).unwrap_or_default()
    }

    /// Whether telling it `Busy` is to be reported: once in `interval`.
    pub(crate) fn reports_busy(&mut self, node: NodeId, now: Instant, interval: Duration) -> bool {
        let peer = self.entry(node, now);
        let due = peer.throttled_until <= now;
        if due {
            peer.throttled_until = now + interval;
        }
        due
    }

    /// How many are left alone at the moment.
    pub(crate) fn backing_off(&self, now: Instant) -> usize {
        let waits = |p: &&Peer| !p.backoff.is_ready(now);
        self.peers.values().filter(waits).count()
    }
}

/// Where a peer was found (R38).
impl Peers {
    /// A dial has found it once, or it was linked.
    pub(crate) fn has_met(&self, node: &NodeId) -> bool {
        let peer = self.peers.get(node);
        peer.is_some_and(|p| p.found.is_some() || !p.linked.is_zero())
    }

    /// Times in a row that it could not be dialled.
    pub(crate) fn failures(&self, node: &NodeId) -> usize {
        self.peers
            .get(node)
            .map_or(0, |p| p.backoff.failures().into())
    }

    /// A dial has found it there.
    pub(crate) fn found(&mut self, node: NodeId, at: SocketAddr, now: Instant) {
        self.entry(node, now).found = Some((at, now));
    }

    /// Where it was found lately: to be tried first. After a while what its node prefers is.
    pub(crate) fn found_at(&self, node: &NodeId, now: Instant) -> Option<SocketAddr> {
        let (at, when) = self.peers.get(node)?.found?;
        (now.saturating_since(when) < FOUND).then_some(at)
    }
}

/// Round-trip times.
impl Peers {
    pub(crate) fn measured(&mut self, round_trip: Duration) {
        self.round_trip = Some(time::smoothed(self.round_trip, round_trip));
    }

    /// The mean of all.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The last one of this peer.
    pub(crate) fn round_trip_of(&self, node: &NodeId) -> Option<Duration> {
        self.peers.get(node)?.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx, node};

    /// R28.
    #[test]
    fn links_add_up() {
        let mut peers = Peers::default();
        assert_eq!(peers.linked_for(&node(1)), Duration::ZERO);
        for seconds in [3, 4] {
            peers.was_linked(node(1), Duration::from_secs(seconds), at(9));
        }
        assert_eq!(peers.linked_for(&node(1)), Duration::from_secs(7));
        assert_eq!(peers.linked_for(&node(2)), Duration::ZERO);
    }

    /// R38.
    #[test]
    fn where_a_peer_was_found_is_remembered_for_an_hour() {
        let mut peers = Peers::default();
        let there = ([10, 0, 0, 1], 1).into();
        peers.found(node(1), there, at(10));
        assert_eq!(peers.found_at(&node(1), at(3_609)), Some(there));
        assert_eq!(peers.found_at(&node(1), at(3_610)), None);
        assert_eq!(peers.found_at(&node(2), at(10)), None);
    }

    /// R20: whoever has just been exchanged with is passed over, while nothing is new.
    #[test]
    fn in_sync_is_who_was_exchanged_with_since_then_and_with_this_table() {
        let mut peers = Peers::default();
        assert!(!peers.is_in_sync(&node(1), 0, at(0)));
        peers.set_in_sync(node(1), 7, at(10));
        assert!(peers.is_in_sync(&node(1), 7, at(9)));
        assert!(!peers.is_in_sync(&node(1), 7, at(10)), "none since then");
        assert!(!peers.is_in_sync(&node(1), 8, at(9)), "there is news here");
        assert!(!peers.is_in_sync(&node(2), 7, at(9)), "another node");
    }

    /// R17.
    #[test]
    fn each_failure_doubles_the_backoff_up_to_the_cap() {
        let (mut peers, mut cx) = (Peers::default(), cx(at(5)));
        let (base, cap) = (cx.config.backoff_base, cx.config.backoff_cap);
        for failures in 0..15_u32 {
            let wait = peers.failed(node(1), &mut cx);
            let most = (base * (1 << failures)).min(cap);
            assert!(wait >= most / 10 && wait < most, "{failures}: {wait:?}");
            let end = cx.now + wait;
            assert!(!peers.is_ready(&node(1), end - Duration::from_nanos(1)));
            assert!(peers.is_ready(&node(1), end));
        }
        assert_eq!(cx.stats.backoffs, 15);
        assert!(peers.is_ready(&node(2), cx.now), "another node");
    }

    /// R17.
    #[test]
    fn a_link_that_has_lasted_resets_the_backoff() {
        let by_sweep: fn(&mut Peers) = |peers| peers.lasted(&node(1));
        let at_its_end: fn(&mut Peers) = |peers| peers.link_ended(node(1), None, true, at(5));
        for lasted in [by_sweep, at_its_end] {
            let (mut peers, mut cx) = (Peers::default(), cx(at(5)));
            for _ in 0..10 {
                peers.failed(node(1), &mut cx);
            }
            peers.link_ended(node(1), None, false, cx.now);
            assert!(!peers.is_ready(&node(1), cx.now), "a brief one does not");
            lasted(&mut peers);
            assert!(peers.is_ready(&node(1), cx.now));
            assert!(peers.failed(node(1), &mut cx) < cx.config.backoff_base);
        }
        let mut peers = Peers::default();
        peers.lasted(&node(1));
        assert_eq!(peers.len(), 0, "nothing is remembered for it");
    }

    /// R18: a peer that has said when to come back is left alone until then, whatever else.
    #[test]
    fn a_hold_is_no_failure_and_no_success_ends_it() {
        let (mut peers, mut cx) = (Peers::default(), cx(at(5)));
        peers.hold(node(1), at(20), cx.now);
        peers.hold(node(1), at(10), cx.now);
        peers.lasted(&node(1));
        assert!(!peers.is_ready(&node(1), at(20) - Duration::from_nanos(1)));
        assert!(peers.is_ready(&node(1), at(20)));
        assert_eq!(cx.stats.backoffs, 0);
        cx.now = at(20);
        let wait = peers.failed(node(1), &mut cx);
        assert!(wait < cx.config.backoff_base, "the first failure");
    }

    #[test]
    fn those_left_alone_at_the_moment_are_counted() {
        let (mut peers, mut cx) = (Peers::default(), cx(at(5)));
        peers.failed(node(1), &mut cx);
        peers.hold(node(2), at(30), cx.now);
        peers.set_in_sync(node(3), 1, cx.now);
        assert_eq!(peers.backing_off(at(5)), 2);
        assert_eq!(peers.backing_off(at(29)), 1);
        assert_eq!(peers.backing_off(at(30)), 0);
    }

    /// R18.
    #[test]
    fn telling_a_peer_to_wait_is_reported_once_in_an_interval() {
        let mut peers = Peers::default();
        let minute = Duration::from_secs(60);
        assert!(peers.reports_busy(node(1), at(1), minute));
        assert!(!peers.reports_busy(node(1), at(2), minute));
        assert!(peers.reports_busy(node(2), at(2), minute), "another node");
        assert!(!peers.reports_busy(node(1), at(61) - Duration::from_nanos(1), minute));
        assert!(peers.reports_busy(node(1), at(61), minute));
    }

    #[test]
    fn the_round_trip_time_of_a_link_outlives_it() {
        let mut peers = Peers::default();
        let second = Duration::from_secs(1);
        assert_eq!(peers.round_trip_of(&node(1)), None);
        peers.link_ended(node(1), Some(second), false, at(0));
        peers.link_ended(node(1), None, false, at(1));
        assert_eq!(peers.round_trip_of(&node(1)), Some(second));
        assert_eq!(peers.round_trip(), None, "the mean is kept apart");
        peers.measured(second * 8);
        peers.measured(second * 16);
        assert_eq!(peers.round_trip(), Some(second * 9));
    }

    /// R22: an eighth goes, the longest unused first.
    #[test]
    fn beyond_the_cap_the_longest_unused_are_forgotten() {
        let mut peers = Peers::default();
        let cap = caps::PEERS as u32;
        for n in 0..cap {
            peers.set_in_sync(node(n), 1, at(n.into()));
        }
        peers.set_in_sync(node(0), 1, at(cap.into()));
        assert_eq!(peers.len(), caps::PEERS, "a known one needs no room");
        peers.set_in_sync(node(cap), 1, at(cap.into()));
        assert_eq!(peers.len(), caps::PEERS / 8 * 7 + 1);
        let kept = |n| peers.peers.contains_key(&node(n));
        assert!(kept(0) && !kept(1) && !kept(cap / 8) && kept(cap / 8 + 1) && kept(cap));
    }
}
