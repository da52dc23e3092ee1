//! A link comes up, and its Hello (R22, R23).

use core::net::SocketAddr;

use crate::effect::{CloseReason, Effect, Event, Mismatch};
use crate::error::{PeerFault, UsageError};
use crate::id::{DialId, LinkId, NodeId};
use crate::limits::rates::NEEDLESS;
use crate::node::Node;
use crate::node::state::dialer::{Dialled, Purpose};
use crate::node::state::links::NewLink;
use crate::rng;
use crate::table::Way;
use crate::wire::{self, GoodbyeReason, Hello};

/// What keeps the sender of this Hello apart from a node that does `signs` about signatures (R50).
fn mismatch(hello: &Hello, signs: u32, cluster: &str) -> Option<Mismatch> {
    let lacks = |takes: u32, gives: u32| takes & wire::SIGNED_ONLY != 0 && gives & wire::SIGNS == 0;
    if hello.cluster != rng::cluster_hash(cluster) {
        Some(Mismatch::Name)
    } else if lacks(signs, hello.features) || lacks(hello.features, signs) {
        Some(Mismatch::Signing)
    } else {
        None
    }
}

impl Node {
    pub(crate) fn on_link_up(
        &mut self,
        id: LinkId,
        node: NodeId,
        remote: Option<SocketAddr>,
        dial: Option<DialId>,
    ) -> Result<(), UsageError> {
        if self.base.links.get(id).is_some() || self.base.mirrors.contains(id) {
            return Err(UsageError::LinkInUse);
        }
        let dialled = dial.and_then(|dial| self.base.dialer.finish(dial));
        self.base.was_there(dialled.as_ref(), &node, remote);
        if let Some(dialled) = dialled.as_ref().filter(|d| d.is_back()) {
            self.on_dialled_back(id, node, dialled);
            return Ok(());
        }
        if dial.is_none() {
            self.base.own_addresses.came(node, &mut self.base.cx);
        }
        if node == self.base.cx.id {
            self.on_own_link(id, dialled.as_ref(), remote);
            return Ok(());
        }
        if let Some(dialled) = &dialled {
            let displaced = self.base.dial_reached(dialled, &node, remote);
            self.detector.displaced(&self.base, displaced);
        }
        let known = dialled
            .as_ref()
            .is_some_and(|d| self.on_dial_succeeded(d, node));
        if let Some(reason) = self.refusal_of(node, dialled.is_some()) {
            self.base.cx.effect(Effect::Close { link: id, reason });
            self.on_refused_link(node, dial, reason);
            return Ok(());
        }
        if let Some(link) = self.base.other_way(&node, dialled.as_ref()) {
            let reason = CloseReason::Duplicate;
            self.base.cx.effect(Effect::Close { link: id, reason });
            if known {
                self.base.schedule_redial();
            } else {
                self.on_dialled(link, node, dialled, false);
            }
            return Ok(());
        }
        self.add_link(id, node, remote, dial.is_some(), dialled.as_ref());
        self.base.send_hello(id);
        self.detector
            .link_up(&mut self.base, id, &node, dialled.is_some());
        self.on_dialled(id, node, dialled, known);
        self.base.send_parked(id, &node);
        Ok(())
    }

    /// Why this node is not let in, if it is not. What this node has dialled itself always has
    /// room.
    fn refusal_of(&self, node: NodeId, dialled: bool) -> Option<CloseReason> {
        let base = &self.base;
        if self.guard.bans.until(&node, base.cx.now).is_some() {
            Some(CloseReason::Refused)
        } else if !dialled && base.links.len() >= base.most_links() {
            Some(CloseReason::Full)
        } else {
            None
        }
    }

