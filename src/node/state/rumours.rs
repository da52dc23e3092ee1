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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    fn nodes(range: core::ops::Range<u32>) -> Vec<NodeId> {
        range.map(node).collect()
    }

    /// How many of these rumours may go on.
    fn passed(rumours: &mut Rumours, hashes: core::ops::Range<u64>, now: Instant) -> usize {
        let passed = hashes.filter(|hash| rumours.may_pass_on(*hash, now));
        passed.count()
    }

    /// R21: a rumour for a node that is being dialled waits for its link.
    #[test]
    fn what_is_parked_is_taken_once_by_whom_it_is_for() {
        let mut rumours = Rumours::default();
        rumours.park(node(1), &nodes(10..12));
        rumours.park(node(2), &nodes(20..21));
        rumours.park(node(1), &nodes(12..13));
        assert_eq!(rumours.take_parked(&node(3)), []);
        assert_eq!(rumours.take_parked(&node(1)), nodes(10..13));
        assert_eq!(rumours.take_parked(&node(1)), []);
        assert_eq!(rumours.take_parked(&node(2)), nodes(20..21));
    }

    /// R21: whoever cannot be reached asks, once it is there; the others' rumours stay.
    #[test]
    fn what_is_for_an_unreachable_node_is_dropped() {
        let mut rumours = Rumours::default();
        rumours.park(node(1), &nodes(10..12));
        rumours.park(node(2), &nodes(20..21));
        rumours.drop_parked(&node(1));
        assert_eq!(rumours.take_parked(&node(1)), []);
        assert_eq!(rumours.parked_count(), 1);
    }

    /// R22: one page of rumours does not take all the room.
    #[test]
    fn a_page_parks_no_more_than_its_share() {
        let mut rumours = Rumours::default();
        let share = caps::WAITING_RUMOURS as u32;
        rumours.park(node(1), &nodes(0..share + 5));
        assert_eq!(rumours.take_parked(&node(1)), nodes(0..share));
    }

    /// R22: beyond the cap the oldest goes, since the newest is least known.
    #[test]
    fn beyond_the_cap_the_oldest_parked_rumour_goes() {
        let mut rumours = Rumours::default();
        let cap = caps::PARKED_RUMOURS as u32;
        for n in 0..cap + 3 {
            rumours.park(node(1), &nodes(n..n + 1));
        }
        assert_eq!(rumours.parked_count(), caps::PARKED_RUMOURS);
        assert_eq!(rumours.take_parked(&node(1)), nodes(3..cap + 3));
    }

    /// R21: who has no room for a record passes it on once.
    #[test]
    fn a_rumour_without_room_is_passed_on_once() {
        let mut rumours = Rumours::default();
        assert!(rumours.may_pass_on(7, at(100)));
        assert!(!rumours.may_pass_on(7, at(100)));
        assert!(!rumours.may_pass_on(7, at(200)));
        assert!(rumours.may_pass_on(8, at(200)));
    }

    /// R21: 32 at once, then one a second.
    #[test]
    fn rumours_without_room_go_on_at_a_rate() {
        let mut rumours = Rumours::default();
        assert_eq!(passed(&mut rumours, 0..100, at(100)), 32);
        assert_eq!(passed(&mut rumours, 100..200, at(101)), 1);
        assert_eq!(passed(&mut rumours, 200..300, at(104)), 3);
        assert_eq!(passed(&mut rumours, 300..400, at(1_000)), 32);
    }

    /// R21: one that was held back by the rate has not been passed on.
    #[test]
    fn a_rumour_above_the_rate_may_go_on_later() {
        let mut rumours = Rumours::default();
        passed(&mut rumours, 0..32, at(100));
        assert!(!rumours.may_pass_on(99, at(100)));
        assert!(rumours.may_pass_on(99, at(101)));
    }

    /// R22: of those passed on, the last 128 are remembered.
    #[test]
    fn the_memory_of_what_was_passed_on_is_bounded() {
        let mut rumours = Rumours::default();
        let cap = caps::PASSED_RUMOURS as u64;
        for hash in 0..cap + 1 {
            assert!(rumours.may_pass_on(hash, at(hash + 100)));
        }
        assert_eq!(rumours.passed_count(), caps::PASSED_RUMOURS);
        assert!(!rumours.may_pass_on(1, at(1_000)), "still remembered");
        assert!(rumours.may_pass_on(0, at(1_000)), "the oldest is forgotten");
    }
}
