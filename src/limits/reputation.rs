//! How other nodes have behaved, beyond their links: reconnecting wipes nothing (R18).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

/// A node has kept at it at 16 points of blame; one leaks away in ten seconds.
const BLAME: Rate = Rate::new(16, Duration::from_secs(10));
#[derive(Default)]
struct Record {
    blame: Bucket,
    /// It was told `Busy` until then.
    waits_until: Instant,
}

impl Record {
    /// When there is nothing left to remember.
    fn clean_at(&self) -> Instant {
        self.waits_until.max(self.blame.full_at())
    }
}

/// The memory of what nodes have done: only those who did something are in it.
#[derive(Default)]
pub(crate) struct Reputation(BTreeMap<NodeId, Record>);

impl Reputation {
    /// Counts so many points of blame; says whether it is too much.
    pub(crate) fn blame(&mut self, now: Instant, node: NodeId, points: u64) -> bool {
        self.entry(now, node)
            .blame
            .take(BLAME, now, points)
            .is_err()
    }

    /// The node is to wait until then, at least.
    pub(crate) fn must_wait(&mut self, now: Instant, node: NodeId, until: Instant) {
        let record = self.entry(now, node);
        record.waits_until = record.waits_until.max(until);
    }

    /// For how long the node is still to wait.
    pub(crate) fn wait_left(&self, now: Instant, node: &NodeId) -> Option<Duration> {
        let until = self.0.get(node)?.waits_until;
        (until > now).then(|| until.saturating_since(now))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn entry(&mut self, now: Instant, node: NodeId) -> &mut Record {
        if self.0.len() >= caps::REPUTATIONS && !self.0.contains_key(&node) {
            self.make_room(now);
        }
        self.0.entry(node).or_default()
    }

    /// Forgets those who are clean. When nobody is, a quarter goes, the nearest to it: whoever
    /// wants the worst forgotten needs that many proven identities that have done worse.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, c| c.clean_at() > now);
        if self.0.len() < caps::REPUTATIONS {
            return;
        }
        let mut ends: Vec<_> = self.0.iter().map(|(n, c)| (c.clean_at(), *n)).collect();
        ends.sort_unstable();
        for (_, node) in ends.into_iter().take(caps::REPUTATIONS / 4) {
            self.0.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u32) -> NodeId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        NodeId::new(id)
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_worst() {
        let mut reputation = Reputation::default();
        let now = Instant::ZERO;
        assert!(!reputation.blame(now, node(0), 16));
        for n in 1..20_000 {
            reputation.blame(now, node(n), 8);
            assert!(reputation.len() <= caps::REPUTATIONS);
        }
        assert!(reputation.blame(now, node(0), 1), "it was forgotten");
    }

    #[test]
    fn whoever_is_clean_is_forgotten_first() {
        let mut reputation = Reputation::default();
        reputation.must_wait(Instant::ZERO, node(0), Instant::from_millis(90_000));
        for n in 1..u32::try_from(caps::REPUTATIONS).unwrap() {
            reputation.blame(Instant::ZERO, node(n), 1);
        }
        let later = Instant::from_millis(60_000);
        reputation.blame(later, node(1 << 20), 1);
        assert_eq!(reputation.len(), 2);
        assert_eq!(
            reputation.wait_left(later, &node(0)),
            Some(Duration::from_secs(30))
        );
    }

    const NANOSECOND: Duration = Duration::from_nanos(1);

    fn seconds(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    /// R18.
    #[test]
    fn sixteen_points_of_blame_are_borne_and_one_is_forgiven_in_ten_seconds() {
        let mut reputation = Reputation::default();
        for _ in 0..16 {
            assert!(!reputation.blame(Instant::ZERO, node(1), 1));
        }
        assert!(reputation.blame(Instant::ZERO, node(1), 1));
        assert!(!reputation.blame(Instant::ZERO, node(2), 1), "another node");
        assert!(reputation.blame(seconds(10) - NANOSECOND, node(1), 1));
        assert!(!reputation.blame(seconds(10), node(1), 1));
        assert!(reputation.blame(seconds(10), node(1), 1));
    }

    /// R18: what is worth more points is borne less often.
    #[test]
    fn blame_is_weighed() {
        let mut reputation = Reputation::default();
        assert!(!reputation.blame(Instant::ZERO, node(1), 8));
        assert!(!reputation.blame(Instant::ZERO, node(1), 8));
        assert!(reputation.blame(Instant::ZERO, node(1), 8));
    }

    /// R18.
    #[test]
    fn a_wait_ends_in_time_and_never_gets_shorter() {
        let mut reputation = Reputation::default();
        reputation.must_wait(Instant::ZERO, node(1), seconds(9));
        reputation.must_wait(Instant::ZERO, node(1), seconds(5));
        let left = |now| reputation.wait_left(now, &node(1));
        assert_eq!(left(Instant::ZERO), Some(Duration::from_secs(9)));
        assert_eq!(left(seconds(9) - NANOSECOND), Some(NANOSECOND));
        assert_eq!(left(seconds(9)), None);
        assert_eq!(reputation.wait_left(Instant::ZERO, &node(2)), None);
        assert_eq!(reputation.len(), 1, "a question leaves no trace");
    }

    /// R22: those who would be clean first go, a quarter of all; who is known needs no room.
    #[test]
    fn beyond_the_cap_the_nearest_to_clean_go() {
        let mut reputation = Reputation::default();
        let cap = caps::REPUTATIONS as u32;
        for n in (0..cap).rev() {
            let until = Instant::from_millis(u64::from(n) + 1);
            reputation.must_wait(Instant::ZERO, node(n), until);
        }
        reputation.must_wait(Instant::ZERO, node(0), seconds(90));
        assert_eq!(reputation.len(), caps::REPUTATIONS);
        reputation.must_wait(Instant::ZERO, node(cap), seconds(90));
        assert_eq!(reputation.len(), caps::REPUTATIONS / 4 * 3 + 1);
        let waits = |n| reputation.wait_left(Instant::ZERO, &node(n)).is_some();
        assert!(waits(0) && !waits(1) && !waits(cap / 4) && waits(cap / 4 + 1));
    }
}