    /// What follows once a link has been closed at once.
    fn on_refused_link(&mut self, node: NodeId, dial: Option<DialId>, reason: CloseReason) {
        let now = self.base.cx.now;
        match reason {
            CloseReason::Refused => {
                if let Some(until) = self.guard.bans.until(&node, now) {
                    self.base.leave_alone(node, until);
                }
                if let Some(dial) = dial {
                    self.exchange.dial_failed(&mut self.base, dial);
                }
            }
            _ => return,
        }
        self.base.schedule_redial();
    }

    fn add_link(
        &mut self,
        id: LinkId,
        node: NodeId,
        remote: Option<SocketAddr>,
        is_dialled: bool,
        dialled: Option<&Dialled>,
    ) {
        let base = &mut self.base;
        let crowded = !is_dialled && base.has_all_links();
        // At least a round trip, at most the few of a handshake.
        let is_afresh =
            dialled.is_some_and(|d| matches!(d.purpose, Purpose::Afresh(_) | Purpose::Probe(..)));
        let took = dialled.map(|d| base.cx.now.saturating_since(d.since));
        let new = NewLink {
            node,
            remote,
            dialled: is_dialled,
            round_trip: base.peers.round_trip_of(&node).or(took),
            over_cap: crowded,
            replaces: is_afresh && base.links.is_linked(&node),
        };
        base.links.add(id, new, base.cx.now);
        base.table.set_way(&node, Way::Open);
    }

    pub(crate) fn on_hello(&mut self, id: LinkId, hello: &Hello) {
        let base = &mut self.base;
        let Some(link) = base.links.get_mut(id) else {
            return;
        };
        if let Some(epoch) = link.epoch() {
            // The same once more may be a doubled one, and costs as much as what is unknown (R54).
            let (now, node) = (base.cx.now, link.node());
            self.guard.limits.arrives(now, node, NEEDLESS, 0);
            if epoch != hello.epoch {
                self.penalise(id, PeerFault::SecondHello);
            }
            return;
        }
        if !(hello.min_version..=hello.max_version).contains(&wire::VERSION) {
            // Until its program is upgraded nothing changes: it is left alone for long, also where
            // it is an upstream.
            let (node, until) = (link.node(), base.cx.now + base.cx.config.backoff_cap);
            base.leave_alone(node, until);
            self.goodbye(id, GoodbyeReason::Version, CloseReason::Version);
            return;
        }
        if let Some(what) = mismatch(hello, base.signs(), &base.cx.config.cluster) {
            // Likewise until its configuration changes, or this one's.
            let (node, until) = (
                base.links.node(id),
                base.cx.now + base.cx.config.backoff_cap,
            );
            if let Some(node) = node {
                base.leave_alone(node, until);
                base.cx.event(Event::OtherCluster { node, what });
            }
            let (said, why) = (GoodbyeReason::OtherCluster, CloseReason::OtherCluster);
            self.goodbye(id, said, why);
            return;
        }
        let Some(link) = base.links.get_mut(id) else {
            return;
        };
        let (node, link_is_dialled) = (link.node(), link.is_dialled());
        link.greeted(hello);
        base.contact.met();
        if self.met_a_clone(id, hello.epoch) {
            return;
        }
        let base = &mut self.base;
        let came = (link_is_dialled, hello.features & wire::NO_DIAL_BACKS == 0);
        base.own_addresses
            .seen(id, node, hello.seen, came, &mut base.cx);
        self.tell_whoever_is_down(id, &node);
        let base = &mut self.base;
        let twin = base.links.greeted_twin(id);
        let own = &base.cx.id;
        if let Some((stays, goes)) = twin.and_then(|twin| base.links.survivor(id, twin, own)) {
            self.replace_link(stays, goes);
        }
        self.base.prove_addresses();
    }

    /// Of two links to one node one goes, and what was under way on it goes on on the other.
    fn replace_link(&mut self, stays: LinkId, goes: LinkId) {
        let was_asking = self.exchange.round.forget(goes);
        self.goodbye(goes, GoodbyeReason::Duplicate, CloseReason::Duplicate);
        if was_asking {
            self.exchange.ask_again_on(&mut self.base, stays);
        }
    }
}
