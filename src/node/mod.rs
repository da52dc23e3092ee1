//! The state machine: inputs in, effects out.
//!
//! `mod.rs` is the boundary: the one place that advances the clock, the dispatch of messages, and
//! the queue of effects. The rest is by subject: [`links`] and [`dial`] for who is connected,
//! [`upstreams`] for those that are configured, [`ask`], [`pick`], [`request`], [`answer`],
//! [`fetch`] and [`forward`] for exchanges, [`merge`] for what they bring, [`push`] for what goes
//! out unasked, [`trace`] for cycles, [`own`] for the node's own record, [`blame`] for misbehaviour.

mod answer;
mod ask;
mod back;
mod blame;
mod cx;
mod dial;
mod fetch;
mod forward;
mod link;
mod links;
mod merge;
mod own;
mod partners;
mod pick;
mod push;
mod request;
mod snapshot;
mod timers;
mod trace;
mod upstreams;
mod views;

use alloc::collections::BTreeMap;
use core::time::Duration;

use bytes::Bytes;

use self::ask::Ask;
use self::cx::Cx;
use self::dial::Dialer;
use self::fetch::Fetcher;
use self::forward::Walks;
use self::links::Links;
use self::own::Own;
use self::partners::Partners;
use self::push::Push;
use self::timers::{Due, Timer};
use self::trace::Loops;
use crate::config::{Config, Identity};
use crate::effect::{Effect, Event};
use crate::error::{PeerFault, StartError, UsageError};
use crate::id::{LinkId, NodeId};
use crate::input::Input;
use crate::limits::caps;
use crate::limits::conduct::Conducts;
use crate::limits::gate::Gate;
use crate::table::Table;
use crate::time::Instant;
use crate::wire::{self, Decoded, Kind, Message};

pub use self::views::{LearnedFrom, LinkView, LoopView, PeerView, UpstreamState, UpstreamView};

/// One node of the exchange: a pure state machine.
///
/// It owns no socket, no clock and no source of randomness. Feed it with
/// [`handle`](Self::handle), then drain [`poll`](Self::poll) until it answers
/// [`Effect::WaitUntil`]. The same inputs and seed give the same effects, byte for byte. No input,
/// in any order, makes it panic.
pub struct Node {
    cx: Cx,
    table: Table,
    own: Own,
    links: Links,
    partners: Partners,
    dialer: Dialer,
    ask: Ask,
    fetcher: Fetcher,
    walks: Walks,
    loops: Loops,
    push: Push,
    gate: Gate,
    conducts: Conducts,
    /// Nodes refused for proven misbehaviour, and until when.
    refused: BTreeMap<NodeId, Instant>,
    /// The node has left or was shut down.
    over: bool,
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (records, links) = (self.table.len(), self.links.len());
        write!(
            f,
            "Node({:?}, {records} records, {links} links)",
            self.cx.id
        )
    }
}

impl Node {
    /// A node that knows nothing but itself and its upstreams.
    ///
    /// `seed` is 32 secret bytes from a good source of randomness, drawn anew at every start: what
    /// a stranger could exploit (hash keys, request IDs, choices) comes from it.
    ///
    /// # Errors
    /// When a value of the configuration is out of range, or the own record out of bounds.
    pub fn new(
        config: Config,
        identity: Identity,
        seed: [u8; 32],
        now: Instant,
    ) -> Result<Self, StartError> {
        config.check()?;
        let mut cx = Cx::new(config, identity.node, &seed, now);
        let config = &cx.config;
        let mut node = Self {
            table: Table::new(cx.id, config.capacity, &seed),
            own: Own::new(identity.addresses, identity.metadata),
            links: Links::default(),
            partners: Partners::default(),
            dialer: Dialer::new(&config.upstreams, now, config.start_jitter, &mut cx.choices),
            ask: Ask::new(config.round),
            fetcher: Fetcher::default(),
            walks: Walks::default(),
            loops: Loops::default(),
            push: Push::default(),
            gate: Gate::new(config.node_rates(), config.subnet_rates()),
            conducts: Conducts::default(),
            refused: BTreeMap::new(),
            over: false,
            cx,
        };
        node.publish_own()?;
        let start = now + node.cx.choices.jitter(node.cx.config.start_jitter, 0);
        node.cx.timers.set(Timer::Round, start);
        node.cx
            .timers
            .set(Timer::Renew, now + node.cx.config.renewal());
        node.cx.timers.set(Timer::Sweep, now + SWEEP);
        node.schedule_trace();
        node.schedule_redial();
        Ok(node)
    }

