//! What follows from misbehaviour: blame, and refusal for a while. Both outlive the link (R18).

use core::time::Duration;

use crate::effect::{CloseReason, Event};
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::node::Node;
use crate::time::Instant;
use crate::wire::GoodbyeReason;

/// How long a node is refused after proven misbehaviour.
const REFUSED: Duration = Duration::from_secs(600);

impl Node {
    /// Counts a fault; whoever keeps at it loses its links and is refused for a while.
    pub(super) fn blame(&mut self, id: LinkId, fault: PeerFault) {
        let Some(node) = self.links.get(id).map(|l| l.node) else {
            return;
        };
        let over = self.conducts.blame(self.cx.now, node, fault.weight());
        self.cx.stats.blamed(&fault);
        self.event(Event::Blamed {
            link: id,
            node,
            fault,
        });
        if over {
            self.refuse(node);
        }
    }

    fn refuse(&mut self, node: NodeId) {
        self.cx.stats.misbehaving += 1;
        if self.refused.len() >= caps::REFUSED {
            let first = self.refused.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(n, _)| *n);
            first.and_then(|n| self.refused.remove(&n));
        }
        let until = self.cx.now + REFUSED;
        self.refused.insert(node, until);
        self.leave_alone(node, until);
        while let Some(link) = self.links.of(&node) {
            self.goodbye(link, GoodbyeReason::Misbehaviour, CloseReason::Misbehaviour);
        }
    }

    /// Until when this node is refused.
    pub(super) fn refused_until(&self, node: &NodeId) -> Option<Instant> {
        let until = self.refused.get(node).copied();
        until.filter(|until| *until > self.cx.now)
    }
}
