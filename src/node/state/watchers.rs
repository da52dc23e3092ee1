//! Who watches this node, and to whom it beats when (R30, R31).

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// Who has asked for beats.
#[derive(Default)]
pub(crate) struct Watchers {
    watchers: Vec<NodeId>,
    next: Option<Instant>,
}

impl Watchers {
    /// It asks for beats. Whether it gets them: the ninth is refused, and asks on its own.
    pub(crate) fn add(&mut self, node: NodeId, now: Instant) -> bool {
        if self.watchers.contains(&node) {
            return true;
        }
        if self.watchers.len() >= caps::WATCHERS {
            return false;
        }
        self.watchers.push(node);
        self.next.get_or_insert(now);
        true
    }

    /// It does not watch any more, is down, or has gone.
    pub(crate) fn remove(&mut self, node: &NodeId) {
        let Some(at) = self.watchers.iter().position(|watcher| watcher == node) else {
            return;
        };
        self.watchers.remove(at);
        if self.watchers.is_empty() {
            self.next = None;
        }
    }

    /// Whether their turn has come: that of all at once, and the next one a `beat` later. [Each at a
    /// moment of its own woke an agent for each of them, and once more for each acknowledgement.]
    pub(crate) fn take_due(&mut self, now: Instant, beat: Duration) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = Some(now + beat);
        }
        due
    }

    /// When their turn is.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &NodeId> {
        self.watchers.iter()
    }

    pub(crate) fn contains(&self, node: &NodeId) -> bool {
        self.watchers.contains(node)
    }

    pub(crate) fn len(&self) -> usize {
        self.watchers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const BEAT: Duration = Duration::from_secs(12);

    fn watched_by(nodes: &[u32]) -> Watchers {
        let mut watchers = Watchers::default();
        for n in nodes {
            assert!(watchers.add(node(*n), at(100)));
        }
        watchers
    }

    /// R30.
    #[test]
    fn all_have_their_turn_once_a_beat() {
        let mut watchers = watched_by(&[1, 2, 3]);
        let turns = (100..=124).filter(|second| watchers.take_due(at(*second), BEAT));
        assert!(turns.eq([100, 112, 124]));
    }

    /// R30: nobody watches, and nothing is sent.
    #[test]
    fn without_watchers_nothing_is_due() {
        let mut watchers = watched_by(&[1]);
        watchers.remove(&node(1));
        assert_eq!(watchers.next_due(), None);
        assert!(!watchers.take_due(at(200), BEAT));
        assert!(watchers.add(node(2), at(300)));
        assert_eq!(watchers.next_due(), Some(at(300)));
    }

    /// R30: eight at most.
    #[test]
    fn the_ninth_gets_no_beats() {
        let mut watchers = Watchers::default();
        for n in 0..caps::WATCHERS as u32 {
            assert!(watchers.add(node(n), at(100)));
        }
        assert!(!watchers.add(node(99), at(100)));
        assert!(watchers.add(node(0), at(100)), "it has them already");
        assert_eq!(watchers.len(), caps::WATCHERS);
    }

    /// R30: whoever comes or goes moves nobody's turn.
    #[test]
    fn the_turn_stays_when_watchers_come_and_go() {
        let mut watchers = watched_by(&[1, 2]);
        assert!(watchers.take_due(at(100), BEAT));
        watchers.remove(&node(1));
        assert!(watchers.add(node(3), at(105)));
        assert_eq!(watchers.next_due(), Some(at(112)));
    }
}
