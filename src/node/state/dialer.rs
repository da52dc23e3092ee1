//! The dials under way, and how many there may be (R19).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::{DialId, NodeId};
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

/// What a dial is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A configured upstream, whoever answers there.
    Upstream(Multiaddr),
    /// A peer that the table has.
    Peer(NodeId),
    /// A peer that has expired (R28).
    Hint(NodeId),
}

/// A dial that has ended.
pub(crate) struct Dialled {
    pub(crate) dial: DialId,
    pub(crate) purpose: Purpose,
    pub(crate) since: Instant,
}

/// Dials in a burst, and the time in which one comes back (R19).
const BUDGET: Rate = Rate::new(96, Duration::from_millis(500));
/// When the budget is used up, an upstream waits for the next dial that comes back.
pub(crate) const NEXT_DIAL: Duration = BUDGET.per_token;
/// Of the dials at once, so many are kept free for upstreams.
const RESERVED: usize = 4;
/// Longer than any transport tries.
const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Dialer {
    /// With the time at which each began.
    dials: BTreeMap<DialId, (Purpose, Instant)>,
    last: u64,
    budget: Bucket,
}

impl Dialer {
    /// Begins a dial, if there may be one more at once and in this time.
    pub(crate) fn begin(&mut self, purpose: Purpose, now: Instant) -> Option<DialId> {
        let reserved = match purpose {
            Purpose::Upstream(_) => 0,
            Purpose::Peer(_) | Purpose::Hint(_) => RESERVED,
        };
        if self.dials.len() + reserved >= caps::DIALS {
            return None;
        }
        self.budget.take(BUDGET, now, 1).ok()?;
        self.last += 1;
        let dial = DialId(self.last);
        self.dials.insert(dial, (purpose, now));
        Some(dial)
    }

    /// Takes a dial that has ended off the list.
    pub(crate) fn finish(&mut self, dial: DialId) -> Option<Dialled> {
        let (purpose, since) = self.dials.remove(&dial)?;
        Some(Dialled {
            dial,
            purpose,
            since,
        })
    }

    /// Whether this peer is being dialled, as one or as a hint.
    pub(crate) fn is_dialing(&self, node: &NodeId) -> bool {
        self.dials
            .values()
            .any(|(p, _)| matches!(p, Purpose::Peer(n) | Purpose::Hint(n) if n == node))
    }

    pub(crate) fn contains(&self, dial: DialId) -> bool {
        self.dials.contains_key(&dial)
    }

    /// Dials whose outcome nobody has reported for long.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<DialId> {
        let since = now.saturating_sub(DIAL_TIMEOUT);
        let late = self.dials.iter().filter(|(_, (_, at))| *at < since);
        late.map(|(dial, _)| *dial).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.dials.len()
    }
}
