//! News on its way round the ring: what has gone how far, what waits for a link, and what is carried
//! for others though there is no room for it here (R46).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::record::{Sequence, Signature};
use crate::ring::Position;
use crate::rng::{Keyed, Purpose};
use crate::time::Instant;
use crate::wire::{Accusation, WireRecord};

/// How long it is remembered how far something has gone. On its way it is a few seconds.
const REMEMBERED: Duration = Duration::from_secs(10);
/// What is carried for others goes on at this rate: what a large cluster tells costs a node with
/// little room no more.
const CARRYING: Rate = Rate::per_second(256, 16);

/// For a node that is being dialled.
struct Parked {
    to: NodeId,
    about: NodeId,
    until: Position,
}

/// A record that this node passes on and does not keep.
struct Carried {
    node: NodeId,
    sequence: Sequence,
    /// What was left of its life when it came, less a second for this hop.
    remaining_s: u32,
    body: Box<[u8]>,
    signature: Option<Box<Signature>>,
    at: Instant,
}

pub(crate) struct Tree {
    parked: VecDeque<Parked>,
    /// By a hash that only this node can compute, so that nobody makes two of them collide: how far
    /// each has gone.
    served: BTreeMap<u64, u64>,
    /// The same, the oldest first.
    order: VecDeque<(Instant, u64)>,
    key: Keyed,
    carried: VecDeque<Carried>,
    carrying: Bucket,
}

impl Tree {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self {
            parked: VecDeque::new(),
            served: BTreeMap::new(),
            order: VecDeque::new(),
            key: Keyed::new(seed, Purpose::News),
            carried: VecDeque::new(),
            carrying: Bucket::default(),
        }
    }
}

/// How far.
impl Tree {
    /// This goes on to all within `reach`. Says how far it had gone before, if that was of late.
    pub(crate) fn serve(
        &mut self,
        node: &NodeId,
        sequence: Sequence,
        reach: u64,
        now: Instant,
    ) -> Option<u64> {
        let key = self.hash(node, sequence, None);
        self.serve_key(key, reach, now)
    }

    /// The same of an accusation (R32).
    pub(crate) fn serve_accusation(
        &mut self,
        said: &Accusation,
        reach: u64,
        now: Instant,
    ) -> Option<u64> {
        let key = self.hash(&said.subject, said.at, Some(&said.by));
        self.serve_key(key, reach, now)
    }

    /// How far it has gone, if that was of late.
    pub(crate) fn served_accusation(&mut self, said: &Accusation, now: Instant) -> Option<u64> {
        self.forget(now);
        let key = self.hash(&said.subject, said.at, Some(&said.by));
        self.served.get(&key).copied()
    }

    fn serve_key(&mut self, key: u64, reach: u64, now: Instant) -> Option<u64> {
        self.forget(now);
        if let Some(served) = self.served.get_mut(&key) {
            let before = *served;
            *served = before.max(reach);
            return Some(before);
        }
        self.served.insert(key, reach);
        self.order.push_back((now, key));
        None
    }

    fn hash(&self, node: &NodeId, sequence: Sequence, by: Option<&NodeId>) -> u64 {
        let mut bytes = [0; 2 * NodeId::LEN + 12];
        if let Some(by) = by {
            bytes[NodeId::LEN + 12..].copy_from_slice(by.as_bytes());
        }
        bytes[..NodeId::LEN].copy_from_slice(node.as_bytes());
        bytes[NodeId::LEN..][..8].copy_from_slice(&sequence.version.to_le_bytes());
        bytes[NodeId::LEN + 8..][..4].copy_from_slice(&sequence.beat.to_le_bytes());
        self.key.hash(&bytes)
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, key)) = self.order.front().copied() {
            let full = self.order.len() >= caps::SERVED_NEWS;
            if !full && now.saturating_since(at) < REMEMBERED {
                break;
            }
            self.order.pop_front();
            self.served.remove(&key);
        }
    }

    pub(crate) fn served_count(&self) -> usize {
        self.served.len()
    }
}

/// What waits for a link.
impl Tree {
    /// Keeps what is for a node that is being dialled, which passes it on until there.
    pub(crate) fn park(&mut self, to: NodeId, about: &[NodeId], until: Position) {
        for about in about.iter().take(caps::WAITING_NEWS).copied() {
            if self.parked.len() >= caps::PARKED_NEWS {
                self.parked.pop_front();
            }
            self.parked.push_back(Parked { to, about, until });
        }
    }

    /// What was kept for this node, which stands there, and how far it is to pass it on.
    pub(crate) fn take_parked(
        &mut self,
        to: &NodeId,
        at: Position,
    ) -> Option<(Vec<NodeId>, Position)> {
        let mut about = Vec::new();
        let mut until = None;
        self.parked.retain(|parked| {
            let taken = parked.to == *to;
            if taken {
                if !about.contains(&parked.about) {
                    about.push(parked.about);
                }
                let further = until.map_or(parked.until, |end| at.further(end, parked.until));
                until = Some(further);
            }
            !taken
        });
        Some((about, until?))
    }

    pub(crate) fn parked_count(&self) -> usize {
        self.parked.len()
    }
}

/// What there is no room for.
impl Tree {
    /// Keeps a record for as long as it is on its way through this node; `remaining_s`: as it goes
    /// on. Whether it may.
    pub(crate) fn carry(&mut self, record: WireRecord<'_>, remaining_s: u32, now: Instant) -> bool {
        let late = |c: &Carried| now.saturating_since(c.at) >= REMEMBERED;
        self.carried.retain(|c| !late(c));
        let known = self.carried.iter().position(|c| c.node == record.node);
        if let Some(at) = known {
            if self.carried[at].sequence >= record.sequence {
                return self.carried[at].sequence == record.sequence;
            }
        }
        if self.carrying.take(CARRYING, now, 1).is_err() {
            return false;
        }
        if let Some(at) = known {
            self.carried.remove(at);
        } else if self.carried.len() >= caps::CARRIED_NEWS {
            self.carried.pop_front();
        }
        self.carried.push_back(Carried {
            node: record.node,
            sequence: record.sequence,
            remaining_s,
            body: record.body.into(),
            signature: record.signature.map(|signature| Box::new(*signature)),
            at: now,
        });
        true
    }

    /// The record of this node that is carried, as it goes on now.
    pub(crate) fn carried(&self, node: &NodeId, now: Instant) -> Option<WireRecord<'_>> {
        let carried = self.carried.iter().find(|c| c.node == *node)?;
        let waited = now.saturating_since(carried.at);
        let waited_s = waited.as_secs() + u64::from(waited.subsec_nanos() > 0);
        let remaining_s = u64::from(carried.remaining_s).checked_sub(waited_s)?;
        Some(WireRecord {
            node: carried.node,
            sequence: carried.sequence,
            remaining_s: u32::try_from(remaining_s).ok()?,
            body: &carried.body,
            signature: carried.signature.as_deref(),
        })
    }

    pub(crate) fn carried_count(&self) -> usize {
        self.carried.len()
    }
}

#[cfg(test)]
mod tests;
