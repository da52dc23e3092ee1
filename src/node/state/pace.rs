//! How fast a node asks: fast while there is news, seldom while there is none (R16).

use core::time::Duration;

use crate::config::Config;
use crate::limits::bucket::{Bucket, Rate};
use crate::node::cx::Cx;
use crate::node::outcome::Outcome;
use crate::time::Instant;

pub(crate) struct Pace {
    interval: Duration,
    burst: Bucket,
    /// The embedder wants to hear from others now: nobody is passed over.
    discovery_wanted: bool,
    /// How many records the last answer has brought.
    gained: usize,
    /// When there was news last.
    news_at: Option<Instant>,
}

/// A table fills while the last news is not older than so many rounds.
const FILLS: u32 = 4;
/// Less than one record in so many is little.
const LITTLE: usize = 16;
/// A smaller table is shown by a filter at once, which is short.
const SMALL: usize = 64;
/// Things are quiet when the pace has come down to so many times the fast one.
const QUIET: u32 = 8;
/// The burst allowance comes back at one exchange in so long.
const BURST_REFILL: Duration = Duration::from_secs(5);

impl Pace {
    pub(crate) fn new(round: Duration) -> Self {
        Self {
            interval: round,
            burst: Bucket::default(),
            discovery_wanted: false,
            gained: 0,
            news_at: None,
        }
    }

