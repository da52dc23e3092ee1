//! How often this node dials others because they ask it to (R38): nobody is made a weapon.

use alloc::collections::BTreeMap;

use core::time::Duration;

use crate::id::NodeId;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

/// Of one node: two transports in two families, twice; then one in half a minute,
const OF_ONE: Rate = Rate::new(8, Duration::from_secs(30));
/// and of all: a star that starts, and then four a second.
const OF_ALL: Rate = Rate::new(32, Duration::from_millis(250));
/// Dials of what a record lists, at other addresses than the link's: of one node, and of all.
const LISTED_OF_ONE: Rate = Rate::new(4, Duration::from_secs(150));
const LISTED_OF_ALL: Rate = Rate::new(16, Duration::from_secs(15));
/// After so long without one the buckets of a node are full again.
const FORGOTTEN: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Asker {
    back: Bucket,
    listed: Bucket,
    at: Instant,
}

#[derive(Default)]
pub(crate) struct DialBacks {
    askers: BTreeMap<NodeId, Asker>,
    back: Bucket,
    listed: Bucket,
}

impl DialBacks {
    /// Whether this node may be dialled at the address of its link, since it asks for that.
    pub(crate) fn take_back(&mut self, node: NodeId, now: Instant) -> bool {
        let Some(asker) = asker(&mut self.askers, node, now) else {
            return false;
        };
        asker.back.take(OF_ONE, now, 1).is_ok() && self.back.take(OF_ALL, now, 1).is_ok()
    }

    /// Whether it may be dialled at an address that its record lists.
    pub(crate) fn take_listed(&mut self, node: NodeId, now: Instant) -> bool {
        let Some(asker) = asker(&mut self.askers, node, now) else {
            return false;
        };
        asker.listed.take(LISTED_OF_ONE, now, 1).is_ok()
            && self.listed.take(LISTED_OF_ALL, now, 1).is_ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.askers.len()
    }
}

fn asker(askers: &mut BTreeMap<NodeId, Asker>, node: NodeId, now: Instant) -> Option<&mut Asker> {
    if askers.len() >= caps::ASKERS && !askers.contains_key(&node) {
        askers.retain(|_, a| now.saturating_since(a.at) < FORGOTTEN);
    }
    // Who finds no place waits.
    if askers.len() >= caps::ASKERS && !askers.contains_key(&node) {
        return None;
    }
    let asker = askers.entry(node).or_default();
    asker.at = now;
    Some(asker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    /// R38.
    #[test]
    fn of_one_node_there_are_a_few_and_then_one_in_a_while() {
        let mut backs = DialBacks::default();
        let granted =
            |backs: &mut DialBacks, now| (0..20).filter(|_| backs.take_back(node(1), now)).count();
        assert_eq!(granted(&mut backs, at(0)), 8);
        assert_eq!(granted(&mut backs, at(29)), 0);
        assert_eq!(granted(&mut backs, at(30)), 1);
        assert!(backs.take_back(node(2), at(30)), "another one");
        let listed = (0..20).filter(|_| backs.take_listed(node(1), at(31)));
        assert_eq!(listed.count(), 4);
        assert!(!backs.take_listed(node(1), at(180)) && backs.take_listed(node(1), at(181)));
    }

    /// R38: many keys get no more than one would.
    #[test]
    fn of_all_nodes_together_there_are_so_many() {
        let mut backs = DialBacks::default();
        let granted = |backs: &mut DialBacks, from: u32, now| {
            let nodes = from..from + 3_000;
            nodes.filter(|n| backs.take_back(node(*n), now)).count()
        };
        assert_eq!(granted(&mut backs, 0, at(0)), 32);
        assert_eq!(backs.len(), caps::ASKERS);
        assert_eq!(granted(&mut backs, 5_000, at(10)), 0, "no place");
        assert_eq!(granted(&mut backs, 5_000, at(700)), 32);
        let listed = (0..30).filter(|n| backs.take_listed(node(5_000 + n), at(700)));
        assert_eq!(listed.count(), 16);
    }
}
