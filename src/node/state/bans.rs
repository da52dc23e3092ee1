//! Nodes that are refused for proven misbehaviour, for a while (R18).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// How long a node is refused.
const BAN: Duration = Duration::from_secs(600);

/// Who is refused, and until when.
#[derive(Default)]
pub(crate) struct Bans(BTreeMap<NodeId, Instant>);

impl Bans {
    /// Refuses a node from now on, and says until when. Beyond the cap the ban that ends first goes.
    pub(crate) fn add(&mut self, node: NodeId, now: Instant) -> Instant {
        if self.0.len() >= caps::BANS {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(n, _)| *n);
            first.and_then(|n| self.0.remove(&n));
        }
        let until = now + BAN;
        self.0.insert(node, until);
        until
    }

    /// Until when this node is refused.
    pub(crate) fn until(&self, node: &NodeId, now: Instant) -> Option<Instant> {
        let until = self.0.get(node).copied();
        until.filter(|until| *until > now)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.0.retain(|_, until| *until > now);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
