//! How other nodes have behaved, beyond their links: reconnecting wipes nothing (R12, R18).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

/// A node has kept at it at 16 points of blame; one leaks away in ten seconds.
const BLAME: Rate = Rate::new(16, Duration::from_secs(10));
/// Traces and reports of cycles that one node may send (R12).
const TRACES: Rate = Rate::new(64, Duration::from_secs(1));
/// Of its traces, those that are forwarded whatever others have sent: nobody uses up the share of
/// another.
const SHARE: Rate = Rate::new(2, Duration::from_secs(300));

#[derive(Default)]
struct Record {
    blame: Bucket,
    traces: Bucket,
    share: Bucket,
    /// It was told `Busy` until then.
    waits_until: Instant,
}

impl Record {
    /// When there is nothing left to remember.
    fn clean_at(&self) -> Instant {
        let full = [self.blame, self.traces, self.share].map(|b| b.full_at());
        full.into_iter().fold(self.waits_until, Instant::max)
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

    /// Whether one more trace of this node is taken.
    pub(crate) fn admit_trace(&mut self, now: Instant, node: NodeId) -> bool {
        self.entry(now, node).traces.take(TRACES, now, 1).is_ok()
    }

    /// Whether one more trace of this node is forwarded out of its own share.
    pub(crate) fn take_share(&mut self, now: Instant, node: NodeId) -> bool {
        self.entry(now, node).share.take(SHARE, now, 1).is_ok()
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
}
