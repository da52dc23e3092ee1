//! A dial has ended, with a link or without (R17, R28).

use crate::id::{DialId, LinkId, NodeId};
use crate::node::Node;
use crate::node::state::dialer::{Dialled, Purpose};

impl Node {
    /// Takes a dial that has led to `node` off the list, and says what it was for.
    pub(crate) fn on_dial_succeeded(&mut self, dial: DialId, node: NodeId) -> Option<Dialled> {
        let dialled = self.base.dialer.finish(dial)?;
        match &dialled.purpose {
            Purpose::Upstream(address) => self.base.upstreams.dial_succeeded(address, node),
            // Another node answers at that address.
            Purpose::Peer(expected) if *expected != node => {
                self.base.peer_unreachable(*expected);
                self.base.pass_parked_by(expected);
                self.exchange.dial_failed(&mut self.base, dial);
            }
            Purpose::Peer(_) | Purpose::Hint(_) => {}
        }
        Some(dialled)
    }

    /// What follows from a dial once its link is there.
    pub(crate) fn on_dialled(&mut self, link: LinkId, node: NodeId, dialled: Option<Dialled>) {
        let base = &mut self.base;
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
        base.upstreams.report_up(node, &mut base.cx);
        if base.upstreams.contains(&node) {
            base.upstream_came_up(link);
            self.exchange.hurry(base);
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
        base.cx.stats.dial_failures += 1;
        match dialled.purpose {
            Purpose::Upstream(address) => base.upstreams.dial_failed(&address, &mut base.cx),
            Purpose::Peer(node) => {
                base.peer_unreachable(node);
                base.pass_parked_by(&node);
                self.exchange.dial_failed(base, dial);
            }
            Purpose::Hint(_) => {}
        }
        base.schedule_redial();
    }

    /// A dial whose outcome nobody has reported for long has failed.
    pub(crate) fn expire_dials(&mut self) {
        for dial in self.base.dialer.overdue(self.base.cx.now) {
            self.on_dial_failed(dial);
        }
    }
}
