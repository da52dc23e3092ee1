//! Peers that are down, have expired or were pushed out, kept to be dialled: so a partition heals,
//! however long it was (R28).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::SocketAddr;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::NodeId;
use crate::limits::caps;
use crate::node::cx::Cx;
use crate::time::Instant;

/// A hint ends so long after its node has gone,
const LIFE: Duration = Duration::from_secs(7 * 86_400);
/// and after so long if an upstream's address had led to it.
const UPSTREAM_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// Between two dials of hints, in all,
const PAUSE: Duration = Duration::from_secs(4);
/// in a cluster of so many; in a larger one as many times longer, up to [`LONGEST`]. [A thousand nodes
/// that each dial the one that is gone meet it with 300 dials a second when it is back.]
const MANY: usize = 100;
const LONGEST: u32 = 15;
/// The newest of those that are down has a turn of its own again after so long.
const NEWEST_AGAIN: Duration = Duration::from_secs(60);
/// Who was known for so many seconds is no invention.
const HELD: u64 = 60;
/// A second of a link is worth so many in which a node was known.
const LINKED: u64 = 8;

/// What a node was to this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Worth {
    /// For how long it was known.
    pub(crate) known: Duration,
    /// For how long it was linked.
    pub(crate) linked: Duration,
    /// An upstream's address has led to it.
    pub(crate) upstream: bool,
    /// It went by being down.
    pub(crate) down: bool,
}

/// What is kept of a hint across a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    /// In seconds.
    pub(crate) worth: u64,
    pub(crate) failures: u32,
    /// Until it ends.
    pub(crate) left: Duration,
}

impl Default for Kept {
    /// One of which nothing is known but that it was a peer.
    fn default() -> Self {
        Self {
            worth: 600,
            failures: 0,
            left: LIFE,
        }
    }
}

struct Hint {
    addresses: Vec<Multiaddr>,
    /// How far round the ring it stands.
    distance: u64,
    worth: u64,
    failures: u32,
    ends: Instant,
    tried: Option<Instant>,
    /// Of those that went down: counts how many were before.
    down: Option<u64>,
}

impl Hint {
    /// Falls with each failure, slowly. [Halved each time, who was known for a month would be worth
    /// less after a day of a partition than who came by for a minute.]
    fn value(&self) -> u64 {
        let root = (256 * (1 + u64::from(self.failures))).isqrt();
        (self.worth.saturating_mul(256) / root).max(1)
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Default)]
enum Turn {
    #[default]
    MostValuable,
    Newest,
    NextOnRing,
}

#[derive(Default)]
pub(crate) struct Hints {
    hints: BTreeMap<NodeId, Hint>,
    turn: Turn,
    /// Where the last one in ring order stands.
    at: u64,
    downs: u64,
    /// No dial before this.
    next: Instant,
}

impl Hints {
    /// The first dials go to upstreams, if there are any.
    pub(crate) fn new(cx: &Cx) -> Self {
        let wait = if cx.config.upstreams.is_empty() {
            cx.config.start_jitter
        } else {
            PAUSE
        };
        Self {
            next: cx.now + wait,
            ..Self::default()
        }
    }

    /// Keeps the addresses of a node that stands so far round the ring, unless it is kept already.
    /// Of too many the least valuable goes, which may be this one.
    pub(crate) fn add(
        &mut self,
        cx: &mut Cx,
        node: NodeId,
        distance: u64,
        addresses: Vec<Multiaddr>,
        worth: Worth,
    ) -> bool {
        let kept = Kept {
            worth: worth.known.as_secs() + LINKED * worth.linked.as_secs(),
            failures: 0,
            left: if worth.upstream { UPSTREAM_LIFE } else { LIFE },
        };
        if self.hints.is_empty() {
            // Whoever has just gone is not there yet.
            self.next = self.next.max(cx.now + cx.jitter(PAUSE, 50));
        }
        let added = self.restore(cx.now, node, distance, addresses, kept);
        if added && worth.down {
            self.downs += 1;
            if let Some(hint) = self.hints.get_mut(&node) {
                hint.down = Some(self.downs);
            }
        }
        added
    }

    /// The same, of one that was kept before a restart.
    pub(crate) fn restore(
        &mut self,
        now: Instant,
        node: NodeId,
        distance: u64,
        addresses: Vec<Multiaddr>,
        kept: Kept,
    ) -> bool {
        if addresses.is_empty() || kept.left.is_zero() || self.hints.contains_key(&node) {
            return false;
        }
        let hint = Hint {
            addresses,
            distance,
            worth: kept.worth,
            failures: kept.failures,
            ends: now + kept.left.min(UPSTREAM_LIFE),
            tried: None,
            down: None,
        };
        if self.hints.len() >= caps::HINTS {
            let least = self.hints.iter().min_by_key(|(_, h)| h.value());
            match least.map(|(n, h)| (*n, h.value())) {
                Some((least, value)) if value <= hint.value() => self.hints.remove(&least),
                _ => return false,
            };
        }
        self.hints.insert(node, hint);
        true
    }

