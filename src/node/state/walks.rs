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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const UPSTREAM: LinkId = LinkId::new(50);

    /// One that asked over this link, whose request went to [`UPSTREAM`].
    fn downstream(link: u64, answered_from: u64) -> Downstream {
        Downstream {
            link: LinkId::new(link),
            request: RequestId::new(link + 1_000),
            upstream: UPSTREAM,
            answered_from,
        }
    }

    fn forward(walks: &mut Walks, origin: u32, downstream: Downstream, seconds: u64) {
        walks.forwarded(node(origin), downstream, at(seconds));
    }

    /// R10: once per node and (origin, ID), as far as a minute back.
    #[test]
    fn a_request_is_forwarded_once_in_a_minute() {
        let mut walks = Walks::default();
        let asked = downstream(1, 0);
        assert!(walks.is_new(node(1), asked.request, at(100)));
        forward(&mut walks, 1, asked, 100);
        assert!(!walks.is_new(node(1), asked.request, at(100)));
        assert!(!walks.is_new(node(1), asked.request, at(159)));
        assert!(walks.is_new(node(1), asked.request, at(160)));
    }

    /// R10: two origins may have drawn the same ID.
    #[test]
    fn a_request_is_known_by_origin_and_id() {
        let mut walks = Walks::default();
        let asked = downstream(1, 0);
        forward(&mut walks, 1, asked, 100);
        assert!(walks.is_new(node(2), asked.request, at(100)));
        assert!(walks.is_new(node(1), RequestId::new(9), at(100)));
    }

    /// R10, R22: rather nothing is forwarded than something twice, until what is old is forgotten.
    #[test]
    fn a_full_memory_forwards_nothing() {
        let mut walks = Walks::default();
        for origin in 1..caps::SEEN_WALKS as u32 {
            forward(&mut walks, origin, downstream(1, 0), 100);
        }
        let other = RequestId::new(9);
        assert!(walks.is_new(node(0), other, at(100)));
        forward(&mut walks, 0, downstream(1, 0), 100);
        assert_eq!(walks.seen_count(), caps::SEEN_WALKS);
        assert!(!walks.is_new(node(0), other, at(100)));
        walks.expire(at(160));
        assert!(walks.is_new(node(0), other, at(160)));
    }

    /// R9: late knowledge goes to those whose request was forwarded to whom it comes from.
    #[test]
    fn late_knowledge_is_for_those_who_wait_on_its_upstream() {
        let mut walks = Walks::default();
        let elsewhere = Downstream {
            upstream: LinkId::new(51),
            ..downstream(2, 7)
        };
        forward(&mut walks, 1, downstream(1, 5), 100);
        forward(&mut walks, 2, elsewhere, 100);
        forward(&mut walks, 3, downstream(3, 6), 101);
        let late = walks.take_late(UPSTREAM, 8, at(102));
        assert_eq!(late, [downstream(1, 5), downstream(3, 6)]);
        assert_eq!(walks.take_late(LinkId::new(52), 8, at(102)), []);
        assert_eq!(walks.take_late(LinkId::new(51), 8, at(102)), [elsewhere]);
    }

    /// R9: what a downstream has got is not sent to it again.
    #[test]
    fn late_knowledge_continues_where_the_last_ended() {
        let mut walks = Walks::default();
        forward(&mut walks, 1, downstream(1, 5), 100);
        for (version, from) in [(8, 5), (9, 8), (9, 9)] {
            let late = walks.take_late(UPSTREAM, version, at(101));
            assert_eq!(late, [downstream(1, from)]);
        }
    }

    /// R9.
    #[test]
    fn a_downstream_waits_for_ten_seconds() {
        let mut walks = Walks::default();
        forward(&mut walks, 1, downstream(1, 5), 100);
        let last = at(110) - Duration::from_millis(1);
        assert_eq!(walks.take_late(UPSTREAM, 5, last).len(), 1);
        assert_eq!(walks.take_late(UPSTREAM, 5, at(110)), []);
        assert_eq!(walks.waiting_count(), 0);
    }

    /// R22: beyond the cap a request still goes on, once, but nobody waits for what it brings.
    #[test]
    fn beyond_the_cap_nobody_waits() {
        let mut walks = Walks::default();
        let cap = caps::DOWNSTREAMS as u64;
        for link in 0..=cap {
            forward(&mut walks, 1, downstream(link, 0), 100);
        }
        assert_eq!(walks.waiting_count(), caps::DOWNSTREAMS);
        let late = walks.take_late(UPSTREAM, 1, at(101));
        assert_eq!(late.last(), Some(&downstream(cap - 1, 0)));
        let beyond = downstream(cap, 0).request;
        assert!(!walks.is_new(node(1), beyond, at(101)));
    }

    /// R9, R10: each is forgotten when its time is over.
    #[test]
    fn waits_end_before_the_memory_of_what_was_forwarded() {
        let mut walks = Walks::default();
        forward(&mut walks, 1, downstream(1, 0), 100);
        for (seconds, seen, waiting) in [(109, 1, 1), (110, 1, 0), (159, 1, 0), (160, 0, 0)] {
            walks.expire(at(seconds));
            let counts = (walks.seen_count(), walks.waiting_count());
            assert_eq!(counts, (seen, waiting), "at {seconds} s");
        }
    }
}
