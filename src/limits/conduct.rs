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
struct Conduct {
    blame: Bucket,
    traces: Bucket,
    share: Bucket,
    /// It was told `Busy` until then.
    waits_until: Instant,
}

impl Conduct {
    /// When there is nothing left to remember.
    fn clean_at(&self) -> Instant {
        let full = [self.blame, self.traces, self.share].map(|b| b.full_at());
        full.into_iter().fold(self.waits_until, Instant::max)
    }
}

/// The memory of what nodes have done: only those who did something are in it.
#[derive(Default)]
pub(crate) struct Conducts(BTreeMap<NodeId, Conduct>);

impl Conducts {
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
    pub(crate) fn hold(&mut self, now: Instant, node: NodeId, until: Instant) {
        let conduct = self.entry(now, node);
        conduct.waits_until = conduct.waits_until.max(until);
    }

    /// For how long the node is still to wait.
    pub(crate) fn held(&self, now: Instant, node: &NodeId) -> Option<Duration> {
        let until = self.0.get(node)?.waits_until;
        (until > now).then(|| until.saturating_since(now))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn entry(&mut self, now: Instant, node: NodeId) -> &mut Conduct {
        if self.0.len() >= caps::CONDUCTS && !self.0.contains_key(&node) {
            self.make_room(now);
        }
        self.0.entry(node).or_default()
    }

    /// Forgets those who are clean. When nobody is, a quarter goes, the nearest to it: whoever
    /// wants the worst forgotten needs that many proven identities that have done worse.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, c| c.clean_at() > now);
        if self.0.len() < caps::CONDUCTS {
            return;
        }
        let mut ends: Vec<_> = self.0.iter().map(|(n, c)| (c.clean_at(), *n)).collect();
        ends.sort_unstable();
        for (_, node) in ends.into_iter().take(caps::CONDUCTS / 4) {
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
        let mut conducts = Conducts::default();
        let now = Instant::ZERO;
        assert!(!conducts.blame(now, node(0), 16));
        for n in 1..20_000 {
            conducts.blame(now, node(n), 8);
            assert!(conducts.len() <= caps::CONDUCTS);
        }
        assert!(conducts.blame(now, node(0), 1), "it was forgotten");
    }

    #[test]
    fn whoever_is_clean_is_forgotten_first() {
        let mut conducts = Conducts::default();
        conducts.hold(Instant::ZERO, node(0), Instant::from_millis(90_000));
        for n in 1..u32::try_from(caps::CONDUCTS).unwrap() {
            conducts.blame(Instant::ZERO, node(n), 1);
        }
        let later = Instant::from_millis(60_000);
        conducts.blame(later, node(1 << 20), 1);
        assert_eq!(conducts.len(), 2);
        assert_eq!(
            conducts.held(later, &node(0)),
            Some(Duration::from_secs(30))
        );
    }
}