    /// Takes one input. Afterwards, drain [`poll`](Self::poll).
    ///
    /// `now` never runs backwards for the node: an earlier time than the one before counts as that.
    ///
    /// # Errors
    /// Only for misuse of the interface; the input then had no effect. What a peer does wrong is
    /// an [`Event::Blamed`].
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), UsageError> {
        if self.over {
            return match input {
                Input::Wake | Input::Sent { .. } | Input::LinkDown { .. } => Ok(()),
                Input::Message { .. } | Input::DialFailed { .. } => Ok(()),
                Input::LinkUp { link, .. } => {
                    self.cx.effects.push_back(close_effect(link));
                    Ok(())
                }
                _ => Err(UsageError::Left),
            };
        }
        if self.cx.effects.len() > caps::EFFECTS {
            return Err(UsageError::NotPolled);
        }
        self.cx.now = self.cx.now.max(now);
        match input {
            Input::LinkUp {
                link,
                node,
                remote,
                dial,
            } => {
                self.on_link_up(link, node, remote, dial)?;
            }
            Input::LinkDown { link, orderly } => self.on_link_down(link, orderly),
            Input::DialFailed { dial } => self.on_dial_failed(dial),
            Input::Message { link, bytes } => self.on_bytes(link, bytes),
            Input::Sent { link } => self.on_sent(link),
            Input::Wake => {}
            Input::Discover => self.discover(),
            Input::SetAddresses(addresses) => self.set_addresses(addresses)?,
            Input::SetMetadata(metadata) => self.set_metadata(metadata)?,
            Input::SetUpstreams(addresses) => self.set_upstreams(addresses)?,
            Input::Leave => self.on_leave(),
            Input::Shutdown => self.on_shutdown(),
        }
        self.pump();
        self.run_due();
        Ok(())
    }

    /// The next effect; [`Effect::WaitUntil`] when there is none.
    pub fn poll(&mut self) -> Effect {
        if let Some(effect) = self.cx.effects.pop_front() {
            return effect;
        }
        // A page of new peers is a thousand events: the room for them is not kept.
        self.cx.effects.shrink_to(EFFECTS_KEPT);
        Effect::WaitUntil(self.next_deadline())
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let expiry = self.table.next_deadline();
        [self.cx.timers.next(), expiry].into_iter().flatten().min()
    }

    /// Everything that is due. Each handler sets its own timer into the future, or waits for
    /// input; the bound is for a clock that has jumped far.
    fn run_due(&mut self) {
        self.expire();
        for _ in 0..MAX_DUE {
            if self.over {
                break;
            }
            match self.cx.timers.pop(self.cx.now) {
                None => break,
                Some(Due::Request(link)) => self.on_request_timeout(link),
                Some(Due::Timer(timer)) => self.on_timer(timer),
            }
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Round => self.start_round(),
            Timer::Renew => self.renew_own(),
            Timer::Batch => self.flush_renewals(),
            Timer::Trace => self.on_trace_timer(),
            Timer::Redial => self.redial(),
            Timer::Fetch => self.on_fetch_timeout(),
            Timer::Recover => self.recover_later(),
            Timer::Sweep => self.sweep(),
        }
    }

    fn on_bytes(&mut self, link: LinkId, bytes: Bytes) {
        let Some(node) = self.links.get(link).map(|l| l.node) else {
            return;
        };
        let len = bytes.len();
        self.cx.stats.messages_received += 1;
        self.cx.stats.bytes_received += len as u64;
        let decoded = wire::decode(bytes);
        let kind = match &decoded {
            Ok(Decoded::Message(message)) => message.kind(),
            _ => Kind::Other,
        };
        self.cx.stats.received[kind as usize].add(len);
        match decoded {
            Ok(Decoded::Message(message)) => self.on_message(link, node, message, len),
            Ok(Decoded::UnknownKind | Decoded::OtherVersion(_)) => {
                self.cx.stats.unknown_messages += 1
            }
            Err(error) => {
                self.cx.stats.bad_messages += 1;
                self.blame(link, PeerFault::Message(error));
            }
        }
    }

    fn on_message(&mut self, link: LinkId, node: NodeId, message: Message, len: usize) {
        match message {
            Message::Hello(m) => self.on_hello(link, m),
            Message::Request(m) => self.on_request(link, m, len),
            Message::Response(m) => self.on_response(link, m),
            Message::Update(m) => self.on_update(link, m, len),
            Message::Trace(m) => self.on_trace(link, m),
            Message::LoopFound(m) => self.on_loop_found(link, m),
            Message::Goodbye(m) => self.on_goodbye(link, node, m),
        }
    }

    fn event(&mut self, event: Event) {
        self.cx.effects.push_back(Effect::Event(event));
    }

    /// Housekeeping, every ten seconds.
    fn sweep(&mut self) {
        let now = self.cx.now;
        self.sweep_links();
        self.expire_dials();
        self.refused.retain(|_, until| *until > now);
        self.walks.expire(now);
        self.loops.expire(now, self.cx.config.trace_interval);
        self.table.relax();
        self.cx.timers.set(Timer::Sweep, now + SWEEP);
    }

    /// What has reached the end of its life.
    fn expire(&mut self) {
        while let Some(entry) = self.table.pop_expired(self.cx.now) {
            self.cx.stats.records_expired += 1;
            if !entry.is_tombstone() {
                self.event(Event::PeerExpired { node: entry.node });
                self.add_hint(entry.node, entry.addresses(self.cx.config.local));
            }
        }
    }
}

fn close_effect(link: LinkId) -> Effect {
    Effect::Close {
        link,
        reason: crate::effect::CloseReason::Leaving,
    }
}

const SWEEP: Duration = Duration::from_secs(10);
const MAX_DUE: usize = 1024;
/// Room for effects that is kept from one input to the next.
const EFFECTS_KEPT: usize = 32;
