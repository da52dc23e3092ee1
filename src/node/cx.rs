//! What every part of a node works with: the time, the configuration, randomness, timers, counters
//! and the queue of effects.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::config::Config;
use crate::effect::{Effect, Event};
use crate::id::{NodeId, RequestId};
use crate::limits::backoff::Backoff;
use crate::node::timers::Timers;
use crate::rng::{Purpose, Stream};
use crate::stats::Stats;
use crate::time::Instant;
use crate::wire::Encoder;

/// The context that is handed down: it belongs to no machine, and each is given it.
pub(crate) struct Cx {
    /// The latest time that the node has been told; it never runs backwards.
    pub(crate) now: Instant,
    pub(crate) config: Config,
    pub(crate) id: NodeId,
    /// Tells this life of the node from others.
    pub(crate) epoch: u32,
    pub(crate) timers: Timers,
    /// Jitter, and choices among equals.
    pub(crate) choices: Stream,
    pub(crate) stats: Stats,
    pub(crate) encoder: Encoder,
    effects: VecDeque<Effect>,
    request_ids: Stream,
}

/// Room for effects that is kept from one input to the next.
const EFFECTS_KEPT: usize = 32;

impl Cx {
    pub(crate) fn new(config: Config, id: NodeId, seed: &[u8; 32], now: Instant) -> Self {
        Self {
            now,
            config,
            id,
            epoch: Stream::new(seed, Purpose::Epoch).next_u64() as u32 | 1,
            timers: Timers::default(),
            choices: Stream::new(seed, Purpose::Choices),
            stats: Stats::default(),
            encoder: Encoder::default(),
            effects: VecDeque::new(),
            request_ids: Stream::new(seed, Purpose::RequestIds),
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

    /// A number that nobody can foretell. On the wire zero is none.
    pub(crate) fn next_request_id(&mut self) -> RequestId {
        let number = (self.request_ids.next_u64() >> 32) as u32;
        RequestId::new(number.max(1))
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{CloseReason, Target};
    use crate::id::{DialId, LinkId};
    use crate::node::testing::{at, cx, events, node};
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    fn close(link: u64) -> Effect {
        Effect::Close {
            link: LinkId::new(link),
            reason: CloseReason::Idle,
        }
    }

    fn dial(dial: u64) -> Effect {
        Effect::Dial {
            dial: DialId::new(dial),
            target: Target::Peer {
                node: node(1),
                addresses: Vec::new(),
            },
        }
    }

    fn effects(cx: &mut Cx) -> Vec<Effect> {
        core::iter::from_fn(|| cx.next_effect()).collect()
    }

    /// R19: over the whole of the range, the lower end included, the upper one not.
    #[test]
    fn jitter_spreads_over_its_range() {
        let mut cx = cx(at(0));
        let second = Duration::from_secs(1);
        for from in [0, 50, 80, 90] {
            let draws: Vec<_> = (0..500).map(|_| cx.jitter(second, from)).collect();
            let low = second * from / 100;
            assert!(draws.iter().all(|d| (low..second).contains(d)), "{from} %");
            let tenth = (second - low) / 10;
            assert!(draws.iter().any(|d| *d < low + tenth), "{from} %");
            assert!(draws.iter().any(|d| *d > second - tenth), "{from} %");
        }
        assert_eq!(cx.jitter(Duration::ZERO, 50), Duration::ZERO);
    }

    #[test]
    fn effects_come_out_in_the_order_in_which_they_went_in() {
        let mut cx = cx(at(0));
        cx.effect(close(1));
        cx.event(Event::DuplicateIdentity { at: None });
        cx.effect(dial(2));
        assert_eq!(cx.effect_count(), 3);
        let expected = [
            close(1),
            Effect::Event(Event::DuplicateIdentity { at: None }),
            dial(2),
        ];
        assert_eq!(effects(&mut cx), expected);
        assert_eq!(cx.effect_count(), 0);
        assert_eq!(events(&mut cx), []);
    }

    /// R22: what one input needs of room for effects is given back once they are out.
    #[test]
    fn the_room_of_many_effects_is_given_back() {
        let mut cx = cx(at(0));
        (0..10_000).for_each(|link| cx.effect(close(link)));
        assert_eq!(effects(&mut cx).len(), 10_000);
        assert!(cx.effects.capacity() < 10_000 / 10);
    }

    /// R4: a node that has left dials nobody, and all else is carried out.
    #[test]
    fn dials_are_taken_back_and_nothing_else() {
        let mut cx = cx(at(0));
        for effect in [dial(1), close(1), dial(2), close(2)] {
            cx.effect(effect);
        }
        cx.drop_dials();
        assert_eq!(effects(&mut cx), [close(1), close(2)]);
    }

    /// R8, R15: requests are told apart by their IDs, and lives by their epochs, which are not 0.
    #[test]
    fn ids_and_epochs_differ() {
        let mut cx = cx(at(0));
        let ids: BTreeSet<_> = (0..1_000).map(|_| cx.next_request_id()).collect();
        assert_eq!(ids.len(), 1_000);
        let lives = (0..100).map(|n| Cx::new(Config::default(), node(0), &[n; 32], at(0)));
        let epochs: Vec<_> = lives.map(|cx| cx.epoch).collect();
        assert!(epochs.iter().all(|epoch| epoch % 2 == 1));
        assert_eq!(epochs.iter().collect::<BTreeSet<_>>().len(), 100);
    }

    /// R17: full jitter below a ceiling that doubles from 500 ms to 5 min; each failure is counted.
    #[test]
    fn failures_wait_longer_up_to_the_cap() {
        let mut cx = cx(at(1_000));
        let mut backoff = Backoff::default();
        let mut ceiling = cx.config.backoff_base;
        for failures in 1..=20 {
            let wait = cx.fail(&mut backoff);
            assert!((ceiling / 10..ceiling).contains(&wait), "{wait:?}");
            assert_eq!(backoff.retry_at(), cx.now + wait);
            assert_eq!(cx.stats.backoffs, failures);
            ceiling = (ceiling * 2).min(cx.config.backoff_cap);
        }
    }

    /// R17.
    #[test]
    fn a_longer_wait_is_no_failure_that_counts() {
        let mut cx = cx(at(1_000));
        let mut backoff = Backoff::default();
        cx.lengthen(&mut backoff);
        assert!(!backoff.is_ready(cx.now));
        assert_eq!(cx.stats.backoffs, 0);
    }
}
