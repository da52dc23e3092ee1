//! The state machine: inputs in, effects out.
//!
//! [`Node`] is the boundary: the one place that advances the clock, and the dispatch of inputs and
//! messages. Below it are two tiers and the guard: [`base`] knows, speaks and dials; [`exchange`]
//! asks, fetches and forwards, and [`detector`] watches, each with the base in its hands; [`guard`]
//! limits others. They are made of
//! machines that own their state ([`state`]), and are handed the context ([`cx`]). What follows from
//! each kind of input is in [`flow`]; what can be read, in [`view`].

mod base;
mod cx;
mod detector;
mod exchange;
mod flow;
mod guard;
mod outcome;
mod state;
#[cfg(test)]
mod testing;
mod timers;
mod view;

use bytes::Bytes;

use self::base::Base;
use self::cx::Cx;
use self::detector::Detector;
use self::exchange::Exchange;
use self::guard::Guard;
use self::state::checks::Checks;
use self::timers::{Due, Timer};
use crate::config::{Config, ConfigError, Identity};
use crate::effect::{CloseReason, Effect};
use crate::error::{PeerFault, StartError, UsageError};
use crate::id::{LinkId, NodeId};
use crate::input::Input;
use crate::limits::caps;
use crate::limits::rates::NEEDLESS;
use crate::seal::Sealer;
use crate::time::Instant;
use crate::wire::{self, Decoded, Kind, Message};

pub use self::view::{
    AskerView, LearnedFrom, LinkView, LoopView, NamedUpstream, OwnAddressState, OwnAddressView,
    PeerState, PeerView, Readiness, ReadinessView, StandingView, UpstreamState, UpstreamView,
};

