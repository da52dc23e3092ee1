//! What is remembered of peers beyond their links: cursors, backoff, round-trip times.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::backoff::Backoff;
use crate::limits::caps;
use crate::time::Instant;
use crate::wire::Cursor;

#[derive(Default)]
pub(super) struct Partner {
    /// How much of its log has been merged (R15).
    pub(super) cursor: Option<Cursor>,
    /// How much of this node's log it has said to have merged, and in which epoch of its own.
    pub(super) told: Option<Cursor>,
    pub(super) backoff: Backoff,
    pub(super) srtt: Option<Duration>,
    /// The version of the own log when the last exchange with it was over, and when that was.
    even: (u64, Instant),
    /// It was told `Busy` until then, which was reported.
    pub(super) throttled_until: Instant,
    used_at: Instant,
}

#[derive(Default)]
pub(super) struct Partners {
    partners: BTreeMap<NodeId, Partner>,
    /// The mean round-trip time of all, for links that have none yet.
    pub(super) srtt: Option<Duration>,
}

impl Partners {
    pub(super) fn get(&self, node: &NodeId) -> Option<&Partner> {
        self.partners.get(node)
    }

    /// The memory of a peer, made if there is none. Beyond the cap an eighth goes, the longest
    /// unused first: what is lost is a cursor, at the price of one announcement.
    pub(super) fn entry(&mut self, node: NodeId, now: Instant) -> &mut Partner {
        if self.partners.len() >= caps::PARTNERS && !self.partners.contains_key(&node) {
            self.make_room();
        }
        let partner = self.partners.entry(node).or_default();
        partner.used_at = now;
        partner
    }

    fn make_room(&mut self) {
        let mut ages: Vec<_> = self.partners.iter().map(|(n, p)| (p.used_at, *n)).collect();
        ages.sort_unstable();
        for (_, node) in ages.into_iter().take(caps::PARTNERS / 8) {
            self.partners.remove(&node);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Partner)> {
        self.partners.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.partners.len()
    }

    pub(super) fn measured(&mut self, rtt: Duration) {
        self.srtt = Some(self.srtt.map_or(rtt, |mean| (mean * 7 + rtt) / 8));
    }

    /// Its link has held.
    pub(super) fn held(&mut self, node: &NodeId) {
        if let Some(partner) = self.partners.get_mut(node) {
            partner.backoff.reset();
        }
    }

    pub(super) fn is_ready(&self, node: &NodeId, now: Instant) -> bool {
        self.get(node).is_none_or(|p| p.backoff.is_ready(now))
    }

    /// An exchange with this node is over: each knows what the other knew, up to this version of
    /// the own log.
    pub(super) fn set_even(&mut self, node: NodeId, version: u64, now: Instant) {
        self.entry(node, now).even = (version, now);
    }

    /// Whether an exchange with this node would bring nothing that is known to be new: there has
    /// been one since `since`, and nothing has changed here.
    pub(super) fn is_even(&self, node: &NodeId, version: u64, since: Instant) -> bool {
        self.get(node)
            .is_some_and(|p| p.even.0 == version && p.even.1 > since)
    }

    /// The cursor into this peer's log, if it is of this epoch.
    pub(super) fn cursor(&self, node: &NodeId, epoch: Option<u64>) -> Option<Cursor> {
        let cursor = self.get(node)?.cursor?;
        epoch.is_none_or(|e| e == cursor.epoch).then_some(cursor)
    }
}
