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
        self.news = false;
        let (newest, learned) = core::mem::take(&mut self.newest);
        self.chosen = newest.filter(|_| learned * NEWEST_SHARE >= known);
        self.successor_tries = if fast { SUCCESSOR_TRIES } else { 0 };
    }

    /// Whose turn is next.
    pub(crate) fn next_turn(&mut self) -> Turn {
        self.pages = 0;
        if self.exchanges_left > 0 {
            self.exchanges_left -= 1;
            Turn::Partner
        } else if self.successor_tries > 0 && !self.news {
            self.successor_tries -= 1;
            Turn::Successor
        } else {
            Turn::Over
        }
    }

    /// How many exchanges this round has begun.
    pub(crate) fn exchanges(&self) -> u64 {
        u64::from(EXCHANGES - self.exchanges_left)
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
