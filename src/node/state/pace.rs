//! How fast a node asks: fast while there is news, seldom while there is none (R16).

use core::time::Duration;

use crate::config::Config;
use crate::limits::bucket::{Bucket, Rate};
use crate::node::cx::Cx;

/// How an exchange ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    News,
    NoNews,
    Failed,
}

impl Outcome {
    /// Of an exchange that was answered.
    pub(crate) fn of(news: bool) -> Self {
        if news { Self::News } else { Self::NoNews }
    }
}

pub(crate) struct Pace {
    interval: Duration,
    burst: Bucket,
    /// The embedder wants to hear from others now: nobody is passed over.
    discovery_wanted: bool,
    /// Fetches in a row that were not answered: something was announced that this node still lacks.
    fetch_misses: u8,
    /// Sketches in a row of which nothing could be told (R27).
    untold_sketches: u8,
    /// The table has been at rest, or comes from a snapshot: it may have old versions.
    may_be_stale: bool,
}

/// Things are quiet when the pace has come down to so many times the fast one.
const QUIET: u32 = 8;
/// The burst allowance comes back at one exchange in so long.
const BURST_REFILL: Duration = Duration::from_secs(5);
/// So many fetches in a row may fail before that is nothing to hurry for.
const MISSES: u8 = 8;
/// After so many sketches in a row that told nothing an answer is to be plain.
const SKETCHES: u8 = 2;

impl Pace {
    pub(crate) fn new(round: Duration) -> Self {
        Self {
            interval: round,
            burst: Bucket::default(),
            discovery_wanted: false,
            fetch_misses: 0,
            untold_sketches: 0,
            may_be_stale: false,
        }
    }

    /// Between rounds, at the moment.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// The last round has brought news, or there is another reason to ask soon.
    pub(crate) fn is_fast(&self, config: &Config) -> bool {
        self.interval <= config.round
    }

    /// News has come in this round or the last one.
    pub(crate) fn is_bursting(&self, config: &Config) -> bool {
        self.interval <= config.round * 2
    }

    /// Several rounds have passed without news: this is no cold start.
    pub(crate) fn is_quiet(&self, config: &Config) -> bool {
        self.interval >= config.round * QUIET
    }

    /// There is reason to ask soon.
    pub(crate) fn quicken(&mut self, config: &Config) {
        self.interval = config.round;
    }

    /// How long "soon" is: at once while the burst allowance lasts.
    pub(crate) fn soon(&self, cx: &mut Cx) -> Duration {
        if self.burst_left(cx) {
            Duration::ZERO
        } else {
            cx.jitter(cx.config.round, 50)
        }
    }

    fn burst_left(&self, cx: &Cx) -> bool {
        cx.config.burst > 0 && self.burst.has(burst_rate(&cx.config), cx.now)
    }

    fn take_burst(&mut self, cx: &Cx, exchanges: u64) -> bool {
        let rate = burst_rate(&cx.config);
        cx.config.burst > 0 && self.burst.take(rate, cx.now, exchanges).is_ok()
    }

    /// A round of so many exchanges is over. Says how long it is until the next one.
    pub(crate) fn round_over(
        &mut self,
        cx: &mut Cx,
        news: bool,
        last: Outcome,
        exchanges: u64,
    ) -> Duration {
        // A wish during a round, which counts as news of it, is kept for the next one.
        self.discovery_wanted &= news;
        let (fast, quiet) = (cx.config.round, cx.config.quiet_round);
        let wait = cx.jitter(self.interval, 50);
        if news {
            self.interval = fast;
            self.fetch_misses = 0;
            if self.take_burst(cx, exchanges) {
                return Duration::ZERO;
            }
            return cx.jitter(fast, 50);
        }
        if last == Outcome::NoNews {
            self.interval = (self.interval * 2).min(quiet);
            self.may_be_stale |= self.is_quiet(&cx.config);
        } else if self.has_missed() {
            return cx.jitter(fast, 50);
        }
        wait
    }

    /// The embedder wants to hear from others now.
    pub(crate) fn want_discovery(&mut self) {
        self.discovery_wanted = true;
    }

    pub(crate) fn discovery_wanted(&self) -> bool {
        self.discovery_wanted
    }

    /// A fetch was not answered.
    pub(crate) fn fetch_missed(&mut self) {
        self.fetch_misses = self.fetch_misses.saturating_add(1);
    }

    /// Somebody else is to be asked soon for what was not answered. Not for ever: there are
    /// announcers who never have what they announce.
    pub(crate) fn has_missed(&self) -> bool {
        (1..=MISSES).contains(&self.fetch_misses)
    }

    /// A sketch has told nothing.
    pub(crate) fn sketch_untold(&mut self) {
        self.untold_sketches = self.untold_sketches.saturating_add(1);
    }

    /// An answer could be read.
    pub(crate) fn answer_told(&mut self) {
        self.untold_sketches = 0;
    }

    /// The last sketch has told nothing.
    pub(crate) fn last_was_untold(&self) -> bool {
        self.untold_sketches > 0
    }

    /// Sketches are of no use at the moment.
    pub(crate) fn wants_plain(&self) -> bool {
        self.untold_sketches >= SKETCHES
    }

    /// Records of the table may have newer versions elsewhere.
    pub(crate) fn may_be_stale(&self) -> bool {
        self.may_be_stale
    }

    pub(crate) fn set_may_be_stale(&mut self) {
        self.may_be_stale = true;
    }
}

fn burst_rate(config: &Config) -> Rate {
    Rate::new(u64::from(config.burst), BURST_REFILL)
}
