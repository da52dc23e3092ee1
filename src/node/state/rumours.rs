//! Rumours that wait for a link, and those that were passed on without room for them (R21).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

/// Rumours for which there is no room here go on at this rate: what a large cluster tells costs
/// each node no more.
const PASSING: Rate = Rate::per_second(caps::PASSED_RUMOURS as u64 / 4, 1);

#[derive(Default)]
pub(crate) struct Rumours {
    /// For a node whose link is being dialled: (to whom, about whom).
    parked: VecDeque<(NodeId, NodeId)>,
    /// Hashes of those for which there was no room here, and which have been passed on.
    passed: VecDeque<u64>,
    passing: Bucket,
}

impl Rumours {
    /// Keeps rumours for a node that is just not linked.
    pub(crate) fn park(&mut self, to: NodeId, about: &[NodeId]) {
        for node in about.iter().take(caps::WAITING_RUMOURS) {
            if self.parked.len() >= caps::PARKED_RUMOURS {
                self.parked.pop_front();
            }
            self.parked.push_back((to, *node));
        }
    }

    /// It cannot be reached: once it is, it asks.
    pub(crate) fn drop_parked(&mut self, to: &NodeId) {
        self.parked.retain(|(node, _)| node != to);
    }

    /// What was kept for this node.
    pub(crate) fn take_parked(&mut self, to: &NodeId) -> Vec<NodeId> {
        let mut about = Vec::new();
        self.parked.retain(|(node, subject)| {
            let taken = node == to;
            if taken {
                about.push(*subject);
            }
            !taken
        });
        about
    }

    /// Whether the rumour of this hash, for which there is no room here, goes on: once, and within
    /// the rate.
    pub(crate) fn may_pass_on(&mut self, hash: u64, now: Instant) -> bool {
        if self.passed.contains(&hash) || self.passing.take(PASSING, now, 1).is_err() {
            return false;
        }
        if self.passed.len() >= caps::PASSED_RUMOURS {
            self.passed.pop_front();
        }
        self.passed.push_back(hash);
        true
    }

    pub(crate) fn parked_count(&self) -> usize {
        self.parked.len()
    }

    pub(crate) fn passed_count(&self) -> usize {
        self.passed.len()
    }
}
