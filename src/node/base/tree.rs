//! News on its way: one tree over the ring (R46).

use alloc::vec::Vec;

use crate::defence::Defence;
use crate::id::{LinkId, NodeId};
use crate::limits::caps::PAGE_BYTES;
use crate::node::base::Base;
use crate::node::state::dialer::Reason;
use crate::node::state::links::Class;
use crate::record::{Sequence, check_body};
use crate::ring::{Position, pieces};
use crate::table::Ranked;
use crate::wire::{Message, News, Records, RecordsBuilder, Update, WireRecord};

/// Something to be told, and how far it had gone before.
type Item = (NodeId, Option<u64>);
/// A link, and how far round the ring its node is.
pub(super) type Target = (u64, LinkId);

/// The whole ring.
const ALL: u64 = u64::MAX;
/// Where one cannot be reached, so many after it are tried.
const TRIES: usize = 4;

/// Beginning and passing on.
impl Base {
    /// Sends these changes round the ring, but not straight back.
    pub(crate) fn spread(&mut self, about: &[NodeId], from: Option<LinkId>) {
        let back = from.and_then(|link| self.links.node(link));
        let items = self.serve(about, ALL);
        if items.is_empty() {
            return;
        }
        let mut targets = self.targets(ALL, back);
        if self.sealer.is_off() && about == [self.cx.id] {
            self.add_hearers(&mut targets, back);
        }
        let told = self.tell_gap(&items, &targets, ALL, back);
        let first = targets.first().map(|(d, _)| *d);
        let next = self.table.next_ranks().first().map(|(d, _)| *d);
        if told || (first.is_some() && first == next) {
            self.tell(&items, &targets, ALL);
            return;
        }
        // Nobody can be told who stands before the first of them: the last one serves that part.
        let about = lacking(&items, ALL);
        for ((_, link), until) in self.all_round(&targets) {
            self.send_news(link, about.clone(), until);
        }
    }

    /// Passes these changes on to the part of the ring that this node was given.
    pub(crate) fn pass_on(&mut self, about: &[NodeId], until: Position) {
        let reach = self.table.position().reach(until);
        let items = self.serve(about, reach);
        if !items.is_empty() {
            let targets = self.targets(reach, None);
            self.tell_gap(&items, &targets, reach, None);
            self.tell(&items, &targets, reach);
        }
    }

    /// Those of these changes that have not gone so far yet.
    fn serve(&mut self, about: &[NodeId], reach: u64) -> Vec<Item> {
        if reach == 0 {
            return Vec::new();
        }
        let now = self.cx.now;
        let mut items = Vec::with_capacity(about.len());
        for node in about {
            let Some(sequence) = self.sequence_of(node) else {
                continue;
            };
            let before = self.tree.serve(node, sequence, reach, now);
            if before.is_none_or(|before| before < reach) {
                items.push((*node, before));
            }
        }
        items
    }

    fn sequence_of(&self, node: &NodeId) -> Option<Sequence> {
        let known = self.table.lookup(node).map(|e| e.sequence());
        known.or_else(|| Some(self.tree.carried(node, self.cx.now)?.sequence))
    }

    /// Keeps a record, for which there is no room here, while it is on its way. Whether it goes on.
    pub(crate) fn carry(&mut self, record: WireRecord<'_>) -> bool {
        let Ok(info) = check_body(record.body) else {
            return false;
        };
        let Some(remaining_s) = info.relayed(record.remaining_s) else {
            return false;
        };
        if info.tombstone {
            let life = info.life();
            self.table
                .bury(self.cx.now, record.node, record.sequence, life);
        }
        self.tree.carry(record, remaining_s, self.cx.now)
    }
}

/// Choosing who is told.
impl Base {
    /// The standing links within reach, the nearest first. Where one is missing, whoever stands
    /// before it serves its part; before the first, other links are better than none.
    pub(super) fn targets(&self, reach: u64, except: Option<NodeId>) -> Vec<Target> {
        if self.table.is_crowded() {
            // Nobody knows the whole ring: the more are linked, the smaller the gaps.
            return self.links_within(reach, except);
        }
        let wanted = self.wanted().into_iter();
        let within = wanted.filter(|(d, node)| *d <= reach && Some(*node) != except);
        let mut targets: Vec<_> = within
            .filter_map(|(d, node)| Some((d, self.usable(&node)?)))
            .collect();
        let first = targets.first().map(|(d, _)| *d);
        let next = self.table.next_ranks().first().map(|(d, _)| *d);
        if first.is_none() || first != next {
            let before = first.map_or(reach, |d| d - 1);
            targets.splice(0..0, self.other_targets(before, except));
        }
        targets
    }

