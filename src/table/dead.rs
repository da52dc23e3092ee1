//! Dead certificates: what has expired stays dead (R3).

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::time::Instant;

/// How long a certificate is kept of what has lived for so long: whatever is below it has ended
/// by then, also where clocks stood still for a while.
pub(crate) fn certificate_life(life: Duration) -> Duration {
    life + life / 16
}

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

    /// Refuses `sequence` and all below it until `until`, or what is refused already for longer: of
    /// what is below, some may have been announced for a longer life.
    pub(super) fn insert(&mut self, node: NodeId, sequence: Sequence, until: Instant) {
        let known = self.remove(&node).unwrap_or((sequence, until));
        let (sequence, until) = (sequence.max(known.0), until.max(known.1));
        if self.len() >= caps::CERTIFICATES {
            if let Some((_, first)) = self.by_end.pop_first() {
                self.by_node.remove(&first);
            }
        }
        self.by_node.insert(node, (sequence, until));
        self.by_end.insert((until, node));
    }

    fn remove(&mut self, node: &NodeId) -> Option<(Sequence, Instant)> {
        let (sequence, until) = self.by_node.remove(node)?;
        self.by_end.remove(&(until, *node));
        Some((sequence, until))
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
