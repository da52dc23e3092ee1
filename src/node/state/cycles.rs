//! The cycles of configured upstreams that this node is on (R13), and when to look for them (R47).

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// A cycle as it is remembered.
pub(crate) struct Cycle {
    path: Vec<NodeId>,
    first_seen: Instant,
    last_seen: Instant,
    times: u64,
    reported_at: Instant,
    /// The last look has found it.
    present: bool,
}

impl Cycle {
    /// In the order of asking, the smallest node ID first.
    pub(crate) fn path(&self) -> &[NodeId] {
        &self.path
    }

    pub(crate) fn first_seen(&self) -> Instant {
        self.first_seen
    }

    pub(crate) fn last_seen(&self) -> Instant {
        self.last_seen
    }

    /// Whether it was there when it was looked for last.
    pub(crate) fn is_present(&self) -> bool {
        self.present
    }

    /// How often it was found.
    pub(crate) fn times(&self) -> u64 {
        self.times
    }
}

/// A look waits until nothing new has been said of upstreams for a second, and at most so long.
const CALM: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Cycles {
    known: Vec<Cycle>,
    /// What was noticed last of upstreams, and since when there is something to look at.
    noticed: u64,
    since: Option<Instant>,
}

/// When to look.
impl Cycles {
    /// What is said of upstreams: when to look at it, if that is news.
    pub(crate) fn notice(&mut self, edges: u64, now: Instant) -> Option<Instant> {
        if self.noticed == edges {
            return None;
        }
        self.noticed = edges;
        let since = *self.since.get_or_insert(now);
        Some((now + CALM).min(since + LATEST))
    }

    /// It is looked at: what is still there is found anew. A node that leads to itself is known from
    /// its dials.
    pub(crate) fn look(&mut self) {
        self.since = None;
        for cycle in self.known.iter_mut().filter(|c| c.path.len() > 1) {
            cycle.present = false;
        }
    }

    /// No upstream leads to this node itself any more.
    pub(crate) fn not_itself(&mut self) {
        for cycle in self.known.iter_mut().filter(|c| c.path.len() == 1) {
            cycle.present = false;
        }
    }
}

impl Cycles {
    /// Counts a cycle, and says its path, the smallest node ID first, when it is to be reported:
    /// once in `interval`.
    pub(crate) fn found(
        &mut self,
        mut path: Vec<NodeId>,
        now: Instant,
        interval: Duration,
    ) -> Option<Vec<NodeId>> {
        rotate(&mut path);
        let Some(known) = self.known.iter_mut().find(|c| c.path == path) else {
            self.remember(path.clone(), now);
            return Some(path);
        };
        known.last_seen = now;
        known.times += 1;
        known.present = true;
        let due = now.saturating_since(known.reported_at) >= interval;
        if due {
            known.reported_at = now;
        }
        due.then_some(path)
    }