    /// Those that have heard this node of late: they believe nobody else about it (R52).
    fn add_hearers(&self, targets: &mut Vec<Target>, except: Option<NodeId>) {
        let Some(patience) = self.believed_for() else {
            return;
        };
        let hears = |(_, id): &Target| {
            let link = self.links.get(*id);
            link.is_some_and(|l| l.unused_for(self.cx.now) <= 2 * patience)
        };
        let others = self.links_within(ALL, except);
        targets.extend(others.into_iter().filter(hears));
        targets.sort_unstable();
        targets.dedup();
    }

    /// Links of no particular nodes within reach: few near, ever fewer the further they are.
    fn other_targets(&self, reach: u64, except: Option<NodeId>) -> Vec<Target> {
        let ranks = self.links_within(reach, except).into_iter().enumerate();
        ranks
            .filter(|(rank, _)| (rank + 1).is_power_of_two())
            .map(|(_, target)| target)
            .collect()
    }

    /// All links within reach, the nearest first.
    pub(super) fn links_within(&self, reach: u64, except: Option<NodeId>) -> Vec<Target> {
        let others = self.links.iter().filter(|(_, l)| Some(l.node()) != except);
        // Of two links to one node, the one that is about to close is none.
        let usable = others.filter(|(id, l)| self.usable(&l.node()) == Some(*id));
        let mut all: Vec<Target> = usable
            .map(|(id, l)| (self.table.distance(&l.node()), id))
            .filter(|(d, _)| (1..=reach).contains(d))
            .collect();
        all.sort_unstable();
        all
    }

    /// The link to this node, if news may go over it.
    fn usable(&self, node: &NodeId) -> Option<LinkId> {
        let over_cap = self.links.link_of(node)?.is_over_cap();
        self.links.of(node).filter(|_| !over_cap)
    }

    /// Tells each of these its piece, as far as it has not been served before.
    fn tell(&mut self, items: &[Item], targets: &[Target], reach: u64) {
        let own = self.table.position();
        let distances: Vec<_> = targets.iter().map(|(d, _)| *d).collect();
        for ((distance, link), end) in targets.iter().zip(pieces(&distances, reach)) {
            let end = match self.cx.config.defends(Defence::Passing) {
                true => end,
                // Who serves the part of one that is missing?
                false => self.up_to_next_wanted(*distance, end),
            };
            let about = lacking(items, end);
            if about.is_empty() {
                continue;
            }
            let node = self.links.node(*link);
            let doubted = node.is_some_and(|n| self.standing.is_doubted(&n, self.cx.now));
            if doubted {
                self.tell_beyond(&about, *distance, end, None);
            }
            self.send_news(*link, about, own.until(end));
        }
    }

    fn up_to_next_wanted(&self, distance: u64, end: u64) -> u64 {
        let mut wanted = self.wanted().into_iter().map(|(d, _)| d);
        let next = wanted.find(|d| *d > distance);
        next.map_or(end, |next| end.min(next - 1))
    }

    /// Tells the next within the gap before the first of the targets, where the ring successor is
    /// not among them. Whether somebody is told, or will be.
    fn tell_gap(
        &mut self,
        items: &[Item],
        targets: &[Target],
        reach: u64,
        except: Option<NodeId>,
    ) -> bool {
        let end = targets.first().map_or(reach, |(d, _)| d - 1);
        let about = lacking(items, end);
        let passes_by = self.cx.config.defends(Defence::Passing);
        passes_by && !about.is_empty() && self.tell_beyond(&about, 0, end, except)
    }

    /// Tells the first node beyond this distance, which is to pass it on as far as `end`: over its
    /// link, or once it is linked. Where it cannot be, the next is tried.
    fn tell_beyond(
        &mut self,
        about: &[NodeId],
        mut after: u64,
        end: u64,
        except: Option<NodeId>,
    ) -> bool {
        let until = self.table.position().until(end);
        for _ in 0..TRIES {
            let Some((distance, node)) = self.next_beyond(after, end) else {
                return false;
            };
            after = distance;
            if Some(node) == except {
                continue;
            }
            if let Some(link) = self.usable(&node) {
                self.send_news(link, about.to_vec(), until);
                return true;
            }
            if self.dialer.is_dialing(&node) || self.dial_peer(node, Reason::News).is_some() {
                self.tree.park(node, about, until);
                return true;
            }
        }
        false
    }

