//! Fetching what was announced (R27).
//!
//! A fetch that is not answered in two round trips and a margin gives way to the next announcer.

use alloc::vec::Vec;

use crate::contract;
use crate::id::LinkId;
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::node::state::fetches::{Enqueued, Offer, Wanted};
use crate::node::state::pace::Outcome;
use crate::wire::{Request, ShortIds};

/// Bytes of wanted IDs in one request.
const WANT_BYTES: usize = contract::MESSAGE_BYTES / 2;

/// Offers.
impl Exchange {
    /// Takes an announcement; `first`: the one that answers the node's own round. Whether it will
    /// be fetched.
    pub(crate) fn offer(&mut self, base: &mut Base, offer: Offer, first: bool) -> bool {
        let enqueued = if first {
            self.fetches.enqueue_first(offer)
        } else {
            self.fetches.enqueue(offer)
        };
        match enqueued {
            Enqueued::Queued => true,
            Enqueued::Replaced(last) => {
                // A round may wait for it.
                self.fetch_failed(base, last);
                true
            }
            Enqueued::NoRoom => {
                base.cx.stats.pushes_skipped += 1;
                false
            }
        }
    }
}

/// Fetches.
impl Exchange {
    /// Begins the next fetch, if none is under way. Called when an input has been taken in whole,
    /// so that whoever offered knows that a fetch follows before it may be over.
    pub(crate) fn pump(&mut self, base: &mut Base) {
        while let Some(offer) = self.fetches.next() {
            self.fetch(base, offer);
        }
    }

    /// Fetches what is missing of an offer; with nothing missing, it is done. When that is not less
    /// than before its last page, its announcer does not send what it has announced, and the next
    /// one's turn comes.
    fn fetch(&mut self, base: &mut Base, mut offer: Offer) {
        let id = base.cx.next_request_id();
        let mut request = base.fetch_request(id);
        let missing = name_missing(base, &offer.wanted, &mut request);
        if missing == 0 {
            self.fetched(base, offer);
            return;
        }
        let link = offer.link;
        let stuck = missing >= offer.missing_before;
        if stuck || !may_ask(base, link) || !base.send_fetch(link, request) {
            self.fetch_failed(base, offer);
            return;
        }
        offer.missing_before = missing;
        self.fetches.begin(id, offer);
    }

    /// Everything announced is here, or its announcer has it no more.
    pub(crate) fn fetched(&mut self, base: &mut Base, mut offer: Offer) {
        let (link, news) = (offer.link, offer.news);
        if let Some(half) = offer.push_half.take() {
            base.send_push_half(link, half);
        }
        if let Some(cursor) = offer.cursor {
            base.advance_cursor(link, cursor);
        }
        // A sketch of more than it was made for names what nobody has: an exchange in vain is none.
        if news || offer.cursor.is_some() {
            base.pace.answer_told();
            self.completed(base, link, news);
            if let Some(node) = base.links.node(link) {
                base.set_in_sync(node);
            }
        } else if matches!(offer.wanted, Wanted::Announced(_)) {
            base.cx.stats.sketches_untold += 1;
            base.pace.sketch_untold();
        }
        self.fetch_ended(base, link, Outcome::of(news));
    }

    pub(crate) fn fetch_failed(&mut self, base: &mut Base, mut offer: Offer) {
        if let Some(half) = offer.push_half.take() {
            base.send_push_half(offer.link, half);
        }
        let outcome = if offer.news {
            Outcome::News
        } else {
            Outcome::Failed
        };
        self.fetch_ended(base, offer.link, outcome);
    }

    pub(crate) fn on_fetch_timeout(&mut self, base: &mut Base) {
        if let Some((id, offer)) = self.fetches.timed_out() {
            base.cx.stats.timeouts += 1;
            if let Some(link) = base.links.get_mut(offer.link) {
                link.finish(id);
            }
            self.fetch_missed(base);
            self.fetch_failed(base, offer);
        }
        self.pump(base);
    }
}

/// Names in a request what is missing of an offer, as much as fits, and says how much is missing.
fn name_missing(base: &Base, wanted: &Wanted, request: &mut Request) -> usize {
    match wanted {
        Wanted::Announced(ids) => {
            let missing = base.table.missing(ids);
            let most = WANT_BYTES / ids.width();
            let some = missing.iter().copied().take(most);
            request.want = Some(ShortIds::of(ids.scheme(), some));
            missing.len()
        }
        Wanted::Named(nodes) => {
            let wanted = base.table.wanted_of(nodes);
            let bytes: Vec<_> = wanted.iter().flat_map(|p| p.0).collect();
            request.fetch = bytes.into();
            wanted.len()
        }
    }
}

/// Its node has not asked to be left alone (R18).
fn may_ask(base: &Base, link: LinkId) -> bool {
    let node = base.links.node(link);
    node.is_some_and(|node| base.peers.is_ready(&node, base.cx.now))
}
