//! What was announced and is to be fetched: each missing record from one partner at a time (R27).
//!
//! Offers wait in a short queue, and one fetch is under way. Before the next begins, what is missing
//! is computed anew against the table: what two partners have announced is fetched once.

use alloc::collections::VecDeque;

use bytes::Bytes;

use crate::id::{LinkId, RequestId};
use crate::limits::caps;
use crate::table::Listed;
use crate::wire::{Cursor, Cut, Nodes, ShortIds};

/// What may be missing here.
pub(crate) enum Wanted {
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

/// This node's half of an exchange: what the answerer lacks, as far as its answer tells (R15).
pub(crate) struct PushHalf {
    pub(crate) listed: Listed,
    /// Where the answerer's cursor into this node's log stands.
    pub(crate) from: u64,
    /// Nothing is left out, so that the cursor may move.
    pub(crate) complete: bool,
    /// As the answer announces.
    pub(crate) cut: Option<Cut>,
    /// A sample, for a full table.
    pub(crate) sampled: bool,
    /// Records in the answerer's table.
    pub(crate) count: u32,
    pub(crate) salt: u32,
}

/// An announcement, and what follows once everything of it is here.
pub(crate) struct Offer {
    pub(crate) link: LinkId,
    pub(crate) wanted: Wanted,
    /// Where the cursor then goes.
    pub(crate) cursor: Option<Cursor>,
    /// It has brought news.
    pub(crate) news: bool,
    /// How much was missing when its last page was asked for.
    pub(crate) missing_before: usize,
    /// This node's half of the exchange, when it goes out afterwards.
    pub(crate) push_half: Option<PushHalf>,
}

impl Offer {
    pub(crate) fn new(link: LinkId, wanted: Wanted, cursor: Option<Cursor>) -> Self {
        Self {
            link,
            wanted,
            cursor,
            news: false,
            missing_before: usize::MAX,
            push_half: None,
        }
    }
}

/// What became of an offer.
pub(crate) enum Enqueued {
    Queued,
    /// In the place of this one, the last of the queue.
    Replaced(Offer),
    /// There is no room: the announcer is asked or asks again, since its cursor has not moved.
    NoRoom,
}

struct Current {
    id: RequestId,
    offer: Offer,
}

#[derive(Default)]
pub(crate) struct Fetches {
    queue: VecDeque<Offer>,
    current: Option<Current>,
}

/// Announcements of one link that wait.
const OFFERS_EACH: usize = caps::OFFERS / 2;

impl Fetches {
    /// Takes an offer, if there is room.
    pub(crate) fn enqueue(&mut self, offer: Offer) -> Enqueued {
        let greedy = self.queued_by(offer.link) >= OFFERS_EACH;
        if greedy || self.is_full_with(&offer) {
            return Enqueued::NoRoom;
        }
        self.queue.push_back(offer);
        Enqueued::Queued
    }

    /// Takes the offer that answers the node's own round: it always comes first.
    pub(crate) fn enqueue_first(&mut self, offer: Offer) -> Enqueued {
        let full = self.is_full_with(&offer);
        let replaced = if full { self.queue.pop_back() } else { None };
        self.queue.push_front(offer);
        replaced.map_or(Enqueued::Queued, Enqueued::Replaced)
    }

    fn is_full_with(&self, offer: &Offer) -> bool {
        let queued: usize = self.queue.iter().map(|o| o.wanted.byte_len()).sum();
        let bytes = queued + offer.wanted.byte_len();
        self.queue.len() >= caps::OFFERS || bytes > caps::OFFER_BYTES
    }

    fn queued_by(&self, link: LinkId) -> usize {
        self.queue.iter().filter(|o| o.link == link).count()
    }

    /// With the offer that has just come first: the other half of its exchange.
    pub(crate) fn push_afterwards(&mut self, half: PushHalf) {
        if let Some(offer) = self.queue.front_mut() {
            offer.push_half = Some(half);
        }
    }

    /// One page of it has come, and there is more: its turn comes again after the others'.
    pub(crate) fn take_turns(&mut self, offer: Offer) {
        self.queue.push_back(offer);
    }

    /// The next offer, if no fetch is under way.
    pub(crate) fn next(&mut self) -> Option<Offer> {
        if self.current.is_some() {
            return None;
        }
        self.queue.pop_front()
    }

    /// A request for some of this offer was sent.
    pub(crate) fn begin(&mut self, id: RequestId, offer: Offer) {
        self.current = Some(Current { id, offer });
    }

    /// Takes the offer of the fetch under way, if that is this request on this link.
    pub(crate) fn answered(&mut self, link: LinkId, id: RequestId) -> Option<Offer> {
        let is_it = |c: &mut Current| c.offer.link == link && c.id == id;
        self.current.take_if(is_it).map(|c| c.offer)
    }

    /// Takes the fetch under way: it was not answered in time.
    pub(crate) fn timed_out(&mut self) -> Option<(RequestId, Offer)> {
        self.current.take().map(|c| (c.id, c.offer))
    }

    /// What was to be fetched over this link will not come. Whether a fetch was under way on it.
    pub(crate) fn forget(&mut self, link: LinkId) -> bool {
        self.queue.retain(|offer| offer.link != link);
        self.current.take_if(|c| c.offer.link == link).is_some()
    }

    /// Whether something is fetched, or waits to be, over this link.
    pub(crate) fn is_on(&self, link: LinkId) -> bool {
        let current = self.current.iter().map(|c| c.offer.link);
        current
            .chain(self.queue.iter().map(|o| o.link))
            .any(|l| l == link)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
