//! Fetching what was announced: each missing record from one partner at a time (R27).
//!
//! Announcements wait in a short queue. One fetch is under way, and before the next begins, what
//! is missing is computed anew against the table: what two partners have announced is fetched once.
//! A fetch that is not answered in two round trips and a margin gives way to the next announcer.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::{LinkId, NodeId, Prefix, RequestId};
use crate::limits::caps;
use crate::node::answer::PAGE_BYTES;
use crate::node::ask::Ended;
use crate::node::back::Back;
use crate::node::links::Class;
use crate::node::merge::Source;
use crate::node::{Node, Timer};
use crate::wire::{Cursor, Message, Nodes, Records, Request, Response, ShortIds};

pub(super) enum Wanted {
    Announced(ShortIds),
    Named(Nodes),
    /// By the first four bytes of the node ID.
    Prefixes(Bytes),
}

impl Wanted {
    fn byte_len(&self) -> usize {
        match self {
            Self::Announced(ids) => ids.byte_len(),
            Self::Named(nodes) => nodes.byte_len(),
            Self::Prefixes(bytes) => bytes.len(),
        }
    }
}

pub(super) struct Offer {
    link: LinkId,
    wanted: Wanted,
    /// Where the cursor goes once everything is here.
    cursor: Option<Cursor>,
    news: bool,
    /// Short IDs that were missing when its last page was asked for.
    before: usize,
    /// This node's half of the exchange, when it goes out afterwards.
    back: Option<Back>,
}

struct Fetching {
    id: RequestId,
    offer: Offer,
}

#[derive(Default)]
pub(super) struct Fetcher {
    queue: VecDeque<Offer>,
    current: Option<Fetching>,
}

impl Fetcher {
    fn queued_bytes(&self) -> usize {
        self.queue.iter().map(|o| o.wanted.byte_len()).sum()
    }

