//! Dialling: upstreams, peers, and the hints of those that are gone (R17, R19, R28, R37).

use alloc::vec::Vec;
use core::cell::LazyCell;
use core::net::SocketAddr;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::effect::{Effect, Event, Target};
use crate::error::UsageError;
use crate::id::{DialId, LinkId, NodeId};
use crate::limits::caps;
use crate::node::base::Base;
use crate::node::state::clones::Clones;
use crate::node::state::dialer::{Dialer, Dialled, NEXT_DIAL, Purpose, Reason};
use crate::node::state::hints::{Kept, Worth};
use crate::node::state::links::Links;
use crate::node::state::targets::Stranger;
use crate::node::state::upstreams::Upstream;
use crate::node::timers::Timer;
use crate::table::{Entry, Slot, Way};
use crate::time::Instant;

/// Whether it is tried to reach one that is doubted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "whom nobody has tried to reach, its silence cannot be held against"]
pub(crate) enum Afresh {
    /// It is being dialled, or whoever is to be there was of late.
    Tried,
    /// It has no address, or answers another with its key.
    Impossible,
    /// Too many were dialled in vain of late (R28).
    TooMany,
}

/// Whom no hint is dialled for: there is a link or a dial, or it keeps another with this key (R36).
fn is_busy<'a>(
    dialer: &'a Dialer,
    links: &'a Links,
    clones: &'a Clones,
    now: Instant,
) -> impl Fn(&NodeId) -> bool + 'a {
    move |node| dialer.is_dialing(node) || links.is_linked(node) || clones.is_refused_by(node, now)
}

impl Base {
    pub(super) fn dial(&mut self, purpose: Purpose, target: Target) -> Option<DialId> {
        let kept = match &purpose {
            Purpose::Upstream(_) => true,
            Purpose::Peer(node) => self.table.successor() == Some(*node),
            Purpose::Afresh(node) | Purpose::Probe(node, _) => self.links.is_linked(node),
            Purpose::Hint(_) | Purpose::Back { .. } => false,
        };
        if !kept && self.has_all_links() {
            return None;
        }
        let node = purpose.node();
        let dial = self.dialer.begin(purpose, self.cx.now)?;
        if let Some(Stranger::Told(by)) = node.and_then(|node| self.stranger(&node)) {
            self.targets.begun(dial, target.addresses(), by);
        }
        self.cx.stats.dials += 1;
        self.cx.effect(Effect::Dial { dial, target });
        Some(dial)
    }

    /// Dials a known peer, unless it is being dialled, backing off, or has no usable address, or too
    /// many were dialled in vain of late (R28).
    pub(crate) fn dial_peer(&mut self, node: NodeId, reason: Reason) -> Option<DialId> {
        let may = self.dialer.may_be_in_vain(reason, self.cx.now);
        let is_ready = self.peers.is_ready(&node, self.cx.now) && !self.is_refused_by(&node);
        if !may || !is_ready || self.dialer.is_dialing(&node) {
            return None;
        }
        let addresses = self.peer_addresses(&node);
        if addresses.is_empty() {
            return None;
        }
        let target = Target::Peer { node, addresses };
        self.dial(Purpose::Peer(node), target)
    }

    /// Dials a node that may not hear over its link (R32), also where it has been left alone. Every
    /// second time it begins with its addresses of other transports than the first is of.
    pub(crate) fn dial_afresh(&mut self, node: NodeId, nth: u8) -> Afresh {
        if self.dialer.is_dialing(&node) {
            return Afresh::Tried;
        }
        if self.is_refused_by(&node) {
            return Afresh::Impossible;
        }
        let mut addresses = self.peer_addresses(&node);
        let protocol = |a: &Multiaddr| a.port().map(|(protocol, _)| protocol);
        let first = addresses.first().and_then(protocol);
        if nth % 2 == 1 {
            addresses.sort_by_key(|a| protocol(a) == first);
        }
        let target = Target::Peer { node, addresses };
        if target.addresses().is_empty() {
            return self.why_not(&node);
        }
        match self.dial(Purpose::Afresh(node), target) {
            Some(_) => Afresh::Tried,
            None => Afresh::TooMany,
        }
    }

    /// Why this node cannot be dialled now.
    fn why_not(&self, node: &NodeId) -> Afresh {
        let all = self.all_addresses(node);
        let now = self.cx.now;
        match all.is_empty() {
            true => Afresh::Impossible,
            // Where others were found absent, it may be absent, too.
            false if all.iter().all(|a| self.targets.was_in_vain(a, now)) => Afresh::Tried,
            false => Afresh::TooMany,
        }
    }

