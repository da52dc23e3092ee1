//! Renewals on their way: gathered, and passed on in batches (R26).

use alloc::collections::BTreeSet;

use crate::id::NodeId;
use crate::limits::caps;

/// Nodes whose renewal is to be passed on with the next batch.
#[derive(Default)]
pub(crate) struct Renewals(BTreeSet<NodeId>);

impl Renewals {
    /// Whether there is room for it. Beyond the cap it is lost here: others pass it on too.
    pub(crate) fn add(&mut self, node: NodeId) -> bool {
        if self.0.len() >= caps::RENEWALS {
            return false;
        }
        self.0.insert(node);
        true
    }

    /// There is enough for a batch.
    pub(crate) fn fills_a_batch(&self) -> bool {
        self.0.len() >= caps::BATCH
    }

    pub(crate) fn take_next(&mut self) -> Option<NodeId> {
        self.0.pop_first()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