    /// Beyond the cap, the one found the longest time ago goes.
    fn remember(&mut self, path: Vec<NodeId>, now: Instant) {
        if self.known.len() >= caps::LOOPS {
            let all = self.known.iter().enumerate();
            if let Some((oldest, _)) = all.min_by_key(|(_, c)| c.last_seen) {
                self.known.swap_remove(oldest);
            }
        }
        self.known.push(Cycle {
            path,
            first_seen: now,
            last_seen: now,
            times: 1,
            reported_at: now,
            present: true,
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cycle> {
        self.known.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

/// The same cycle has one form, wherever it was found: the smallest node ID first.
fn rotate(path: &mut [NodeId]) {
    let nodes = path.iter().enumerate();
    let smallest = nodes.min_by_key(|(_, node)| **node).map_or(0, |(i, _)| i);
    path.rotate_left(smallest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const INTERVAL: Duration = Duration::from_secs(600);

    fn path<const N: usize>(numbers: [u32; N]) -> Vec<NodeId> {
        numbers.map(node).to_vec()
    }

    fn found<const N: usize>(
        cycles: &mut Cycles,
        numbers: [u32; N],
        seconds: u64,
    ) -> Option<Vec<NodeId>> {
        cycles.found(path(numbers), at(seconds), INTERVAL)
    }

    /// R47: news puts the look off, though not for ever.
    #[test]
    fn a_look_waits_for_calm_and_not_for_ever() {
        let mut cycles = Cycles::default();
        assert_eq!(cycles.notice(0, at(5)), None, "nothing is said");
        for (edges, now, look) in [(1, 5, 6), (2, 6, 7), (9, 14, 15), (10, 15, 15)] {
            assert_eq!(cycles.notice(edges, at(now)), Some(at(look)));
            assert_eq!(cycles.notice(edges, at(now)), None);
        }
        cycles.look();
        assert_eq!(cycles.notice(11, at(15)), Some(at(16)));
    }

    /// R13: the smallest node ID first, the order of asking kept.
    #[test]
    fn a_cycle_is_reported_from_its_smallest_node() {
        let mut cycles = Cycles::default();
        let reported = found(&mut cycles, [7, 2, 9, 5], 0);
        assert_eq!(reported, Some(path([2, 9, 5, 7])));
    }

    /// R13: wherever it was found, it is the same cycle; the other way round, it is another.
    #[test]
    fn a_cycle_is_the_same_from_each_of_its_nodes() {
        let mut cycles = Cycles::default();
        assert!(found(&mut cycles, [1, 2, 3], 0).is_some());
        assert_eq!(found(&mut cycles, [2, 3, 1], 0), None);
        assert_eq!(found(&mut cycles, [3, 1, 2], 0), None);
        assert_eq!(cycles.len(), 1);
        assert!(found(&mut cycles, [3, 2, 1], 0).is_some());
        assert_eq!(cycles.len(), 2);
    }

    /// R13: who connects to itself is a cycle of one.
    #[test]
    fn a_node_alone_is_a_cycle() {
        let mut cycles = Cycles::default();
        assert_eq!(found(&mut cycles, [4], 0), Some(path([4])));
    }

    /// R13: each cycle on its own.
    #[test]
    fn a_cycle_is_reported_once_in_an_interval() {
        let mut cycles = Cycles::default();
        for (seconds, reported) in [
            (100, true),
            (100, false),
            (699, false),
            (700, true),
            (1_299, false),
            (1_300, true),
        ] {
            let report = found(&mut cycles, [1, 2], seconds);
            assert_eq!(report.is_some(), reported, "at {seconds} s");
        }
        assert!(found(&mut cycles, [1, 3], 1_300).is_some());
    }

    /// R47: what the last look has not found is not there any more; it is remembered all the same.
    #[test]
    fn a_cycle_is_present_until_a_look_misses_it() {
        let mut cycles = Cycles::default();
        found(&mut cycles, [2, 1], 100);
        found(&mut cycles, [4], 100);
        let present = |cycles: &Cycles| {
            let present = cycles.iter().filter(|c| c.is_present());
            present.map(|c| c.path().len()).collect::<Vec<_>>()
        };
        assert_eq!(present(&cycles), [2, 1]);
        cycles.look();
        assert_eq!(present(&cycles), [1]);
        found(&mut cycles, [2, 1], 101);
        cycles.not_itself();
        assert_eq!(present(&cycles), [2]);
        assert_eq!(cycles.len(), 2);
    }

    /// R13: it is counted each time, reported or not.
    #[test]
    fn every_sight_of_a_cycle_is_counted() {
        let mut cycles = Cycles::default();
        for seconds in [100, 150, 900] {
            found(&mut cycles, [2, 1], seconds);
        }
        let all: Vec<_> = cycles.iter().collect();
        let [cycle] = all[..] else {
            panic!("{} cycles", all.len());
        };
        assert_eq!(cycle.path(), path([1, 2]));
        assert_eq!(cycle.times(), 3);
        assert_eq!(cycle.first_seen(), at(100));
        assert_eq!(cycle.last_seen(), at(900));
    }

    /// R22: the one found the longest time ago makes room, not the one found first.
    #[test]
    fn beyond_the_cap_the_cycle_not_seen_for_longest_goes() {
        let mut cycles = Cycles::default();
        let cap = caps::LOOPS as u32;
        for n in 1..=cap {
            found(&mut cycles, [0, n], u64::from(n));
        }
        found(&mut cycles, [0, 1], 1_000);
        found(&mut cycles, [0, cap + 1], 1_001);
        assert_eq!(cycles.len(), caps::LOOPS);
        let seconds: Vec<_> = cycles.iter().map(|c| c.path()[1]).collect();
        assert!(seconds.contains(&node(1)) && seconds.contains(&node(cap + 1)));
        assert!(!seconds.contains(&node(2)));
    }
}
