//! When to ask, and what becomes of it (R14, R16).

use crate::id::{DialId, LinkId};
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::node::state::dialer::Reason;
use crate::node::state::pace::Outcome;
use crate::node::state::round::{Stage, Turn};
use crate::node::timers::Timer;

/// Whom to ask.
pub(crate) enum Pick {
    Link(LinkId),
    Dial(crate::id::NodeId),
    Nobody,
}

/// What was under way on a link that is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a round that was interrupted waits for nothing"]
pub(crate) struct Interrupted {
    fetch: bool,
    round: bool,
}

/// A round waits for its dial for so many times the fast pace, a second by default.
const DIAL_PATIENCE: u32 = 5;

/// Reasons to ask.
impl Exchange {
    /// There is reason to ask soon: news from elsewhere, a fresh upstream, or the embedder's wish.
    pub(crate) fn hurry(&mut self, base: &mut Base) {
        base.pace.quicken(&base.cx.config);
        self.round.add_news(true);
        if self.round.is_idle() && self.round.has_started() {
            // A timer that is due earlier stays.
            let wait = base.pace.soon(&mut base.cx);
            base.cx.timers.at_latest(Timer::Round, base.cx.now + wait);
        }
    }

    /// The embedder wants to hear from others now.
    pub(crate) fn discover(&mut self, base: &mut Base) {
        base.pace.want_discovery();
        self.hurry(base);
    }

    /// This peer knows more, and its half of the exchange is on its way. Should that be lost, the
    /// node asks: nobody else may come to it for a whole quiet round.
    pub(crate) fn expect_news(&self, base: &mut Base, link: LinkId) {
        if self.round.is_idle() {
            let wait = base.patience(link, 3);
            base.cx.timers.at_latest(Timer::Round, base.cx.now + wait);
        }
    }

    /// A renewal has not come by: somebody may have it.
    pub(crate) fn look_for_renewals(&self, base: &mut Base) {
        if self.round.is_idle() {
            if let Some(wait) = base.overdue_wait() {
                base.cx.timers.at_latest(Timer::Round, base.cx.now + wait);
            }
        }
    }

    /// A fetch was not answered: somebody else is asked soon.
    pub(crate) fn fetch_missed(&self, base: &mut Base) {
        base.pace.fetch_missed();
        if base.pace.has_missed() && self.round.is_idle() {
            let wait = base.cx.jitter(base.cx.config.round, 50);
            base.cx.timers.at_latest(Timer::Round, base.cx.now + wait);
        }
    }
}

/// One round.
impl Exchange {
    pub(crate) fn start_round(&mut self, base: &mut Base) {
        match self.round.stage() {
            Stage::Idle => {}
            // The dial has taken too long. It goes on and may still lead to a link, but the round
            // asks somebody else.
            Stage::Dialing(_) => return self.ask_linked(base),
            Stage::Asking(_) | Stage::Fetching(_) => return,
        }
        let fast = base.pace.is_fast(&base.cx.config);
        self.round.begin(fast, base.table.len());
        self.next_exchange(base, Outcome::NoNews);
    }

    fn next_exchange(&mut self, base: &mut Base, before: Outcome) {
        loop {
            let pick = match self.round.next_turn() {
                Turn::Partner => self.pick_partner(base),
                Turn::Successor => self.pick_successor(base),
                Turn::Over => break,
            };
            let begun = match pick {
                Pick::Link(link) => self.ask_on(base, link),
                // Over the budget of dials (R19) a linked one is asked.
                Pick::Dial(node) => self.dial_for(base, node) || self.try_linked(base),
                Pick::Nobody => break,
            };
            if begun {
                return;
            }
        }
        self.end_round(base, before);
    }

    fn ask_on(&mut self, base: &mut Base, link: LinkId) -> bool {
        let asked = base.ask(link);
        if asked {
            self.round.enter(Stage::Asking(link));
        }
        asked
    }

    fn dial_for(&mut self, base: &mut Base, node: crate::id::NodeId) -> bool {
        let Some(dial) = base.dial_peer(node, Reason::Partner) else {
            return false;
        };
        self.round.enter(Stage::Dialing(dial));
        let patience = base.cx.config.round * DIAL_PATIENCE;
        base.cx.timers.set(Timer::Round, base.cx.now + patience);
        true
    }

    fn end_round(&mut self, base: &mut Base, last: Outcome) {
        self.round.enter(Stage::Idle);
        let (news, exchanges) = (self.round.has_news(), self.round.exchanges());
        let wait = base.pace.round_over(&mut base.cx, news, last, exchanges);
        base.cx.timers.set(Timer::Round, base.cx.now + wait);
        self.look_for_renewals(base);
    }

