//! When to ask, and what becomes of it (R14, R16).

use core::time::Duration;

use crate::id::{DialId, LinkId, NodeId};
use crate::limits::bucket::{Bucket, Rate};
use crate::node::pick::Pick;
use crate::node::{Node, Timer};
use crate::table::Table;

/// What the round is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Idle,
    Dialing(DialId),
    Asking(LinkId),
    Fetching(LinkId),
}

/// How an exchange ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    News,
    NoNews,
    Failed,
}

pub(super) struct Ask {
    stage: Stage,
    interval: Duration,
    burst: Bucket,
    /// Exchanges left in this round.
    left: u8,
    /// Pages asked for one after the other.
    pages: u8,
    news: bool,
    /// The newest ID: one at random of those learned since the last round.
    fresh: Option<NodeId>,
    fresh_count: usize,
    /// When a fast round has brought nothing, the ring successor is asked before the node rests.
    /// News that goes to two at random stops short of one node in five (as s = e^(-2(1 - s)) has
    /// it); round the ring it reaches all.
    closing: u8,
    /// The embedder wants to hear from others now: nobody is passed over.
    wished: bool,
    /// The one to be asked in this round.
    newest: Option<NodeId>,
    /// Fetches in a row that were not answered: there is news, and it is not here.
    missed: u8,
    /// Sketches in a row of which nothing could be told.
    pub(super) untold: u8,
    /// The table has been at rest, or comes from a snapshot: it may have old versions.
    pub(super) rested: bool,
}

/// Things are calm when the pace has come down to so many times the fast one.
const CALM: u32 = 8;
/// In a round, at most (R20).
const EXCHANGES: u8 = 2;
/// How often the ring successor is tried before a node rests.
const CLOSING: u8 = 3;
/// A round waits for its dial for so many times the fast pace, a second by default.
const DIAL_PATIENCE: u32 = 5;
/// The burst allowance comes back at one exchange in so long.
const BURST_REFILL: Duration = Duration::from_secs(5);
/// Pages of one table in one exchange: 90,000 records. A log that never ends must not keep the node
/// from its other partners.
const PAGES: u8 = 64;
/// So many fetches in a row may fail before that is nothing to hurry for.
const MISSES: u8 = 8;
/// Records that go along with a request or an answer instead of being announced.
pub(super) const FEW: usize = 6;
/// A smaller table than this is announced: a sketch would save little.
pub(super) const SKETCHED: usize = 64;

impl Ask {
    pub(super) fn new(round: Duration) -> Self {
        Self {
            stage: Stage::Idle,
            interval: round,
            burst: Bucket::default(),
            left: 0,
            pages: 0,
            news: false,
            fresh: None,
            fresh_count: 0,
            newest: None,
            closing: 0,
            wished: false,
            missed: 0,
            untold: 0,
            rested: false,
        }
    }

    pub(super) fn is_on(&self, link: LinkId) -> bool {
        matches!(self.stage, Stage::Asking(l) | Stage::Fetching(l) if l == link)
    }

    /// The link goes, and what the round did on it is taken over elsewhere.
    pub(super) fn forget(&mut self, link: LinkId) {
        if self.is_on(link) {
            self.stage = Stage::Idle;
        }
    }

    pub(super) fn is_dialing(&self, dial: DialId) -> bool {
        self.stage == Stage::Dialing(dial)
    }

