//! Nodes that want to be dialled, to know where they can be reached, and what came of it (R38).

use crate::effect::{CloseReason, Effect};
use crate::id::{LinkId, NodeId};
use crate::node::Node;
use crate::node::state::dialer::{Dialled, Purpose};
use crate::wire::DialBack;

impl Node {
    /// Charged like a beat.
    pub(crate) fn on_dial_back(&mut self, link: LinkId, node: NodeId, message: DialBack) {
        if !self.admits_beat(link) {
            return;
        }
        let base = &mut self.base;
        match message {
            DialBack::Ask { over, port } => base.dial_back(link, node, over, port),
            DialBack::Listed => base.dial_listed(link, node),
            DialBack::Tried { at, reached } => {
                base.own_addresses
                    .tried((link, node), &at, reached, &mut base.cx);
                base.prove_addresses();
            }
        }
    }

    /// A dial by which it was to be seen who is there has led to `found`. Nobody needs this link.
    pub(crate) fn on_dialled_back(&mut self, link: LinkId, found: NodeId, dialled: &Dialled) {
        let reason = CloseReason::DialBack;
        self.base.cx.effect(Effect::Close { link, reason });
        let wanted = match &dialled.purpose {
            Purpose::Back { node, .. } => *node,
            _ => return,
        };
        self.base.dialled_back(dialled, found == wanted);
    }
}
