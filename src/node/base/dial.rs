//! Dialling: upstreams, peers, and the hints of expired ones (R17, R19, R28).

use alloc::vec::Vec;

use crate::addr::Multiaddr;
use crate::effect::{Effect, Event, Target};
use crate::error::UsageError;
use crate::id::{DialId, NodeId};
use crate::limits::caps;
use crate::node::base::Base;
use crate::node::state::dialer::{NEXT_DIAL, Purpose};
use crate::node::timers::Timer;

impl Base {
    fn dial(&mut self, purpose: Purpose, target: Target) -> Option<DialId> {
        let kept = match &purpose {
            Purpose::Upstream(_) => true,
            Purpose::Peer(node) => self.table.successor() == Some(*node),
            Purpose::Hint(_) => false,
        };
        if !kept && self.has_all_links() {
            return None;
        }
        let dial = self.dialer.begin(purpose, self.cx.now)?;
        self.cx.stats.dials += 1;
        self.cx.effect(Effect::Dial { dial, target });
        Some(dial)
    }

    /// Dials a known peer, unless it is being dialled, backing off, or has no usable address.
    pub(crate) fn dial_peer(&mut self, node: NodeId) -> Option<DialId> {
        if !self.peers.is_ready(&node, self.cx.now) || self.dialer.is_dialing(&node) {
            return None;
        }
        let addresses = self.peer_addresses(&node);
        if addresses.is_empty() {
            return None;
        }
        self.dial(Purpose::Peer(node), Target::Peer { node, addresses })
    }

    /// Dials a node that may not hear over its link (R32), also where it has been left alone.
    pub(crate) fn dial_afresh(&mut self, node: NodeId) {
        let addresses = self.peer_addresses(&node);
        if !self.dialer.is_dialing(&node) && !addresses.is_empty() {
            self.dial(Purpose::Peer(node), Target::Peer { node, addresses });
        }
    }

    /// Dials every upstream and hint whose time has come.
    pub(crate) fn redial(&mut self) {
        let now = self.cx.now;
        let links = &self.links;
        for address in self.upstreams.due(now, |node| links.is_linked(node)) {
            let target = Target::Upstream(address.clone());
            if self
                .dial(Purpose::Upstream(address.clone()), target)
                .is_some()
            {
                self.upstreams.dial_begun(&address);
            } else {
                self.upstreams.dial_postponed(&address, now, NEXT_DIAL);
            }
        }
        let dialer = &self.dialer;
        let due = self
            .hints
            .take_due(&mut self.cx, |node| dialer.is_dialing(node));
        for (node, addresses) in due {
            if !self.links.is_linked(&node) {
                self.dial(Purpose::Hint(node), Target::Peer { node, addresses });
            }
        }
        self.schedule_redial();
    }

    /// Sets the timer for the next upstream or hint. One that is being dialled is scheduled anew
    /// when that has ended.
    pub(crate) fn schedule_redial(&mut self) {
        let (links, dialer) = (&self.links, &self.dialer);
        let upstream = self.upstreams.next_due(|node| links.is_linked(node));
        let hint = self.hints.next_due(|node| dialer.is_dialing(node));
        match upstream.into_iter().chain(hint).min() {
            Some(at) => self.cx.timers.set(Timer::Redial, at.max(self.cx.now)),
            None => self.cx.timers.clear(Timer::Redial),
        }
    }

    /// A peer could not be dialled, or another node answers where it should be.
    pub(crate) fn peer_unreachable(&mut self, node: NodeId) {
        let retry_in = self.peers.failed(node, &mut self.cx);
        self.table.set_reachable(&node, false);
        self.cx.event(Event::PeerUnreachable { node, retry_in });
    }

    /// Keeps the addresses of an expired peer (R28).
    pub(crate) fn add_hint(&mut self, node: NodeId, mut addresses: Vec<Multiaddr>) {
        addresses.retain(|a| self.cx.config.allows(&node, a));
        if self.hints.add(&mut self.cx, node, addresses) {
            self.schedule_redial();
        }
    }

    /// Another configuration, or another answer of the name server.
    pub(crate) fn set_upstreams(&mut self, addresses: Vec<Multiaddr>) -> Result<(), UsageError> {
        if addresses.len() > caps::UPSTREAMS {
            return Err(UsageError::TooManyUpstreams);
        }
        self.upstreams.replace(addresses, self.cx.now);
        self.schedule_redial();
        Ok(())
    }
}
