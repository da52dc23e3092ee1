//! What was announced and is to be fetched: each missing record from one partner at a time (R27).
//!
//! Offers wait in a short queue, and one fetch is under way. Before the next begins, what is missing
//! is computed anew against the table: what two partners have announced is fetched once.

use alloc::collections::VecDeque;

use crate::id::{LinkId, RequestId};
use crate::limits::caps;
use crate::table::Listed;
use crate::wire::{Cursor, Nodes, ShortIdScheme, ShortIds};

/// What may be missing here.
pub(crate) enum Wanted {
    Announced(ShortIds),
    Named(Nodes),
}

impl Wanted {
    fn byte_len(&self) -> usize {
        match self {
            Self::Announced(ids) => ids.byte_len(),
            Self::Named(nodes) => nodes.byte_len(),
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
    pub(crate) scheme: Option<ShortIdScheme>,
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

    /// Whether this is the answer to the fetch under way.
    pub(crate) fn awaits(&self, link: LinkId, id: RequestId) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|c| c.offer.link == link && c.id == id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::node;
    use alloc::vec::Vec;

    /// An announcement over this link of so many bytes.
    fn offer_of(link: u64, bytes: usize) -> Offer {
        let ids = core::iter::repeat_n(1, bytes / 2);
        let wanted = Wanted::Announced(ShortIds::of(ShortIdScheme::plain(0, 2), ids));
        Offer::new(LinkId::new(link), wanted, None)
    }

    fn offer(link: u64) -> Offer {
        offer_of(link, 4)
    }

    fn is_queued(enqueued: &Enqueued) -> bool {
        matches!(enqueued, Enqueued::Queued)
    }

    fn is_refused(enqueued: &Enqueued) -> bool {
        matches!(enqueued, Enqueued::NoRoom)
    }

    /// One offer over each of these links.
    fn fetches(links: impl IntoIterator<Item = u64>) -> Fetches {
        let mut fetches = Fetches::default();
        for link in links {
            assert!(is_queued(&fetches.enqueue(offer(link))));
        }
        fetches
    }

    /// The links of what waits, in the order in which its turn comes.
    fn order(fetches: &mut Fetches) -> Vec<u64> {
        let offers = core::iter::from_fn(|| fetches.next());
        let offers = offers.take(2 * caps::OFFERS);
        offers.map(|offer| offer.link.get()).collect()
    }

    /// R27: the next fetch begins when the one under way is over.
    #[test]
    fn one_fetch_is_under_way_at_a_time() {
        let mut fetches = fetches([1, 2]);
        let first = fetches.next().unwrap();
        fetches.begin(RequestId::new(1), first);
        assert!(fetches.next().is_none());
        assert!(
            fetches
                .answered(LinkId::new(1), RequestId::new(1))
                .is_some()
        );
        assert_eq!(order(&mut fetches), [2]);
    }

    /// R22: eight wait, and the ninth announcer is asked again.
    #[test]
    fn beyond_the_count_an_offer_is_refused() {
        let mut fetches = fetches(0..caps::OFFERS as u64);
        assert!(is_refused(&fetches.enqueue(offer(100))));
        assert_eq!(fetches.len(), caps::OFFERS);
        fetches.next();
        assert!(is_queued(&fetches.enqueue(offer(100))));
    }

    /// R22: whatever an offer is made of, its bytes count.
    #[test]
    fn beyond_the_bytes_an_offer_is_refused() {
        let ids = ShortIds::of(ShortIdScheme::plain(1, 8), 0..1_000);
        let nodes = Nodes::of((0..1_000).map(|n| (node(n), 1)));
        for (wanted, bytes) in [
            (Wanted::Announced(ids), 8_000),
            (Wanted::Named(nodes), 9_000),
        ] {
            let mut fetches = Fetches::default();
            let first = Offer::new(LinkId::new(1), wanted, None);
            assert!(is_queued(&fetches.enqueue(first)));
            let left = caps::OFFER_BYTES - bytes;
            assert!(is_refused(&fetches.enqueue(offer_of(2, left + 2))));
            assert!(is_queued(&fetches.enqueue(offer_of(2, left))));
            assert!(is_refused(&fetches.enqueue(offer_of(3, 2))));
        }
    }

    /// R22: one announcer has half of the queue, so that others find room.
    #[test]
    fn one_link_has_half_of_the_queue() {
        let mut fetches = fetches([1; OFFERS_EACH]);
        assert!(is_refused(&fetches.enqueue(offer(1))));
        assert!(is_queued(&fetches.enqueue(offer(2))));
        assert_eq!(fetches.len(), OFFERS_EACH + 1);
    }

    /// R27: what answers the node's own round is fetched before what others have sent.
    #[test]
    fn the_answer_to_the_own_round_comes_first() {
        let mut fetches = fetches([1, 2]);
        assert!(is_queued(&fetches.enqueue_first(offer(3))));
        assert_eq!(order(&mut fetches), [3, 1, 2]);
    }

    /// R22: it takes the place of the last, whose announcer is told.
    #[test]
    fn the_answer_to_the_own_round_replaces_the_last_of_a_full_queue() {
        let mut fetches = fetches(1..=caps::OFFERS as u64);
        let Enqueued::Replaced(last) = fetches.enqueue_first(offer(100)) else {
            panic!("the queue is full");
        };
        assert_eq!(last.link, LinkId::new(caps::OFFERS as u64));
        assert_eq!(fetches.len(), caps::OFFERS);
        assert_eq!(order(&mut fetches)[..2], [100, 1]);
    }

    /// R22: the same when it is full by bytes.
    #[test]
    fn the_answer_to_the_own_round_replaces_the_last_of_too_many_bytes() {
        let mut fetches = Fetches::default();
        fetches.enqueue(offer(1));
        fetches.enqueue(offer_of(2, caps::OFFER_BYTES - 4));
        let enqueued = fetches.enqueue_first(offer(3));
        assert!(matches!(enqueued, Enqueued::Replaced(last) if last.link == LinkId::new(2)));
        assert_eq!(order(&mut fetches), [3, 1]);
    }

    /// R27: page by page in turns, so that a slow announcer does not hold up the others.
    #[test]
    fn an_offer_with_more_pages_waits_for_the_others() {
        let mut fetches = fetches([1, 2, 3]);
        let first = fetches.next().unwrap();
        fetches.take_turns(first);
        assert_eq!(order(&mut fetches), [2, 3, 1]);
    }

    /// R15: the other half of the exchange goes with the offer that has just come first.
    #[test]
    fn the_push_half_goes_with_the_first_offer() {
        let listed = Listed {
            slots: Vec::new(),
            to: 9,
        };
        let half = PushHalf {
            listed,
            from: 4,
            complete: true,
            scheme: None,
            sampled: false,
            count: 0,
            salt: 1,
        };
        let mut fetches = fetches([1]);
        fetches.enqueue_first(offer(2));
        fetches.push_afterwards(half);
        let first = fetches.next().unwrap();
        assert_eq!(first.push_half.map(|half| half.listed.to), Some(9));
        assert!(fetches.next().unwrap().push_half.is_none());
    }

    /// R14: an answer is that of the fetch only on its link and with its ID.
    #[test]
    fn only_its_own_answer_ends_a_fetch() {
        let mut fetches = fetches([1]);
        let first = fetches.next().unwrap();
        fetches.begin(RequestId::new(7), first);
        assert!(
            fetches
                .answered(LinkId::new(2), RequestId::new(7))
                .is_none()
        );
        assert!(
            fetches
                .answered(LinkId::new(1), RequestId::new(8))
                .is_none()
        );
        assert!(fetches.is_on(LinkId::new(1)));
        assert!(
            fetches
                .answered(LinkId::new(1), RequestId::new(7))
                .is_some()
        );
        assert!(
            fetches
                .answered(LinkId::new(1), RequestId::new(7))
                .is_none()
        );
        assert!(!fetches.is_on(LinkId::new(1)));
    }

    /// R17: what is not answered in time makes way for the next.
    #[test]
    fn a_fetch_that_times_out_makes_way() {
        let mut fetches = fetches([1, 2]);
        assert!(fetches.timed_out().is_none());
        let first = fetches.next().unwrap();
        fetches.begin(RequestId::new(7), first);
        let (id, late) = fetches.timed_out().unwrap();
        assert_eq!((id, late.link), (RequestId::new(7), LinkId::new(1)));
        assert!(
            fetches
                .answered(LinkId::new(1), RequestId::new(7))
                .is_none()
        );
        assert_eq!(order(&mut fetches), [2]);
    }

    /// R27: with its link goes all that an announcer has offered, and nothing else.
    #[test]
    fn what_was_offered_on_a_link_that_is_gone_is_forgotten() {
        let mut fetches = fetches([1, 2, 1, 3]);
        let first = fetches.next().unwrap();
        fetches.begin(RequestId::new(7), first);
        assert!(!fetches.forget(LinkId::new(2)), "that one only waits");
        assert!(!fetches.is_on(LinkId::new(2)) && fetches.is_on(LinkId::new(1)));
        assert!(fetches.forget(LinkId::new(1)));
        assert!(!fetches.is_on(LinkId::new(1)));
        assert_eq!(order(&mut fetches), [3]);
    }
}
