//! Who watches this node, and to whom it beats when (R30, R31).

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// Who has asked for beats, in the order of their turns.
#[derive(Default)]
pub(crate) struct Watchers {
    watchers: Vec<NodeId>,
    /// Whose turn is next.
    turn: usize,
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
        if at < self.turn {
            self.turn -= 1;
        }
        if self.watchers.is_empty() {
            self.next = None;
        }
    }

    /// Whose turn it is. Each has one in every `beat`, and no two at one moment: what goes out is
    /// spread over time.
    pub(crate) fn pop_due(&mut self, now: Instant, beat: Duration) -> Option<NodeId> {
        if self.next? > now {
            return None;
        }
        let count = self.watchers.len();
        let turn = self.turn % count;
        self.turn = turn + 1;
        self.next = Some(now + beat / count as u32);
        self.watchers.get(turn).copied()
    }

    /// Whether the turn just taken was the first in a `beat`.
    pub(crate) fn is_first_turn(&self) -> bool {
        self.turn == 1
    }

    /// When somebody's turn is.
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

    /// Whose turns came until then, with the seconds after the start.
    fn run(watchers: &mut Watchers, until: u64) -> Vec<(u64, NodeId)> {
        let mut beats = Vec::new();
        while let Some(due) = watchers.next_due().filter(|due| *due <= at(until)) {
            let second = due.saturating_since(at(100)).as_secs();
            beats.push((second, watchers.pop_due(due, BEAT).expect("it is due")));
        }
        beats
    }

    /// R30.
    #[test]
    fn each_watcher_has_one_turn_a_beat() {
        let mut watchers = watched_by(&[1, 2, 3]);
        let turns = run(&mut watchers, 123).into_iter();
        let expected = [0, 4, 8, 12, 16, 20].into_iter();
        let nodes = [1, 2, 3, 1, 2, 3].into_iter().map(node);
        assert!(turns.eq(expected.zip(nodes)));
    }

    /// R30: nobody watches, and nothing is sent.
    #[test]
    fn without_watchers_nothing_is_due() {
        let mut watchers = watched_by(&[1]);
        watchers.remove(&node(1));
        assert_eq!(watchers.next_due(), None);
        assert_eq!(watchers.pop_due(at(200), BEAT), None);
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

    /// R30: the turns of the others stay.
    #[test]
    fn one_that_goes_takes_nobodys_turn() {
        let mut watchers = watched_by(&[1, 2, 3]);
        run(&mut watchers, 104);
        watchers.remove(&node(1));
        let next = watchers.pop_due(at(108), BEAT);
        assert_eq!(next, Some(node(3)));
        assert_eq!(watchers.pop_due(at(114), BEAT), Some(node(2)));
    }
}