    pub(super) fn is_wished(&self) -> bool {
        self.wished
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// A node ID that was not known before.
    pub(super) fn learned(&mut self, node: NodeId, random: &mut crate::rng::Stream) {
        self.fresh_count += 1;
        if random.below(self.fresh_count) == 0 {
            self.fresh = Some(node);
        }
    }

    /// The newest that this round is to ask, once.
    pub(super) fn take_chosen(&mut self) -> Option<NodeId> {
        self.newest.take()
    }

    /// The newest, while there are many: a joiner in a warm cluster is not everybody's next
    /// partner (R20).
    fn take_newest(&mut self, table: &Table) -> Option<NodeId> {
        let many = self.fresh_count * 8 >= table.len();
        self.fresh_count = 0;
        self.fresh.take().filter(|_| many)
    }
}

impl Node {
    /// A round always waits for something that will happen.
    pub(super) fn check_round(&self) {
        let ok = match self.ask.stage {
            Stage::Idle => self.over || self.cx.timers.is_set(Timer::Round),
            Stage::Dialing(dial) => self.dialer.has(dial),
            Stage::Asking(link) => self.links.get(link).is_some_and(|l| l.asking.is_some()),
            Stage::Fetching(link) => self.fetcher.is_on(link),
        };
        assert!(
            ok || self.over,
            "the round waits in vain: {:?}",
            self.ask.stage
        );
    }
}

impl Node {
    /// There is reason to ask soon: news from elsewhere, a fresh upstream, or the embedder's wish.
    pub(super) fn hurry(&mut self) {
        self.ask.interval = self.cx.config.round;
        self.ask.news = true;
        if self.ask.stage != Stage::Idle {
            return;
        }
        let wait = if self.burst_has() {
            Duration::ZERO
        } else {
            self.cx.choices.jitter(self.cx.config.round, 50)
        };
        // Nothing before the jittered start (R19).
        self.cx.timers.at_latest(Timer::Round, self.cx.now + wait);
    }

    /// This peer knows more, and its half of the exchange is on its way. Should that be lost, the
    /// node asks: nobody else may come to it for a whole quiet round.
    pub(super) fn expect_news(&mut self, link: LinkId) {
        if self.ask.stage == Stage::Idle {
            let wait = self.patience(link, 3);
            self.cx.timers.at_latest(Timer::Round, self.cx.now + wait);
        }
    }

    /// A fetch was not answered: somebody else is asked soon.
    pub(super) fn missed(&mut self) {
        self.ask.missed = self.ask.missed.saturating_add(1);
        if self.has_missed() && self.ask.stage == Stage::Idle {
            let wait = self.cx.choices.jitter(self.cx.config.round, 50);
            self.cx.timers.at_latest(Timer::Round, self.cx.now + wait);
        }
    }

    /// Not for ever: there are announcers who never have what they announce.
    fn has_missed(&self) -> bool {
        (1..=MISSES).contains(&self.ask.missed)
    }

    pub(super) fn discover(&mut self) {
        self.ask.wished = true;
        self.hurry();
    }

    /// Several rounds have passed without news: this is no cold start.
    pub(super) fn is_calm(&self) -> bool {
        self.ask.interval >= self.cx.config.round * CALM
    }

    fn burst_rate(&self) -> Rate {
        Rate::new(u64::from(self.cx.config.burst), BURST_REFILL)
    }

    fn burst_has(&self) -> bool {
        self.cx.config.burst > 0 && self.ask.burst.has(self.burst_rate(), self.cx.now)
    }

    pub(super) fn start_round(&mut self) {
        match self.ask.stage {
            Stage::Idle => {}
            // It goes on, and may yet lead to a link; the round does not wait for it.
            Stage::Dialing(_) => return self.ask_linked(),
            Stage::Asking(_) | Stage::Fetching(_) => return,
        }
        self.ask.left = EXCHANGES;
        self.ask.news = false;
        self.ask.newest = self.ask.take_newest(&self.table);
        let fast = self.ask.interval <= self.cx.config.round;
        self.ask.closing = if fast { CLOSING } else { 0 };
        self.next_exchange(Ended::NoNews);
    }

    fn next_exchange(&mut self, before: Ended) {
        self.ask.pages = 0;
        loop {
            let pick = if self.ask.left > 0 {
                self.ask.left -= 1;
                self.pick_partner()
            } else if self.ask.closing > 0 && !self.ask.news {
                self.ask.closing -= 1;
                self.pick_successor()
            } else {
                break;
            };
            match pick {
                Pick::Link(link) => {
                    if self.start_exchange(link, None) {
                        self.ask.stage = Stage::Asking(link);
                        return;
                    }
                }
                Pick::Dial(node) => {
                    if let Some(dial) = self.dial_peer(node) {
                        self.ask.stage = Stage::Dialing(dial);
                        let patience = self.cx.config.round * DIAL_PATIENCE;
                        self.cx.timers.set(Timer::Round, self.cx.now + patience);
                        return;
                    }
                    // Over the budget of dials (R19).
                    if self.try_linked() {
                        return;
                    }
                }
                Pick::Nobody => break,
            }
        }
        self.end_round(before);
    }

