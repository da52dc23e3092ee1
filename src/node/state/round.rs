//! A round of asking: one exchange after the other, as long as they bring news (R14, R20, R44).

use alloc::collections::BTreeSet;

use crate::id::{DialId, LinkId, NodeId, RequestId};
use crate::limits::caps;
use crate::node::outcome::Outcome;
use crate::time::Instant;

/// What the round is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Nothing; the timer starts the next one.
    Idle,
    /// Its partner is being dialled.
    Dialing(DialId),
    /// A request is under way.
    Asking(LinkId),
    /// The answer has promised an update for this request (R41).
    Waiting(LinkId, RequestId),
    /// What the answer has named is being fetched (R22).
    Fetching(LinkId, RequestId),
}

pub(crate) struct Round {
    stage: Stage,
    /// Exchanges without news that may yet follow (R44).
    tries: u8,
    /// Of those that fail, likewise.
    failures: u8,
    /// The exchange under way has brought news, or news has come from elsewhere meanwhile.
    news: bool,
    /// The first round has begun, after the jitter of the start (R19), or may: an upstream is there.
    started: bool,
    first_at: Instant,
    /// Pages of one table asked for one after the other.
    pages: u8,
    /// Whom the node has asked since it rested: nobody is asked for more without a reason.
    asked: BTreeSet<NodeId>,
    /// With what the table says of upstreams now, nothing is beyond the frontier.
    no_frontier: Option<u64>,
}

/// Exchanges in vain after which a node rests (R44).
const TRIES: u8 = 2;
/// Exchanges that fail in a row after which the round is over: somebody may be there later.
const FAILURES: u8 = 5;
/// Pages of one table in one exchange: 90,000 records. A table that never ends must not keep the node
/// from its other partners.
const PAGES: u8 = 64;

