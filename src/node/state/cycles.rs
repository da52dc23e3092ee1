//! The cycles of configured upstreams that this node is on (R13).

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

    /// How often it was found.
    pub(crate) fn times(&self) -> u64 {
        self.times
    }
}

#[derive(Default)]
pub(crate) struct Cycles(Vec<Cycle>);

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
        let Some(known) = self.0.iter_mut().find(|c| c.path == path) else {
            self.remember(path.clone(), now);
            return Some(path);
        };
        known.last_seen = now;
        known.times += 1;
        let due = now.saturating_since(known.reported_at) >= interval;
        if due {
            known.reported_at = now;
        }
        due.then_some(path)
    }

    /// Beyond the cap, the one found the longest time ago goes.
    fn remember(&mut self, path: Vec<NodeId>, now: Instant) {
        if self.0.len() >= caps::LOOPS {
            let all = self.0.iter().enumerate();
            if let Some((oldest, _)) = all.min_by_key(|(_, c)| c.last_seen) {
                self.0.swap_remove(oldest);
            }
        }
        self.0.push(Cycle {
            path,
            first_seen: now,
            last_seen: now,
            times: 1,
            reported_at: now,
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cycle> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The same cycle has one form, wherever it was found: the smallest node ID first.
fn rotate(path: &mut [NodeId]) {
    let nodes = path.iter().enumerate();
    let smallest = nodes.min_by_key(|(_, node)| **node).map_or(0, |(i, _)| i);
    path.rotate_left(smallest);
}