    fn end_round(&mut self, last: Ended) {
        self.ask.stage = Stage::Idle;
        // A wish in the midst of a round is for the next one, as is news.
        self.ask.wished &= self.ask.news;
        let (fast, quiet) = (self.cx.config.round, self.cx.config.quiet_round);
        let mut wait = self.cx.choices.jitter(self.ask.interval, 50);
        if self.ask.news {
            self.ask.interval = fast;
            self.ask.missed = 0;
            let tokens = u64::from(EXCHANGES - self.ask.left);
            let rate = self.burst_rate();
            let burst =
                self.cx.config.burst > 0 && self.ask.burst.take(rate, self.cx.now, tokens).is_ok();
            wait = if burst {
                Duration::ZERO
            } else {
                self.cx.choices.jitter(fast, 50)
            };
        } else if last == Ended::NoNews {
            self.ask.interval = (self.ask.interval * 2).min(quiet);
            self.ask.rested |= self.is_calm();
        } else if self.has_missed() {
            wait = self.cx.choices.jitter(fast, 50);
        }
        self.cx.timers.set(Timer::Round, self.cx.now + wait);
        if !self.is_rushing() {
            self.send_waiting_traces();
        }
        self.keep_successor();
    }

    /// The round's exchange is over.
    pub(super) fn finish_exchange(&mut self, ended: Ended) {
        self.ask.stage = Stage::Idle;
        self.ask.news |= ended == Ended::News;
        let fast = self.ask.interval <= self.cx.config.round;
        if ended == Ended::Failed || self.ask.news || fast || self.fresh_upstream().is_some() {
            self.next_exchange(ended);
        } else {
            self.end_round(ended);
        }
    }

    /// Asks somebody who is there. With most of the table dead, failing dials would otherwise use
    /// up every exchange, and the live links would never be asked.
    fn try_linked(&mut self) -> bool {
        let link = self.linked_partner();
        let link = link.filter(|link| self.start_exchange(*link, None));
        if let Some(link) = link {
            self.ask.stage = Stage::Asking(link);
        }
        link.is_some()
    }

    /// The round's dial leads nowhere, or not soon.
    fn ask_linked(&mut self) {
        self.cx.timers.clear(Timer::Round);
        if !self.try_linked() {
            self.finish_exchange(Ended::Failed);
        }
    }

    /// The round's dial has led to this link.
    pub(super) fn ask_dialled(&mut self, dial: DialId, link: LinkId) {
        if self.ask.is_dialing(dial) {
            self.cx.timers.clear(Timer::Round);
            self.ask_again_on(link);
        }
    }

    pub(super) fn ask_dial_failed(&mut self, dial: DialId) {
        if self.ask.is_dialing(dial) {
            self.ask_linked();
        }
    }

    /// The round goes on, on this link.
    pub(super) fn ask_again_on(&mut self, link: LinkId) {
        if self.start_exchange(link, None) {
            self.ask.stage = Stage::Asking(link);
        } else {
            self.finish_exchange(Ended::Failed);
        }
    }

    /// The next page of the table that the round's exchange has brought a page of, if it is not too
    /// many.
    pub(super) fn ask_next_page(&mut self, link: LinkId) -> bool {
        let more = self.ask.is_on(link) && self.ask.pages < PAGES;
        if more {
            self.ask.pages += 1;
            self.ask.news = true;
            self.ask_again_on(link);
        }
        more
    }

    pub(super) fn ask_link_gone(&mut self, link: LinkId) {
        if self.ask.is_on(link) {
            self.finish_exchange(Ended::Failed);
        }
    }

    /// The round's exchange on this link ends here, or goes on with a fetch.
    pub(super) fn exchange_answered(&mut self, link: LinkId, ended: Ended, fetching: bool) {
        if self.ask.stage != Stage::Asking(link) {
            if ended == Ended::News {
                self.hurry();
            }
            return;
        }
        if fetching {
            self.ask.stage = Stage::Fetching(link);
            self.ask.news |= ended == Ended::News;
        } else {
            self.finish_exchange(ended);
        }
    }

    pub(super) fn fetch_ended(&mut self, link: LinkId, ended: Ended) {
        if self.ask.stage == Stage::Fetching(link) {
            self.finish_exchange(ended);
        } else if ended == Ended::News {
            self.hurry();
        }
    }
}
