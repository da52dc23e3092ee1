//! A dial has ended, with a link or without (R17, R28).

use crate::id::{DialId, LinkId, NodeId};
use crate::node::Node;
use crate::node::state::dialer::{Dialled, Purpose};
use crate::node::state::links::LinkState;

impl Node {
    /// A dial has led to `node`. Whether an upstream's address has led to whom it did before.
    pub(crate) fn on_dial_succeeded(&mut self, dialled: &Dialled, node: NodeId) -> bool {
        match &dialled.purpose {
            Purpose::Upstream(address) => {
                let base = &mut self.base;
                let known = base.upstreams.dial_succeeded(address, node, &mut base.cx);
                base.name_upstreams();
                known
            }
            // Another node answers at that address.
            Purpose::Peer(expected) | Purpose::Afresh(expected) if *expected != node => {
                self.base.peer_unreachable(*expected);
                self.base.pass_parked_by(expected);
                self.exchange.dial_failed(&mut self.base, dialled.dial);
                false
            }
            Purpose::Probe(expected, over) => {
                if *expected == node {
                    self.base.transport_answered(node, *over);
                } else {
                    self.base.probe_failed(*expected, *over);
                }
                false
            }
            Purpose::Peer(_) | Purpose::Afresh(_) | Purpose::Hint(_) | Purpose::Back { .. } => {
                false
            }
        }
    }

    /// What follows from a dial once its link is there. `known`: it has led to whom it did before.
    pub(crate) fn on_dialled(
        &mut self,
        link: LinkId,
        node: NodeId,
        dialled: Option<Dialled>,
        known: bool,
    ) {
        let base = &mut self.base;
        // It has not been away: it was looked at (R37), or is linked otherwise, too (R32).
        let was_here = known || base.links.get(link).is_some_and(LinkState::replaces);
        let link = base.links.likely_survivor(link, &base.cx.id);
        let purpose = dialled.as_ref().map(|d| &d.purpose);
        match purpose {
            Some(Purpose::Hint(_)) => base.hints.forget(&node),
            // Met before its address was known to be an upstream's.
            Some(Purpose::Upstream(_)) if base.has_exchanged(&node) => {
                base.upstreams.set_synced(node, false, base.cx.now);
            }
            _ => {}
        }
        if let Some(dialled) = &dialled {
            self.exchange.dialled(base, dialled.dial, link);
        }
        let came_up = base.upstreams.report_up(node, &mut base.cx);
        let exchanged = base.upstreams.is_synced(&node) && base.has_exchanged(&node);
        if base.upstreams.contains(&node) && (came_up || !was_here) && !exchanged {
            if base.upstreams.are_several() && base.pace.is_fast(&base.cx.config) {
                base.say_who(link);
                self.exchange.start_after(base, link);
            } else {
                self.exchange.round.start();
                self.exchange.hurry(base);
            }
        } else if let Some(Purpose::Hint(_)) = purpose {
            base.ask(link);
        }
        base.schedule_redial();
    }

    pub(crate) fn on_dial_failed(&mut self, dial: DialId) {
        let base = &mut self.base;
        let Some(dialled) = base.dialer.finish(dial) else {
            return;
        };
        base.dialer.was_in_vain(&dialled.purpose, base.cx.now);
        base.targets.ended(dial, false, base.cx.now);
        if base.dialled_back(&dialled, false) {
            return;
        }
        base.cx.stats.dial_failures += 1;
        match dialled.purpose {
            Purpose::Upstream(address) => {
                let linked = base.is_linked_through(&address);
                base.upstreams.dial_failed(&address, linked, &mut base.cx);
                base.name_upstreams();
            }
            Purpose::Peer(node) | Purpose::Afresh(node) => {
                base.peer_unreachable(node);
                self.detector.not_reached(base, node);
                base.pass_parked_by(&node);
                self.exchange.dial_failed(base, dial);
            }
            Purpose::Probe(node, over) => base.probe_failed(node, over),
            Purpose::Hint(node) => base.hints.failed(&node),
            Purpose::Back { .. } => {}
        }
        base.schedule_redial();
    }

    /// Whoever is watched and was reached there before is not there any more (R32).
    pub(crate) fn on_dial_refused(&mut self, dial: DialId) {
        // Of one transport alone that says nothing.
        let node = self.base.dialer.peer(dial);
        let node = node.filter(|_| !self.base.dialer.is_probe(dial));
        self.on_dial_failed(dial);
        if let Some(node) = node {
            self.detector.refused(&mut self.base, node);
        }
    }

    /// A dial whose outcome nobody has reported for long has failed.
    pub(crate) fn expire_dials(&mut self) {
        for dial in self.base.dialer.overdue(self.base.cx.now) {
            self.on_dial_failed(dial);
        }
    }
}
