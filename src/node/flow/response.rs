//! An answer: to the fetch under way, to the request under way, late, or to nothing (R14).

use core::time::Duration;

use crate::effect::Event;
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::node::Node;
use crate::node::flow::merge::Origin;
use crate::node::guard::records_in;
use crate::node::state::checks::Carrier;
use crate::node::state::fetches::Offer;
use crate::node::state::links::Answered;
use crate::node::state::pace::Outcome;
use crate::node::timers::Timer;
use crate::table::Differences;
use crate::wire::{Content, Cursor, Records, Refusals, Response};

/// After a page that is shorter than this the announcer has no more: the cap of messages cuts off
/// only longer ones. Otherwise an announcer that sends one record in each round trip could keep the
/// one fetch that may be under way busy for as long as it likes.
const FULL_PAGE: usize = caps::PAGE_BYTES / 8;

impl Node {
    pub(crate) fn on_response(&mut self, link: LinkId, mut response: Response, len: usize) {
        let Some(asked) = self.base.links.get(link) else {
            return;
        };
        let fetched = self.exchange.fetches.awaits(link, response.id);
        if !fetched && !asked.awaits(response.id) {
            if !asked.is_recent(response.id) {
                self.base.cx.stats.unsolicited += 1;
                self.penalise(link, PeerFault::Unsolicited);
                return;
            }
            // What is late was asked for, but may come again and again: it is charged like what was
            // not asked for.
            let (now, source) = (self.base.cx.now, asked.source());
            let (node, remote) = source;
            if self.guard.limits.admit(now, node, remote).is_err() {
                self.base.cx.stats.requests_throttled += 1;
                return;
            }
            let records = response.renewed.len() as u64 + records_in(response.delta.as_ref());
            self.guard.charge_taken(now, source, records, len);
        }
        if response.busy.is_some() {
            response.delta = None;
        }
        self.check(link, Carrier::Response(response), len);
    }

    /// Takes an answer that was asked for.
    pub(crate) fn take_response(&mut self, link: LinkId, response: Response) {
        if let Some(offer) = self.exchange.fetches.answered(link, response.id) {
            self.take_fetched(link, offer, &response);
            self.exchange.pump(&mut self.base);
        } else if let Some(answered) = self.base.take_answered(link, response.id) {
            self.base.cx.stats.responses_received += 1;
            self.take_refusals(&response.refusals);
            self.take_answer(link, answered, response);
        } else {
            self.take_late(link, response);
        }
    }

    /// A doubled answer, or one after the time-out: merged, but it moves no cursor.
    fn take_late(&mut self, link: LinkId, response: Response) {
        self.base.cx.stats.late_responses += 1;
        self.take_refusals(&response.refusals);
        self.merge_records(link, &response.renewed, Origin::Overdue);
        if let Some(Content::Records(records)) = response.delta.map(|d| d.content) {
            let taken = self.merge_records(link, &records, Origin::Pull);
            if taken.has_news() {
                self.exchange.hurry(&mut self.base);
            }
        }
    }

    /// The answer to the fetch of this offer (R27).
    fn take_fetched(&mut self, link: LinkId, mut offer: Offer, response: &Response) {
        let base = &mut self.base;
        base.cx.timers.clear(Timer::Fetch);
        if let Some(l) = base.links.get_mut(link) {
            l.finish(response.id);
            l.heard();
        }
        self.take_refusals(&response.refusals);
        if let Some((wait, _)) = &response.busy {
            if let Some(node) = self.base.links.node(link) {
                self.defer(node, *wait);
            }
            self.exchange.fetch_failed(&mut self.base, offer);
            return;
        }
        let (mut got, mut bytes) = (0, 0);
        let content = response.delta.as_ref().map(|d| &d.content);
        if let Some(Content::Records(records)) = content {
            got = records.len();
            bytes = records.iter().map(|r| NodeId::LEN + r.body.len()).sum();
            let taken = self.merge_records(link, records, Origin::Pull);
            offer.news |= taken.has_news();
        }
        let more = bytes >= FULL_PAGE && got < offer.missing_before;
        if more {
            // Page by page, in turns: a slow announcer holds up nobody.
            self.exchange.fetches.take_turns(offer);
        } else {
            self.exchange.fetched(&mut self.base, offer);
        }
    }

