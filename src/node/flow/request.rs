//! A request: admitted, and answered at once from the table (R9, R14, R15, R18).

use core::time::Duration;

use crate::effect::{CloseReason, Event};
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::limits::rates::Cost;
use crate::node::Node;
use crate::node::flow::merge::Origin;
use crate::node::guard::{Admission, records_in};
use crate::node::state::checks::Carrier;
use crate::node::state::links::Class;
use crate::node::state::pace::Outcome;
use crate::rng;
use crate::wire::{
    Brief, Content, Delta, Digest, GoodbyeReason, Message, Records, Request, Response,
};

/// The least that an asker is told to wait.
const LEAST_WAIT: Duration = Duration::from_millis(500);

impl Node {
    pub(crate) fn on_request(&mut self, id: LinkId, request: Request, len: usize) {
        let base = &mut self.base;
        let Some(link) = base.links.get_mut(id) else {
            return;
        };
        let source = link.source();
        let node = source.0;
        let walk = request.walk.as_ref();
        if walk.is_some_and(|w| w.path.last() != Some(&node)) {
            self.penalise(id, PeerFault::PathNotItsOwn);
            return;
        }
        let crossed = !request.is_fetch() && !link.is_idle();
        if crossed && base.cx.id < node && link.goes_before(request.id) {
            base.cx.stats.requests_crossed += 1;
            return;
        }
        if link.must_wait(base.cx.now) {
            self.penalise(id, PeerFault::IgnoredRetryAfter);
            return;
        }
        match self.guard.admit_request(base.cx.now, source) {
            Admission::Admitted => {}
            Admission::MustWait(wait) => {
                self.answer_busy(id, node, &request, wait, Records::default());
                return;
            }
            Admission::OverLimit(wait) => {
                let sample = base.sample(caps::BUSY_SAMPLE, &node);
                self.answer_busy(id, node, &request, wait, sample);
                return;
            }
        }
        let (now, records) = (base.cx.now, records_in(request.push.as_ref()));
        self.guard.charge_taken(now, source, records, len);
        self.check(id, Carrier::Request(request), len);
    }

    /// Answers a request that was admitted.
    pub(crate) fn take_request(&mut self, id: LinkId, request: Request) {
        let Some(link) = self.base.links.get(id) else {
            return;
        };
        let node = link.node();
        let crossed = !request.is_fetch() && !link.is_idle();
        let was_asking = crossed && self.exchange.round.is_on(id);
        if crossed {
            self.base.give_way(id);
        }
        self.base.cx.stats.requests_answered += 1;
        if request.is_fetch() {
            self.answer_fetch(id, &request);
        } else {
            self.answer_pull(id, node, request);
        }
        if was_asking {
            let outcome = Outcome::NoNews;
            self.exchange.answered(&mut self.base, id, outcome, false);
        }
    }

    /// Not now. The answer is charged like any other: asking on makes the wait longer.
    fn answer_busy(
        &mut self,
        id: LinkId,
        node: NodeId,
        request: &Request,
        wait: Duration,
        sample: Records,
    ) {
        let cx = &mut self.base.cx;
        cx.stats.requests_throttled += 1;
        let retry_after = cx.jitter(wait.max(LEAST_WAIT) * 2, 50);
        let mut response = empty_response(request, self.base.digest());
        response.busy = Some((retry_after, sample));
        self.respond(id, response);
        let base = &mut self.base;
        let (now, interval) = (base.cx.now, base.cx.config.report_interval);
        // Half of the time is enforced: what the asker has sent before it hears of this is no
        // fault.
        let until = now + retry_after / 2;
        self.guard.reputation.must_wait(now, node, until);
        if let Some(link) = base.links.get_mut(id) {
            link.told_to_wait(until);
        }
        if base.peers.reports_busy(node, now, interval) {
            base.cx.event(Event::Throttled { node, retry_after });
        }
    }

    fn answer_fetch(&mut self, id: LinkId, request: &Request) {
        let mut response = empty_response(request, Digest::default());
        response.delta = Some(Delta::unlogged(self.base.fetched_page(request)));
        self.respond(id, response);
    }

    fn answer_pull(&mut self, id: LinkId, node: NodeId, mut request: Request) {
        if let Some(brief) = request.brief {
            return self.answer_brief(id, node, &request, brief);
        }
        let before = self.base.table.version();
        let news = match request.push.take() {
            Some(push) => self.take_push(id, push),
            None => false,
        };
        let over_cap = self.base.stays_over_cap(id, &node);
        let ours = self.base.digest();
        let same =
            request.digest.fingerprint == ours.fingerprint && request.digest.count == ours.count;
        if over_cap {
            self.answer_and_close(id, node, &request, ours);
            return;
        }
        let response = self.compose_answer(id, node, &request, same, before);
        let all = |d: &Delta| d.to == ours.version && matches!(d.content, Content::Records(_));
        if response.delta.as_ref().is_none_or(all) {
            self.base.set_in_sync(node);
        }
        self.respond(id, response);
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        exchange.consider_forwarding(base, id, &request);
        let partial = request.digest.partial || ours.partial;
        if partial {
            base.introduce(id, &node);
        }
        if news {
            exchange.hurry(base);
        } else if !same && !partial && request.digest.count > ours.count {
            exchange.expect_news(base, id);
        }
    }

