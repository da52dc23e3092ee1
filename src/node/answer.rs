//! Answering, at once and from the table (R9, R15, R18).

use alloc::collections::BTreeSet;
use core::net::SocketAddr;
use core::time::Duration;

use crate::effect::{CloseReason, Event};
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::limits::gate::Cost;
use crate::node::Node;
use crate::node::ask::{Ended, FEW, SKETCHED};
use crate::node::links::Class;
use crate::node::merge::Source;
use crate::node::request::Asking;
use crate::record::Sequence;
use crate::rng;
use crate::sketch::{self, Plan, Strata};
use crate::table::Slot;
use crate::wire::{
    Content, Cursor, Cut, Delta, GoodbyeReason, Head, Message, Records, RefusalsBuilder,
    RenewalsBuilder, Request, Response,
};

/// Room for everything in a message but its page.
pub(super) const PAGE_BYTES: usize = caps::MESSAGE_BYTES - 8 * 1024;
/// An asker with less than a sixteenth of what there is gets records, not their short IDs.
const KNOWS_LITTLE: usize = 16;
/// The least that an asker is told to wait.
const LEAST_WAIT: Duration = Duration::from_millis(500);

impl Node {
    pub(super) fn on_request(&mut self, id: LinkId, request: Request, len: usize) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let (node, remote) = (link.node, link.remote);
        if request
            .walk
            .as_ref()
            .is_some_and(|w| w.path.last() != Some(&node))
        {
            self.blame(id, PeerFault::PathNotItsOwn);
            return;
        }
        let crossed = !request.is_fetch() && link.asking.is_some();
        let first = |a: &mut Asking| self.cx.id < node && a.goes_before(request.id);
        if crossed && link.asking.as_mut().is_some_and(first) {
            self.cx.stats.requests_crossed += 1;
            return;
        }
        if link.told_to_wait.is_some_and(|until| self.cx.now < until) {
            self.blame(id, PeerFault::IgnoredRetryAfter);
            return;
        }
        if let Some(wait) = self.conducts.held(self.cx.now, &node) {
            // A new link: it is told again, without records.
            self.answer_busy(id, node, &request, wait, Records::default());
            return;
        }
        if let Err(wait) = self.gate.admit(self.cx.now, node, remote) {
            let sample = self.sample(caps::BUSY_SAMPLE, &node);
            self.answer_busy(id, node, &request, wait, sample);
            return;
        }
        self.charge_taken(node, remote, request.push.as_ref(), len);
        let was_asking = crossed && self.ask.is_on(id);
        if crossed {
            self.yield_exchange(id);
        }
        self.cx.stats.requests_answered += 1;
        if request.is_fetch() {
            self.answer_fetch(id, &request);
        } else {
            self.answer_pull(id, node, request);
        }
        if was_asking {
            self.exchange_answered(id, Ended::NoNews, false);
        }
    }

    /// Charges what has come in: bytes, and records pushed.
    pub(super) fn charge_taken(
        &mut self,
        node: NodeId,
        remote: Option<SocketAddr>,
        delta: Option<&Delta>,
        len: usize,
    ) {
        let cost = Cost {
            messages: 0,
            records: records_in(delta),
            bytes: len as u64,
        };
        self.gate.charge(self.cx.now, node, remote, cost);
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
        self.cx.stats.requests_throttled += 1;
        let retry_after = self.cx.choices.jitter(wait.max(LEAST_WAIT) * 2, 50);
        let mut response = empty_response(request, self.head());
        response.busy = Some((retry_after, sample));
        self.respond(id, response);
        // Half of it, for what is on its way.
        let until = self.cx.now + retry_after / 2;
        self.conducts.hold(self.cx.now, node, until);
        if let Some(link) = self.links.get_mut(id) {
            link.told_to_wait = Some(until);
        }
        let (now, interval) = (self.cx.now, self.cx.config.report_interval);
        let partner = self.partners.entry(node, now);
        if partner.throttled_until <= now {
            partner.throttled_until = now + interval;
            self.event(Event::Throttled { node, retry_after });
        }
    }

    fn answer_fetch(&mut self, id: LinkId, request: &Request) {
        let mut slots = request
            .want
            .as_ref()
            .map(|w| self.table.wanted(w))
            .unwrap_or_default();
        slots.extend(self.table.by_prefix(&request.fetch));
        let (records, _) = self.table.page(self.cx.now, &slots, None, PAGE_BYTES);
        let mut response = empty_response(request, Head::default());
        response.delta = Some(Delta::unlogged(records));
        self.respond(id, response);
    }

    fn answer_pull(&mut self, id: LinkId, node: NodeId, mut request: Request) {
        let before = self.table.version();
        let push = request.push.take();
        let (report, _) = push
            .map(|delta| self.take_delta(id, delta, Source::Push, false))
            .unwrap_or_default();
        let news = report.news;
        self.send_refusals(id, report);
        let Some(link) = self.links.get(id) else {
            return;
        };
        let (epoch, surplus) = (link.epoch, link.surplus);
        let ours = self.head();
        let partial = request.head.partial || ours.partial;
        let same = request.head.fingerprint == ours.fingerprint && request.head.count == ours.count;
        let mut response = empty_response(&request, ours);
        if surplus {
            let records = self.sample(caps::FULL_ANSWER, &node);
            response.delta = Some(Delta::unlogged(records));
        } else if same {
            response.head = Head {
                count: 0,
                fingerprint: 0,
                ..ours
            };
            if let Some(epoch) = epoch {
                self.advance_cursor(
                    id,
                    Cursor {
                        epoch,
                        version: request.head.version,
                    },
                );
            }
        } else {
            response.delta = Some(self.delta_for(&node, &request, before));
            response.cursor = self.partners.cursor(&node, epoch);
        }
        response.refusals = self.refusals_about(&node, request.own, request.own_check);
        response.renewals = self.renewals_of(&request.overdue);
        let all = |d: &Delta| d.to == ours.version && matches!(d.content, Content::Records(_));
        if response.delta.as_ref().is_none_or(all) {
            self.set_even(node);
        }
        self.respond(id, response);
        if surplus {
            self.goodbye(id, GoodbyeReason::Full, CloseReason::Full);
            return;
        }
        self.consider_forwarding(id, &request);
        if news > 0 {
            self.hurry();
        } else if !same && !partial && request.head.count > ours.count {
            self.expect_news(id);
        }
    }

    /// What the asker lacks, as far as its cursor tells. `before`: the version of the log before
    /// what came with the request.
    fn delta_for(&mut self, node: &NodeId, request: &Request, before: u64) -> Delta {
        let epoch = self.cx.epoch;
        let good = |c: &Cursor| c.epoch == epoch && c.version <= self.table.version();
        let cursor = request.cursor.filter(good).map(|c| c.version);
        let Some(from) = cursor else {
            return self.set_or_changes(0, request, node);
        };
        let current = from >= before;
        let into = self.partners.get(node).and_then(|p| p.cursor);
        let in_step = current && into.is_some_and(|c| c.version >= request.head.version);
        if in_step && !request.head.partial && !self.table.is_crowded() {
            // Both cursors are current and yet the sets differ: a push was lost (R15).
            return self.set_or_changes(0, request, node);
        }
        self.set_or_changes(from, request, node)
    }

    /// A sketch of the table where that is shorter than its changes after `from`, which it covers.
    fn set_or_changes(&mut self, from: u64, request: &Request, node: &NodeId) -> Delta {
        let theirs = &request.head;
        let takes = |l: &crate::node::link::Link| l.sketches;
        let link = self.links.of(node).and_then(|l| self.links.get(l));
        let ours = self.table.len();
        let small = (theirs.count as usize) < SKETCHED;
        let partial = theirs.partial || self.table.is_crowded();
        let plain = request.plain || small || partial || !link.is_some_and(takes);
        if plain || knows_little(theirs, ours) {
            return self.changes(from, theirs, node);
        }
        let counted = ours.abs_diff(theirs.count as usize);
        let estimated = match Strata::from_bytes(&request.strata) {
            Some(strata) => strata.differences(self.table.strata()),
            // In quiet times little differs.
            None => Some(counted + FEW),
        };
        let plan = estimated.map(|n| Plan::of(n.max(counted)));
        let width = self.table.short_width(theirs.count);
        let announced = self.table.count_since(from, ours) * width;
        match plan {
            Some(plan) if plan.byte_len() * 4 < announced * 3 && plan.parts <= sketch::PARTS => {
                let salt = self.cx.salts.next_u64() as u32;
                Delta {
                    from: 0,
                    to: self.table.version(),
                    content: Content::Sketch(self.table.sketch(salt, plan)),
                }
            }
            _ => self.changes(from, theirs, node),
        }
    }

    /// The changes after `from`: as records where they are few or the other end knows little,
    /// otherwise announced; to a full table, a sample.
    pub(super) fn changes(&mut self, from: u64, theirs: &Head, node: &NodeId) -> Delta {
        let sampled = theirs.partial && self.takes_names(node);
        let listed = if sampled {
            self.table.sample_since(from, &mut self.cx.choices)
        } else {
            self.table.since(from)
        };
        let n = listed.slots.len();
        if n <= FEW || (!sampled && knows_little(theirs, n)) {
            let (records, to) = self
                .table
                .page_to(self.cx.now, &listed, Some(node), PAGE_BYTES);
            return Delta {
                from,
                to,
                content: Content::Records(records),
            };
        }
        if sampled {
            return Delta {
                from,
                to: listed.to,
                content: Content::Nodes(self.table.nodes(&listed.slots)),
            };
        }
        let width = self.table.short_width(theirs.count);
        let most = PAGE_BYTES / width;
        let slots = &listed.slots[..n.min(most)];
        let next = listed
            .slots
            .get(most)
            .and_then(|slot| self.table.get(*slot));
        let to = next.map_or(listed.to, |entry| entry.stamp - 1);
        let salt = self.cx.salts.next_u64() as u32;
        let ids = self.table.announce(slots, Cut::plain(salt, width));
        Delta {
            from,
            to,
            content: Content::Announced(ids),
        }
    }

    /// Whether this node is linked and takes nodes in a delta.
    pub(super) fn takes_names(&self, node: &NodeId) -> bool {
        let link = self.links.of(node).and_then(|l| self.links.get(l));
        link.is_some_and(|l| l.names)
    }

    /// A random few, the reachable first.
    fn sample(&mut self, most: usize, except: &NodeId) -> Records {
        let mut slots: BTreeSet<Slot> = BTreeSet::new();
        for reachable in [true, false] {
            for _ in 0..2 * most {
                if slots.len() >= most {
                    break;
                }
                slots.extend(self.table.random(&mut self.cx.choices, |_, e| {
                    !e.is_tombstone() && e.node != *except && (e.reachable || !reachable)
                }));
            }
        }
        let slots: alloc::vec::Vec<_> = slots.into_iter().collect();
        self.table.page(self.cx.now, &slots, None, PAGE_BYTES).0
    }

    /// What this node knows of the asker that is above what the asker showed (R5).
    fn refusals_about(&self, node: &NodeId, shown: Sequence, check: u16) -> crate::wire::Refusals {
        let mut about = RefusalsBuilder::default();
        if let Some(entry) = self.table.lookup(node) {
            let other = entry.sequence() == shown && rng::body_check(entry.body()) != check;
            if entry.sequence() > shown || other {
                about.push(node, entry.sequence());
            }
        } else if let Some(dead) = self.table.certificate(node).filter(|dead| *dead >= shown) {
            about.push(node, dead);
        }
        about.finish()
    }

    fn renewals_of(&self, prefixes: &[u8]) -> crate::wire::Renewals {
        let mut batch = RenewalsBuilder::default();
        if !prefixes.is_empty() {
            let slots = self.table.by_prefix(prefixes);
            let entries = slots
                .iter()
                .take(caps::BATCH)
                .filter_map(|slot| self.table.get(*slot));
            entries
                .filter_map(|e| e.to_renewal(self.cx.now))
                .for_each(|r| batch.push(r));
        }
        batch.finish()
    }

    fn respond(&mut self, id: LinkId, response: Response) {
        let Some((node, remote)) = self.links.get(id).map(|l| (l.node, l.remote)) else {
            return;
        };
        let before = self.cx.stats.bytes_sent;
        let sample = response.busy.as_ref().map_or(0, |(_, s)| s.len() as u64);
        let records = sample + records_in(response.delta.as_ref());
        // The request of a busy answer was not admitted, and so not charged.
        let messages = u64::from(response.busy.is_some());
        self.send(id, Message::Response(response), Class::Answer);
        let bytes = self.cx.stats.bytes_sent - before;
        self.gate.charge(
            self.cx.now,
            node,
            remote,
            Cost {
                messages,
                records,
                bytes,
            },
        );
    }
}

fn records_in(delta: Option<&Delta>) -> u64 {
    match delta.map(|d| &d.content) {
        Some(Content::Records(records)) => records.len() as u64,
        _ => 0,
    }
}

/// Whether a node lacks nearly all of so many records.
fn knows_little(theirs: &Head, n: usize) -> bool {
    theirs.count as usize * KNOWS_LITTLE <= n
}

fn empty_response(request: &Request, head: Head) -> Response {
    Response {
        id: request.id,
        head,
        cursor: None,
        delta: None,
        renewals: Default::default(),
        refusals: Default::default(),
        busy: None,
    }
}
