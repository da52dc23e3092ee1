//! Nodes that are down (R32, R35): out of the table, and back only by a higher sequence of their own.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::time::Instant;

/// A node that is down.
pub(crate) struct Down {
    /// The sequence at which it was accused, or the one known here, if that is higher.
    pub(crate) at: Sequence,
    /// Whose accusations have led to it: what convinces others.
    pub(crate) by: Vec<NodeId>,
    /// Counts how many were down before.
    nth: u64,
    /// When the life of its record ends.
    until: Instant,
}

#[derive(Default)]
pub(super) struct Downs {
    downs: BTreeMap<NodeId, Down>,
    ends: BTreeSet<(Instant, NodeId)>,
    count: u64,
}

impl Downs {
    /// It is down. With too many, the one that ends first is forgotten.
    pub(super) fn insert(&mut self, node: NodeId, at: Sequence, by: Vec<NodeId>, until: Instant) {
        self.remove(&node);
        if self.downs.len() >= caps::DOWNS {
            if let Some((_, first)) = self.ends.first().copied() {
                self.remove(&first);
            }
        }
        self.ends.insert((until, node));
        self.count += 1;
        let nth = self.count;
        self.downs.insert(node, Down { at, by, nth, until });
    }

    pub(super) fn get(&self, node: &NodeId) -> Option<&Down> {
        self.downs.get(node)
    }

    /// Those of late, the latest first.
    pub(super) fn latest(&self, most: usize) -> Vec<NodeId> {
        let mut all: Vec<_> = self.downs.iter().map(|(n, d)| (d.nth, *n)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.into_iter().take(most).map(|(_, node)| node).collect()
    }

    pub(super) fn remove(&mut self, node: &NodeId) {
        if let Some(down) = self.downs.remove(node) {
            self.ends.remove(&(down.until, *node));
        }
    }

    /// The next one of which the record would have ended by now.
    pub(super) fn pop_ended(&mut self, now: Instant) -> Option<(NodeId, Sequence)> {
        let (_, node) = self.ends.first().copied().filter(|(end, _)| *end <= now)?;
        self.ends.pop_first();
        self.downs.remove(&node).map(|down| (node, down.at))
    }

    pub(super) fn len(&self) -> usize {
        self.downs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        NodeId::new(bytes)
    }

    fn at(second: u64) -> Instant {
        Instant::from_millis(1_000 * second)
    }

    /// R3, R35: until its record would have ended.
    #[test]
    fn what_is_down_ends_with_its_record() {
        let mut downs = Downs::default();
        downs.insert(node(1), Sequence::default(), Vec::new(), at(9));
        downs.insert(node(2), Sequence::default(), Vec::new(), at(5));
        downs.insert(node(1), Sequence::default(), Vec::new(), at(7));
        assert_eq!(downs.pop_ended(at(4)), None);
        let ended = |downs: &mut Downs| downs.pop_ended(at(8)).map(|(node, _)| node);
        assert_eq!(ended(&mut downs), Some(node(2)));
        assert_eq!(ended(&mut downs), Some(node(1)));
        assert_eq!((ended(&mut downs), downs.len()), (None, 0));
    }

    /// R22.
    #[test]
    fn beyond_the_cap_the_first_to_end_is_forgotten() {
        let mut downs = Downs::default();
        for n in 0..=caps::DOWNS as u16 {
            downs.insert(
                node(n),
                Sequence::default(),
                Vec::new(),
                at(9 + u64::from(n)),
            );
        }
        assert_eq!(downs.len(), caps::DOWNS);
        assert!(downs.get(&node(0)).is_none() && downs.get(&node(1)).is_some());
        downs.remove(&node(1));
        assert!(downs.get(&node(1)).is_none());
    }
}
