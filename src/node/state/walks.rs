//! Requests that were forwarded, and who waits for what they bring (R9, R10).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{LinkId, NodeId, RequestId};
use crate::limits::caps;
use crate::time::Instant;

/// How long a walk is remembered (R10).
const SEEN: Duration = Duration::from_secs(60);
/// How long a downstream waits for late knowledge.
const WAITING: Duration = Duration::from_secs(10);

/// A downstream that asked while this node was cold (R9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Downstream {
    pub(crate) link: LinkId,
    pub(crate) request: RequestId,
    /// Over which its request was forwarded.
    pub(crate) upstream: LinkId,
    /// The version of the log that it was answered from.
    pub(crate) answered_from: u64,
}

#[derive(Default)]
pub(crate) struct Walks {
    seen: BTreeMap<(NodeId, RequestId), Instant>,
    waiting: VecDeque<(Downstream, Instant)>,
}

impl Walks {
    /// Whether the request of this origin was not forwarded in the last minute. A full memory
    /// forwards nothing.
    pub(crate) fn is_new(&self, origin: NodeId, request: RequestId, now: Instant) -> bool {
        let seen = self.seen.get(&(origin, request));
        self.seen.len() < caps::SEEN_WALKS && seen.is_none_or(|until| *until <= now)
    }

    /// The request of this origin was forwarded for a downstream, which now waits for what comes.
    pub(crate) fn forwarded(&mut self, origin: NodeId, downstream: Downstream, now: Instant) {
        self.seen.insert((origin, downstream.request), now + SEEN);
        if self.waiting.len() < caps::DOWNSTREAMS {
            self.waiting.push_back((downstream, now + WAITING));
        }
    }

    /// Something has come from this upstream: who waits for it, with the version that each was
    /// answered from before. From now on that is `version`.
    pub(crate) fn take_late(
        &mut self,
        upstream: LinkId,
        version: u64,
        now: Instant,
    ) -> Vec<Downstream> {
        let mut late = Vec::new();
        self.waiting.retain_mut(|(downstream, until)| {
            let waits = *until > now;
            if waits && downstream.upstream == upstream {
                late.push(*downstream);
                downstream.answered_from = version;
            }
            waits
        });
        late
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.seen.retain(|_, until| *until > now);
        self.waiting.retain(|(_, until)| *until > now);
    }

    pub(crate) fn seen_count(&self) -> usize {
        self.seen.len()
    }

    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }
}
