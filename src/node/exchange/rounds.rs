//! When to ask, and what becomes of it (R14, R16, R44).

use core::time::Duration;

use crate::id::{DialId, LinkId, NodeId, RequestId};
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::node::outcome::Outcome;
use crate::node::state::dialer::Reason;
use crate::node::state::links::LinkState;
use crate::node::state::round::Stage;
use crate::node::timers::Timer;

/// Whom to ask.
pub(crate) enum Pick {
    Link(LinkId),
    Dial(NodeId),
    Nobody,
}

/// A round waits for its dial for so many times the fast pace, a second by default.
const DIAL_PATIENCE: u32 = 5;
/// Round trips that a promised update is waited for (R41).
const LATE_TRIPS: u32 = 1;
/// With more records than this nobody waits for it: there are enough others to ask (R41).
const WAITS_BELOW: usize = 24;

/// Reasons to ask.
impl Exchange {
    /// There is reason to ask soon: news from elsewhere, a fresh upstream, or the embedder's wish.
    pub(crate) fn hurry(&mut self, base: &mut Base) {
        base.pace.quicken(&base.cx);
        self.round.add_news();
        if self.round.is_idle() && self.round.has_started() {
            // A timer that is due earlier stays.
            let wait = base.pace.soon(&mut base.cx);
            let at = self.round.not_before(base.cx.now + wait);
            base.cx.timers.at_latest(Timer::Round, at);
        }
    }

    /// Upstreams are coming up, one soon after the other: first each says who it is, and then the
    /// others' tables are asked for.
    pub(crate) fn start_after(&mut self, base: &mut Base, link: LinkId) {
        if !self.round.has_begun() {
            let trip = base.links.get(link).and_then(LinkState::round_trip);
            let trip = trip.unwrap_or_else(|| base.round_trip());
            let at = base.cx.now + trip + trip / 16;
            self.round.start_at(at);
            base.cx.timers.set(Timer::Round, at);
        }
    }

    /// The embedder wants to hear from others now.
    pub(crate) fn discover(&mut self, base: &mut Base) {
        base.pace.want_discovery();
        self.round.rest();
        self.hurry(base);
    }

    /// What this node has wanted of this asker is on its way. Should that be lost, it asks: nobody else
    /// may come to it for a whole quiet round.
    pub(crate) fn expect_wanted(&self, base: &mut Base, link: LinkId) {
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
}

/// One round.
impl Exchange {
    /// The round's timer: it begins or goes on, or what it waits for has not come.
    pub(crate) fn start_round(&mut self, base: &mut Base) {
        match self.round.stage() {
            Stage::Idle => {}
            // The dial has taken too long. It goes on and may still lead to a link, but the round
            // asks somebody else.
            Stage::Dialing(_) => return self.ask_linked(base),
            Stage::Asking(_) => return,
            Stage::Waiting(..) => {
                self.round.enter(Stage::Idle);
                return self.next_exchange(base, Outcome::Failed);
            }
            Stage::Fetching(link, request) => {
                base.cx.stats.timeouts += 1;
                if let Some(link) = base.links.get_mut(link) {
                    link.finish(request);
                }
                return self.finish_exchange(base, Outcome::Failed);
            }
        }
        let waits_until = base.named.waits_until();
        if let Some(until) = waits_until.filter(|until| *until > base.cx.now) {
            // It has nothing to bring yet.
            self.round.start();
            base.cx
                .timers
                .set(Timer::Round, until + base.cx.config.round);
            return;
        }
        if !self.round.has_started() && base.upstreams.are_awaited() {
            // They are there soon, or are not.
            let patience = DIAL_PATIENCE * base.cx.config.round;
            base.cx.timers.set(Timer::Round, base.cx.now + patience);
            return;
        }
        if let Some(until) = self.awaits_others_until(base) {
            // They come by themselves, and bring what there is.
            base.cx.timers.set(Timer::Round, until);
            return;
        }
        self.round.begin();
        self.next_exchange(base, Outcome::NoNews);
    }

    fn next_exchange(&mut self, base: &mut Base, before: Outcome) {
        loop {
            let begun = match self.pick_partner(base) {
                Pick::Link(link) => self.ask_on(base, link),
                // Over the budget of dials (R19) a linked one is asked.
                Pick::Dial(node) => self.dial_for(base, node) || self.try_linked(base),
                Pick::Nobody => break,
            };
            if begun {
                return;
            }
            if !self.round.goes_on(Outcome::Failed) {
                break;
            }
        }
        self.end_round(base, before);
    }

    fn ask_on(&mut self, base: &mut Base, link: LinkId) -> bool {
        if let Some(node) = base.links.node(link) {
            self.round.ask(node);
        }
        let asked = base.ask(link);
        if asked {
            self.round.enter(Stage::Asking(link));
        }
        asked
    }

    fn dial_for(&mut self, base: &mut Base, node: NodeId) -> bool {
        self.round.ask(node);
        let Some(dial) = base.dial_peer(node, Reason::Partner) else {
            return false;
        };
        self.wait_in(
            base,
            Stage::Dialing(dial),
            DIAL_PATIENCE * base.cx.config.round,
        );
        true
    }