    /// With the offer that has just come first: the other half of its exchange.
    pub(super) fn send_afterwards(&mut self, back: Back) {
        if let Some(offer) = self.queue.front_mut() {
            offer.back = Some(back);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    fn queued_by(&self, link: LinkId) -> usize {
        self.queue.iter().filter(|o| o.link == link).count()
    }

    /// Whether something is fetched, or waits to be, over this link.
    pub(super) fn is_on(&self, link: LinkId) -> bool {
        let current = self.current.iter().map(|f| f.offer.link);
        current
            .chain(self.queue.iter().map(|o| o.link))
            .any(|l| l == link)
    }
}

/// Bytes of wanted IDs in one request.
const WANT_BYTES: usize = caps::MESSAGE_BYTES / 2;
/// A page is cut off by the cap of messages only if it is at least so long: after a shorter one the
/// announcer has no more. One record a round trip would hold the lane for as long as it likes.
const FULL_PAGE: usize = PAGE_BYTES / 8;
/// Announcements of one link that wait.
const OFFERS_EACH: usize = caps::OFFERS / 2;

impl Node {
    /// Takes an announcement. The one that answers the node's own round comes first.
    pub(super) fn offer(
        &mut self,
        link: LinkId,
        wanted: Wanted,
        cursor: Option<Cursor>,
        news: bool,
        first: bool,
    ) -> bool {
        self.enqueue(
            Offer {
                link,
                wanted,
                cursor,
                news,
                before: usize::MAX,
                back: None,
            },
            first,
        )
    }

    /// Asks for records by prefix: renewals of which the record is not here (R26).
    pub(super) fn offer_prefixes(&mut self, link: LinkId, prefixes: &[Prefix]) {
        let mut bytes = Vec::new();
        prefixes
            .iter()
            .take(caps::BATCH)
            .for_each(|p| bytes.extend_from_slice(&p.0));
        if !bytes.is_empty() {
            let wanted = Wanted::Prefixes(bytes.into());
            self.enqueue(
                Offer {
                    link,
                    wanted,
                    cursor: None,
                    news: false,
                    before: usize::MAX,
                    back: None,
                },
                false,
            );
        }
    }

    fn enqueue(&mut self, offer: Offer, first: bool) -> bool {
        let bytes = self.fetcher.queued_bytes() + offer.wanted.byte_len();
        let greedy = self.fetcher.queued_by(offer.link) >= OFFERS_EACH;
        let full = self.fetcher.queue.len() >= caps::OFFERS || bytes > caps::OFFER_BYTES;
        if (full || greedy) && !first {
            // The announcer is asked or asks again; its cursor has not moved.
            self.cx.stats.pushes_skipped += 1;
            return false;
        }
        if first {
            let dropped = if full {
                self.fetcher.queue.pop_back()
            } else {
                None
            };
            self.fetcher.queue.push_front(offer);
            if let Some(mut dropped) = dropped {
                // A round may wait for it.
                self.fetch_failed(&mut dropped);
            }
        } else {
            self.fetcher.queue.push_back(offer);
        }
        true
    }

    /// Begins the next fetch, if none is under way. Called when an input has been taken in whole,
    /// so that whoever offered knows that a fetch follows before it may be over.
    pub(super) fn pump(&mut self) {
        while self.fetcher.current.is_none() {
            let Some(offer) = self.fetcher.queue.pop_front() else {
                return;
            };
            self.fetch(offer);
        }
    }

    /// Fetches what is missing of an offer; with nothing missing, it is done. When that is not less
    /// than before its last page, its announcer does not send what it has announced, and the next
    /// one's turn comes.
    fn fetch(&mut self, mut offer: Offer) {
        let id = RequestId(self.cx.request_ids.next_u64());
        let mut request = self.fetch_request(id);
        let missing = match &offer.wanted {
            Wanted::Announced(ids) => {
                let missing = self.table.missing(ids);
                let most = WANT_BYTES / ids.width();
                let some = missing.iter().copied().take(most);
                request.want = Some(ShortIds::of(ids.cut(), some));
                missing.len()
            }
            Wanted::Named(nodes) => {
                let wanted = self.table.wanted_of(nodes);
                let bytes: Vec<_> = wanted.iter().flat_map(|p| p.0).collect();
                request.fetch = bytes.into();
                wanted.len()
            }
            Wanted::Prefixes(prefixes) => {
                request.fetch = prefixes.clone();
                prefixes.len() / Prefix::LEN
            }
        };
        if missing == 0 {
            self.fetched(offer);
            return;
        }
        let link = offer.link;
        if missing >= offer.before || !self.may_ask(link) {
            self.fetch_failed(&mut offer);
            return;
        }
        if !self.send(link, Message::Request(request), Class::Ask) {
            self.fetch_failed(&mut offer);
            return;
        }
        self.cx.stats.fetches_sent += 1;
        self.cx
            .timers
            .set(Timer::Fetch, self.cx.now + self.patience(link, 2));
        offer.before = missing;
        self.fetcher.current = Some(Fetching { id, offer });
    }

    /// Its node has not asked to be left alone (R18).
    fn may_ask(&self, link: LinkId) -> bool {
        let link = self.links.get(link);
        link.is_some_and(|l| self.partners.is_ready(&l.node, self.cx.now))
    }

    fn fetch_request(&self, id: RequestId) -> Request {
        Request {
            id,
            hop_limit: 0,
            walk: None,
            head: Default::default(),
            cursor: None,
            own: self.own.sequence(),
            own_check: self.own.check(),
            push: None,
            want: None,
            fetch: Bytes::new(),
            overdue: Bytes::new(),
            strata: Bytes::new(),
            plain: false,
        }
    }

    /// Whether this response answers the fetch under way; then it is taken.
    pub(super) fn take_fetched(&mut self, link: LinkId, response: &Response) -> bool {
        let is_it = |f: &mut Fetching| f.offer.link == link && f.id == response.id;
        let Some(mut fetching) = self.fetcher.current.take_if(is_it) else {
            return false;
        };
        self.cx.timers.clear(Timer::Fetch);
        if let Some(l) = self.links.get_mut(link) {
            l.finish(fetching.id);
            l.heard();
        }
        self.take_refusals(&response.refusals);
        if let Some((wait, _)) = &response.busy {
            if let Some(node) = self.links.get(link).map(|l| l.node) {
                self.defer(node, *wait);
            }
            self.fetch_failed(&mut fetching.offer);
            self.pump();
            return true;
        }
        let (mut got, mut bytes) = (0, 0);
        if let Some(records) = response.delta.as_ref().and_then(records_of) {
            got = records.len();
            bytes = records.iter().map(|r| NodeId::LEN + r.body.len()).sum();
            let report = self.merge_records(link, records, Source::Pull);
            fetching.offer.news |= report.news > 0;
        }
        let more = bytes >= FULL_PAGE && got < fetching.offer.before;
        if more && !matches!(fetching.offer.wanted, Wanted::Prefixes(_)) {
            // Page by page, in turns: a slow announcer holds up nobody.
            self.fetcher.queue.push_back(fetching.offer);
        } else {
            self.fetched(fetching.offer);
        }
        self.pump();
        true
    }

    /// Everything announced is here, or its announcer has it no more.
    fn fetched(&mut self, mut offer: Offer) {
        if let Some(back) = offer.back.take() {
            self.send_back(offer.link, back);
        }
        if let Some(cursor) = offer.cursor {
            self.advance_cursor(offer.link, cursor);
        }
        let ended = if offer.news {
            Ended::News
        } else {
            Ended::NoNews
        };
        // A sketch of more than it was made for names what nobody has: an exchange in vain is none.
        if offer.news || offer.cursor.is_some() {
            self.ask.untold = 0;
            self.exchange_over(offer.link, offer.news);
            if let Some(node) = self.links.get(offer.link).map(|l| l.node) {
                self.set_even(node);
            }
        } else if matches!(offer.wanted, Wanted::Announced(_)) {
            self.cx.stats.sketches_untold += 1;
            self.ask.untold = self.ask.untold.saturating_add(1);
        }
        self.fetch_ended(offer.link, ended);
    }

    fn fetch_failed(&mut self, offer: &mut Offer) {
        if let Some(back) = offer.back.take() {
            self.send_back(offer.link, back);
        }
        self.fetch_ended(
            offer.link,
            if offer.news {
                Ended::News
            } else {
                Ended::Failed
            },
        );
    }

    pub(super) fn on_fetch_timeout(&mut self) {
        if let Some(mut fetching) = self.fetcher.current.take() {
            self.cx.stats.timeouts += 1;
            if let Some(link) = self.links.get_mut(fetching.offer.link) {
                link.finish(fetching.id);
            }
            self.missed();
            self.fetch_failed(&mut fetching.offer);
        }
        self.pump();
    }

    /// What was to be fetched over this link will not come.
    pub(super) fn fetch_link_gone(&mut self, link: LinkId) {
        self.fetcher.queue.retain(|offer| offer.link != link);
        if self
            .fetcher
            .current
            .as_ref()
            .is_some_and(|f| f.offer.link == link)
        {
            self.fetcher.current = None;
            self.cx.timers.clear(Timer::Fetch);
            self.pump();
        }
    }
}

fn records_of(delta: &crate::wire::Delta) -> Option<&Records> {
    match &delta.content {
        crate::wire::Content::Records(records) => Some(records),
        _ => None,
    }
}