    /// There was news a moment ago: who is in the table is not known yet.
    pub(crate) fn fills(&self, cx: &Cx) -> bool {
        let time = cx.config.round * FILLS;
        self.news_at.is_some_and(|at| at + time > cx.now)
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

    /// An answer has brought so many records.
    pub(crate) fn gained(&mut self, records: usize) {
        self.gained = records;
    }

    /// The last answer has brought so little, for a table of so many records, that the next one is
    /// likely to find no difference, or a small one.
    pub(crate) fn gains_little(&self, records: usize) -> bool {
        records >= SMALL && self.gained * LITTLE < records
    }

    /// There is reason to ask soon.
    pub(crate) fn quicken(&mut self, cx: &Cx) {
        self.interval = cx.config.round;
        self.news_at = Some(cx.now);
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

    /// An exchange has brought news, or another follows it anyway. Says how long it is until the next
    /// one: none while the burst allowance lasts.
    pub(crate) fn go_on(&mut self, cx: &mut Cx, news: bool) -> Duration {
        let fast = cx.config.round;
        if news {
            self.quicken(cx);
        }
        let rate = burst_rate(&cx.config);
        if cx.config.burst > 0 && self.burst.take(rate, cx.now, 1).is_ok() {
            return Duration::ZERO;
        }
        cx.jitter(self.interval.max(fast), 50)
    }

    /// A round is over. Says how long the node rests: twice as long as before, unless the last exchange
    /// has failed, which says nothing about whether there is news.
    pub(crate) fn rest(&mut self, cx: &mut Cx, last: Outcome) -> Duration {
        self.discovery_wanted = false;
        let wait = cx.jitter(self.interval, 50);
        if last != Outcome::Failed {
            self.interval = (self.interval * 2).min(cx.config.quiet_round);
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
}

fn burst_rate(config: &Config) -> Rate {
    Rate::new(u64::from(config.burst), BURST_REFILL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx};

    const FAST: Duration = Duration::from_millis(200);
    const QUIET_ROUND: Duration = Duration::from_secs(60);

    fn pace(cx: &Cx) -> Pace {
        Pace::new(cx.config.round)
    }

    fn rest(pace: &mut Pace, cx: &mut Cx, rounds: usize) {
        for _ in 0..rounds {
            pace.rest(cx, Outcome::NoNews);
        }
    }

    #[test]
    fn an_answer_has_brought_news_or_not() {
        assert_eq!(Outcome::of(true), Outcome::News);
        assert_eq!(Outcome::of(false), Outcome::NoNews);
    }

    /// R16: 200 ms doubles to 60 s, and each wait is jittered by half.
    #[test]
    fn rounds_in_vain_double_the_interval_up_to_the_quiet_one() {
        let mut cx = cx(at(100));
        let mut pace = pace(&cx);
        let mut interval = FAST;
        for _ in 0..12 {
            assert_eq!(pace.interval(), interval);
            let wait = pace.rest(&mut cx, Outcome::NoNews);
            assert!((interval / 2..interval).contains(&wait), "{wait:?}");
            interval = (interval * 2).min(QUIET_ROUND);
        }
        assert_eq!(pace.interval(), QUIET_ROUND);
    }

    /// R16: fast at the fast pace only, bursting for one more round, quiet from eight times it.
    #[test]
    fn fast_bursting_and_quiet_are_told_by_the_interval() {
        let mut cx = cx(at(100));
        let mut pace = pace(&cx);
        for (round, fast, bursting, quiet) in [
            (0, true, true, false),
            (1, false, true, false),
            (2, false, false, false),
            (3, false, false, true),
        ] {
            let config = &cx.config;
            assert_eq!(pace.is_fast(config), fast, "round {round}");
            assert_eq!(pace.is_bursting(config), bursting, "round {round}");
            assert_eq!(pace.is_quiet(config), quiet, "round {round}");
            rest(&mut pace, &mut cx, 1);
        }
    }

    /// R16.
    #[test]
    fn news_makes_a_quiet_node_fast() {
        let mut cx = cx(at(100));
        let mut pace = pace(&cx);
        rest(&mut pace, &mut cx, 12);
        pace.go_on(&mut cx, false);
        assert_eq!(pace.interval(), QUIET_ROUND, "not without");
        pace.go_on(&mut cx, true);
        assert_eq!(pace.interval(), FAST);
        rest(&mut pace, &mut cx, 12);
        pace.quicken(&cx);
        assert!(pace.is_fast(&cx.config) && pace.fills(&cx));
        cx.now = cx.now + FAST * 4;
        assert!(pace.is_fast(&cx.config) && !pace.fills(&cx));
    }

    /// R16: what failed says nothing about whether there is news.
    #[test]
    fn a_failed_round_does_not_slow_the_node_down() {
        let mut cx = cx(at(100));
        let mut pace = pace(&cx);
        rest(&mut pace, &mut cx, 4);
        let interval = pace.interval();
        let wait = pace.rest(&mut cx, Outcome::Failed);
        assert_eq!(pace.interval(), interval);
        assert!((interval / 2..interval).contains(&wait), "{wait:?}");
    }

    /// R16: back to back for 40 exchanges, which come back one in 5 s; then at the fast pace.
    #[test]
    fn forty_exchanges_follow_one_another_without_a_pause() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        for exchange in 0..40 {
            assert_eq!(pace.soon(&mut cx), Duration::ZERO);
            let wait = pace.go_on(&mut cx, true);
            assert_eq!(wait, Duration::ZERO, "exchange {exchange}");
        }
        for wait in [pace.go_on(&mut cx, true), pace.soon(&mut cx)] {
            assert!((FAST / 2..FAST).contains(&wait), "{wait:?}");
        }
        cx.now = at(1_005);
        assert_eq!(pace.go_on(&mut cx, true), Duration::ZERO);
        assert_ne!(pace.go_on(&mut cx, true), Duration::ZERO);
    }

    /// R45.
    #[test]
    fn one_record_in_16_is_little() {
        let cx = cx(at(1_000));
        let mut pace = pace(&cx);
        assert!(!pace.gains_little(63) && pace.gains_little(64));
        pace.gained(8);
        assert!(!pace.gains_little(128) && pace.gains_little(129));
    }

    /// R16: with an allowance of none there is a pause after every exchange.
    #[test]
    fn without_a_burst_news_never_means_at_once() {
        let mut cx = cx(at(1_000));
        cx.config.burst = 0;
        let mut pace = pace(&cx);
        assert!(pace.go_on(&mut cx, true) >= FAST / 2);
        assert!(pace.soon(&mut cx) >= FAST / 2);
    }

    /// The embedder's wish is for the round that follows.
    #[test]
    fn a_wish_for_discovery_lasts_until_the_node_rests() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        assert!(!pace.discovery_wanted());
        pace.want_discovery();
        pace.go_on(&mut cx, true);
        assert!(pace.discovery_wanted());
        pace.rest(&mut cx, Outcome::NoNews);
        assert!(!pace.discovery_wanted());
    }
}