    pub(crate) fn forget(&mut self, node: &NodeId) {
        self.hints.remove(node);
    }

    /// A dial of it has failed.
    pub(crate) fn failed(&mut self, node: &NodeId) {
        if let Some(hint) = self.hints.get_mut(node) {
            hint.failures = hint.failures.saturating_add(1);
        }
    }

    /// This node has proven its key at this address: nobody else is there.
    pub(crate) fn retire(&mut self, node: &NodeId, at: SocketAddr) {
        let is_other = |a: &Multiaddr| a.socket_addr() != Some(at);
        self.hints.retain(|n, hint| {
            if n != node {
                hint.addresses.retain(is_other);
            }
            !hint.addresses.is_empty()
        });
    }

    /// Those whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.hints.retain(|_, hint| hint.ends > now);
    }

    /// One that is to be dialled now, of those that are not `busy`: the most valuable, the newest
    /// that is down, and the next round the ring in turn.
    /// This node knows so many `others`, which have hints, too.
    pub(crate) fn take_due(
        &mut self,
        cx: &mut Cx,
        others: usize,
        busy: impl Fn(&NodeId) -> bool,
    ) -> Option<(NodeId, Vec<Multiaddr>)> {
        if self.next > cx.now {
            return None;
        }
        let node = self.choose(cx.now, busy)?;
        let times = u32::try_from(others / MANY).unwrap_or(LONGEST);
        let pause = PAUSE * times.clamp(1, LONGEST);
        self.next = cx.now + cx.jitter(pause + pause / 10, 91);
        let hint = self.hints.get_mut(&node)?;
        hint.tried = Some(cx.now);
        Some((node, hint.addresses.clone()))
    }

    /// Whether this one was known for long, or linked: others must have met it (R53).
    pub(crate) fn is_held(&self, node: &NodeId) -> bool {
        self.hints.get(node).is_some_and(|h| h.worth >= HELD)
    }

    fn choose(&mut self, now: Instant, busy: impl Fn(&NodeId) -> bool) -> Option<NodeId> {
        let idle = || self.hints.iter().filter(|(n, _)| !busy(n));
        let valuable = |(n, h): &(&NodeId, &Hint)| (h.value(), Reverse(h.tried), Reverse(**n));
        let chosen = match self.turn {
            Turn::MostValuable => idle().max_by_key(valuable),
            Turn::Newest => {
                let lately = |h: &Hint| {
                    let ago = h.tried.map(|at| now.saturating_since(at));
                    ago.is_some_and(|ago| ago < NEWEST_AGAIN)
                };
                let down = idle().filter(|(_, h)| h.down.is_some() && !lately(h));
                let newest = down.max_by_key(|(_, h)| h.down);
                newest.or_else(|| idle().max_by_key(valuable))
            }
            Turn::NextOnRing => {
                let beyond = idle().filter(|(_, h)| h.distance > self.at);
                let next = beyond.min_by_key(|(_, h)| h.distance);
                next.or_else(|| idle().min_by_key(|(_, h)| h.distance))
            }
        };
        let (node, distance) = chosen.map(|(n, h)| (*n, h.distance))?;
        self.turn = match self.turn {
            Turn::MostValuable => Turn::Newest,
            Turn::Newest => Turn::NextOnRing,
            Turn::NextOnRing => {
                self.at = distance;
                Turn::MostValuable
            }
        };
        Some(node)
    }

    /// There are too many dials in vain: not before then.
    pub(crate) fn postpone(&mut self, until: Instant) {
        self.next = self.next.max(until);
    }

    /// When the next dial is due, if there is one that is not `busy`.
    pub(crate) fn next_due(&self, busy: impl Fn(&NodeId) -> bool) -> Option<Instant> {
        let any = self.hints.keys().any(|n| !busy(n));
        any.then_some(self.next)
    }

    /// All, with what is to be kept of each.
    pub(crate) fn iter(&self, now: Instant) -> impl Iterator<Item = (&NodeId, &[Multiaddr], Kept)> {
        self.hints.iter().map(move |(node, hint)| {
            let kept = Kept {
                worth: hint.worth,
                failures: hint.failures,
                left: hint.ends.saturating_since(now),
            };
            (node, hint.addresses.as_slice(), kept)
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.hints.len()
    }
}

#[cfg(test)]
mod tests;
