//! Links: who is connected, what may be sent, and which of two links stays (R18, R22, R23).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::effect::{CloseReason, Effect};
use crate::error::UsageError;
use crate::id::{DialId, LinkId, NodeId};
use crate::limits::caps;
use crate::node::link::Link;
use crate::node::{Node, Timer};
use crate::time::Instant;
use crate::wire::{self, Goodbye, GoodbyeReason, Hello, Kind, Message};

/// A link that has held for so long resets the backoff of its node (R17).
pub(super) const HELD: Duration = Duration::from_secs(30);
/// A second link whose Hello does not come goes.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Links {
    /// Boxed: the nodes of the map are half empty.
    links: BTreeMap<LinkId, Box<Link>>,
    /// The oldest link of each node that has one.
    by_node: BTreeMap<NodeId, LinkId>,
    order: u64,
}

impl Links {
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Link> {
        self.links.get(&link).map(|link| &**link)
    }

    pub(super) fn get_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&link).map(|link| &mut **link)
    }

    pub(super) fn of(&self, node: &NodeId) -> Option<LinkId> {
        self.by_node.get(node).copied()
    }

    pub(super) fn is_linked(&self, node: &NodeId) -> bool {
        self.by_node.contains_key(node)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter().map(|(id, link)| (*id, &**link))
    }

    /// A random link that `accept` likes.
    pub(super) fn random(
        &self,
        random: &mut crate::rng::Stream,
        accept: impl Fn(LinkId, &Link) -> bool,
    ) -> Option<LinkId> {
        let liked: Vec<_> = self
            .iter()
            .filter(|(id, l)| accept(*id, l))
            .map(|(id, _)| id)
            .collect();
        (!liked.is_empty()).then(|| liked[random.below(liked.len())])
    }

    fn others_of(&self, node: &NodeId, but: LinkId) -> Option<LinkId> {
        self.iter()
            .find(|(id, l)| l.node == *node && *id != but)
            .map(|(id, _)| id)
    }

    /// Nodes with more than one link.
    fn doubled(&self) -> BTreeSet<NodeId> {
        if self.links.len() == self.by_node.len() {
            return BTreeSet::new();
        }
        let mut seen = BTreeSet::new();
        let nodes = self.links.values().map(|l| l.node);
        nodes.filter(|node| !seen.insert(*node)).collect()
    }

    fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.links.remove(&id)?;
        if self.of(&link.node) == Some(id) {
            match self.others_of(&link.node, id) {
                Some(other) => self.by_node.insert(link.node, other),
                None => self.by_node.remove(&link.node),
            };
        }
        Some(*link)
    }
}

/// What a message is for: answers always have room, pushes give way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Answer,
    Ask,
    Push,
}

impl Class {
    fn room(self) -> usize {
        match self {
            Self::Answer => caps::IN_FLIGHT,
            Self::Ask => caps::IN_FLIGHT - 2,
            Self::Push => caps::IN_FLIGHT_PUSHED,
        }
    }
}

impl Node {
    pub(super) fn on_link_up(
        &mut self,
        id: LinkId,
        node: NodeId,
        remote: Option<SocketAddr>,
        dial: Option<DialId>,
    ) -> Result<(), UsageError> {
        if self.links.get(id).is_some() {
            return Err(UsageError::LinkInUse);
        }
        let landed = dial.and_then(|dial| self.dial_succeeded(dial, node));
        if node == self.cx.id {
            self.on_self_connection(id);
            return Ok(());
        }
        if let Some(until) = self.refused_until(&node) {
            self.cx.effects.push_back(Effect::Close {
                link: id,
                reason: CloseReason::Refused,
            });
            self.leave_alone(node, until);
            if let Some(dial) = dial {
                self.ask_dial_failed(dial);
            }
            self.schedule_redial();
            return Ok(());
        }
        if landed.is_none() && self.links.len() >= self.most_links() {
            self.cx.effects.push_back(Effect::Close {
                link: id,
                reason: CloseReason::Full,
            });
            return Ok(());
        }
        let took = landed.as_ref().map(|l| l.took);
        self.add_link(id, node, remote, dial.is_some(), took);
        self.send_hello(id);
        self.on_dialled(id, node, landed);
        self.send_parked(id, node);
        Ok(())
    }

    fn add_link(
        &mut self,
        id: LinkId,
        node: NodeId,
        remote: Option<SocketAddr>,
        dialled: bool,
        took: Option<Duration>,
    ) {
        self.links.order += 1;
        let crowded = !dialled && self.links.len() >= self.cx.config.max_links;
        // The ring holds at a crowded hub too.
        let surplus = crowded && !self.table.is_predecessor(&node);
        let mut link = Link::new(node, remote, self.links.order, self.cx.now);
        link.dialled = dialled;
        link.via = self.via(&node);
        link.srtt = self.partners.get(&node).and_then(|p| p.srtt).or(took);
        link.surplus = surplus;
        self.links.links.insert(id, Box::new(link));
        self.links.by_node.entry(node).or_insert(id);
        self.table.set_reachable(&node, true);
    }

