//! Dead certificates: what has expired stays dead (R3).

use alloc::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::time::Instant;

#[derive(Default)]
pub(super) struct Dead {
    by_node: BTreeMap<NodeId, (Sequence, Instant)>,
    by_end: BTreeSet<(Instant, NodeId)>,
}

impl Dead {
    pub(super) fn get(&self, node: &NodeId) -> Option<Sequence> {
        self.by_node.get(node).map(|(sequence, _)| *sequence)
    }

    pub(super) fn len(&self) -> usize {
        self.by_node.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.len() * (2 * size_of::<(NodeId, Instant)>() + size_of::<Sequence>())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, Sequence, Instant)> + '_ {
        self.by_node
            .iter()
            .map(|(node, (sequence, until))| (*node, *sequence, *until))
    }

    /// Refuses `sequence` and all below it until `until`. The highest version leaves none: it
    /// would lock the node out of its own identity (R6).
    pub(super) fn insert(&mut self, node: NodeId, sequence: Sequence, until: Instant) {
        if sequence.version == u64::MAX || self.get(&node).is_some_and(|s| s >= sequence) {
            return;
        }
        self.remove(&node);
        if self.len() >= caps::CERTIFICATES {
            if let Some((_, first)) = self.by_end.pop_first() {
                self.by_node.remove(&first);
            }
        }
        self.by_node.insert(node, (sequence, until));
        self.by_end.insert((until, node));
    }

    pub(super) fn remove(&mut self, node: &NodeId) {
        if let Some((_, until)) = self.by_node.remove(node) {
            self.by_end.remove(&(until, *node));
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((until, node)) = self.by_end.first().copied() {
            if until > now {
                break;
            }
            self.by_end.pop_first();
            self.by_node.remove(&node);
        }
    }
}
