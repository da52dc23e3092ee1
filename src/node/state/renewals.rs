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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::node;

    fn taken(renewals: &mut Renewals) -> alloc::vec::Vec<NodeId> {
        core::iter::from_fn(|| renewals.take_next()).collect()
    }

    /// R26: a node that renews again before the batch goes is in it once.
    #[test]
    fn each_node_is_in_a_batch_once_in_the_order_of_ids() {
        let mut renewals = Renewals::default();
        for n in [3, 1, 2, 1, 3] {
            assert!(renewals.add(node(n)));
        }
        assert_eq!(renewals.len(), 3);
        assert_eq!(taken(&mut renewals), [node(1), node(2), node(3)]);
        assert!(renewals.is_empty());
    }

    /// R26: what fills a batch need not wait for its time.
    #[test]
    fn a_batch_is_full_with_its_last_renewal() {
        let mut renewals = Renewals::default();
        for n in 1..caps::BATCH as u32 {
            renewals.add(node(n));
        }
        assert!(!renewals.fills_a_batch());
        renewals.add(node(0));
        assert!(renewals.fills_a_batch());
        renewals.take_next();
        assert!(!renewals.fills_a_batch());
    }

    /// R22: beyond the cap the newcomer is lost, and there is room again after a batch.
    #[test]
    fn beyond_the_cap_a_renewal_is_not_taken() {
        let mut renewals = Renewals::default();
        let cap = caps::RENEWALS as u32;
        assert!((0..cap).all(|n| renewals.add(node(n))));
        assert!(!renewals.add(node(cap)));
        assert_eq!(renewals.len(), caps::RENEWALS);
        renewals.take_next();
        assert!(renewals.add(node(cap)));
        assert_eq!(taken(&mut renewals).last(), Some(&node(cap)));
    }
}
