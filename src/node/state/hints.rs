//! Peers that have expired, kept to be dialled: so a long partition heals (R28).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::addr::Multiaddr;
use crate::id::NodeId;
use crate::limits::backoff::Backoff;
use crate::limits::caps;
use crate::node::cx::Cx;
use crate::time::Instant;

struct Hint {
    node: NodeId,
    addresses: Vec<Multiaddr>,
    backoff: Backoff,
}

#[derive(Default)]
pub(crate) struct Hints(VecDeque<Hint>);

impl Hints {
    /// Keeps the addresses of a peer, unless it is kept already. The oldest gives way.
    pub(crate) fn add(&mut self, cx: &mut Cx, node: NodeId, addresses: Vec<Multiaddr>) -> bool {
        if addresses.is_empty() || self.0.iter().any(|h| h.node == node) {
            return false;
        }
        if self.0.len() >= caps::HINTS {
            self.0.pop_front();
        }
        let mut backoff = Backoff::default();
        cx.lengthen(&mut backoff);
        self.0.push_back(Hint {
            node,
            addresses,
            backoff,
        });
        true
    }

    pub(crate) fn forget(&mut self, node: &NodeId) {
        if !self.0.is_empty() {
            self.0.retain(|h| h.node != *node);
        }
    }

    /// Those whose time has come and that are not `busy`. Each waits longer from now on, whatever
    /// becomes of this dial: success takes it off the list.
    pub(crate) fn take_due(
        &mut self,
        cx: &mut Cx,
        busy: impl Fn(&NodeId) -> bool,
    ) -> Vec<(NodeId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for hint in &mut self.0 {
            if hint.backoff.is_ready(cx.now) && !busy(&hint.node) {
                cx.fail(&mut hint.backoff);
                due.push((hint.node, hint.addresses.clone()));
            }
        }
        due
    }

    /// When the next one that is not `busy` is due.
    pub(crate) fn next_due(&self, busy: impl Fn(&NodeId) -> bool) -> Option<Instant> {
        let idle = self.0.iter().filter(|h| !busy(&h.node));
        idle.map(|h| h.backoff.retry_at()).min()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &[Multiaddr])> {
        self.0.iter().map(|h| (&h.node, h.addresses.as_slice()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx, node};

    fn addresses(n: u8) -> Vec<Multiaddr> {
        [Multiaddr::tcp(([10, 0, 0, n], 7000).into())].into()
    }

    fn kept(hints: &Hints) -> Vec<NodeId> {
        hints.iter().map(|(node, _)| *node).collect()
    }

    fn due(hints: &mut Hints, cx: &mut Cx) -> Vec<NodeId> {
        let due = hints.take_due(cx, |_| false);
        due.into_iter().map(|(node, _)| node).collect()
    }

    #[test]
    fn a_peer_is_kept_once_and_only_with_addresses() {
        let (mut hints, mut cx) = (Hints::default(), cx(at(0)));
        assert!(!hints.add(&mut cx, node(1), Vec::new()));
        assert!(hints.add(&mut cx, node(2), addresses(2)));
        assert!(!hints.add(&mut cx, node(2), addresses(3)));
        let all: Vec<_> = hints.iter().collect();
        assert_eq!(all, [(&node(2), addresses(2).as_slice())]);
    }

    /// R28, R22.
    #[test]
    fn beyond_the_cap_the_oldest_gives_way() {
        let (mut hints, mut cx) = (Hints::default(), cx(at(0)));
        let last = caps::HINTS as u32 + 1;
        for n in (0..=last).rev() {
            hints.add(&mut cx, node(n), addresses(1));
        }
        assert_eq!(hints.len(), caps::HINTS);
        let newest: Vec<_> = (0..last - 1).rev().map(node).collect();
        assert_eq!(kept(&hints), newest);
    }

    /// R17: who has just expired is left alone for the first backoff.
    #[test]
    fn a_hint_is_due_after_the_first_backoff() {
        let (mut hints, mut cx) = (Hints::default(), cx(at(10)));
        hints.add(&mut cx, node(1), addresses(1));
        assert!(due(&mut hints, &mut cx).is_empty());
        assert_eq!(cx.stats.backoffs, 0, "nothing has failed");
        let when = hints.next_due(|_| false).unwrap();
        assert!(when <= at(10) + cx.config.backoff_base);
        cx.now = when;
        assert_eq!(
            hints.take_due(&mut cx, |_| false),
            [(node(1), addresses(1))]
        );
        assert_eq!(cx.stats.backoffs, 1);
    }

    /// R17, R28: each dial is followed by a longer wait, up to the cap, until success takes the
    /// hint off the list.
    #[test]
    fn each_dial_lengthens_the_wait_until_the_hint_is_forgotten() {
        let (mut hints, mut cx) = (Hints::default(), cx(at(0)));
        hints.add(&mut cx, node(1), addresses(1));
        for failures in 1..20 {
            cx.now = hints.next_due(|_| false).unwrap();
            assert_eq!(due(&mut hints, &mut cx), [node(1)]);
            let wait = hints.next_due(|_| false).unwrap() - cx.now;
            let (base, cap) = (cx.config.backoff_base, cx.config.backoff_cap);
            let most = (base * (1 << failures)).min(cap);
            assert!(wait >= most / 10 && wait < most, "{failures}: {wait:?}");
        }
        hints.forget(&node(1));
        assert_eq!((hints.len(), hints.next_due(|_| false)), (0, None));
    }

    #[test]
    fn the_busy_wait_without_losing_their_turn() {
        let (mut hints, mut cx) = (Hints::default(), cx(at(0)));
        hints.add(&mut cx, node(1), addresses(1));
        hints.add(&mut cx, node(2), addresses(2));
        let first = |n: &NodeId| *n == node(1);
        cx.now = at(1);
        let due_now = hints.take_due(&mut cx, first);
        assert_eq!(due_now, [(node(2), addresses(2))]);
        assert!(hints.next_due(first).unwrap() > cx.now);
        assert!(hints.next_due(|_| false).unwrap() <= cx.now);
        assert_eq!(due(&mut hints, &mut cx), [node(1)]);
        assert_eq!(hints.next_due(|_| true), None);
    }

    #[test]
    fn forgetting_one_keeps_the_others() {
        let (mut hints, mut cx) = (Hints::default(), cx(at(0)));
        for n in 1..=3 {
            hints.add(&mut cx, node(n), addresses(1));
        }
        hints.forget(&node(2));
        hints.forget(&node(9));
        assert_eq!(kept(&hints), [node(1), node(3)]);
    }
}
