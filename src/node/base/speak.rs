//! Speaking: every message goes out here, if its link has room for its class.

use core::net::SocketAddr;

use alloc::vec::Vec;

use crate::contract;
use crate::effect::Effect;
use crate::id::{LinkId, NodeId, Prefix, RequestId};
use crate::limits::caps;
use crate::node::base::Base;
use crate::node::state::links::{Answered, Class, Form, LinkState};
use crate::rng;
use crate::seal::Signing;
use crate::table::Slot;
use crate::time::Instant;
use crate::wire::{
    self, Goodbye, GoodbyeReason, Hello, Message, Records, Refusals, RefusalsBuilder, Request,
    Update, Walk, WireRecord,
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
        if self.table.len() <= caps::TOLD_TO_ALL {
            note_all(link, message.records());
        }
        // It need not go along with a request any more.
        let own = self.cx.id;
        if !link.is_introduced() && message.records().any(|r| r.node == own) {
            link.introduce();
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

    /// Records have come over this link.
    pub(crate) fn note_carried(&mut self, id: LinkId, records: &Records) {
        if self.table.len() <= caps::TOLD_TO_ALL {
            if let Some(link) = self.links.get_mut(id) {
                note_all(link, records.iter());
            }
        }
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

    fn hello(&self, replaces: u32, seen: Option<SocketAddr>) -> Hello {
        Hello {
            min_version: wire::VERSION,
            max_version: wire::VERSION,
            features: self.signs() | replaces,
            epoch: self.cx.epoch,
            cluster: rng::cluster_hash(&self.cx.config.cluster),
            seen,
        }
    }

    /// What this node does about signatures, as bits of a Hello.
    pub(crate) fn signs(&self) -> u32 {
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

    /// Sends records; `request` if its answer has wanted or promised them. Whether there was room.
    pub(crate) fn send_records(
        &mut self,
        link: LinkId,
        request: Option<RequestId>,
        slots: &[Slot],
        class: Class,
    ) -> bool {
        let node = self.links.node(link);
        let page = self
            .table
            .page(self.cx.now, slots, node.as_ref(), caps::PAGE_BYTES);
        let update = Update {
            request,
            records: page.0,
            ..Update::default()
        };
        update.records.is_empty() || self.send(link, Message::Update(update), class)
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

/// Both ends know these records.
fn note_all<'a>(link: &mut LinkState, records: impl Iterator<Item = WireRecord<'a>>) {
    records.for_each(|r| link.note(rng::record_hash(&r.node, r.sequence)));
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
        let id = request.id;
        let shown = request.state.is_none().then(|| request.shows.clone());
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

    /// Sends the own record, if it has not been sent on this link.
    pub(crate) fn say_who(&mut self, link: LinkId) {
        let own = self.table.find(&self.cx.id);
        let Some(own) = own.filter(|_| self.own.is_published()) else {
            return;
        };
        if self.links.get_mut(link).is_some_and(LinkState::introduce) {
            self.send_records(link, None, &[own], Class::Push);
        }
    }

    /// How the next request on this link shows the own table.
    pub(crate) fn set_form(&mut self, link: LinkId, form: Form) {
        if let Some(link) = self.links.get_mut(link) {
            link.set_form(form);
        }
    }

    /// Asks for certain records, which are to come within two round trips.
    pub(crate) fn fetch(&mut self, link: LinkId, wanted: &[Prefix]) -> Option<RequestId> {
        let mut request = Request::new(self.cx.next_request_id());
        let bytes: Vec<_> = wanted.iter().flat_map(|p| p.0).collect();
        request.fetch = bytes.into();
        let id = request.id;
        let sent = self.send(link, Message::Request(request), Class::Ask);
        self.cx.stats.fetches_sent += u64::from(sent);
        sent.then_some(id)
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
