//! Beats, asks, accusations, and what follows from them (R30 to R34).

use crate::effect::CloseReason;
use crate::id::{LinkId, NodeId};
use crate::node::Node;
use crate::wire::{Ask, Beat};

impl Node {
    /// Beats and asks are charged as messages. Over its limit, a node is not answered: it was
    /// heard all the same.
    pub(crate) fn admits_beat(&mut self, link: LinkId) -> bool {
        let base = &mut self.base;
        let Some((node, remote)) = base.links.get(link).map(|l| l.source()) else {
            return false;
        };
        let admitted = self.guard.limits.admit(base.cx.now, node, remote).is_ok();
        base.cx.stats.requests_throttled += u64::from(!admitted);
        admitted
    }

    pub(crate) fn on_beat(&mut self, link: LinkId, beat: Beat) {
        if self.admits_beat(link) {
            self.detector.on_beat(&self.base, link, beat);
        }
    }

    pub(crate) fn on_ask(&mut self, link: LinkId, node: NodeId, ask: Ask) {
        if self.admits_beat(link) {
            self.detector.on_ask(&mut self.base, link, node, ask);
            self.tell_whoever_is_down(link, &node);
        }
    }

    /// Whoever is down here and speaks has to hear of it to refute it (R33). [It pushes nothing that
    /// was known here before (R15): one that was cut off for a minute was linked to all for ever, and
    /// down for all.]
    pub(crate) fn tell_whoever_is_down(&mut self, link: LinkId, node: &NodeId) {
        if self.base.table.down(node).is_some() {
            self.base.send_downs(link, &[*node]);
        }
    }

    /// Something is due.
    pub(crate) fn detect(&mut self) {
        for node in self.detector.tick(&mut self.base) {
            while let Some(link) = self.base.links.of(&node) {
                self.close(link, CloseReason::Unresponsive);
            }
        }
    }
}
