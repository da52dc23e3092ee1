//! Who was found last at which address (R28): whoever was there before is not any more.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

#[derive(Default)]
pub(crate) struct Occupants {
    found: BTreeMap<SocketAddr, (NodeId, Instant)>,
}

impl Occupants {
    /// This node has proven its key there. Who had before, if that was another.
    pub(crate) fn found(&mut self, at: SocketAddr, node: NodeId, now: Instant) -> Option<NodeId> {
        if self.found.len() >= caps::OCCUPANTS && !self.found.contains_key(&at) {
            self.make_room();
        }
        let (before, _) = self.found.insert(at, (node, now))?;
        (before != node).then_some(before)
    }

    /// Whether another was found there last.
    pub(crate) fn has_another(&self, at: &SocketAddr, node: &NodeId) -> bool {
        self.found.get(at).is_some_and(|(found, _)| found != node)
    }

    /// Those that were found longest ago go, an eighth at a time.
    fn make_room(&mut self) {
        let mut ages: Vec<_> = self.found.iter().map(|(at, (_, t))| (*t, *at)).collect();
        ages.sort_unstable();
        for (_, at) in ages.into_iter().take(caps::OCCUPANTS / 8) {
            self.found.remove(&at);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    fn address(n: u32) -> SocketAddr {
        (n.to_be_bytes(), 7000).into()
    }

    /// R28.
    #[test]
    fn who_was_there_before_is_named_once() {
        let mut occupants = Occupants::default();
        assert_eq!(occupants.found(address(1), node(1), at(1)), None);
        assert_eq!(occupants.found(address(1), node(1), at(2)), None);
        assert_eq!(occupants.found(address(2), node(2), at(2)), None);
        assert_eq!(occupants.found(address(1), node(3), at(3)), Some(node(1)));
        assert_eq!(occupants.found(address(1), node(3), at(4)), None);
        assert!(occupants.has_another(&address(1), &node(1)));
        assert!(!occupants.has_another(&address(1), &node(3)));
        assert!(!occupants.has_another(&address(3), &node(1)));
    }

    /// R22.
    #[test]
    fn of_too_many_the_oldest_go() {
        let mut occupants = Occupants::default();
        for n in 0..3 * caps::OCCUPANTS as u32 {
            occupants.found(address(n), node(1), at(u64::from(n)));
            assert!(occupants.len() <= caps::OCCUPANTS);
        }
        let newest = address(3 * caps::OCCUPANTS as u32 - 1);
        assert!(occupants.has_another(&newest, &node(2)));
        assert!(!occupants.has_another(&address(0), &node(2)));
    }
}