    /// The round's exchange is over.
    fn finish_exchange(&mut self, base: &mut Base, outcome: Outcome) {
        self.round.enter(Stage::Idle);
        self.round.add_news(outcome == Outcome::News);
        let goes_on = outcome == Outcome::Failed
            || self.round.has_news()
            || base.pace.is_fast(&base.cx.config)
            || self.unsynced_upstream(base).is_some();
        if goes_on {
            self.next_exchange(base, outcome);
        } else {
            self.end_round(base, outcome);
        }
    }

    /// Asks somebody who is there. With most of the table dead, failing dials would otherwise use
    /// up every exchange, and the live links would never be asked.
    fn try_linked(&mut self, base: &mut Base) -> bool {
        let link = self.linked_partner(base);
        link.is_some_and(|link| self.ask_on(base, link))
    }

    /// The round's dial leads nowhere, or not soon.
    fn ask_linked(&mut self, base: &mut Base) {
        base.cx.timers.clear(Timer::Round);
        if !self.try_linked(base) {
            self.finish_exchange(base, Outcome::Failed);
        }
    }
}

/// What happens to the exchange of a round.
impl Exchange {
    /// The round's dial has led to this link.
    pub(crate) fn dialled(&mut self, base: &mut Base, dial: DialId, link: LinkId) {
        if self.round.is_dialing(dial) {
            base.cx.timers.clear(Timer::Round);
            self.ask_again_on(base, link);
        }
    }

    pub(crate) fn dial_failed(&mut self, base: &mut Base, dial: DialId) {
        if self.round.is_dialing(dial) {
            self.ask_linked(base);
        }
    }

    /// The round goes on, on this link.
    pub(crate) fn ask_again_on(&mut self, base: &mut Base, link: LinkId) {
        if !self.ask_on(base, link) {
            self.finish_exchange(base, Outcome::Failed);
        }
    }

    /// The round's request was brief, and the tables differ: once more, whole.
    pub(crate) fn ask_in_full(&mut self, base: &mut Base, link: LinkId) -> bool {
        let goes_on = self.round.is_on(link);
        if goes_on {
            self.ask_again_on(base, link);
        }
        goes_on
    }

    /// The next page of the table that the round's exchange has brought a page of, if it is not too
    /// many.
    pub(crate) fn ask_next_page(&mut self, base: &mut Base, link: LinkId) -> bool {
        let more = self.round.is_on(link) && self.round.take_page();
        if more {
            self.ask_again_on(base, link);
        }
        more
    }

    /// This link is gone: forgets what was under way on it, and says what that was.
    pub(crate) fn forget(&mut self, base: &mut Base, link: LinkId) -> Interrupted {
        let fetch = self.fetches.forget(link);
        if fetch {
            base.cx.timers.clear(Timer::Fetch);
        }
        let round = self.round.forget(link);
        Interrupted { fetch, round }
    }

    /// Goes on elsewhere with what was interrupted.
    pub(crate) fn resume(&mut self, base: &mut Base, interrupted: Interrupted) {
        if interrupted.fetch {
            self.pump(base);
        }
        if interrupted.round {
            self.finish_exchange(base, Outcome::Failed);
        }
    }

    /// The exchange on this link ends here, or goes on with a fetch.
    pub(crate) fn answered(
        &mut self,
        base: &mut Base,
        link: LinkId,
        outcome: Outcome,
        fetching: bool,
    ) {
        if !self.round.is_asking(link) {
            if outcome == Outcome::News {
                self.hurry(base);
            }
        } else if fetching {
            self.round.enter(Stage::Fetching(link));
            self.round.add_news(outcome == Outcome::News);
        } else {
            self.finish_exchange(base, outcome);
        }
    }

    /// What was fetched over this link is here, or will not come.
    pub(crate) fn fetch_ended(&mut self, base: &mut Base, link: LinkId, outcome: Outcome) {
        if self.round.is_fetching(link) {
            self.finish_exchange(base, outcome);
        } else if outcome == Outcome::News {
            self.hurry(base);
        }
    }

    /// An exchange with the other end of this link has completed.
    pub(crate) fn completed(&mut self, base: &mut Base, link: LinkId, news: bool) {
        let Some(node) = base.links.node(link) else {
            return;
        };
        base.upstreams.set_synced(node, news, base.cx.now);
        if news {
            self.send_late_knowledge(base, link);
        }
    }
}

impl Exchange {
    /// A round always waits for something that will happen.
    pub(crate) fn waits_for_something(&self, base: &Base) -> bool {
        match self.round.stage() {
            Stage::Idle => base.cx.timers.is_set(Timer::Round),
            Stage::Dialing(dial) => base.dialer.contains(dial),
            Stage::Asking(link) => base.links.get(link).is_some_and(|l| !l.is_idle()),
            Stage::Fetching(link) => self.fetches.is_on(link),
        }
    }
}
