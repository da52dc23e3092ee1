//! A request: admitted, and answered at once from the table (R9, R14, R15, R18).

use core::time::Duration;

use crate::effect::{CloseReason, Event};
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId, RequestId};
use crate::limits::caps;
use crate::limits::rates::Cost;
use crate::node::Node;
use crate::node::flow::merge::Origin;
use crate::node::guard::Admission;
use crate::node::outcome::Outcome;
use crate::node::state::checks::Carrier;
use crate::node::state::links::Class;
use crate::record::Sequence;
use crate::rng;
use crate::wire::{GoodbyeReason, Message, Records, Request, Response, Shows};

/// With more records than this, nothing is wanted while others are asked (R40).
const WANTS_BELOW: usize = 64;
/// So much that is wanted is expected of one asker before another is asked for it. [Halves of 256 that
/// were parted paid for each change 3.4 times.]
const MUCH: usize = 16;
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
        if walk.is_some_and(|w| w.path().last() != Some(&node)) {
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
        let (now, records) = (base.cx.now, request.records.len() as u64);
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
            self.exchange.answered(&mut self.base, id, Outcome::Failed);
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
        let mut response = Response::to(request.id);
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
        let mut response = Response::to(request.id);
        response.records = self.base.fetched_page(request);
        self.respond(id, response);
    }

    fn answer_pull(&mut self, id: LinkId, node: NodeId, request: Request) {
        let taken = self.merge_records(id, &request.records, Origin::Push);
        let news = taken.has_news();
        self.base.send_refusals(id, taken.into_refusals());
        if self.base.stays_over_cap(id, &node) {
            self.answer_and_close(id, node, &request);
            return;
        }
        if let Some(state) = request.state {
            self.answer_brief(id, node, request.id, state);
            return;
        }
        if let Some(link) = self.base.links.get_mut(id) {
            link.has_records(request.count);
        }
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        if news {
            exchange.came(base);
        }
        let forwarded = exchange.consider_forwarding(base, id, &request);
        let response = self.compose_answer(id, node, &request, forwarded);
        let wants = !response.wants.is_empty();
        let much = response.wants.len() > MUCH;
        let all = !response.cut && !wants;
        let partial = response.partial || request.shows == Shows::Partial;
        if let Some(link) = self.base.links.get_mut(id) {
            link.has_answered();
        }
        self.respond(id, response);
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        if all && !partial {
            base.set_in_sync(node);
        }
        if partial {
            base.introduce(id, &node);
        }
        if news {
            exchange.hurry(base);
        } else if wants {
            exchange.expect_wanted(base, id);
        }
        if much {
            exchange.wanted_until = Some(base.cx.now + base.patience(id, 3));
        }
    }

    /// Whether the tables are the same, and the asker's own record in them: then a whole request
    /// would have brought nothing. Otherwise that one is to follow (R45).
    fn answer_brief(&mut self, id: LinkId, node: NodeId, request: RequestId, state: u64) {
        let base = &mut self.base;
        let mut response = Response::to(request);
        let asker = base.table.lookup(&node);
        let ours = asker
            .filter(|e| !base.lacks_signature(*e))
            .map(|e| base.state_with(e.sequence(), rng::body_check(e.body())));
        response.same = ours == Some(state);
        if response.same {
            base.set_in_sync(node);
        } else {
            response.count = base.table.len() as u32;
            response.strata = base.strata_to_tell();
        }
        self.respond(id, response);
    }

    fn compose_answer(
        &mut self,
        id: LinkId,
        node: NodeId,
        request: &Request,
        forwarded: bool,
    ) -> Response {
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        let mut response = Response::to(request.id);
        response.partial = base.table.is_crowded();
        response.count = base.table.len() as u32;
        // Whoever is asking others may hear from them what this one has, too: but not of the little by
        // which tables differ that are sketched. [Star of 100 at 10 % loss: who lacked one record was told so
        // five times within three seconds, asked others, and their answers were lost.]
        let expects = exchange
            .wanted_until
            .is_some_and(|until| until > base.cx.now);
        let asks_alone = exchange.round.is_idle() || matches!(request.shows, Shows::Sketch(_));
        // Where there are several upstreams, the same comes from more sides.
        let few = base.table.len() <= WANTS_BELOW && !base.upstreams.are_several();
        let wants = (asks_alone && !expects) || few;
        let has = base.tell_differences(request, &node, wants, &mut response);
        if !response.cut && request.shows != Shows::Partial {
            response.later = exchange.tell_later(base, (id, request.id), has, forwarded);
        }
        let (own, check) = shown_of_its_own(request, &node);
        response.refusals = base.refusals_about(&node, own, check);
        response.renewed = base.renewed_page(&request.overdue);
        response
    }

    /// There is no room for this link: a few records, and goodbye (R22).
    fn answer_and_close(&mut self, id: LinkId, node: NodeId, request: &Request) {
        let base = &mut self.base;
        let mut response = Response::to(request.id);
        response.count = base.table.len() as u32;
        response.records = base.sample(caps::FULL_ANSWER, &node);
        if request.state.is_none() {
            let (own, check) = shown_of_its_own(request, &node);
            response.refusals = base.refusals_about(&node, own, check);
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
        let records = sample + (response.renewed.len() + response.records.len()) as u64;
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

/// What the asker shows of its own record: that itself, or its sequence and a check of its body.
fn shown_of_its_own(request: &Request, node: &NodeId) -> (Sequence, u16) {
    let mut records = request.records.iter();
    let own = records.find(|record| record.node == *node);
    own.map_or(request.own, |r| (r.sequence, rng::body_check(r.body)))
}
