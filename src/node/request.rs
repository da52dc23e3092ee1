//! One request: what it says, how long it waits, and how it ends (R14).

use core::time::Duration;

use bytes::Bytes;

use crate::effect::{CloseReason, Event};
use crate::id::{LinkId, NodeId, RequestId};
use crate::node::Node;
use crate::node::ask::{Ended, SKETCHED};
use crate::node::links::Class;
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
    /// The other end's request that crossed this one, and had to give way.
    crossed: Option<RequestId>,
}

impl Asking {
    /// Whether the other end's request, which crosses this one, gives way to it. Once: if another
    /// comes, this one has not arrived.
    pub(super) fn goes_before(&mut self, other: RequestId) -> bool {
        *self.crossed.get_or_insert(other) == other
    }
}

/// The least time after which a node turns to another partner.
const PATIENCE: Duration = Duration::from_millis(20);
/// The round-trip time that is assumed until one is measured.
const FIRST_RTT: Duration = Duration::from_millis(100);
/// A link is given up after so many unanswered requests in a row, over at least the time-out.
const TIMEOUTS: u8 = 5;

impl Node {
    /// Sends a request; `walk` if it is a forwarded one.
    pub(super) fn start_exchange(
        &mut self,
        link: LinkId,
        walk: Option<(RequestId, u8, Walk)>,
    ) -> bool {
        let request = match walk {
            Some((id, hop_limit, walk)) => self.request(link, id, hop_limit, Some(walk)),
            None => {
                let id = RequestId(self.cx.request_ids.next_u64());
                self.request(link, id, self.cx.config.hop_limit, None)
            }
        };
        let Some(request) = request else { return false };
        let (id, version) = (request.id, request.head.version);
        if !self.send(link, Message::Request(request), Class::Ask) {
            return false;
        }
        self.cx.stats.requests_sent += 1;
        let (now, deadline) = (self.cx.now, self.cx.now + self.patience(link, 4));
        self.cx.timers.set_request(link, deadline);
        if let Some(link) = self.links.get_mut(link) {
            link.asking = Some(Asking {
                id,
                sent_at: now,
                deadline,
                version,
                crossed: None,
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
            strata: self.strata(&l.node),
            plain: self.ask.untold > 1,
        })
    }

    /// Beside the head, while much may be new, or to an upstream that has not been heard; without it
    /// an answer assumes that little is.
    fn strata(&self, node: &NodeId) -> Bytes {
        let fast = self.ask.interval() <= self.cx.config.round;
        let hot = fast || self.ask.untold > 0 || !self.dialer.has_completed(node);
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
            partial: self.table.is_crowded(),
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
        (base * doubled).min(self.cx.config.request_timeout)
    }

    /// Takes the request off its link if this is its answer.
    pub(super) fn take_asking(&mut self, link: LinkId, id: RequestId) -> Option<Asking> {
        let l = self.links.get_mut(link)?;
        let asking = l.asking.take_if(|a| a.id == id)?;
        l.finish(id);
        let rtt = self.cx.now.saturating_since(asking.sent_at);
        l.measured(rtt);
        self.partners.measured(rtt);
        self.cx.timers.clear_request(link, asking.deadline);
        Some(asking)
    }

    /// No answer in time: the node turns to others, and gives the link up when nothing comes for
    /// long. An answer that comes yet is merged (R14).
    pub(super) fn on_request_timeout(&mut self, id: LinkId) {
        let (now, limit) = (self.cx.now, self.cx.config.request_timeout);
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
        self.cx.stats.timeouts += 1;
        if link.timeouts >= TIMEOUTS && now.saturating_since(since) >= limit {
            self.table.set_reachable(&node, false);
            let retry_in = self.cx.config.backoff_base;
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
            self.cx.timers.clear_request(id, asking.deadline);
        }
    }
}
