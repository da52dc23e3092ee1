//! What every part of a node works with: the time, the configuration, randomness, timers, counters
//! and the queue of effects.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::config::Config;
use crate::effect::{Effect, Event};
use crate::id::{NodeId, RequestId};
use crate::limits::backoff::Backoff;
use crate::node::timers::Timers;
use crate::rng::{Keyed, Purpose, Stream};
use crate::stats::Stats;
use crate::table::Via;
use crate::time::Instant;

/// The context that is handed down: it belongs to no machine, and each is given it.
pub(crate) struct Cx {
    /// The latest time that the node has been told; it never runs backwards.
    pub(crate) now: Instant,
    pub(crate) config: Config,
    pub(crate) id: NodeId,
    /// Tells this life of the node from others.
    pub(crate) epoch: u64,
    pub(crate) timers: Timers,
    /// Jitter, and choices among equals.
    pub(crate) choices: Stream,
    pub(crate) stats: Stats,
    effects: VecDeque<Effect>,
    request_ids: Stream,
    salts: Stream,
    relay_key: Keyed,
}

/// Room for effects that is kept from one input to the next.
const EFFECTS_KEPT: usize = 32;

impl Cx {
    pub(crate) fn new(config: Config, id: NodeId, seed: &[u8; 32], now: Instant) -> Self {
        Self {
            now,
            config,
            id,
            epoch: Stream::new(seed, Purpose::Epoch).next_u64() | 1,
            timers: Timers::default(),
            choices: Stream::new(seed, Purpose::Choices),
            stats: Stats::default(),
            effects: VecDeque::new(),
            request_ids: Stream::new(seed, Purpose::RequestIds),
            salts: Stream::new(seed, Purpose::Salts),
            relay_key: Keyed::new(seed, Purpose::Relays),
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.effect(Effect::Event(event));
    }

    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        let next = self.effects.pop_front();
        if next.is_none() {
            // A page of new peers is a thousand events: the room for them is not kept.
            self.effects.shrink_to(EFFECTS_KEPT);
        }
        next
    }

    pub(crate) fn effect_count(&self) -> usize {
        self.effects.len()
    }

    /// Takes back the dials that are not carried out yet: the node has left.
    pub(crate) fn drop_dials(&mut self) {
        self.effects.retain(|e| !matches!(e, Effect::Dial { .. }));
    }

    /// A number that nobody can foretell, for a request or a trace.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.request_ids.next_u64()
    }

    pub(crate) fn next_request_id(&mut self) -> RequestId {
        RequestId(self.next_id())
    }

    /// A salt of short IDs.
    pub(crate) fn next_salt(&mut self) -> u32 {
        self.salts.next_u64() as u32
    }

    /// `duration` scaled by a factor drawn evenly from [`from`, 1), `from` in percent.
    pub(crate) fn jitter(&mut self, duration: Duration, from: u32) -> Duration {
        self.choices.jitter(duration, from)
    }

    /// Counts a failure of what this backoff stands for (R17), and says how long it is left alone.
    pub(crate) fn fail(&mut self, backoff: &mut Backoff) -> Duration {
        self.stats.backoffs += 1;
        self.lengthen(backoff);
        backoff.retry_at().saturating_since(self.now)
    }

    /// The same without counting it.
    pub(crate) fn lengthen(&mut self, backoff: &mut Backoff) {
        let (base, cap) = (self.config.backoff_base, self.config.backoff_cap);
        backoff.fail(self.now, base, cap, &mut self.choices);
    }

    /// The mark that records told by this node bear: a keyed hash, so that nobody can choose it.
    pub(crate) fn via(&self, node: &NodeId) -> Via {
        Via(self.relay_key.hash(node.as_bytes()) as u32 | 1)
    }
}
