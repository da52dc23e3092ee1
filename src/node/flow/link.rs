//! A link comes up, and its Hello (R22, R23).

use core::net::SocketAddr;

use crate::effect::{CloseReason, Effect, Event, Mismatch};
use crate::error::UsageError;
use crate::id::{DialId, LinkId, NodeId};
use crate::node::Node;
use crate::node::state::dialer::Dialled;
use crate::node::state::links::NewLink;
use crate::rng;
use crate::wire::{self, GoodbyeReason, Hello};

/// What keeps the sender of this Hello apart from a node that does `signs` about signatures (R50).
fn mismatch(hello: &Hello, signs: u64, cluster: &str) -> Option<Mismatch> {
    let lacks = |takes: u64, gives: u64| takes & wire::SIGNED_ONLY != 0 && gives & wire::SIGNS == 0;
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
        if self.base.links.get(id).is_some() {
            return Err(UsageError::LinkInUse);
        }
        let dialled = dial.and_then(|dial| self.on_dial_succeeded(dial, node));
        if let Some(reason) = self.refusal_of(node, dialled.is_some()) {
            self.base.cx.effect(Effect::Close { link: id, reason });
            self.on_refused_link(node, dial, reason);
            return Ok(());
        }
        self.add_link(id, node, remote, dial.is_some(), dialled.as_ref());
        self.base.send_hello(id);
        self.detector.link_up(&mut self.base, &node);
        self.on_dialled(id, node, dialled);
        self.base.send_parked(id, &node);
        Ok(())
    }

    /// Why this node is not let in, if it is not. What this node has dialled itself always has
    /// room.
    fn refusal_of(&self, node: NodeId, dialled: bool) -> Option<CloseReason> {
        let base = &self.base;
        if node == base.cx.id {
            Some(CloseReason::SelfConnection)
        } else if self.guard.bans.until(&node, base.cx.now).is_some() {
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
            CloseReason::SelfConnection => {
                // Connecting to oneself is the cycle of one (R13).
                if self.base.upstreams.met_oneself(node, now) {
                    self.base.report_cycle(alloc::vec![node]);
                }
            }
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
        let took = dialled.map(|d| base.cx.now.saturating_since(d.since));
        let new = NewLink {
            node,
            remote,
            dialled: is_dialled,
            via: base.cx.via(&node),
            round_trip: base.peers.round_trip_of(&node).or(took),
            // The ring predecessor is let in beyond the cap: otherwise the ring, along which
            // news goes (R46), would break at a node with many links.
            over_cap: crowded && !base.table.is_predecessor(&node),
        };
        base.links.add(id, new, base.cx.now);
        base.table.set_reachable(&node, true);
    }

    pub(crate) fn on_hello(&mut self, id: LinkId, hello: &Hello) {
        let base = &mut self.base;
        let Some(link) = base.links.get_mut(id) else {
            return;
        };
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
        link.greeted(hello);
        let twin = base.links.greeted_twin(id);
        let own = &base.cx.id;
        if let Some((stays, goes)) = twin.and_then(|twin| base.links.survivor(id, twin, own)) {
            self.replace_link(stays, goes);
        }
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
