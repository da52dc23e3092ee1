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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx};

    const FAST: Duration = Duration::from_millis(200);
    const QUIET_ROUND: Duration = Duration::from_secs(60);

    fn pace(cx: &Cx) -> Pace {
        Pace::new(cx.config.round)
    }

    /// A round of one exchange; the wait until the next.
    fn round(pace: &mut Pace, cx: &mut Cx, outcome: Outcome) -> Duration {
        pace.round_over(cx, outcome == Outcome::News, outcome, 1)
    }

    fn rounds_in_vain(pace: &mut Pace, cx: &mut Cx, rounds: usize) {
        for _ in 0..rounds {
            round(pace, cx, Outcome::NoNews);
        }
    }

    /// Uses the burst allowance up.
    fn use_burst_up(pace: &mut Pace, cx: &mut Cx) {
        for _ in 0..cx.config.burst {
            round(pace, cx, Outcome::News);
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
            let wait = round(&mut pace, &mut cx, Outcome::NoNews);
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
            rounds_in_vain(&mut pace, &mut cx, 1);
        }
    }

    /// R16.
    #[test]
    fn news_makes_a_quiet_node_fast() {
        let mut cx = cx(at(100));
        let mut pace = pace(&cx);
        rounds_in_vain(&mut pace, &mut cx, 12);
        round(&mut pace, &mut cx, Outcome::News);
        assert_eq!(pace.interval(), FAST);
        rounds_in_vain(&mut pace, &mut cx, 12);
        pace.quicken(&cx.config);
        assert!(pace.is_fast(&cx.config));
    }

    /// R16: what failed says nothing about whether there is news.
    #[test]
    fn a_failed_round_does_not_slow_the_node_down() {
        let mut cx = cx(at(100));
        let mut pace = pace(&cx);
        rounds_in_vain(&mut pace, &mut cx, 4);
        let interval = pace.interval();
        let wait = round(&mut pace, &mut cx, Outcome::Failed);
        assert_eq!(pace.interval(), interval);
        assert!((interval / 2..interval).contains(&wait), "{wait:?}");
    }

    /// R16: back to back for 40 exchanges, which come back one in 5 s; then at the fast pace.
    #[test]
    fn forty_exchanges_of_news_follow_one_another_without_a_pause() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        for exchange in 0..40 {
            let wait = round(&mut pace, &mut cx, Outcome::News);
            assert_eq!(wait, Duration::ZERO, "exchange {exchange}");
        }
        let wait = round(&mut pace, &mut cx, Outcome::News);
        assert!((FAST / 2..FAST).contains(&wait), "{wait:?}");
        cx.now = at(1_005);
        assert_eq!(round(&mut pace, &mut cx, Outcome::News), Duration::ZERO);
        assert_ne!(round(&mut pace, &mut cx, Outcome::News), Duration::ZERO);
    }

    /// R16: the allowance is of exchanges, of which a round may have two.
    #[test]
    fn a_round_uses_as_much_of_the_burst_as_it_has_exchanges() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        let mut wait = || pace.round_over(&mut cx, true, Outcome::NoNews, 2);
        let rounds = (0..100).take_while(|_| wait().is_zero()).count();
        assert_eq!(rounds, 20);
    }

    /// R16: with an allowance of none there is a pause after every round.
    #[test]
    fn without_a_burst_news_never_means_at_once() {
        let mut cx = cx(at(1_000));
        cx.config.burst = 0;
        let mut pace = pace(&cx);
        assert!(round(&mut pace, &mut cx, Outcome::News) >= FAST / 2);
        assert!(pace.soon(&mut cx) >= FAST / 2);
    }

    /// R16.
    #[test]
    fn soon_is_at_once_while_the_burst_lasts() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        assert_eq!(pace.soon(&mut cx), Duration::ZERO);
        use_burst_up(&mut pace, &mut cx);
        let wait = pace.soon(&mut cx);
        assert!((FAST / 2..FAST).contains(&wait), "{wait:?}");
    }

    /// The embedder's wish comes in the midst of a round, which counts it as news: the next round
    /// has it, and the one after does not.
    #[test]
    fn a_wish_for_discovery_is_kept_for_the_next_round() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        assert!(!pace.discovery_wanted());
        pace.want_discovery();
        round(&mut pace, &mut cx, Outcome::News);
        assert!(pace.discovery_wanted());
        round(&mut pace, &mut cx, Outcome::NoNews);
        assert!(!pace.discovery_wanted());
    }

    /// R27: whoever has fetched in vain asks soon, eight times at most.
    #[test]
    fn up_to_eight_fetches_in_vain_are_a_reason_to_ask_soon() {
        let cx = cx(at(1_000));
        let mut pace = pace(&cx);
        assert!(!pace.has_missed());
        for miss in 1..=8 {
            pace.fetch_missed();
            assert!(pace.has_missed(), "miss {miss}");
        }
        pace.fetch_missed();
        assert!(!pace.has_missed());
        (0..300).for_each(|_| pace.fetch_missed());
        assert!(!pace.has_missed(), "the count does not start anew");
    }

    /// R27: a quiet node that has fetched in vain does not wait for its quiet round.
    #[test]
    fn after_a_fetch_in_vain_the_next_round_is_soon() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        rounds_in_vain(&mut pace, &mut cx, 12);
        pace.fetch_missed();
        let wait = round(&mut pace, &mut cx, Outcome::Failed);
        assert!((FAST / 2..FAST).contains(&wait), "{wait:?}");
        assert_eq!(pace.interval(), QUIET_ROUND);
    }

    /// R27: news is what was missed, or as good.
    #[test]
    fn news_ends_the_fetches_in_vain() {
        let mut cx = cx(at(1_000));
        let mut pace = pace(&cx);
        pace.fetch_missed();
        round(&mut pace, &mut cx, Outcome::NoNews);
        assert!(pace.has_missed());
        round(&mut pace, &mut cx, Outcome::News);
        assert!(!pace.has_missed());
    }

    /// R27: after two sketches in a row that told nothing an announcement is asked for.
    #[test]
    fn two_untold_sketches_in_a_row_ask_for_a_plain_answer() {
        let cx = cx(at(1_000));
        let mut pace = pace(&cx);
        pace.sketch_untold();
        assert!(pace.last_was_untold() && !pace.wants_plain());
        pace.answer_told();
        assert!(!pace.last_was_untold());
        pace.sketch_untold();
        assert!(!pace.wants_plain(), "not in a row");
        pace.sketch_untold();
        assert!(pace.wants_plain());
        pace.answer_told();
        assert!(!pace.wants_plain() && !pace.last_was_untold());
    }

    /// A node that has rested may have old versions, and so may one that starts from a snapshot.
    #[test]
    fn a_table_at_rest_or_from_a_snapshot_may_be_stale() {
        let mut cx = cx(at(1_000));
        let mut rested = pace(&cx);
        rounds_in_vain(&mut rested, &mut cx, 2);
        assert!(!rested.may_be_stale());
        rounds_in_vain(&mut rested, &mut cx, 1);
        assert!(rested.may_be_stale());
        round(&mut rested, &mut cx, Outcome::News);
        assert!(rested.may_be_stale(), "news does not make the rest new");
        let mut restored = pace(&cx);
        restored.set_may_be_stale();
        assert!(restored.may_be_stale());
    }
}
