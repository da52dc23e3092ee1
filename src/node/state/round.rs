//! A round of asking: at most two exchanges, one at a time, and whom the first is for (R14, R20).

use crate::id::{DialId, LinkId, NodeId};
use crate::rng::Stream;

/// What the round is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Nothing; the timer starts the next one.
    Idle,
    /// Its partner is being dialled.
    Dialing(DialId),
    /// A request is under way.
    Asking(LinkId),
    /// What the answer has announced is being fetched.
    Fetching(LinkId),
}

/// Whom the next exchange of a round is with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// The newest peer, or a random one.
    Partner,
    /// The ring successor, before the node rests.
    Successor,
    /// Nobody: the round is over.
    Over,
}

pub(crate) struct Round {
    stage: Stage,
    exchanges_left: u8,
    /// Exchanges of this round so far, those with the ring successor included.
    begun: u8,
    /// The first round has begun, after the jitter of the start (R19), or may: an upstream is there.
    started: bool,
    /// Pages of one table asked for one after the other.
    pages: u8,
    news: bool,
    /// One at random of the node IDs learned since the last round, and how many these are.
    newest: (Option<NodeId>, usize),
    /// The one of them to be asked in this round.
    chosen: Option<NodeId>,
    /// When a fast round has brought nothing, the ring successor is asked before the node rests.
    /// News that goes to two at random stops short of one node in five (as s = e^(-2(1 - s)) has
    /// it); round the ring it reaches all.
    successor_tries: u8,
}

/// In a round, at most (R20).
const EXCHANGES: u8 = 2;
/// How often the ring successor is tried before a node rests.
const SUCCESSOR_TRIES: u8 = 3;
/// Pages of one table in one exchange: 90,000 records. A log that never ends must not keep the node
/// from its other partners.
const PAGES: u8 = 64;
/// The newest is asked while those learned are one in so many of the table: a joiner in a warm
/// cluster is not everybody's next partner (R20).
const NEWEST_SHARE: usize = 8;

impl Default for Round {
    fn default() -> Self {
        Self {
            stage: Stage::Idle,
            exchanges_left: 0,
            begun: 0,
            started: false,
            pages: 0,
            news: false,
            newest: (None, 0),
            chosen: None,
            successor_tries: 0,
        }
    }
}

impl Round {
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    /// Its exchange is on this link.
    pub(crate) fn is_on(&self, link: LinkId) -> bool {
        matches!(self.stage, Stage::Asking(l) | Stage::Fetching(l) if l == link)
    }

    pub(crate) fn is_asking(&self, link: LinkId) -> bool {
        self.stage == Stage::Asking(link)
    }

    pub(crate) fn is_fetching(&self, link: LinkId) -> bool {
        self.stage == Stage::Fetching(link)
    }

    pub(crate) fn is_dialing(&self, dial: DialId) -> bool {
        self.stage == Stage::Dialing(dial)
    }

    /// The link goes, and what the round did on it is taken over elsewhere. Whether it did.
    pub(crate) fn forget(&mut self, link: LinkId) -> bool {
        let was_on = self.is_on(link);
        if was_on {
            self.stage = Stage::Idle;
        }
        was_on
    }

    /// A round begins; `fast`: the node does not rest yet. `known`: records in the table.
    pub(crate) fn begin(&mut self, fast: bool, known: usize) {
        self.exchanges_left = EXCHANGES;
        self.begun = 0;
        self.started = true;
        self.news = false;
        let (newest, learned) = core::mem::take(&mut self.newest);
        self.chosen = newest.filter(|_| learned * NEWEST_SHARE >= known);
        self.successor_tries = if fast { SUCCESSOR_TRIES } else { 0 };
    }

    /// Whose turn is next.
    pub(crate) fn next_turn(&mut self) -> Turn {
        self.pages = 0;
        let turn = if self.exchanges_left > 0 {
            self.exchanges_left -= 1;
            Turn::Partner
        } else if self.successor_tries > 0 && !self.news {
            self.successor_tries -= 1;
            Turn::Successor
        } else {
            return Turn::Over;
        };
        self.begun += 1;
        turn
    }

