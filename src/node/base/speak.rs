//! Speaking: every message goes out here, if its link has room for its class.

use core::net::SocketAddr;

use crate::contract;
use crate::effect::Effect;
use crate::id::{LinkId, NodeId, RequestId};
use crate::node::base::Base;
use crate::node::state::links::{Answered, Class, LinkState};
use crate::node::timers::Timer;
use crate::rng;
use crate::seal::Signing;
use crate::time::Instant;
use crate::wire::{
    self, Delta, Goodbye, GoodbyeReason, Hello, Message, Refusals, RefusalsBuilder, Request,
    Update, Walk,
};

impl Base {
    /// Hands a message to the transport, if the link has room for its class. Whether it had.
    pub(crate) fn send(&mut self, id: LinkId, message: Message, class: Class) -> bool {
        let Some(link) = self.links.get_mut(id) else {
            return false;
        };
        let kind = message.kind();
        if !link.take_room(class, self.cx.now) {
            self.cx.stats.pushes_skipped += 1;
            return false;
        }
        let bytes = self.cx.encoder.encode(message);
        debug_assert!(
            bytes.len() <= contract::MESSAGE_BYTES,
            "{} bytes",
            bytes.len()
        );
        self.cx.stats.count_sent(kind, bytes.len());
        self.cx.effect(Effect::Send { link: id, bytes });
        true
    }

    /// The transport has taken a message off its queue: what has waited for room goes out.
    pub(crate) fn on_sent(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.give_room();
        if let Some((about, until)) = link.take_news() {
            self.send_news(id, about, until);
        }
    }

    pub(crate) fn send_hello(&mut self, link: LinkId) {
        let replaces = self.links.get(link).is_some_and(LinkState::replaces);
        let replaces = if replaces { wire::REPLACES } else { 0 };
        let seen = self.seen_at(link);
        let hello = Message::Hello(self.hello(replaces, seen));
        self.send(link, hello, Class::Answer);
    }

    /// On a link that is no link to another node (R36).
    pub(crate) fn send_hello_to_itself(&mut self, link: LinkId) {
        let hello = Message::Hello(self.hello(0, None));
        let kind = hello.kind();
        let bytes = self.cx.encoder.encode(hello);
        self.cx.stats.count_sent(kind, bytes.len());
        self.cx.effect(Effect::Send { link, bytes });
    }

    fn hello(&self, replaces: u64, seen: Option<SocketAddr>) -> Hello {
        Hello {
            min_version: wire::VERSION,
            max_version: wire::VERSION,
            features: wire::SKETCHES | wire::NODES | wire::DIAL_BACKS | self.signs() | replaces,
            epoch: self.cx.epoch,
            cluster: rng::cluster_hash(&self.cx.config.cluster),
            seen,
        }
    }

    /// What this node does about signatures, as bits of a Hello.
    pub(crate) fn signs(&self) -> u64 {
        match self.cx.config.signing {
            Signing::Off => 0,
            Signing::Accept => wire::SIGNS,
            Signing::Require => wire::SIGNS | wire::SIGNED_ONLY,
        }
    }

    pub(crate) fn send_goodbye(&mut self, link: LinkId, reason: GoodbyeReason) {
        let retry_after = match reason {
            GoodbyeReason::Full => self.cx.config.quiet_round * 10,
            _ => core::time::Duration::ZERO,
        };
        let goodbye = Goodbye {
            reason,
            retry_after,
        };
        self.send(link, Message::Goodbye(goodbye), Class::Answer);
    }

    /// Sends a delta as an update; `request` if it is late knowledge for that.
    pub(crate) fn send_delta(&mut self, link: LinkId, request: Option<RequestId>, delta: Delta) {
        let update = Update {
            request,
            delta: Some(delta),
            ..Update::default()
        };
        self.send(link, Message::Update(update), Class::Ask);
    }

    /// Tells the sender of stale records what refuses them (R5).
    pub(crate) fn send_refusals(&mut self, link: LinkId, refusals: Refusals) {
        if !refusals.is_empty() {
            let update = Update {
                refusals,
                ..Update::default()
            };
            self.send(link, Message::Update(update), Class::Push);
        }
    }

    /// Tells a linked node what refuses its record, unless it has gone further since.
    pub(crate) fn pass_refusal(&mut self, node: NodeId, sequence: crate::record::Sequence) {
        let known = self.table.lookup(&node);
        if known.is_none_or(|e| e.sequence() > sequence) {
            return;
        }
        if let Some(link) = self.links.of(&node) {
            let mut about = RefusalsBuilder::default();
            about.push(&node, sequence);
            self.send_refusals(link, about.finish());
        }
    }
}

/// Requests (R14).
impl Base {
    /// Asks on this link, if no request is under way there.
    pub(crate) fn ask(&mut self, link: LinkId) -> bool {
        let (id, hop_limit) = (self.cx.next_request_id(), self.cx.config.hop_limit);
        let request = self.pull_request(link, id, hop_limit, None);
        self.send_request(link, request)
    }

    /// Forwards somebody's request, likewise.
    pub(crate) fn forward(
        &mut self,
        link: LinkId,
        id: RequestId,
        hop_limit: u8,
        walk: Walk,
    ) -> bool {
        let request = self.pull_request(link, id, hop_limit, Some(walk));
        self.send_request(link, request)
    }

    fn send_request(&mut self, link: LinkId, request: Option<Request>) -> bool {
        let Some(request) = request else { return false };
        let (id, shown) = (request.id, self.table.version());
        if !self.send(link, Message::Request(request), Class::Ask) {
            return false;
        }
        self.cx.stats.requests_sent += 1;
        let (now, deadline) = (self.cx.now, self.cx.now + self.patience(link, 4));
        self.cx.timers.set_request(link, deadline);
        if let Some(link) = self.links.get_mut(link) {
            link.asked(id, shown, now, deadline);
        }
        true
    }

    /// Sends a request for certain records, which is to be answered within two round trips.
    pub(crate) fn send_fetch(&mut self, link: LinkId, request: Request) -> bool {
        let sent = self.send(link, Message::Request(request), Class::Ask);
        if sent {
            self.cx.stats.fetches_sent += 1;
            let late = self.cx.now + self.patience(link, 2);
            self.cx.timers.set(Timer::Fetch, late);
        }
        sent
    }

    /// Gives way to the other end's request, which crossed the one under way.
    pub(crate) fn give_way(&mut self, id: LinkId) {
        let deadline = self.links.get_mut(id).and_then(|link| link.give_up());
        if let Some(deadline) = deadline {
            self.cx.timers.clear_request(id, deadline);
        }
    }

    /// Takes the request off its link if this is its answer.
    pub(crate) fn take_answered(&mut self, id: LinkId, request: RequestId) -> Option<Answered> {
        let answered = self.links.get_mut(id)?.answered(request, self.cx.now)?;
        self.peers.measured(answered.round_trip);
        self.cx.timers.clear_request(id, answered.deadline);
        Some(answered)
    }

    /// Neither dials this node nor asks it before then.
    pub(crate) fn leave_alone(&mut self, node: NodeId, until: Instant) {
        self.peers.hold(node, until, self.cx.now);
        self.upstreams.hold(node, until);
    }
}