    /// Whether this node has its key from another, and that one keeps the other's link (R36).
    pub(crate) fn is_refused_by(&self, node: &NodeId) -> bool {
        self.clones.is_refused_by(node, self.cx.now)
    }

    /// Dials every upstream whose time has come, and a hint.
    pub(crate) fn redial(&mut self) {
        let now = self.cx.now;
        let (links, table) = (&self.links, &self.table);
        // Only where some address is due that is none of the first.
        let listed = LazyCell::new(|| table.live_addresses());
        let due = self.upstreams.take_due(
            &mut self.cx,
            |node| links.is_linked(node),
            |address| listed.contains(address.as_bytes()),
        );
        for address in due {
            let target = Target::Upstream(address.clone());
            if self
                .dial(Purpose::Upstream(address.clone()), target)
                .is_some()
            {
                self.upstreams.dial_begun(&address, &mut self.cx);
            } else {
                self.upstreams.dial_postponed(&address, now, NEXT_DIAL);
            }
        }
        self.dial_hint();
        self.schedule_redial();
    }

    fn dial_hint(&mut self) {
        if !self.dialer.may_be_in_vain(Reason::Hint, self.cx.now) {
            self.hints.postpone(self.cx.now + NEXT_DIAL);
            return;
        }
        let (others, now) = (self.table.others(), self.cx.now);
        let busy = is_busy(&self.dialer, &self.links, &self.clones, now);
        let Some((node, addresses)) = self.hints.take_due(&mut self.cx, others, busy) else {
            return;
        };
        let addresses = self.dialled_now(&node, addresses);
        if !addresses.is_empty() {
            let target = Target::Peer { node, addresses };
            self.dial(Purpose::Hint(node), target);
        }
    }

    /// Sets the timer for the next upstream or hint. One that is being dialled is scheduled anew
    /// when that has ended.
    pub(crate) fn schedule_redial(&mut self) {
        let links = &self.links;
        let upstream = self.upstreams.next_due(|node| links.is_linked(node));
        let busy = is_busy(&self.dialer, links, &self.clones, self.cx.now);
        let hint = self.hints.next_due(busy);
        match upstream.into_iter().chain(hint).min() {
            Some(at) => self.cx.timers.set(Timer::Redial, at.max(self.cx.now)),
            None => self.cx.timers.clear(Timer::Redial),
        }
    }

    /// This node hears nobody: where do the upstreams lead (R37)?
    pub(crate) fn look_at_once(&mut self) {
        self.upstreams.look_at_once(self.cx.now);
        self.schedule_redial();
    }

    /// The link that makes the one of this dial superfluous: an upstream was looked at, and there is
    /// a link to the node found there on which something came a moment ago. [The newer of two would
    /// stay, and what is under way on the older one be lost. Where nothing has come, the older one
    /// may be dead at the other end.] Only where its Hello has come. [Of two that cross each
    /// end would close its own.]
    pub(crate) fn other_way(&self, node: &NodeId, dialled: Option<&Dialled>) -> Option<LinkId> {
        let is_look = matches!(dialled?.purpose, Purpose::Upstream(_));
        let (id, link) = (self.links.of(node)?, self.links.link_of(node)?);
        let lately = link.mute_for(self.cx.now) < self.cx.config.request_timeout;
        (is_look && lately && link.epoch().is_some() && link.timeouts() == 0).then_some(id)
    }

    pub(crate) fn is_linked_through(&self, address: &Multiaddr) -> bool {
        let upstream = self.upstreams.iter().find(|u| u.address() == address);
        let node = upstream.and_then(Upstream::node);
        node.is_some_and(|node| self.links.is_linked(&node))
    }

    /// A peer could not be dialled, or another node answers where it should be.
    pub(crate) fn peer_unreachable(&mut self, node: NodeId) {
        let retry_in = self.peers.failed(node, &mut self.cx);
        self.table.set_way(&node, Way::Unreachable);
        self.cx.event(Event::PeerUnreachable { node, retry_in });
    }

    /// Keeps the addresses of a peer that is gone from the table (R28).
    pub(crate) fn add_hint(&mut self, entry: Entry<'_>) {
        let (addresses, worth) = self.hint_of(entry, false);
        self.keep_hint(entry.node, addresses, worth);
    }

