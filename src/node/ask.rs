//! When to ask, and what becomes of it (R14, R16).

use core::time::Duration;

use bytes::Bytes;

use crate::effect::{CloseReason, Event};
use crate::id::{DialId, LinkId, NodeId, RequestId};
use crate::limits::bucket::{Bucket, Rate};
use crate::node::links::Class;
use crate::node::pick::Pick;
use crate::node::{Node, Timer};
use crate::table::Table;
use crate::time::Instant;
use crate::wire::{Head, Message, Request, Walk};

/// The request under way on a link (R14: one exchange, own and forwarded alike).
pub(super) struct Asking {
    pub(super) id: RequestId,
    pub(super) sent_at: Instant,
    /// When the node turns to others.
    pub(super) deadline: Instant,
    /// The version of the own log that it showed.
    pub(super) version: u64,
}

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
    /// The one to be asked in this round.
    newest: Option<NodeId>,
    /// Sketches in a row of which nothing could be told.
    pub(super) untold: u8,
    /// The table has been at rest, or comes from a snapshot: it may have old versions.
    pub(super) rested: bool,
}

/// Things are calm when the pace has come down to so many times the fast one.
const CALM: u32 = 8;
/// In a round, at most (R20).
const EXCHANGES: u8 = 2;
/// A round waits for its dial for so many times the fast pace, a second by default.
const DIAL_PATIENCE: u32 = 5;
/// The burst allowance comes back at one exchange in so long.
const BURST_REFILL: Duration = Duration::from_secs(5);
/// The least time after which a node turns to another partner.
const PATIENCE: Duration = Duration::from_millis(20);
/// The round-trip time that is assumed until one is measured.
const FIRST_RTT: Duration = Duration::from_millis(100);
/// A link is given up after so many unanswered requests in a row, over at least the time-out.
const TIMEOUTS: u8 = 5;
/// Pages of one table in one exchange: 90,000 records. A log that never ends must not keep the node
/// from its other partners.
const PAGES: u8 = 64;
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
            Stage::Idle => self.over || self.timers.is_set(Timer::Round),
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
        self.ask.interval = self.config.round;
        self.ask.news = true;
        if self.ask.stage != Stage::Idle {
            return;
        }
        let wait = if self.burst_has() {
            Duration::ZERO
        } else {
            self.choices.jitter(self.config.round, 50)
        };
        // Nothing before the jittered start (R19).
        self.timers.at_latest(Timer::Round, self.now + wait);
    }

    /// Several rounds have passed without news: this is no cold start.
    pub(super) fn is_calm(&self) -> bool {
        self.ask.interval >= self.config.round * CALM
    }

    fn burst_rate(&self) -> Rate {
        Rate::new(u64::from(self.config.burst), BURST_REFILL)
    }

    fn burst_has(&self) -> bool {
        self.config.burst > 0 && self.ask.burst.has(self.burst_rate(), self.now)
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
        self.next_exchange(Ended::NoNews);
    }

    fn next_exchange(&mut self, before: Ended) {
        self.ask.pages = 0;
        while self.ask.left > 0 {
            self.ask.left -= 1;
            match self.pick_partner() {
                Pick::Link(link) => {
                    if self.start_exchange(link, None) {
                        self.ask.stage = Stage::Asking(link);
                        return;
                    }
                }
                Pick::Dial(node) => {
                    if let Some(dial) = self.dial_peer(node) {
                        self.ask.stage = Stage::Dialing(dial);
                        let patience = self.config.round * DIAL_PATIENCE;
                        self.timers.set(Timer::Round, self.now + patience);
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
        let (fast, quiet) = (self.config.round, self.config.quiet_round);
        let mut wait = self.choices.jitter(self.ask.interval, 50);
        if self.ask.news {
            self.ask.interval = fast;
            let tokens = u64::from(EXCHANGES - self.ask.left);
            let rate = self.burst_rate();
            let burst =
                self.config.burst > 0 && self.ask.burst.take(rate, self.now, tokens).is_ok();
            wait = if burst {
                Duration::ZERO
            } else {
                self.choices.jitter(fast, 50)
            };
        } else if last == Ended::NoNews {
            self.ask.interval = (self.ask.interval * 2).min(quiet);
            self.ask.rested |= self.is_calm();
        }
        self.timers.set(Timer::Round, self.now + wait);
        if !self.is_rushing() {
            self.send_waiting_traces();
        }
        self.keep_successor();
    }

    /// The round's exchange is over.
    pub(super) fn finish_exchange(&mut self, ended: Ended) {
        self.ask.stage = Stage::Idle;
        self.ask.news |= ended == Ended::News;
        let fast = self.ask.interval <= self.config.round;
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
        self.timers.clear(Timer::Round);
        if !self.try_linked() {
            self.finish_exchange(Ended::Failed);
        }
    }

    /// The round's dial has led to this link.
    pub(super) fn ask_dialled(&mut self, dial: DialId, link: LinkId) {
        if self.ask.is_dialing(dial) {
            self.timers.clear(Timer::Round);
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

    /// Sends a request; `walk` if it is a forwarded one.
    pub(super) fn start_exchange(
        &mut self,
        link: LinkId,
        walk: Option<(RequestId, u8, Walk)>,
    ) -> bool {
        let request = match walk {
            Some((id, hop_limit, walk)) => self.request(link, id, hop_limit, Some(walk)),
            None => {
                let id = RequestId(self.request_ids.next_u64());
                self.request(link, id, self.config.hop_limit, None)
            }
        };
        let Some(request) = request else { return false };
        let (id, version) = (request.id, request.head.version);
        if !self.send(link, Message::Request(request), Class::Ask) {
            return false;
        }
        self.stats.requests_sent += 1;
        let (now, deadline) = (self.now, self.now + self.patience(link, 4));
        self.timers.set_request(link, deadline);
        if let Some(link) = self.links.get_mut(link) {
            link.asking = Some(Asking {
                id,
                sent_at: now,
                deadline,
                version,
            });
        }
        true
    }

    fn request(
        &self,
        link: LinkId,
        id: RequestId,
        hop_limit: u8,
        walk: Option<Walk>,
    ) -> Option<Request> {
        let l = self.links.get(link)?;
        if l.asking.is_some() {
            return None;
        }
        Some(Request {
            id,
            hop_limit,
            walk,
            head: self.head(),
            cursor: self.partners.cursor(&l.node, l.epoch),
            own: self.own.sequence(),
            own_check: self.own.check(),
            push: self.small_push(&l.node, l.epoch),
            want: None,
            fetch: Default::default(),
            overdue: self.overdue(),
            strata: self.strata(),
            plain: self.ask.untold > 1,
        })
    }

    /// Beside the head, while much may be new; without it an answer assumes that little is.
    fn strata(&self) -> Bytes {
        let hot = self.ask.interval <= self.config.round || self.ask.untold > 0;
        if hot && self.table.len() >= SKETCHED {
            self.table.strata().to_bytes().into()
        } else {
            Bytes::new()
        }
    }

    pub(super) fn head(&self) -> Head {
        Head {
            version: self.table.version(),
            count: self.table.len() as u32,
            fingerprint: self.table.fingerprint(),
            partial: self.table.is_full(),
        }
    }

    /// `trips` round trips on this link and a margin, doubled with every timeout in a row (R17).
    pub(super) fn patience(&self, link: LinkId, trips: u32) -> Duration {
        let link = self.links.get(link);
        let rtt = link
            .and_then(|l| l.srtt)
            .or(self.partners.srtt)
            .unwrap_or(FIRST_RTT);
        let doubled = 1 << link.map_or(0, |l| l.timeouts).min(10);
        let base = (rtt * trips + PATIENCE / 2).max(PATIENCE);
        (base * doubled).min(self.config.request_timeout)
    }

    /// Takes the request off its link if this is its answer.
    pub(super) fn take_asking(&mut self, link: LinkId, id: RequestId) -> Option<Asking> {
        let l = self.links.get_mut(link)?;
        let asking = l.asking.take_if(|a| a.id == id)?;
        l.finish(id);
        let rtt = self.now.saturating_since(asking.sent_at);
        l.measured(rtt);
        self.partners.measured(rtt);
        self.timers.clear_request(link, asking.deadline);
        Some(asking)
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

    /// No answer in time: the node turns to others, and gives the link up when nothing comes for
    /// long. An answer that comes yet is merged (R14).
    pub(super) fn on_request_timeout(&mut self, id: LinkId) {
        let (now, limit) = (self.now, self.config.request_timeout);
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let Some(asking) = link.asking.take() else {
            return;
        };
        link.finish(asking.id);
        link.timeouts = link.timeouts.saturating_add(1);
        let since = *link.silent_since.get_or_insert(asking.sent_at);
        let node = link.node;
        self.stats.timeouts += 1;
        if link.timeouts >= TIMEOUTS && now.saturating_since(since) >= limit {
            self.table.set_reachable(&node, false);
            let retry_in = self.config.backoff_base;
            self.event(Event::PeerUnreachable { node, retry_in });
            self.close(id, CloseReason::Unresponsive);
        } else {
            self.exchange_answered(id, Ended::Failed, false);
        }
    }

    /// Gives way to the other end's request, which crossed this one (R14).
    pub(super) fn yield_exchange(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        if let Some(asking) = link.asking.take() {
            link.finish(asking.id);
            self.timers.clear_request(id, asking.deadline);
        }
    }
}