    /// The round waits so, and for so long.
    fn wait_in(&mut self, base: &mut Base, stage: Stage, time: Duration) {
        self.round.enter(stage);
        base.cx.timers.set(Timer::Round, base.cx.now + time);
    }

    fn end_round(&mut self, base: &mut Base, last: Outcome) {
        self.round.enter(Stage::Idle);
        self.round.rest();
        base.links.forget_carried();
        let wait = base.pace.rest(&mut base.cx, last);
        base.cx.timers.set(Timer::Round, base.cx.now + wait);
        self.look_for_renewals(base);
    }

    /// The round's exchange is over.
    fn finish_exchange(&mut self, base: &mut Base, outcome: Outcome) {
        self.round.enter(Stage::Idle);
        base.cx.timers.clear(Timer::Round);
        let news = outcome == Outcome::News || self.round.has_news();
        if !self.round.goes_on(outcome) && self.unsynced_upstream(base).is_none() {
            self.end_round(base, outcome);
            return;
        }
        let wait = base.pace.go_on(&mut base.cx, news);
        if wait.is_zero() {
            self.next_exchange(base, outcome);
        } else {
            base.cx.timers.set(Timer::Round, base.cx.now + wait);
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

    /// The answer was not all: once more, if this is the round's exchange and it is not too often.
    pub(crate) fn ask_more(&mut self, base: &mut Base, link: LinkId, news: bool) -> bool {
        let more = self.round.is_asking(link) && self.round.take_page();
        if more {
            if news {
                self.round.add_news();
            }
            self.ask_again_on(base, link);
        }
        more
    }

    /// The answer has named nodes whose records are being fetched. Whether the round waits for them.
    pub(crate) fn fetching(&mut self, base: &mut Base, link: LinkId, request: RequestId) -> bool {
        let waits = self.round.is_asking(link);
        if waits {
            let late = base.patience(link, 2);
            self.wait_in(base, Stage::Fetching(link, request), late);
        } else if let Some(link) = base.links.get_mut(link) {
            // Nobody waits for it, and it is asked for all the same.
            link.finish(request);
        }
        waits
    }

    /// The answer has promised an update, which is waited for while there are few others to ask.
    pub(crate) fn wait_for(&mut self, base: &mut Base, link: LinkId, id: RequestId, news: bool) {
        if !self.round.is_asking(link) || base.table.len() > WAITS_BELOW {
            self.answered(base, link, Outcome::of(news));
            return;
        }
        if news {
            base.pace.quicken(&base.cx);
            self.round.add_news();
        }
        let trips = base.links.get(link).and_then(LinkState::round_trip);
        let time = trips.map_or_else(
            || base.patience(link, LATE_TRIPS),
            |t| t * LATE_TRIPS + t / 16,
        );
        self.wait_in(base, Stage::Waiting(link, id), time);
    }

    /// What was promised, or is fetched, has come.
    pub(crate) fn has_come(
        &mut self,
        base: &mut Base,
        link: LinkId,
        request: RequestId,
        news: bool,
    ) {
        let round = &self.round;
        if round.is_waiting_for(link, request) || round.is_fetching(link, request) {
            self.finish_exchange(base, Outcome::of(news));
        } else if news {
            self.hurry(base);
        }
    }

    /// This link is gone: forgets what was under way on it, and says whether that was the round's.
    #[must_use = "a round that was interrupted waits for nothing"]
    pub(crate) fn forget(&mut self, base: &mut Base, link: LinkId) -> bool {
        self.late.forget(link);
        let was_on = self.round.forget(link);
        if was_on {
            base.cx.timers.clear(Timer::Round);
        }
        was_on
    }

    /// Goes on elsewhere with what was interrupted.
    pub(crate) fn resume(&mut self, base: &mut Base) {
        self.finish_exchange(base, Outcome::Failed);
    }

    /// The exchange on this link ends here.
    pub(crate) fn answered(&mut self, base: &mut Base, link: LinkId, outcome: Outcome) {
        if self.round.is_asking(link) {
            self.finish_exchange(base, outcome);
        } else if outcome == Outcome::News {
            self.hurry(base);
        }
    }

    /// An exchange with the other end of this link has completed.
    pub(crate) fn completed(&self, base: &mut Base, link: LinkId, news: bool) {
        if let Some(node) = base.links.node(link) {
            base.upstreams.set_synced(node, news, base.cx.now);
        }
    }

    /// A round always waits for something that will happen.
    pub(crate) fn waits_for_something(&self, base: &Base) -> bool {
        match self.round.stage() {
            Stage::Asking(link) => base.links.get(link).is_some_and(|l| !l.is_idle()),
            Stage::Dialing(dial) => base.dialer.contains(dial),
            Stage::Idle | Stage::Waiting(..) | Stage::Fetching(..) => {
                base.cx.timers.is_set(Timer::Round)
            }
        }
    }
}