impl Default for Round {
    fn default() -> Self {
        Self {
            stage: Stage::Idle,
            tries: 0,
            failures: 0,
            news: false,
            started: false,
            first_at: Instant::ZERO,
            pages: 0,
            asked: BTreeSet::new(),
            no_frontier: None,
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
        match self.stage {
            Stage::Idle | Stage::Dialing(_) => false,
            Stage::Asking(l) | Stage::Waiting(l, _) | Stage::Fetching(l, _) => l == link,
        }
    }

    pub(crate) fn is_asking(&self, link: LinkId) -> bool {
        self.stage == Stage::Asking(link)
    }

    pub(crate) fn is_waiting_for(&self, link: LinkId, request: RequestId) -> bool {
        self.stage == Stage::Waiting(link, request)
    }

    pub(crate) fn is_fetching(&self, link: LinkId, request: RequestId) -> bool {
        self.stage == Stage::Fetching(link, request)
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

    /// A round begins.
    pub(crate) fn begin(&mut self) {
        self.tries = TRIES;
        self.failures = FAILURES;
        self.started = true;
        self.news = false;
        self.pages = 0;
    }

    /// An exchange has ended so. Whether another follows.
    pub(crate) fn goes_on(&mut self, outcome: Outcome) -> bool {
        self.pages = 0;
        let outcome = if core::mem::take(&mut self.news) {
            Outcome::News
        } else {
            outcome
        };
        match outcome {
            Outcome::News => (self.tries, self.failures) = (TRIES, FAILURES),
            Outcome::NoNews => self.tries = self.tries.saturating_sub(1),
            Outcome::Failed => self.failures = self.failures.saturating_sub(1),
        }
        self.tries > 0 && self.failures > 0
    }

    /// The node rests: from now on everybody may be asked again.
    pub(crate) fn rest(&mut self) {
        self.asked.clear();
        self.news = false;
    }

    /// An upstream is there: no jitter keeps the first round from it (R44).
    pub(crate) fn start(&mut self) {
        self.started = true;
    }

    /// Upstreams are there, and are to be asked from then on.
    pub(crate) fn start_at(&mut self, at: Instant) {
        self.started = true;
        self.first_at = at;
    }

    /// Whether a round has begun, or it is said when one may.
    pub(crate) fn has_begun(&self) -> bool {
        self.tries > 0 || self.first_at > Instant::ZERO
    }

    /// When a round may begin that is due then.
    pub(crate) fn not_before(&self, due: Instant) -> Instant {
        due.max(self.first_at)
    }

    /// Whether the first round has begun: until then its jitter counts, whatever the hurry (R19).
    pub(crate) fn has_started(&self) -> bool {
        self.started
    }

    /// Whether the round may ask for one more page of the same table.
    pub(crate) fn take_page(&mut self) -> bool {
        let more = self.pages < PAGES;
        self.pages += u8::from(more);
        more
    }

    /// There is news, from elsewhere or beside what the exchange has been asked for.
    pub(crate) fn add_news(&mut self) {
        self.news = true;
    }

    pub(crate) fn has_news(&self) -> bool {
        self.news
    }
}

/// Whom it asks.
impl Round {
    pub(crate) fn ask(&mut self, node: NodeId) {
        if self.asked.len() >= caps::ASKED {
            self.asked.clear();
        }
        self.asked.insert(node);
    }

    pub(crate) fn has_asked(&self, node: &NodeId) -> bool {
        self.asked.contains(node)
    }

    pub(crate) fn asked_count(&self) -> usize {
        self.asked.len()
    }

    /// Whether there may be something at the frontier, with what is said of upstreams now.
    pub(crate) fn may_have_frontier(&self, edges: u64) -> bool {
        self.no_frontier != Some(edges)
    }

    /// There is nothing.
    pub(crate) fn found_no_frontier(&mut self, edges: u64) {
        self.no_frontier = Some(edges);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    fn begun() -> Round {
        let mut round = Round::default();
        round.begin();
        round
    }

    /// R44: two in vain, then rest.
    #[test]
    fn two_exchanges_in_vain_end_a_round() {
        let mut round = begun();
        assert!(round.goes_on(Outcome::NoNews));
        assert!(!round.goes_on(Outcome::NoNews));
    }

    #[test]
    fn news_is_a_reason_to_go_on() {
        let mut round = begun();
        for _ in 0..50 {
            assert!(round.goes_on(Outcome::NoNews));
            assert!(round.goes_on(Outcome::News));
        }
        round.add_news();
        assert!(round.goes_on(Outcome::NoNews), "from elsewhere");
        assert!(!round.has_news(), "it counts once");
    }

    /// R17: with most of the table dead, a round is over some time.
    #[test]
    fn five_failures_in_a_row_end_a_round() {
        let mut round = begun();
        for _ in 0..4 {
            assert!(round.goes_on(Outcome::Failed));
        }
        assert!(round.goes_on(Outcome::News));
        let failures = (0..9).take_while(|_| round.goes_on(Outcome::Failed));
        assert_eq!(failures.count(), 4);
    }

    #[test]
    fn nobody_is_asked_twice_before_the_node_rests() {
        let mut round = begun();
        round.ask(node(1));
        round.begin();
        assert!(round.has_asked(&node(1)) && !round.has_asked(&node(2)));
        round.rest();
        assert!(!round.has_asked(&node(1)));
    }

    /// R22.
    #[test]
    fn whom_it_has_asked_is_bounded() {
        let mut round = begun();
        (0..3 * caps::ASKED as u32).for_each(|n| round.ask(node(n)));
        assert!(round.asked_count() <= caps::ASKED);
    }

    /// R43.
    #[test]
    fn the_frontier_is_not_looked_at_in_vain_again() {
        let mut round = begun();
        assert!(round.may_have_frontier(3));
        round.found_no_frontier(3);
        assert!(!round.may_have_frontier(3));
        assert!(round.may_have_frontier(4), "there is more to be seen");
    }

    /// R22: a table that never ends does not keep the node from its other partners.
    #[test]
    fn pages_of_one_table_are_bounded_and_counted_anew_for_the_next() {
        let mut round = begun();
        assert_eq!((0..200).filter(|_| round.take_page()).count(), 64);
        round.goes_on(Outcome::News);
        assert!(round.take_page());
    }

    /// R19: until then its jitter counts, whatever the hurry.
    #[test]
    fn the_first_round_starts_the_node() {
        let mut round = Round::default();
        assert!(!round.has_started() && round.is_idle());
        round.begin();
        assert!(round.has_started());
        let mut linked = Round::default();
        linked.start();
        assert!(linked.has_started());
        let mut several = Round::default();
        several.start_at(at(5));
        assert!(several.has_started());
        assert_eq!(
            (several.not_before(at(4)), several.not_before(at(6))),
            (at(5), at(6))
        );
    }

    /// R14.
    #[test]
    fn a_round_is_on_the_link_of_its_exchange() {
        let (link, other) = (LinkId::new(1), LinkId::new(2));
        let (id, another) = (RequestId::new(5), RequestId::new(6));
        let mut round = begun();
        round.enter(Stage::Dialing(DialId::new(1)));
        assert!(round.is_dialing(DialId::new(1)) && !round.is_dialing(DialId::new(2)));
        assert!(!round.is_on(link) && !round.is_idle());
        round.enter(Stage::Asking(link));
        assert!(round.is_asking(link) && round.is_on(link) && !round.is_on(other));
        round.enter(Stage::Waiting(link, id));
        assert!(round.is_waiting_for(link, id) && !round.is_waiting_for(link, another));
        assert!(round.is_on(link) && !round.is_asking(link));
        round.enter(Stage::Fetching(link, id));
        assert!(round.is_fetching(link, id) && !round.is_fetching(other, id));
        assert!(round.is_on(link) && !round.is_waiting_for(link, id));
    }

    /// R14, R23: of two links to one node one goes, and the exchange on it is done on the other.
    #[test]
    fn only_the_link_of_the_exchange_ends_it() {
        let (link, id) = (LinkId::new(1), RequestId::new(5));
        let mut round = begun();
        for stage in [
            Stage::Asking(link),
            Stage::Waiting(link, id),
            Stage::Fetching(link, id),
        ] {
            round.enter(stage);
            assert!(!round.forget(LinkId::new(2)));
            assert_eq!(round.stage(), stage);
            assert!(round.forget(link) && round.is_idle());
            assert!(!round.forget(link));
        }
    }
}
