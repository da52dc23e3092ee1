//! Requests that were forwarded (R10).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::{NodeId, RequestId};
use crate::limits::caps;
use crate::time::Instant;

/// How long a walk is remembered (R10).
const SEEN: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Walks(BTreeMap<(NodeId, RequestId), Instant>);

impl Walks {
    /// Whether the request of this origin was not forwarded in the last minute. A full memory
    /// forwards nothing.
    pub(crate) fn is_new(&self, origin: NodeId, request: RequestId, now: Instant) -> bool {
        let seen = self.0.get(&(origin, request));
        self.0.len() < caps::SEEN_WALKS && seen.is_none_or(|until| *until <= now)
    }

    /// The request of this origin was forwarded.
    pub(crate) fn forwarded(&mut self, origin: NodeId, request: RequestId, now: Instant) {
        self.0.insert((origin, request), now + SEEN);
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.0.retain(|_, until| *until > now);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const ID: RequestId = RequestId::new(1_001);
    const OTHER: RequestId = RequestId::new(9);

    /// R10: once per node and (origin, ID), as far as a minute back.
    #[test]
    fn a_request_is_forwarded_once_in_a_minute() {
        let mut walks = Walks::default();
        assert!(walks.is_new(node(1), ID, at(100)));
        walks.forwarded(node(1), ID, at(100));
        assert!(!walks.is_new(node(1), ID, at(100)));
        assert!(!walks.is_new(node(1), ID, at(159)));
        assert!(walks.is_new(node(1), ID, at(160)));
        walks.expire(at(159));
        assert_eq!(walks.len(), 1);
        walks.expire(at(160));
        assert_eq!(walks.len(), 0);
    }

    /// R10: two origins may have drawn the same ID.
    #[test]
    fn a_request_is_known_by_origin_and_id() {
        let mut walks = Walks::default();
        walks.forwarded(node(1), ID, at(100));
        assert!(walks.is_new(node(2), ID, at(100)));
        assert!(walks.is_new(node(1), OTHER, at(100)));
    }

    /// R10, R22: rather nothing is forwarded than something twice, until what is old is forgotten.
    #[test]
    fn a_full_memory_forwards_nothing() {
        let mut walks = Walks::default();
        for origin in 1..caps::SEEN_WALKS as u32 {
            walks.forwarded(node(origin), ID, at(100));
        }
        assert!(walks.is_new(node(0), OTHER, at(100)));
        walks.forwarded(node(0), ID, at(100));
        assert_eq!(walks.len(), caps::SEEN_WALKS);
        assert!(!walks.is_new(node(0), OTHER, at(100)));
        walks.expire(at(160));
        assert!(walks.is_new(node(0), OTHER, at(160)));
    }
}
