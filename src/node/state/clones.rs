//! Two nodes with one key, as a third one sees them (R36).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// So often within this time a node is back in an epoch that it had left.
const RETURNS: u8 = 2;
const WITHIN: Duration = Duration::from_secs(60);

/// The last two epochs of a node. Each start draws another: none comes back but that of a node
/// which still runs.
struct Epochs {
    now: u32,
    before: Option<u32>,
    returns: u8,
    /// When it was back for the first time, and when it has said Hello last.
    first: Instant,
    last: Instant,
}

#[derive(Default)]
pub(crate) struct Clones {
    nodes: BTreeMap<NodeId, Epochs>,
    /// Who has another node with this one's key, and until when it is left alone for that.
    refused_by: BTreeMap<NodeId, Instant>,
}

impl Clones {
    /// This node has said Hello, in this epoch. Whether it is one of two.
    pub(crate) fn greeted(&mut self, node: NodeId, epoch: u32, now: Instant) -> bool {
        self.nodes
            .retain(|_, e| now.saturating_since(e.last) < WITHIN);
        let Some(epochs) = self.nodes.get_mut(&node) else {
            self.add(node, epoch, now);
            return false;
        };
        epochs.last = now;
        if epoch != epochs.now {
            let is_back = epochs.before == Some(epoch);
            epochs.before = Some(core::mem::replace(&mut epochs.now, epoch));
            if is_back && epochs.returns > 0 && now.saturating_since(epochs.first) < WITHIN {
                epochs.returns = epochs.returns.saturating_add(1);
            } else if is_back && epochs.returns < RETURNS {
                (epochs.returns, epochs.first) = (1, now);
            } else if !is_back {
                // One of them has started again.
                epochs.returns = epochs.returns.min(RETURNS - 1);
            }
        }
        epochs.returns >= RETURNS
    }

    /// This node is one of two, and that one keeps the other.
    pub(crate) fn refused(&mut self, by: NodeId, until: Instant, now: Instant) {
        self.refused_by.retain(|_, until| now < *until);
        if self.refused_by.len() < caps::CLONES {
            self.refused_by.insert(by, until);
        }
    }

    pub(crate) fn is_refused_by(&self, node: &NodeId, now: Instant) -> bool {
        self.refused_by.get(node).is_some_and(|until| now < *until)
    }

    /// With too many, the one that was heard longest ago is forgotten.
    fn add(&mut self, node: NodeId, epoch: u32, now: Instant) {
        if self.nodes.len() >= caps::CLONES {
            let first = self.nodes.iter().min_by_key(|(_, e)| e.last);
            if let Some(first) = first.map(|(node, _)| *node) {
                self.nodes.remove(&first);
            }
        }
        let epochs = Epochs {
            now: epoch,
            before: None,
            returns: 0,
            first: now,
            last: now,
        };
        self.nodes.insert(node, epochs);
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len().max(self.refused_by.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    /// At which of these (second, epoch) it is one of two.
    fn found<const N: usize>(hellos: [(u64, u32); N]) -> [bool; N] {
        let mut clones = Clones::default();
        hellos.map(|(second, epoch)| clones.greeted(node(1), epoch, at(second)))
    }

    /// R36: twice within a minute, and as long as it goes on.
    #[test]
    fn an_epoch_that_comes_back_twice_is_another_node() {
        let hellos = [
            (1, 7),
            (2, 8),
            (3, 7),
            (4, 8),
            (5, 7),
            (30, 7),
            (80, 8),
            (139, 7),
        ];
        assert_eq!(
            found(hellos),
            [false, false, false, true, true, true, true, true]
        );
    }

    /// R36: a node that crashes and starts again and again, or leaves and comes back.
    #[test]
    fn each_start_has_an_epoch_of_its_own() {
        assert_eq!(
            found([(1, 7), (2, 8), (3, 9), (4, 10), (5, 11)]),
            [false; 5]
        );
        // The link of the life before is still there.
        assert_eq!(found([(1, 7), (2, 8), (3, 7), (4, 9), (5, 9)]), [false; 5]);
    }

    #[test]
    fn what_alternates_more_rarely_is_none() {
        assert_eq!(
            found([(1, 7), (2, 8), (3, 7), (50, 7), (70, 8)]),
            [false; 5]
        );
        assert_eq!(
            found([(1, 7), (2, 8), (3, 7), (63, 8), (64, 7)]),
            [false; 5]
        );
    }

    #[test]
    fn who_keeps_the_other_is_remembered_for_so_long() {
        let mut clones = Clones::default();
        clones.refused(node(1), at(300), at(1));
        assert!(clones.is_refused_by(&node(1), at(299)));
        assert!(!clones.is_refused_by(&node(1), at(300)));
        assert!(!clones.is_refused_by(&node(2), at(299)));
    }

    /// R22.
    #[test]
    fn so_many_are_remembered() {
        let mut clones = Clones::default();
        for n in 0..2 * caps::CLONES as u32 {
            clones.greeted(node(n), 7, at(1));
        }
        assert_eq!(clones.len(), caps::CLONES);
    }
}
