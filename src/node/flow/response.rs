//! An answer: to what is being fetched, to the request under way, late, or to nothing (R14).

use core::time::Duration;

use crate::effect::Event;
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId, RequestId};
use crate::limits::caps;
use crate::limits::rates::Cost;
use crate::node::Node;
use crate::node::flow::merge::Origin;
use crate::node::outcome::Outcome;
use crate::node::state::checks::Carrier;
use crate::node::state::links::{Answered, Class, Form};
use crate::wire::{Records, Refusals, Response, Shows};

impl Node {
    pub(crate) fn on_response(&mut self, link: LinkId, mut response: Response, len: usize) {
        let is_fetched = self.is_fetching(link, response.id);
        let Some(asked) = self.base.links.get_mut(link) else {
            return;
        };
        let (now, source) = (self.base.cx.now, asked.source());
        let (node, remote) = source;
        if is_fetched || asked.awaits(response.id) {
            self.guard.limits.were_asked_for(now, node, len);
        } else {
            if !asked.take_recent(response.id) {
                self.base.cx.stats.unsolicited += 1;
                self.penalise(link, PeerFault::Unsolicited);
                return;
            }
            // What is late was asked for, but nobody waits for it: it is charged like what was not.
            if self.guard.limits.admit(now, node, remote).is_err() {
                self.base.cx.stats.requests_throttled += 1;
                return;
            }
            let records = (response.renewed.len() + response.records.len()) as u64;
            self.guard.charge_taken(now, source, records, len);
        }
        if response.busy.is_some() {
            response.records = Records::default();
        }
        self.check(link, Carrier::Response(response), len);
    }

    /// Takes an answer that was asked for.
    pub(crate) fn take_response(&mut self, link: LinkId, response: Response) {
        if self.is_fetching(link, response.id) {
            self.take_fetched(link, &response);
        } else if let Some(answered) = self.base.take_answered(link, response.id) {
            self.base.cx.stats.responses_received += 1;
            self.take_refusals(&response.refusals);
            self.take_answer(link, answered, response);
        } else {
            self.take_late(link, &response);
        }
    }

    /// A doubled answer, or one after the time-out: merged, and no more.
    fn take_late(&mut self, link: LinkId, response: &Response) {
        self.base.cx.stats.late_responses += 1;
        self.take_refusals(&response.refusals);
        self.merge_records(link, &response.renewed, Origin::Overdue);
        let taken = self.merge_records(link, &response.records, Origin::Pull);
        if taken.has_news() {
            self.exchange.hurry(&mut self.base);
        }
    }

    /// Whether this answers a request for certain records.
    fn is_fetching(&self, link: LinkId, request: RequestId) -> bool {
        let round = &self.exchange.round;
        round.is_fetching(link, request) || self.base.ahead.awaits(link, request)
    }

    /// The records of nodes that an answer has named (R22), or that lie ahead (R47).
    fn take_fetched(&mut self, link: LinkId, response: &Response) {
        if let Some(l) = self.base.links.get_mut(link) {
            l.finish(response.id);
            l.heard();
        }
        self.take_refusals(&response.refusals);
        if let Some((wait, _)) = &response.busy {
            if let Some(node) = self.base.links.node(link) {
                self.defer(node, *wait);
            }
        }
        let taken = self.merge_records(link, &response.records, Origin::Pull);
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        if base.ahead.awaits(link, response.id) {
            base.has_come_ahead();
        } else {
            exchange.has_come(base, link, response.id, taken.has_news());
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
        self.note_count(link, &response);
        let Some(shown) = answered.shown else {
            self.take_brief(link, node, &response);
            return;
        };
        let taken = self.merge_records(link, &response.records, Origin::Pull);
        self.merge_records(link, &response.renewed, Origin::Overdue);
        let news = taken.has_news();
        self.base.pace.gained(taken.news());
        self.base.send_refusals(link, taken.into_refusals());
        self.give_wanted(link, &shown, &response);
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        if !response.cut {
            exchange.completed(base, link, news);
            base.set_in_sync(node);
        }
        if news {
            exchange.tell_what_was_asked_for(base);
        }
        if !response.nodes.is_empty() && self.fetch_named(link, &response) {
            return;
        }
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        let told_nothing = matches!(shown, Shows::Sketch(_)) && response.cut;
        if told_nothing {
            base.cx.stats.sketches_untold += 1;
            base.set_form(link, Form::Filter);
        }
        let more = response.cut && (news || told_nothing);
        if more && exchange.ask_more(base, link, news) {
            return;
        }
        if response.cut && !told_nothing {
            // That was enough of its pages.
            exchange.completed(base, link, news);
            base.set_in_sync(node);
        }
        if response.later {
            exchange.wait_for(base, link, response.id, news);
        } else {
            exchange.answered(base, link, Outcome::of(news));
        }
    }

    /// How many records the other end has, as far as it says.
    fn note_count(&mut self, link: LinkId, response: &Response) {
        let own = self.base.table.len() as u32;
        if let Some(link) = self.base.links.get_mut(link) {
            link.has_records(if response.same { own } else { response.count });
        }
    }

    /// The answer to a brief request: the tables are the same, or one that shows more follows.
    fn take_brief(&mut self, link: LinkId, node: NodeId, response: &Response) {
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        if response.same {
            exchange.completed(base, link, false);
            base.set_in_sync(node);
            exchange.answered(base, link, Outcome::NoNews);
            return;
        }
        let differences = base.estimate(&response.strata, response.count);
        base.set_form(link, Form::Differs(differences));
        if !exchange.ask_more(base, link, false) && !base.ask(link) {
            exchange.answered(base, link, Outcome::NoNews);
        }
    }

    /// Sends what the answerer wants of what it was shown; it pays for it as if it had asked (R18).
    fn give_wanted(&mut self, link: LinkId, shown: &Shows, response: &Response) {
        let base = &mut self.base;
        let wanted = base.wanted_records(response.id, shown, &response.wants);
        if wanted.is_empty() {
            return;
        }
        let (sent, id) = (base.cx.stats.bytes_sent, response.id);
        base.send_records(link, Some(id), &wanted, Class::Ask);
        let cost = Cost {
            messages: 0,
            records: wanted.len() as u64,
            bytes: base.cx.stats.bytes_sent - sent,
        };
        if let Some((node, remote)) = base.links.get(link).map(|l| l.source()) {
            self.guard.limits.charge(base.cx.now, node, remote, cost);
        }
    }

    /// Fetches those of the nodes named that would be kept here. Whether there are any.
    fn fetch_named(&mut self, link: LinkId, response: &Response) -> bool {
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        let wanted = base.table.wanted_of(&response.nodes);
        if wanted.is_empty() {
            return false;
        }
        let Some(id) = base.fetch(link, &wanted) else {
            return false;
        };
        exchange.fetching(base, link, id)
    }

    fn take_busy(&mut self, link: LinkId, node: NodeId, wait: Duration, sample: &Records) {
        let taken = self.merge_records(link, sample, Origin::Pull);
        self.defer(node, wait);
        let outcome = if taken.has_news() {
            Outcome::News
        } else {
            Outcome::Failed
        };
        self.exchange.answered(&mut self.base, link, outcome);
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
