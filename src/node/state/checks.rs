//! Messages whose records are being checked: how many checks one input may cost, and what waits
//! for the rest of them (R50).
//!
//! A check takes about as long as a hundred other records, and a page has a thousand: done at once,
//! nothing else would be answered meanwhile. So a page waits on its link until all of it is checked,
//! in turns with those of other links, and what comes behind it on its link waits, too: the order
//! of a link is kept.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::LinkId;
use crate::limits::caps;
use crate::wire::{Content, Records, Request, Response, Update, WireRecord};

/// A message that may carry records, and of which every limit is charged.
pub(crate) enum Carrier {
    Request(Request),
    Response(Response),
    Update(Update),
}

impl Carrier {
    /// The records that it carries. A busy answer has no others than its sample.
    fn page(&self, part: Part) -> Option<&Records> {
        let delta = match (self, part) {
            (Self::Request(request), Part::Main) => request.push.as_ref(),
            (Self::Response(response), Part::Main) => {
                if let Some((_, sample)) = &response.busy {
                    return Some(sample);
                }
                response.delta.as_ref()
            }
            (Self::Update(update), Part::Main) => update.delta.as_ref(),
            (Self::Request(_), Part::Aside) => None,
            (Self::Response(response), Part::Aside) => return Some(&response.renewed),
            (Self::Update(update), Part::Aside) => return update.news.as_ref().map(|n| &n.records),
        };
        match delta.map(|d| &d.content) {
            Some(Content::Records(records)) => Some(records),
            _ => None,
        }
    }

    /// All of them, each with its place.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Place, WireRecord<'_>)> {
        let parts = [Part::Main, Part::Aside].into_iter();
        parts.flat_map(|part| {
            let records = self.page(part).into_iter().flat_map(Records::iter);
            records.enumerate().map(move |(i, r)| ((part, i), r))
        })
    }

    /// Whether the records of this part are passed on, even those for which there is no room here.
    pub(crate) fn is_news(&self, part: Part) -> bool {
        matches!((self, part), (Self::Update(_), Part::Aside))
    }
}

/// A page of a message: a message has two at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// What it is sent for.
    Main,
    /// News, or what was overdue.
    Aside,
}

/// The page, and the number of the record in it.
pub(crate) type Place = (Part, usize);

/// Which records of a message are shown to be their authors'. Of others it was not asked, or they
/// are not.
#[derive(Default)]
pub(crate) struct Proofs {
    main: Proven,
    aside: Proven,
}

impl Proofs {
    pub(crate) fn add(&mut self, (part, record): Place) {
        self.of(part).add(record);
    }

    fn of(&mut self, part: Part) -> &mut Proven {
        match part {
            Part::Main => &mut self.main,
            Part::Aside => &mut self.aside,
        }
    }
}

/// The same of one page.
#[derive(Default)]
pub(crate) struct Proven(Vec<u64>);

impl Proven {
    fn add(&mut self, record: usize) {
        let word = record / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (record % 64);
    }

    pub(crate) fn has(&self, record: usize) -> bool {
        let word = self.0.get(record / 64).copied().unwrap_or_default();
        word & (1 << (record % 64)) != 0
    }
}

/// A message, and how far its records are checked.
pub(crate) struct Page {
    pub(crate) carrier: Carrier,
    pub(crate) proofs: Proofs,
    /// The first record that was not looked at yet.
    pub(crate) next: usize,
    /// The sender's own record is not its own.
    pub(crate) at_fault: bool,
    bytes: usize,
}

impl Page {
    /// Of so many encoded bytes.
    pub(crate) fn new(carrier: Carrier, bytes: usize) -> Self {
        Self {
            carrier,
            proofs: Proofs::default(),
            next: 0,
            at_fault: false,
            bytes,
        }
    }
}

/// What is next.
pub(crate) enum Turn {
    /// The next checks of a page.
    Check(LinkId, Box<Page>),
    /// A message that has waited behind one.
    Read(LinkId, Bytes),
}

#[derive(Default)]
struct Waiting {
    page: Option<Box<Page>>,
    behind: VecDeque<Bytes>,
    behind_bytes: usize,
}

#[derive(Default)]
pub(crate) struct Checks {
    links: BTreeMap<LinkId, Waiting>,
    /// Each link of `links` once.
    turns: VecDeque<LinkId>,
    bytes: usize,
    /// Checks that this input may still cost, and those kept for what waits.
    room: usize,
    kept: usize,
    /// Of the page that is being taken.
    in_hand: Proofs,
}

/// Looking at so many records costs about as much as one check.
const LOOKS: usize = 256;