/// One node of the exchange: a pure state machine.
///
/// It owns no socket, no clock and no source of randomness. Feed it with
/// [`handle`](Self::handle), then drain [`poll`](Self::poll) until it answers
/// [`Effect::WaitUntil`]. The same inputs and seed give the same effects, byte for byte. No input,
/// in any order, makes it panic.
pub struct Node {
    base: Base,
    exchange: Exchange,
    detector: Detector,
    guard: Guard,
    checks: Checks,
    /// The node has left or was shut down.
    over: bool,
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (records, links) = (self.base.table.len(), self.base.links.len());
        write!(f, "Node({:?}, {records} records, {links} links)", self.id())
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
        let guard = Guard::new(&config);
        let seal = identity.seal.clone();
        let sealer = Sealer::new(config.signing, &config.cluster, seal).ok_or(ConfigError {
            field: "signing",
            range: "`Off`, unless the identity has a seal",
        })?;
        let cx = Cx::new(config, identity.node, &seed, now);
        let mut node = Self {
            base: Base::new(cx, identity, sealer, &seed),
            exchange: Exchange::default(),
            detector: Detector::new(now),
            guard,
            checks: Checks::default(),
            over: false,
        };
        let base = &mut node.base;
        base.publish_first()?;
        let first = now + base.cx.jitter(base.cx.config.start_jitter, 0);
        base.cx.timers.set(Timer::Round, first);
        base.schedule_renewal();
        base.cx.timers.set(Timer::Sweep, now + timers::SWEEP);
        base.schedule_redial();
        Ok(node)
    }

    /// Takes one input. Afterwards, drain [`poll`](Self::poll).
    ///
    /// `now` never runs backwards for the node: an earlier time than the one before counts as that.
    ///
    /// # Errors
    /// Only for misuse of the interface; the input then had no effect. What a peer does wrong is
    /// an [`Event::Blamed`](crate::Event::Blamed).
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), UsageError> {
        if self.over {
            return self.handle_over(input);
        }
        if self.base.cx.effect_count() > caps::EFFECTS {
            return Err(UsageError::NotPolled);
        }
        let base = &mut self.base;
        base.cx.now = base.cx.now.max(now);
        self.detector.notice_stop(base);
        self.checks.begin();
        match input {
            Input::LinkUp {
                link,
                node,
                remote,
                dial,
            } => self.on_link_up(link, node, remote, dial)?,
            Input::LinkDown { link, orderly } => self.on_link_down(link, orderly),
            Input::DialFailed { dial } => self.on_dial_failed(dial),
            Input::DialRefused { dial } => self.on_dial_refused(dial),
            Input::Message { link, bytes } => self.on_bytes(link, bytes),
            Input::Sent { link } => base.on_sent(link),
            Input::Wake => {}
            Input::WallTime { since_origin } => self.on_wall_time(since_origin),
            Input::Reached { dial, at, silent } => base.on_reached(dial, &at, &silent),
            Input::Discover => self.exchange.discover(base),
            Input::SetAddresses(addresses) => base.set_addresses(addresses)?,
            Input::SetListening(listening) => base.set_listening(listening),
            Input::SetMetadata(metadata) => base.set_metadata(metadata)?,
            Input::SetUpstreams(addresses) => base.set_upstreams(addresses)?,
            Input::Leave => self.on_leave(),
            Input::Shutdown => self.on_shutdown(),
        }
        self.go_on_checking();
        self.run_due();
        Ok(())
    }

    /// After the end: what was under way may still be reported, and links that come are closed.
    fn handle_over(&mut self, input: Input) -> Result<(), UsageError> {
        match input {
            Input::Wake | Input::Sent { .. } | Input::LinkDown { .. } => Ok(()),
            Input::WallTime { .. } | Input::Reached { .. } => Ok(()),
            Input::Message { .. } => Ok(()),
            Input::DialFailed { .. } | Input::DialRefused { .. } => Ok(()),
            Input::LinkUp { link, .. } => {
                let reason = CloseReason::Leaving;
                self.base.cx.effect(Effect::Close { link, reason });
                Ok(())
            }
            _ => Err(UsageError::Left),
        }
    }

    /// The next effect; [`Effect::WaitUntil`] when there is none.
    pub fn poll(&mut self) -> Effect {
        let next = self.base.cx.next_effect();
        next.unwrap_or_else(|| Effect::WaitUntil(self.next_deadline()))
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        if !self.checks.is_empty() {
            return Some(self.base.cx.now);
        }
        let expiry = self.base.table.next_deadline();
        let timer = self.base.cx.timers.next();
        [timer, expiry].into_iter().flatten().min()
    }

    /// Everything that is due. Each handler sets its own timer into the future, or waits for
    /// input; the bound is for a clock that has jumped far.
    fn run_due(&mut self) {
        if self.base.expire() {
            self.exchange.look_for_renewals(&mut self.base);
        }
        for _ in 0..MAX_DUE {
            if self.over {
                break;
            }
            let now = self.base.cx.now;
            match self.base.cx.timers.pop(now) {
                None => break,
                Some(Due::Request(link)) => self.on_request_timeout(link),
                Some(Due::Timer(timer)) => self.on_timer(timer),
            }
        }
        self.exchange.tell_fresh(&mut self.base);
        self.base.watch_ring();
        self.base.notice_edges();
        self.base.send_waiting_accusations();
        if !self.over {
            self.detector.look(&mut self.base);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        let base = &mut self.base;
        match timer {
            Timer::Round => self.exchange.start_round(base),
            Timer::Renew => base.renew_own(),
            Timer::Cycles => base.look_for_cycles(),
            Timer::Ahead => base.look_ahead_again(),
            Timer::Name => base.name_later(),
            Timer::Redial => base.redial(),
            Timer::Late => self.exchange.tell_gathered(base),
            Timer::Recover => base.recover_later(),
            Timer::Standing => base.look_at_ranks(),
            Timer::Probe => base.probe(),
            Timer::Detect => self.detect(),
            Timer::Sweep => self.sweep(),
        }
    }

    /// Decodes a message and takes it.
    fn read(&mut self, link: LinkId, bytes: Bytes) {
        if self.base.mirrors.contains(link) {
            self.on_mirrored(link, bytes);
            return;
        }
        let now = self.base.cx.now;
        let Some(state) = self.base.links.get_mut(link) else {
            return;
        };
        state.message_came(now);
        let node = state.node();
        self.detector.heard(&mut self.base, &node);
        let len = bytes.len();
        let decoded = wire::decode(bytes);
        let kind = match &decoded {
            Ok(Decoded::Message(message)) => message.kind(),
            _ => Kind::Other,
        };
        let stats = &mut self.base.cx.stats;
        stats.count_received(kind, len);
        match decoded {
            Ok(Decoded::Message(message)) => self.on_message(link, node, message, len),
            Ok(Decoded::UnknownKind) => {
                stats.unknown_messages += 1;
                self.guard.limits.arrives(now, node, NEEDLESS, 0);
            }
            Err(error) => {
                stats.bad_messages += 1;
                self.penalise(link, PeerFault::Message(error));
            }
        }
    }

    fn on_message(&mut self, link: LinkId, node: NodeId, message: Message, len: usize) {
        if message.kind() != Kind::Hello {
            if let Some(link) = self.base.links.get_mut(link) {
                link.spoke();
            }
        }
        match message {
            Message::Hello(m) => self.on_hello(link, &m),
            Message::Request(m) => self.on_request(link, m, len),
            Message::Response(m) => self.on_response(link, m, len),
            Message::Update(m) => self.on_update(link, m, len),
            Message::Goodbye(m) => self.on_goodbye(link, node, m),
            Message::Beat(m) => self.on_beat(link, m),
            Message::Ask(m) => self.on_ask(link, node, m),
            Message::DialBack(m) => self.on_dial_back(link, node, m),
        }
    }
}

/// Timers that are run after one input, at most.
const MAX_DUE: usize = 1024;
