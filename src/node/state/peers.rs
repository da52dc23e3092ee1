//! What is remembered of peers beyond their links: cursors, backoff, round-trip times (R15, R17).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::backoff::Backoff;
use crate::limits::caps;
use crate::node::cx::Cx;
use crate::time::{self, Instant};
use crate::wire::Cursor;

#[derive(Default)]
struct Peer {
    /// How much of its log has been merged.
    cursor: Option<Cursor>,
    /// How much of this node's log it has said to have merged, and in which epoch of its own.
    acked: Option<Cursor>,
    backoff: Backoff,
    round_trip: Option<Duration>,
    /// The version of the own log when the last exchange with it was over, and when that was.
    in_sync: (u64, Instant),
    /// It was told `Busy` until then, which was reported.
    throttled_until: Instant,
    used_at: Instant,
}

#[derive(Default)]
pub(crate) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
    /// The mean round-trip time of all, for links that have none yet.
    round_trip: Option<Duration>,
}

impl Peers {
    /// The memory of a peer, made if there is none. Beyond the cap an eighth goes, the longest
    /// unused first: what is lost is a cursor, at the price of one announcement.
    fn entry(&mut self, node: NodeId, now: Instant) -> &mut Peer {
        if self.peers.len() >= caps::PEERS && !self.peers.contains_key(&node) {
            self.make_room();
        }
        let peer = self.peers.entry(node).or_default();
        peer.used_at = now;
        peer
    }

    fn make_room(&mut self) {
        let mut ages: Vec<_> = self.peers.iter().map(|(n, p)| (p.used_at, *n)).collect();
        ages.sort_unstable();
        for (_, node) in ages.into_iter().take(caps::PEERS / 8) {
            self.peers.remove(&node);
        }
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.peers.keys()
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }
}

/// How much each knows of the other's log (R15).
impl Peers {
    /// The cursor into this peer's log, if it is of this epoch.
    pub(crate) fn cursor(&self, node: &NodeId, epoch: Option<u64>) -> Option<Cursor> {
        let cursor = self.peers.get(node)?.cursor?;
        epoch.is_none_or(|e| e == cursor.epoch).then_some(cursor)
    }

    /// Moves the cursor into its log, never back.
    pub(crate) fn advance(&mut self, node: NodeId, cursor: Cursor, now: Instant) {
        match &mut self.entry(node, now).cursor {
            Some(known) if known.epoch == cursor.epoch => {
                known.version = known.version.max(cursor.version);
            }
            other => *other = Some(cursor),
        }
    }

    /// The version of the own log up to which this peer has said to know it; 0 if it has not.
    pub(crate) fn acked(&self, node: &NodeId, epoch: Option<u64>) -> u64 {
        let acked = self.peers.get(node).and_then(|p| p.acked);
        let acked = acked.filter(|a| epoch.is_none_or(|e| e == a.epoch));
        acked.map_or(0, |a| a.version)
    }

    /// It knows the own log up to there. The epoch is its own.
    pub(crate) fn set_acked(&mut self, node: NodeId, acked: Cursor, now: Instant) {
        self.entry(node, now).acked = Some(acked);
    }

    /// An exchange with this node is over: each knows what the other knew, up to this version of
    /// the own log.
    pub(crate) fn set_in_sync(&mut self, node: NodeId, version: u64, now: Instant) {
        self.entry(node, now).in_sync = (version, now);
    }

    /// Whether an exchange with this node would bring nothing that is known to be new: there has
    /// been one since `since`, and nothing has changed here.
    pub(crate) fn is_in_sync(&self, node: &NodeId, version: u64, since: Instant) -> bool {
        let in_sync = self.peers.get(node).map(|p| p.in_sync);
        in_sync.is_some_and(|(at_version, at)| at_version == version && at > since)
    }
}

/// When a peer may be asked or dialled again (R17).
impl Peers {
    pub(crate) fn is_ready(&self, node: &NodeId, now: Instant) -> bool {
        self.peers.get(node).is_none_or(|p| p.backoff.is_ready(now))
    }

    /// Asking or dialling it has failed. Says how long it is left alone.
    pub(crate) fn failed(&mut self, node: NodeId, cx: &mut Cx) -> Duration {
        cx.fail(&mut self.entry(node, cx.now).backoff)
    }

    /// It is left alone until then, which is no failure.
    pub(crate) fn hold(&mut self, node: NodeId, until: Instant, now: Instant) {
        let backoff = &mut self.entry(node, now).backoff;
        backoff.hold(until, Duration::ZERO);
    }

    /// A link of it has lasted.
    pub(crate) fn lasted(&mut self, node: &NodeId) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.backoff.reset();
        }
    }

    /// A link of it has ended.
    pub(crate) fn link_ended(
        &mut self,
        node: NodeId,
        round_trip: Option<Duration>,
        lasted: bool,
        now: Instant,
    ) {
        let peer = self.entry(node, now);
        peer.round_trip = round_trip.or(peer.round_trip);
        if lasted {
            peer.backoff.reset();
        }
    }

    /// Whether telling it `Busy` is to be reported: once in `interval`.
    pub(crate) fn reports_busy(&mut self, node: NodeId, now: Instant, interval: Duration) -> bool {
        let peer = self.entry(node, now);
        let due = peer.throttled_until <= now;
        if due {
            peer.throttled_until = now + interval;
        }
        due
    }

    /// How many are left alone at the moment.
    pub(crate) fn backing_off(&self, now: Instant) -> usize {
        let waits = |p: &&Peer| !p.backoff.is_ready(now);
        self.peers.values().filter(waits).count()
    }
}

/// Round-trip times.
impl Peers {
    pub(crate) fn measured(&mut self, round_trip: Duration) {
        self.round_trip = Some(time::smoothed(self.round_trip, round_trip));
    }

    /// The mean of all.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The last one of this peer.
    pub(crate) fn round_trip_of(&self, node: &NodeId) -> Option<Duration> {
        self.peers.get(node)?.round_trip
    }
}