    /// How many exchanges this round has begun, tries at the ring successor included.
    pub(crate) fn exchanges(&self) -> u64 {
        u64::from(self.begun)
    }

    /// An upstream is there: no jitter keeps the first round from it (R44).
    pub(crate) fn start(&mut self) {
        self.started = true;
    }

    /// Whether the first round has begun: until then its jitter counts, whatever the hurry (R19).
    pub(crate) fn has_started(&self) -> bool {
        self.started
    }

    /// Whether the round may ask for one more page of the same table.
    pub(crate) fn take_page(&mut self) -> bool {
        let more = self.pages < PAGES;
        if more {
            self.pages += 1;
            self.news = true;
        }
        more
    }

    /// There is news in this round, or has come from elsewhere meanwhile.
    pub(crate) fn add_news(&mut self, news: bool) {
        self.news |= news;
    }

    pub(crate) fn has_news(&self) -> bool {
        self.news
    }

    /// A node ID that was not known before.
    pub(crate) fn learned(&mut self, node: NodeId, random: &mut Stream) {
        let (newest, count) = &mut self.newest;
        *count += 1;
        if random.below(*count) == 0 {
            *newest = Some(node);
        }
    }

    /// The newest that this round is to ask, once.
    pub(crate) fn take_chosen(&mut self) -> Option<NodeId> {
        self.chosen.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx, node};
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    /// A round that has begun, in a table of a hundred.
    fn begun(fast: bool) -> Round {
        let mut round = Round::default();
        round.begin(fast, 100);
        round
    }

    /// All turns of what is left of the round.
    fn turns(round: &mut Round) -> Vec<Turn> {
        let turns = core::iter::from_fn(|| Some(round.next_turn()));
        turns.take(20).take_while(|t| *t != Turn::Over).collect()
    }

    /// Who is chosen as the newest of so many learned, with so many known.
    fn chosen(learned: u32, known: usize) -> Option<NodeId> {
        let mut cx = cx(at(0));
        let mut round = Round::default();
        (1..=learned).for_each(|n| round.learned(node(n), &mut cx.choices));
        round.begin(true, known);
        round.take_chosen()
    }

    /// R20: up to two partners a round, and a resting node asks nobody else.
    #[test]
    fn a_slow_round_is_two_exchanges() {
        assert_eq!(turns(&mut begun(false)), [Turn::Partner; 2]);
    }

    /// R20: before a node rests after a fast round in vain, it asks its ring successor.
    #[test]
    fn a_fast_round_in_vain_tries_the_successor_three_times() {
        let turns = turns(&mut begun(true));
        assert_eq!(turns[..2], [Turn::Partner; 2]);
        assert_eq!(turns[2..], [Turn::Successor; 3]);
    }

    /// R20: a round with news is followed by another, so the node does not rest.
    #[test]
    fn news_ends_a_fast_round_without_the_successor() {
        let mut round = begun(true);
        round.next_turn();
        round.add_news(true);
        assert_eq!(turns(&mut round), [Turn::Partner]);
        let mut round = begun(true);
        (0..3).for_each(|_| assert_ne!(round.next_turn(), Turn::Over));
        round.add_news(true);
        assert_eq!(turns(&mut round), [], "the successor has had news");
    }

    /// R16: news of one round says nothing about the next; within a round it stays.
    #[test]
    fn a_round_begins_without_news() {
        let mut round = begun(true);
        assert!(!round.has_news());
        round.add_news(true);
        round.add_news(false);
        assert!(round.has_news());
        round.begin(true, 100);
        assert!(!round.has_news());
    }

    /// R16: the burst allowance is charged by what the round has begun.
    #[test]
    fn the_exchanges_of_a_round_are_counted() {
        let mut round = begun(true);
        // The tries at the successor, too.
        for exchanges in 0..5 {
            assert_eq!(round.exchanges(), exchanges);
            round.next_turn();
        }
        assert_eq!(round.next_turn(), Turn::Over);
        assert_eq!(round.exchanges(), 5);
        round.begin(true, 100);
        assert_eq!(round.exchanges(), 0);
    }

