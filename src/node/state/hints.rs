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
