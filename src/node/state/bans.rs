//! Nodes that are refused for proven misbehaviour, for a while (R18).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// How long a node is refused.
const BAN: Duration = Duration::from_secs(600);

/// Who is refused, and until when.
#[derive(Default)]
pub(crate) struct Bans(BTreeMap<NodeId, Instant>);

impl Bans {
    /// Refuses a node from now on, and says until when. Beyond the cap the ban that ends first goes.
    pub(crate) fn add(&mut self, node: NodeId, now: Instant) -> Instant {
        if self.0.len() >= caps::BANS && !self.0.contains_key(&node) {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(n, _)| *n);
            first.and_then(|n| self.0.remove(&n));
        }
        let until = now + BAN;
        self.0.insert(node, until);
        until
    }

    /// Until when this node is refused.
    pub(crate) fn until(&self, node: &NodeId, now: Instant) -> Option<Instant> {
        let until = self.0.get(node).copied();
        until.filter(|until| *until > now)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.0.retain(|_, until| *until > now);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// R22: a node that is banned again takes no other's place.
    #[test]
    fn at_the_cap_a_longer_ban_frees_nobody() {
        let mut bans = Bans::default();
        for n in 0..caps::BANS as u32 {
            bans.add(node(n), at(u64::from(n)));
        }
        bans.add(node(7), at(599));
        assert_eq!(bans.len(), caps::BANS);
        assert!(bans.until(&node(0), at(599)).is_some());
        assert_eq!(bans.until(&node(7), at(599)), Some(at(599) + BAN));
    }

    /// R18.
    #[test]
    fn a_ban_ends_after_ten_minutes() {
        let mut bans = Bans::default();
        let end = bans.add(node(1), at(5));
        assert_eq!(end, at(605));
        assert_eq!(bans.until(&node(1), end - MILLISECOND), Some(end));
        assert_eq!(bans.until(&node(1), end), None);
        assert_eq!(bans.until(&node(2), at(5)), None, "another node");
    }

    /// R18: who misbehaves again while it is refused is refused for longer.
    #[test]
    fn a_second_ban_counts_from_then_on() {
        let mut bans = Bans::default();
        bans.add(node(1), at(0));
        bans.add(node(1), at(100));
        assert_eq!(bans.until(&node(1), at(650)), Some(at(700)));
        assert_eq!(bans.len(), 1);
    }

    #[test]
    fn what_has_ended_is_forgotten_and_nothing_else() {
        let mut bans = Bans::default();
        bans.add(node(1), at(0));
        bans.add(node(2), at(1));
        bans.expire(at(600));
        assert_eq!(bans.len(), 1);
        assert_eq!(bans.until(&node(2), at(600)), Some(at(601)));
    }

    /// R22.
    #[test]
    fn beyond_the_cap_the_ban_that_ends_first_goes() {
        let mut bans = Bans::default();
        bans.add(node(0), at(1));
        bans.add(node(1), at(0));
        for n in 2..=caps::BANS as u32 {
            bans.add(node(n), at(2));
        }
        assert_eq!(bans.len(), caps::BANS);
        assert_eq!(bans.until(&node(1), at(3)), None);
        assert_eq!(bans.until(&node(0), at(3)), Some(at(601)));
    }
}