    fn next_beyond(&self, after: u64, end: u64) -> Option<Ranked> {
        let next = self.table.next_ranks();
        match next.iter().find(|(d, _)| *d > after) {
            Some(ranked) => Some(*ranked).filter(|(d, _)| *d <= end),
            None if next.len() == self.table.others() => None,
            None => self.table.first_beyond(after, end),
        }
    }

    /// Where the pieces of the whole ring end that begin with these: that of the last one where
    /// the first begins.
    fn all_round(&self, targets: &[Target]) -> Vec<(Target, Position)> {
        let own = self.table.position();
        let next = targets.iter().cycle().skip(1);
        let pairs = targets.iter().zip(next);
        pairs.map(|(t, (d, _))| (*t, own.ahead(*d))).collect()
    }
}

/// Sending.
impl Base {
    /// Sends news about these nodes, or lets it wait for room.
    pub(crate) fn send_news(&mut self, link: LinkId, about: Vec<NodeId>, until: Position) {
        let records = self.news_page(&about);
        if records.is_empty() || self.send_page(link, records, until, Class::Push) {
            return;
        }
        let Some(node) = self.links.node(link) else {
            return;
        };
        let at = self.table.position_of(&node);
        if let Some(link) = self.links.get_mut(link) {
            link.await_room(about, at, until);
        }
    }

    /// Tells a node who comes next after it, as far as known here, and nobody else of it: where
    /// tables are full, it may not hear of it otherwise.
    pub(crate) fn introduce(&mut self, link: LinkId, node: &NodeId) {
        if let Some(next) = self.table.next_after(node) {
            self.tell_alone(link, next);
        }
    }

    /// Tells the other end the record of this node, and nobody else of it.
    pub(crate) fn tell_alone(&mut self, link: LinkId, about: NodeId) {
        if let Some(node) = self.links.node(link) {
            let nobody_else = self.table.position_of(&node).ahead(1);
            self.send_news(link, alloc::vec![about], nobody_else);
        }
    }

    /// Their records, of the table or carried.
    fn news_page(&self, about: &[NodeId]) -> Records {
        let now = self.cx.now;
        let mut page = RecordsBuilder::with_capacity(about.len());
        for node in about {
            let known = self.table.lookup(node);
            let record = match known {
                Some(entry) => entry.to_wire(now),
                None => self.tree.carried(node, now),
            };
            if let Some(record) = record {
                page.push(record, PAGE_BYTES);
            }
        }
        page.finish()
    }

    fn send_page(&mut self, link: LinkId, records: Records, until: Position, class: Class) -> bool {
        let update = Update {
            news: Some(News {
                records,
                accusations: Vec::new(),
                until,
            }),
            ..Update::default()
        };
        self.send(link, Message::Update(update), class)
    }

    /// What was kept for this node, now that it is linked.
    pub(crate) fn send_parked(&mut self, link: LinkId, to: &NodeId) {
        let at = self.table.position_of(to);
        if let Some((about, until)) = self.tree.take_parked(to, at) {
            self.send_news(link, about, until);
        }
    }

    /// This node cannot be reached: the next one serves its part.
    pub(crate) fn pass_parked_by(&mut self, to: &NodeId) {
        let distance = self.table.distance(to);
        let own = self.table.position();
        if let Some((about, until)) = self.tree.take_parked(to, self.table.position_of(to)) {
            self.tell_beyond(&about, distance, own.reach(until), None);
        }
    }

    /// The own tombstone goes to everybody who is linked, each of whom passes it on as far as the
    /// next: all of these links are about to close, and what is lost, nobody says again (R4).
    pub(crate) fn send_tombstone(&mut self) {
        let targets = self.links_within(ALL, None);
        let mut missed = None;
        // From the last on: whose link takes no more, whoever stands before it serves its part.
        for ((_, link), until) in self.all_round(&targets).into_iter().rev() {
            let until = missed.unwrap_or(until);
            let sent = self.send_page(link, self.own_page(), until, Class::Answer);
            missed = (!sent).then_some(until);
        }
    }
}

/// Those of these that have not gone so far.
fn lacking(items: &[Item], end: u64) -> Vec<NodeId> {
    let lacking = items
        .iter()
        .filter(|(_, before)| before.is_none_or(|b| b < end));
    lacking.map(|(node, _)| *node).collect()
}