    fn take_answer(&mut self, link: LinkId, answered: Answered, mut response: Response) {
        let Some(node) = self.base.links.node(link) else {
            return;
        };
        if let Some((wait, sample)) = response.busy.take() {
            self.take_busy(link, node, wait, &sample);
            return;
        }
        let digest = response.digest;
        let same = digest.count == 0 && digest.fingerprint == 0 && response.delta.is_none();
        self.take_acked(link, node, answered.shown, same, &response);
        if !same && !answered.in_full && response.delta.is_none() {
            self.ask_in_full(link);
            return;
        }
        let differences = self.read_sketch(&mut response);
        // What goes back is chosen before what comes in is merged.
        let half = if same {
            None
        } else {
            let told = differences.as_ref();
            self.base.choose_push_half(link, &response, told)
        };
        let partly = |d: &crate::wire::Delta| {
            d.to < digest.version && matches!(d.content, Content::Records(_))
        };
        let pages = response.delta.as_ref().is_some_and(partly);
        let (taken, fetching) = match response.delta.take() {
            Some(delta) => self.take_delta(link, delta, Origin::Pull, true),
            None => Default::default(),
        };
        self.merge_records(link, &response.renewed, Origin::Overdue);
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        match half {
            Some(half) if fetching && base.pace.may_be_stale() => {
                exchange.fetches.push_afterwards(half);
            }
            Some(half) => base.send_push_half(link, half),
            None => {}
        }
        let news = taken.has_news();
        base.send_refusals(link, taken.into_refusals());
        // A sketch that told nothing is no exchange: the upstream is asked again (R20).
        let untold = differences.is_some_and(|d| !d.complete && d.missing.is_empty());
        if !fetching && !untold {
            exchange.completed(base, link, news);
            base.set_in_sync(node);
        }
        if !(pages && news && exchange.ask_next_page(base, link)) {
            exchange.answered(base, link, Outcome::of(news), fetching);
        }
    }

    /// A brief request has found another table.
    fn ask_in_full(&mut self, link: LinkId) {
        if let Some(link) = self.base.links.get_mut(link) {
            link.ask_in_full();
        }
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        if !exchange.ask_in_full(base, link) {
            exchange.answered(base, link, Outcome::NoNews, false);
        }
    }

    fn take_busy(&mut self, link: LinkId, node: NodeId, wait: Duration, sample: &Records) {
        let taken = self.merge_records(link, sample, Origin::Pull);
        self.defer(node, wait);
        let outcome = if taken.has_news() {
            Outcome::News
        } else {
            Outcome::Failed
        };
        self.exchange.answered(&mut self.base, link, outcome, false);
    }

    /// How much of the own log the other end has, as far as the answer says. `same`: its table is
    /// the one that the request has shown.
    fn take_acked(
        &mut self,
        link: LinkId,
        node: NodeId,
        shown: u64,
        same: bool,
        response: &Response,
    ) {
        let base = &mut self.base;
        let ours = response.cursor.filter(|c| c.epoch == base.cx.epoch);
        let mut acked = ours.map(|c| c.version);
        if same {
            base.pace.answer_told();
            base.advance_to(link, response.digest.version);
            acked = Some(shown);
        }
        let epoch = base.links.get(link).and_then(|l| l.epoch());
        if let (Some(version), Some(epoch)) = (acked, epoch) {
            let acked = Cursor { epoch, version };
            base.peers.set_acked(node, acked, base.cx.now);
        }
    }

    /// What a sketch tells; the answer then announces what is missing here.
    fn read_sketch(&mut self, response: &mut Response) -> Option<Differences> {
        let base = &mut self.base;
        let delta = response.delta.as_mut()?;
        let Content::Sketch(sketch) = &delta.content else {
            base.pace.answer_told();
            return None;
        };
        let differences = base.table.differences(sketch);
        if differences.complete {
            base.pace.answer_told();
        } else {
            // What is not told is asked for again: the cursor stays.
            delta.to = 0;
        }
        delta.content = Content::Announced(differences.missing.clone());
        Some(differences)
    }

    /// The peer has answered `Busy` (R18).
    fn defer(&mut self, node: NodeId, wait: Duration) {
        let base = &mut self.base;
        let retry_after = wait.min(base.cx.config.backoff_cap);
        let (now, until) = (base.cx.now, base.cx.now + retry_after);
        base.peers.hold(node, until, now);
        base.cx.stats.deferred += 1;
        base.cx.event(Event::Deferred { node, retry_after });
    }

    /// Refusals about this node raise its version; those about another are passed to it.
    pub(crate) fn take_refusals(&mut self, refusals: &Refusals) {
        for (node, sequence) in refusals.iter().take(caps::REFUSALS) {
            if node == self.base.cx.id {
                self.base.on_refused(sequence);
            } else {
                self.base.pass_refusal(node, sequence);
            }
        }
    }
}