impl Checks {
    /// A new input. While something waits, half of what it may cost is for that.
    pub(crate) fn begin(&mut self) {
        let kept = if self.links.is_empty() { 2 } else { 1 };
        self.room = caps::CHECKS * kept / 2;
        self.kept = caps::CHECKS - self.room;
    }

    /// What is left is for what waits.
    pub(crate) fn begin_turns(&mut self) {
        self.room += core::mem::take(&mut self.kept);
    }

    /// Checks that may still be made.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// So many were made, and so many records were looked at.
    pub(crate) fn spend(&mut self, checks: usize, looks: usize) {
        self.room = self.room.saturating_sub(checks + looks / LOOKS);
    }

    /// Whether a message on this link has to wait for its turn.
    pub(crate) fn is_on(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Keeps a page until its next turn; whether there is room for it.
    pub(crate) fn hold(&mut self, link: LinkId, page: Box<Page>) -> bool {
        if self.bytes + page.bytes > caps::UNCHECKED_BYTES {
            return false;
        }
        self.bytes += page.bytes;
        self.waiting(link).page = Some(page);
        true
    }

    /// Keeps a message behind what waits on its link; whether there is room for it.
    pub(crate) fn queue(&mut self, link: LinkId, message: Bytes) -> bool {
        let len = message.len();
        let behind = self.links.get(&link).map_or(0, |w| w.behind_bytes);
        if behind + len > caps::BEHIND_CHECKS || self.bytes + len > caps::UNCHECKED_BYTES {
            return false;
        }
        self.bytes += len;
        let waiting = self.waiting(link);
        waiting.behind_bytes += len;
        waiting.behind.push_back(message);
        true
    }

    fn waiting(&mut self, link: LinkId) -> &mut Waiting {
        if !self.links.contains_key(&link) {
            self.turns.push_back(link);
        }
        self.links.entry(link).or_default()
    }

    /// Takes what is next, if there is room for it: the links in turns, and the messages of each in
    /// the order in which they came. A page that is not done with goes back by [`hold`](Self::hold).
    pub(crate) fn next(&mut self) -> Option<Turn> {
        if self.room == 0 {
            return None;
        }
        let link = self.turns.pop_front()?;
        let waiting = self.links.get_mut(&link)?;
        let turn = if let Some(page) = waiting.page.take() {
            self.bytes -= page.bytes;
            Turn::Check(link, page)
        } else {
            let message = waiting.behind.pop_front().unwrap_or_default();
            waiting.behind_bytes -= message.len();
            self.bytes -= message.len();
            Turn::Read(link, message)
        };
        if waiting.behind.is_empty() {
            self.links.remove(&link);
        } else {
            self.turns.push_back(link);
        }
        self.room -= 1;
        Some(turn)
    }

    /// Takes a link out. What has waited behind its page is returned.
    pub(crate) fn forget(&mut self, link: LinkId) -> VecDeque<Bytes> {
        let Some(waiting) = self.links.remove(&link) else {
            return VecDeque::new();
        };
        self.turns.retain(|l| *l != link);
        self.bytes -= waiting.behind_bytes + waiting.page.map_or(0, |page| page.bytes);
        waiting.behind
    }

    /// The message with these proofs is taken next.
    pub(crate) fn take_in_hand(&mut self, proofs: Proofs) {
        self.in_hand = proofs;
    }

    /// The proofs of this page of the message in hand, once: records of which it is not known where
    /// they come from have none.
    pub(crate) fn in_hand(&mut self, part: Part) -> Proven {
        core::mem::take(self.in_hand.of(part))
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn link(n: u64) -> LinkId {
        LinkId::new(n)
    }

    fn page(bytes: usize) -> Box<Page> {
        Box::new(Page::new(Carrier::Update(Update::default()), bytes))
    }

    fn message(len: usize) -> Bytes {
        vec![0; len].into()
    }

    /// The links whose turn it is, with the bytes of what is next of each: all pages are done with
    /// after `slices` turns.
    fn turns(checks: &mut Checks, slices: usize) -> Vec<(LinkId, usize)> {
        let mut made = Vec::new();
        let mut seen = BTreeMap::new();
        while let Some(turn) = checks.next() {
            match turn {
                Turn::Check(link, page) => {
                    made.push((link, page.bytes));
                    let slice: &mut usize = seen.entry((link, page.bytes)).or_default();
                    *slice += 1;
                    if *slice < slices {
                        assert!(checks.hold(link, page));
                    }
                }
                Turn::Read(link, message) => made.push((link, message.len())),
            }
        }
        made
    }

    fn begun() -> Checks {
        let mut checks = Checks::default();
        checks.begin();
        checks
    }

    /// R50: what a page lacks is checked in turns with other links, and what came behind it on its
    /// link comes after it.
    #[test]
    fn links_take_turns_and_each_keeps_its_order() {
        let mut checks = begun();
        assert!(checks.hold(link(1), page(10)));
        assert!(checks.queue(link(1), message(11)));
        assert!(checks.queue(link(1), message(12)));
        assert!(checks.hold(link(2), page(20)));
        let expected = [(1, 10), (2, 20), (1, 10), (2, 20), (1, 11), (1, 12)];
        let expected = expected.map(|(n, bytes)| (link(n), bytes));
        assert_eq!(turns(&mut checks, 2), expected);
        assert!(checks.is_empty() && checks.turns.is_empty());
        assert_eq!(checks.bytes(), 0);
    }

    /// R50: a message that waited behind a page, and has to wait itself, does so before the others.
    #[test]
    fn a_message_that_is_held_again_stays_the_first_of_its_link() {
        let mut checks = begun();
        for len in [1, 2] {
            assert!(checks.queue(link(1), message(len)));
        }
        assert!(matches!(checks.next(), Some(Turn::Read(l, m)) if l == link(1) && m.len() == 1));
        assert!(checks.hold(link(1), page(1)));
        assert_eq!(turns(&mut checks, 1), [(link(1), 1), (link(1), 2)]);
    }

    /// R50: one input costs so many checks and no more; while something waits, half of them are for
    /// that, so neither holds up the other.
    #[test]
    fn one_input_costs_so_many_checks() {
        let mut checks = begun();
        assert_eq!(checks.room(), caps::CHECKS);
        checks.spend(caps::CHECKS, 0);
        assert!(checks.hold(link(1), page(1)));
        checks.begin_turns();
        assert!(checks.next().is_none());
        checks.begin();
        assert_eq!(checks.room(), caps::CHECKS / 2);
        checks.spend(1_000, 0);
        checks.begin_turns();
        assert_eq!(checks.room(), caps::CHECKS / 2);
        assert!(checks.next().is_some());
        assert_eq!(
            checks.room(),
            caps::CHECKS / 2 - 1,
            "a turn is not for nothing"
        );
        checks.spend(0, 10 * LOOKS);
        assert_eq!(checks.room(), caps::CHECKS / 2 - 11);
    }

    /// R22: what waits behind a page is bounded by its bytes, on one link and on all.
    #[test]
    fn what_waits_is_bounded() {
        let mut checks = begun();
        let full = page(contract_bytes());
        assert!(checks.hold(link(0), full));
        assert!(checks.queue(link(0), message(caps::BEHIND_CHECKS)));
        assert!(!checks.queue(link(0), message(1)));
        let mut links = 1;
        while checks.hold(link(links), page(contract_bytes())) {
            links += 1;
        }
        assert_eq!(checks.bytes(), caps::UNCHECKED_BYTES);
        assert!(!checks.queue(link(1), message(1)));
        assert!(!checks.is_on(link(links)));
    }

    fn contract_bytes() -> usize {
        crate::contract::MESSAGE_BYTES
    }

    /// R50: with its link a page goes; what came after it is what its node said last.
    #[test]
    fn a_link_that_ends_leaves_what_came_last() {
        let mut checks = begun();
        assert!(checks.hold(link(1), page(10)));
        assert!(checks.queue(link(1), message(3)));
        assert!(checks.hold(link(2), page(20)));
        assert_eq!(checks.forget(link(1)), [message(3)]);
        assert!(!checks.is_on(link(1)));
        assert_eq!(checks.bytes(), 20);
        assert_eq!(checks.forget(link(3)), VecDeque::<Bytes>::new());
        assert_eq!(turns(&mut checks, 1), [(link(2), 20)]);
    }

    /// R50: proofs are those of one page, and good once.
    #[test]
    fn proofs_are_of_one_page() {
        let mut checks = begun();
        let mut proofs = Proofs::default();
        for i in [0, 63, 64, 200] {
            proofs.add((Part::Aside, i));
        }
        checks.take_in_hand(proofs);
        let main = checks.in_hand(Part::Main);
        assert!(!(0..300).any(|i| main.has(i)), "another page");
        let aside = checks.in_hand(Part::Aside);
        let proven = (0..300).filter(|i| aside.has(*i));
        assert_eq!(proven.collect::<Vec<_>>(), [0, 63, 64, 200]);
        assert!(!checks.in_hand(Part::Aside).has(64), "once");
    }
}