    /// Whether the tables are the same, and the asker's own record in them: then a whole request
    /// would have brought nothing. Otherwise that one is to follow (R45).
    fn answer_brief(&mut self, id: LinkId, node: NodeId, request: &Request, brief: Brief) {
        let base = &mut self.base;
        let ours = base.digest();
        let over_cap = base.stays_over_cap(id, &node);
        let Some(link) = base.links.get(id) else {
            return;
        };
        let epoch = link.epoch();
        if over_cap {
            self.answer_and_close(id, node, request, ours);
            return;
        }
        let mut response = empty_response(request, ours);
        let cursor = base.peers.cursor(&node, epoch);
        let asker = base.table.lookup(&node);
        let state = asker
            .filter(|e| !base.lacks_signature(e))
            .map(|e| base.state_with(e.sequence(), rng::body_check(e.body())));
        let same = state == Some(brief.state);
        if same {
            response.digest = same_as_shown(ours);
            if let Some(version) = cursor.and_then(|c| brief.log_after(c.version)) {
                base.advance_to(id, version);
            }
            base.set_in_sync(node);
        } else {
            response.cursor = cursor;
        }
        self.respond(id, response);
    }

    /// What came along with a request. Whether it was news.
    fn take_push(&mut self, id: LinkId, push: Delta) -> bool {
        let (taken, _) = self.take_delta(id, push, Origin::Push, false);
        let news = taken.has_news();
        self.base.send_refusals(id, taken.into_refusals());
        news
    }

    fn compose_answer(
        &mut self,
        id: LinkId,
        node: NodeId,
        request: &Request,
        same: bool,
        before: u64,
    ) -> Response {
        let base = &mut self.base;
        let ours = base.digest();
        let mut response = empty_response(request, ours);
        if same {
            response.digest = same_as_shown(ours);
            base.advance_to(id, request.digest.version);
        } else {
            response.delta = Some(base.delta_for(&node, request, before));
            let epoch = base.links.get(id).and_then(|link| link.epoch());
            response.cursor = base.peers.cursor(&node, epoch);
        }
        response.refusals = base.refusals_about(&node, request.own, request.own_check);
        response.renewed = base.renewed_page(&request.overdue);
        response
    }

    /// There is no room for this link: a few records, and goodbye (R22).
    fn answer_and_close(&mut self, id: LinkId, node: NodeId, request: &Request, ours: Digest) {
        let base = &mut self.base;
        let mut response = empty_response(request, ours);
        let records = base.sample(caps::FULL_ANSWER, &node);
        response.delta = Some(Delta::unlogged(records));
        if request.brief.is_none() {
            response.refusals = base.refusals_about(&node, request.own, request.own_check);
        }
        response.renewed = base.renewed_page(&request.overdue);
        self.respond(id, response);
        self.goodbye(id, GoodbyeReason::Full, CloseReason::Full);
    }

    /// Sends an answer, and charges it.
    fn respond(&mut self, id: LinkId, response: Response) {
        let base = &mut self.base;
        let Some((node, remote)) = base.links.get(id).map(|link| link.source()) else {
            return;
        };
        let before = base.cx.stats.bytes_sent;
        let sample = response.busy.as_ref().map_or(0, |(_, s)| s.len() as u64);
        let renewed = response.renewed.len() as u64;
        let records = sample + renewed + records_in(response.delta.as_ref());
        // The request of a busy answer was not admitted, and so not charged.
        let messages = u64::from(response.busy.is_some());
        base.send(id, Message::Response(response), Class::Answer);
        let cost = Cost {
            messages,
            records,
            bytes: base.cx.stats.bytes_sent - before,
        };
        self.guard.limits.charge(base.cx.now, node, remote, cost);
    }
}

/// The set is that of the request.
const fn same_as_shown(ours: Digest) -> Digest {
    Digest {
        count: 0,
        fingerprint: 0,
        ..ours
    }
}

fn empty_response(request: &Request, digest: Digest) -> Response {
    Response {
        id: request.id,
        digest,
        cursor: None,
        delta: None,
        renewed: Records::default(),
        refusals: Default::default(),
        busy: None,
    }
}