    /// Where this node is looked for once it is gone, and what that is worth.
    pub(crate) fn hint_of(&self, entry: Entry<'_>, down: bool) -> (Vec<Multiaddr>, Worth) {
        let node = &entry.node;
        let addresses = self.hint_addresses(node, entry.addresses(self.cx.config.local));
        let worth = Worth {
            known: self.cx.now.saturating_since(entry.first_seen()),
            linked: self.was_linked(node),
            upstream: self.upstreams.contains(node),
            down,
        };
        (addresses, worth)
    }

    pub(crate) fn keep_hint(&mut self, node: NodeId, addresses: Vec<Multiaddr>, worth: Worth) {
        let distance = self.table.distance(&node);
        if self
            .hints
            .add(&mut self.cx, node, distance, addresses, worth)
        {
            self.schedule_redial();
        }
    }

    /// The same of one that was kept before a restart, or was known then.
    pub(crate) fn restore_hint(&mut self, node: NodeId, addresses: Vec<Multiaddr>, kept: Kept) {
        let addresses = self.hint_addresses(&node, addresses);
        let distance = self.table.distance(&node);
        let now = self.cx.now;
        if node != self.cx.id && self.hints.restore(now, node, distance, addresses, kept) {
            self.schedule_redial();
        }
    }

    fn hint_addresses(&self, node: &NodeId, mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        addresses.retain(|a| self.cx.config.allows(node, a));
        addresses
    }

    /// For how long this node was linked, now included.
    fn was_linked(&self, node: &NodeId) -> Duration {
        let now = self.links.link_of(node).map(|link| link.age(self.cx.now));
        self.peers.linked_for(node) + now.unwrap_or_default()
    }

    /// A link is there: so is somebody at that address, and who was dialled, if it is this one.
    pub(crate) fn was_there(
        &mut self,
        dialled: Option<&Dialled>,
        node: &NodeId,
        at: Option<SocketAddr>,
    ) {
        let now = self.cx.now;
        if let Some(at) = at {
            self.targets.found(at.ip().to_canonical(), now);
        }
        if let Some(dialled) = dialled {
            let wanted = dialled.purpose.node();
            let reached = wanted.is_none_or(|wanted| wanted == *node);
            self.targets.ended(dialled.dial, reached, now);
        }
    }

    /// This dial has led to that node, at that address: what else claimed it is no hint any more. An
    /// upstream's address may be a balancer's, where many are found. Who is displaced, if anybody is.
    pub(crate) fn dial_reached(
        &mut self,
        dialled: &Dialled,
        node: &NodeId,
        at: Option<SocketAddr>,
    ) -> Option<NodeId> {
        let (Purpose::Peer(_) | Purpose::Afresh(_) | Purpose::Hint(_), Some(at)) =
            (&dialled.purpose, at)
        else {
            return None;
        };
        self.peers.found(*node, at, self.cx.now);
        self.moved_in(*node, at)
    }

    /// A node has said itself where it is: at the address from which it is linked nobody else is.
    pub(crate) fn heard_where(&mut self, slot: Slot) -> Vec<NodeId> {
        let Some(entry) = self.table.get(slot) else {
            return Vec::new();
        };
        let (node, addresses) = (entry.node, entry.addresses(self.cx.config.local));
        let link = self.links.link_of(&node);
        let Some(remote) = link.and_then(|link| link.source().1) else {
            return Vec::new();
        };
        let addresses = addresses.iter().filter_map(Multiaddr::socket_addr);
        let here = addresses.filter(|at| at.ip() == remote.ip());
        here.filter_map(|at| self.moved_in(node, at)).collect()
    }

    /// Who was at this address before is displaced, unless it lists one where nobody else was found,
    /// or none: then it is where nobody dials it.
    fn moved_in(&mut self, node: NodeId, at: SocketAddr) -> Option<NodeId> {
        self.hints.retire(&node, at);
        let before = self.occupants.found(at, node, self.cx.now)?;
        let entry = self.table.lookup(&before).filter(|e| !e.is_tombstone())?;
        let listed = entry.addresses(self.cx.config.local);
        let is_taken = |a: &Multiaddr| {
            let at = a.socket_addr();
            at.is_some_and(|at| self.occupants.has_another(&at, &before))
        };
        (!listed.is_empty() && listed.iter().all(is_taken)).then_some(before)
    }

    /// Another configuration, or another answer of the name server.
    pub(crate) fn set_upstreams(&mut self, addresses: Vec<Multiaddr>) -> Result<(), UsageError> {
        if addresses.len() > caps::UPSTREAMS {
            return Err(UsageError::TooManyUpstreams);
        }
        self.upstreams
            .replace(addresses, self.own.addresses(), &mut self.cx);
        self.name_upstreams();
        self.schedule_redial();
        Ok(())
    }
}