    /// As many again as are kept may be there to be answered once (R22).
    pub(super) fn most_links(&self) -> usize {
        2 * self.cx.config.max_links
    }

    fn send_hello(&mut self, link: LinkId) {
        let hello = Hello {
            min_version: wire::VERSION,
            max_version: wire::VERSION,
            features: wire::SKETCHES | wire::NODES,
            epoch: self.cx.epoch,
        };
        self.send(link, Message::Hello(hello), Class::Answer);
    }

    pub(super) fn on_hello(&mut self, id: LinkId, hello: Hello) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        if !(hello.min_version..=hello.max_version).contains(&wire::VERSION) {
            // An upgrade takes its time, as an upstream too.
            let (node, until) = (link.node, self.cx.now + self.cx.config.backoff_cap);
            self.leave_alone(node, until);
            self.goodbye(id, GoodbyeReason::Version, CloseReason::Version);
            return;
        }
        link.epoch = Some(hello.epoch);
        link.sketches = hello.features & wire::SKETCHES != 0;
        link.names = hello.features & wire::NODES != 0;
        let node = link.node;
        // Of those that have said Hello at most one is left; the others' turn is at theirs.
        let is_other =
            |(other, l): &(LinkId, &Link)| l.node == node && *other != id && l.epoch.is_some();
        let other = self.links.iter().find(is_other).map(|(other, _)| other);
        if let Some(other) = other {
            self.resolve(id, other);
        }
    }

    /// Of two links to one node, one stays (R23). Both ends see the same facts and agree.
    fn resolve(&mut self, a: LinkId, b: LinkId) {
        let (Some(la), Some(lb)) = (self.links.get(a), self.links.get(b)) else {
            return;
        };
        let (Some(epoch_a), Some(epoch_b)) = (la.epoch, lb.epoch) else {
            return;
        };
        let newer = if la.order > lb.order { a } else { b };
        let stays = if epoch_a != epoch_b || la.dialled == lb.dialled {
            newer
        } else {
            // The one that the smaller ID has dialled.
            let ours_stays = self.cx.id < la.node;
            if la.dialled == ours_stays { a } else { b }
        };
        let goes = if stays == a { b } else { a };
        let was_asking = self.ask.is_on(goes);
        self.ask.forget(goes);
        self.goodbye(goes, GoodbyeReason::Duplicate, CloseReason::Duplicate);
        if was_asking {
            self.ask_again_on(stays);
        }
    }

    /// Of a link that has just come up and another of the same node, the one that will stay unless
    /// their epochs differ, which the Hello will tell.
    pub(super) fn lasting(&self, new: LinkId) -> LinkId {
        let Some(link) = self.links.get(new) else {
            return new;
        };
        let Some(other) = self.links.of(&link.node).filter(|other| *other != new) else {
            return new;
        };
        let crossed = |l: &Link| l.epoch.is_some() && l.dialled != link.dialled;
        let crossed = self.links.get(other).is_some_and(crossed);
        let new_stays = link.dialled == (self.cx.id < link.node);
        if crossed && !new_stays { other } else { new }
    }

    pub(super) fn on_link_down(&mut self, id: LinkId, orderly: bool) {
        if let Some(link) = self.links.remove(id) {
            self.link_gone(id, &link, !orderly);
        }
    }

    pub(super) fn on_goodbye(&mut self, id: LinkId, node: NodeId, goodbye: Goodbye) {
        let answered = self.dialer.has_completed(&node);
        let wait = match goodbye.reason {
            // Full before it could answer: soon again.
            GoodbyeReason::Full if !answered => self.cx.config.backoff_base,
            // Not for weeks: another node may be at that address by then.
            GoodbyeReason::Full => goodbye
                .retry_after
                .clamp(self.cx.config.quiet_round, self.cx.config.quiet_round * 10),
            GoodbyeReason::Misbehaviour | GoodbyeReason::Version => self.cx.config.backoff_cap,
            _ => goodbye.retry_after.min(self.cx.config.backoff_cap),
        };
        if !wait.is_zero() {
            let wait = self.cx.choices.jitter(wait, 75);
            self.leave_alone(node, self.cx.now + wait);
        }
        self.close(id, CloseReason::Goodbye);
    }

    /// Neither dials this node nor asks it before then.
    pub(super) fn leave_alone(&mut self, node: NodeId, until: Instant) {
        let backoff = &mut self.partners.entry(node, self.cx.now).backoff;
        backoff.hold(until, Duration::ZERO);
        self.dialer.hold_upstream(&node, until);
    }

    /// Says goodbye and closes.
    pub(super) fn goodbye(&mut self, id: LinkId, reason: GoodbyeReason, close: CloseReason) {
        let retry_after = match reason {
            GoodbyeReason::Full => self.cx.config.quiet_round * 10,
            _ => Duration::ZERO,
        };
        self.send(
            id,
            Message::Goodbye(Goodbye {
                reason,
                retry_after,
            }),
            Class::Answer,
        );
        self.close(id, close);
    }

    pub(super) fn close(&mut self, id: LinkId, reason: CloseReason) {
        if let Some(link) = self.links.remove(id) {
            self.cx
                .effects
                .push_back(Effect::Close { link: id, reason });
            let failed = matches!(
                reason,
                CloseReason::Unresponsive | CloseReason::Misbehaviour
            );
            self.link_gone(id, &link, failed);
        }
    }

    fn link_gone(&mut self, id: LinkId, link: &Link, failed: bool) {
        if let Some(asking) = &link.asking {
            self.cx.timers.clear_request(id, asking.deadline);
        }
        let now = self.cx.now;
        let held = now.saturating_since(link.up_at) >= HELD;
        let partner = self.partners.entry(link.node, now);
        if link.srtt.is_some() {
            partner.srtt = link.srtt;
        }
        if held {
            partner.backoff.reset();
        }
        if failed {
            self.cx.stats.backoffs += 1;
            let (base, cap) = (self.cx.config.backoff_base, self.cx.config.backoff_cap);
            partner.backoff.fail(now, base, cap, &mut self.cx.choices);
        }
        match self.links.of(&link.node) {
            None => self.upstream_link_gone(link.node, held, failed),
            // What it carried was lost with it, and a trace is not asked for again.
            Some(other) if self.dialer.is_upstream(&link.node) => {
                if link.traced || self.links.get(other).is_some_and(|l| !l.traced) {
                    self.upstream_came_up(other);
                }
            }
            Some(_) => {}
        }
        self.fetch_link_gone(id);
        self.ask_link_gone(id);
    }

    /// Hands a message to the transport, if the link has room for its class.
    pub(super) fn send(&mut self, id: LinkId, message: Message, class: Class) -> bool {
        let now = self.cx.now;
        let Some(link) = self.links.get_mut(id) else {
            return false;
        };
        if usize::from(link.in_flight) >= class.room() {
            self.cx.stats.pushes_skipped += 1;
            return false;
        }
        link.in_flight += 1;
        link.used_at = now;
        let kind = message.kind();
        link.traced |= kind == Kind::Trace;
        let bytes = wire::encode(message);
        debug_assert!(bytes.len() <= caps::MESSAGE_BYTES, "{} bytes", bytes.len());
        self.cx.stats.messages_sent += 1;
        self.cx.stats.bytes_sent += bytes.len() as u64;
        self.cx.stats.sent[kind as usize].add(bytes.len());
        self.cx.effects.push_back(Effect::Send { link: id, bytes });
        true
    }

    pub(super) fn on_sent(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.in_flight = link.in_flight.saturating_sub(1);
        if let Some(rumours) = link.take_rumours() {
            self.send_rumour(id, rumours);
        }
        self.send_traces_of(id);
    }

    pub(super) fn sweep_links(&mut self) {
        let now = self.cx.now;
        let idle = self.cx.config.link_idle;
        let mut close = Vec::new();
        let mut held = Vec::new();
        let doubled = self.links.doubled();
        for (id, link) in self.links.iter() {
            let twin = doubled.contains(&link.node);
            let mute = link.epoch.is_none() && now.saturating_since(link.up_at) > HELLO_TIMEOUT;
            let unused = now.saturating_since(link.used_at) > idle;
            if twin && mute {
                close.push((id, GoodbyeReason::Duplicate, CloseReason::Duplicate));
            } else if link.surplus && now.saturating_since(link.up_at) > HELLO_TIMEOUT {
                close.push((id, GoodbyeReason::Full, CloseReason::Full));
            } else if unused && link.dialled && !self.is_kept(&link.node) {
                close.push((id, GoodbyeReason::Idle, CloseReason::Idle));
            } else if now.saturating_since(link.up_at) >= HELD {
                held.push(link.node);
            }
        }
        for node in held {
            self.partners.held(&node);
            self.dialer.held(&node);
        }
        for (id, goodbye, reason) in close {
            self.goodbye(id, goodbye, reason);
        }
        self.keep_successor();
        self.cx.timers.at_latest(Timer::Sweep, now + super::SWEEP);
    }

    /// Links that stay though unused: those to upstreams, and to the ring successor.
    fn is_kept(&self, node: &NodeId) -> bool {
        self.table.successor() == Some(*node) || self.dialer.is_upstream(node)
    }
}