    /// R19.
    #[test]
    fn a_node_has_started_with_its_first_round() {
        let mut round = Round::default();
        assert!(!round.has_started());
        round.begin(true, 1);
        assert!(round.has_started());
    }

    /// R22: a log that never ends does not keep the node from its other partners.
    #[test]
    fn one_exchange_has_64_pages_at_most() {
        let mut round = begun(true);
        let pages = |round: &mut Round| (0..200).filter(|_| round.take_page()).count();
        round.next_turn();
        assert_eq!(pages(&mut round), 64);
        round.next_turn();
        assert_eq!(pages(&mut round), 64, "the next partner has its own");
    }

    /// R16: a page that is followed by another has brought records.
    #[test]
    fn one_more_page_is_news() {
        let mut round = begun(true);
        assert!(round.take_page());
        assert!(round.has_news());
    }

    /// R20: the newest is asked while those learned are an eighth of the table.
    #[test]
    fn the_newest_is_asked_while_many_are_new() {
        assert_eq!(chosen(1, 8), Some(node(1)));
        assert!(chosen(10, 80).is_some());
        assert_eq!(chosen(0, 0), None);
    }

    /// R20: one joiner in a warm cluster is not everybody's next partner.
    #[test]
    fn the_newest_is_not_asked_when_it_is_one_in_many() {
        assert_eq!(chosen(1, 9), None);
        assert_eq!(chosen(10, 81), None);
    }

    /// R20.
    #[test]
    fn the_newest_is_asked_once_and_counts_for_one_round() {
        let mut cx = cx(at(0));
        let mut round = Round::default();
        round.learned(node(1), &mut cx.choices);
        round.begin(true, 8);
        assert_eq!(round.take_chosen(), Some(node(1)));
        assert_eq!(round.take_chosen(), None);
        round.begin(true, 8);
        assert_eq!(round.take_chosen(), None);
    }

    /// R20: of the many that a node learns of at once, nodes do not all ask the same one.
    #[test]
    fn each_of_the_newest_may_be_chosen() {
        let mut cx = cx(at(0));
        let mut round = Round::default();
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            (1..=4).for_each(|n| round.learned(node(n), &mut cx.choices));
            round.begin(true, 4);
            seen.extend(round.take_chosen());
        }
        assert_eq!(seen, (1..=4).map(node).collect());
    }

    /// R14: an exchange is on one link, from its request to the end of what it fetches.
    #[test]
    fn the_exchange_is_on_its_link_while_it_asks_and_fetches() {
        let (link, other) = (LinkId::new(1), LinkId::new(2));
        let mut round = Round::default();
        assert!(round.is_idle());
        round.enter(Stage::Dialing(DialId::new(1)));
        assert!(round.is_dialing(DialId::new(1)) && !round.is_dialing(DialId::new(2)));
        assert!(!round.is_on(link) && !round.is_idle());
        round.enter(Stage::Asking(link));
        assert!(round.is_asking(link) && !round.is_fetching(link));
        assert!(round.is_on(link) && !round.is_on(other) && !round.is_asking(other));
        round.enter(Stage::Fetching(link));
        assert!(round.is_fetching(link) && !round.is_asking(link));
        assert!(round.is_on(link) && !round.is_on(other) && !round.is_fetching(other));
    }

    /// R14, R23: of two links to one node one goes, and the exchange on it is done on the other.
    #[test]
    fn only_the_link_of_the_exchange_ends_it() {
        let mut round = Round::default();
        for stage in [
            Stage::Asking(LinkId::new(1)),
            Stage::Fetching(LinkId::new(1)),
        ] {
            round.enter(stage);
            assert!(!round.forget(LinkId::new(2)));
            assert_eq!(round.stage(), stage);
            assert!(round.forget(LinkId::new(1)));
            assert!(round.is_idle());
            assert!(!round.forget(LinkId::new(1)));
        }
    }
}
