//! What follows from misbehaviour: blame, and a ban. Both outlive the link (R18).

use crate::effect::{CloseReason, Event};
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::node::Node;
use crate::wire::GoodbyeReason;

impl Node {
    /// Counts a fault; whoever keeps at it loses its links and is refused for a while.
    pub(crate) fn penalise(&mut self, link: LinkId, fault: PeerFault) {
        let base = &mut self.base;
        let Some(node) = base.links.node(link) else {
            return;
        };
        let reputation = &mut self.guard.reputation;
        let too_much = reputation.blame(base.cx.now, node, fault.weight());
        base.cx.stats.blamed(&fault);
        base.cx.event(Event::Blamed { link, node, fault });
        if too_much {
            self.ban(node);
        }
    }

    fn ban(&mut self, node: NodeId) {
        self.base.cx.stats.misbehaving += 1;
        let until = self.guard.bans.add(node, self.base.cx.now);
        self.base.leave_alone(node, until);
        while let Some(link) = self.base.links.of(&node) {
            self.goodbye(link, GoodbyeReason::Misbehaviour, CloseReason::Misbehaviour);
        }
    }
}
