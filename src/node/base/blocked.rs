//! Which transports lead to a node, and which do not (R32).

use crate::addr::{Multiaddr, Protocol};
use crate::effect::{Event, Target};
use crate::id::{DialId, NodeId};
use crate::node::base::Base;
use crate::node::state::blocked::Change;
use crate::node::state::dialer::Purpose;
use crate::node::timers::Timer;

fn protocol(address: &Multiaddr) -> Option<Protocol> {
    address.port().map(|(protocol, _)| protocol)
}

impl Base {
    /// A dial has found its node at one of its addresses, and not at these.
    pub(crate) fn on_reached(&mut self, dial: DialId, at: &Multiaddr, silent: &[Multiaddr]) {
        let Some((node, over)) = self.dialer.peer(dial).zip(protocol(at)) else {
            return;
        };
        self.transport_answered(node, over);
        for other in silent.iter().filter_map(protocol).filter(|p| *p != over) {
            self.blocked.was_silent(other, node, self.cx.now);
        }
        self.schedule_probe();
    }

    /// A dial has found this node over this transport.
    pub(crate) fn transport_answered(&mut self, node: NodeId, over: Protocol) {
        let change = self.blocked.answered(over, &node);
        self.report_transport(change);
        self.schedule_probe();
    }

    /// A node was dialled over one transport alone, in vain.
    pub(crate) fn probe_failed(&mut self, node: NodeId, over: Protocol) {
        let elsewhere = self.links.is_linked(&node);
        let change = self.blocked.failed(over, node, elsewhere);
        self.report_transport(change);
        self.schedule_probe();
    }

    /// Whether what was blocked still is.
    pub(crate) fn probe(&mut self) {
        if let Some((over, node)) = self.blocked.take_due(self.cx.now) {
            let mut addresses = self.peer_addresses(&node);
            addresses.retain(|address| protocol(address) == Some(over));
            let target = Target::Peer { node, addresses };
            if target.addresses().is_empty() || !self.links.is_linked(&node) {
                self.probe_failed(node, over);
            } else {
                let _ = self.dial(Purpose::Probe(node, over), target);
            }
        }
        self.schedule_probe();
    }

    fn schedule_probe(&mut self) {
        match self.blocked.next_due() {
            Some(at) => self.cx.timers.set(Timer::Probe, at),
            None => self.cx.timers.clear(Timer::Probe),
        }
    }

    fn report_transport(&mut self, change: Option<Change>) {
        match change {
            None => {}
            Some(Change::Blocked(protocol, node)) => {
                self.cx.event(Event::TransportBlocked { protocol, node });
            }
            Some(Change::Open(protocol)) => self.cx.event(Event::TransportOpen { protocol }),
        }
    }
}
