//! What goes out unasked: rumours, renewals (R21, R26).

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::{LinkId, NodeId, RequestId};
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::node::answer::PAGE_BYTES;
use crate::node::ask::FEW;
use crate::node::links::Class;
use crate::node::merge::Source;
use crate::node::{Node, Timer};
use crate::record::check_body;
use crate::rng;
use crate::table::Slot;
use crate::wire::{
    Content, Delta, Message, Records, RecordsBuilder, Renewals, RenewalsBuilder, Update, WireRecord,
};

#[derive(Default)]
pub(super) struct Push {
    /// Nodes whose renewal is to be passed on with the next batch.
    renewals: BTreeSet<NodeId>,
    /// Rumours for a node whose link is being dialled: (to whom, about whom).
    parked: VecDeque<(NodeId, NodeId)>,
    /// Hashes of the rumours for which there was no room here, and which have been passed on.
    passed: VecDeque<u64>,
    passing: Bucket,
}

/// Rumours for which there is no room here go on to so many. Two would reach four nodes in five
/// (as s = 1 - e^(-2s) has it), where no ring reaches the rest; four reach 98 of 100.
const PASSED_TO: usize = 4;
/// And at this rate: what a large cluster tells costs each node no more.
const PASSING: Rate = Rate::per_second(caps::PASSED_RUMOURS as u64 / 4, 1);

impl Push {
    pub(super) fn parked_count(&self) -> usize {
        self.parked.len()
    }

    pub(super) fn passed_count(&self) -> usize {
        self.passed.len()
    }

    pub(super) fn renewal_count(&self) -> usize {
        self.renewals.len()
    }
}

impl Node {
    /// Sends these changes to the ring successor and one random partner, not back (R21).
    pub(super) fn spread(&mut self, about: &[NodeId], from: Option<LinkId>) {
        let successor = self.table.successor();
        let next = successor.and_then(|node| self.links.of(&node));
        if next.is_none() {
            if let Some(node) = successor {
                self.park(node, about);
            }
        }
        for link in self.rumour_links(next, from) {
            self.send_rumour(link, about.to_vec());
        }
    }

    /// The link to the ring successor and a random one, but for the one it came from.
    fn rumour_links(
        &mut self,
        next: Option<LinkId>,
        from: Option<LinkId>,
    ) -> impl Iterator<Item = LinkId> + use<> {
        let successor = self.table.successor();
        let other = self.links.random(&mut self.cx.choices, |id, l| {
            Some(id) != from && Some(id) != next && !l.surplus && Some(l.node) != successor
        });
        let next = next.filter(|link| Some(*link) != from);
        next.into_iter().chain(other)
    }

    /// Passes on rumours for which the table has no room, once: somebody else has (R21, R22).
    pub(super) fn pass_on(&mut self, rumours: &[WireRecord<'_>], from: LinkId) {
        let records = self.choose_passed(rumours);
        if records.is_empty() {
            return;
        }
        let next = self.table.successor().and_then(|node| self.links.of(&node));
        let mut links: Vec<LinkId> = self.rumour_links(next, Some(from)).collect();
        while links.len() < PASSED_TO {
            let other = self.links.random(&mut self.cx.choices, |id, l| {
                id != from && !l.surplus && !links.contains(&id)
            });
            match other {
                Some(link) => links.push(link),
                None => break,
            }
        }
        for link in links {
            let update = Update {
                delta: Some(Delta::unlogged(records.clone())),
                ..Update::default()
            };
            self.send(link, Message::Update(update), Class::Push);
        }
    }

    /// Those that have not been passed on yet, as they go on.
    fn choose_passed(&mut self, rumours: &[WireRecord<'_>]) -> Records {
        let mut page = RecordsBuilder::default();
        for rumour in rumours {
            let Ok(info) = check_body(rumour.body) else {
                continue;
            };
            let Some(remaining_s) = info.relayed(rumour.remaining_s) else {
                continue;
            };
            let hash = rng::record_hash(&rumour.node, rumour.sequence.version);
            if self.push.passed.contains(&hash)
                || self.push.passing.take(PASSING, self.cx.now, 1).is_err()
            {
                continue;
            }
            if self.push.passed.len() >= caps::PASSED_RUMOURS {
                self.push.passed.pop_front();
            }
            self.push.passed.push_back(hash);
            if info.tombstone {
                self.table.bury(self.cx.now, rumour.node, rumour.sequence);
            }
            let passed = WireRecord {
                remaining_s,
                ..*rumour
            };
            page.push(passed, PAGE_BYTES);
        }
        page.finish()
    }

    fn park(&mut self, to: NodeId, about: &[NodeId]) {
        for node in about.iter().take(caps::WAITING_RUMOURS) {
            if self.push.parked.len() >= 2 * caps::WAITING_RUMOURS {
                self.push.parked.pop_front();
            }
            self.push.parked.push_back((to, *node));
        }
        self.dial_peer(to);
    }

    /// It cannot be reached: once it is, it asks.
    pub(super) fn drop_parked(&mut self, to: &NodeId) {
        self.push.parked.retain(|(node, _)| node != to);
    }

    pub(super) fn send_parked(&mut self, link: LinkId, to: NodeId) {
        if self.push.parked.is_empty() {
            return;
        }
        let parked = core::mem::take(&mut self.push.parked);
        let (now, later): (Vec<_>, Vec<_>) = parked.into_iter().partition(|(t, _)| *t == to);
        self.push.parked = later.into();
        if !now.is_empty() {
            self.send_rumour(link, now.into_iter().map(|(_, about)| about).collect());
        }
    }

    /// Sends rumours about these nodes, or lets them wait for room.
    pub(super) fn send_rumour(&mut self, link: LinkId, about: Vec<NodeId>) {
        let slots: Vec<Slot> = about.iter().filter_map(|n| self.table.find(n)).collect();
        let peer = self.links.get(link).map(|l| l.node);
        let (records, _) = self
            .table
            .page(self.cx.now, &slots, peer.as_ref(), PAGE_BYTES);
        if records.is_empty() {
            return;
        }
        let delta = Delta::unlogged(records);
        let update = Update {
            delta: Some(delta),
            ..Update::default()
        };
        if self.send(link, Message::Update(update), Class::Push) {
            return;
        }
        if let Some(link) = self.links.get_mut(link) {
            link.await_room(about);
        }
    }

    /// A few changes for this peer that can go along with a request.
    pub(super) fn small_push(&self, node: &NodeId, epoch: Option<u64>) -> Option<Delta> {
        let told = self.partners.get(node).and_then(|p| p.told);
        let told = told.filter(|t| epoch.is_none_or(|e| e == t.epoch));
        let from = told.map_or(0, |t| t.version);
        // Whoever has told nothing yet may know the rest already.
        let few = if from == 0 { 1 } else { FEW };
        if self.table.count_since(from, few + 1) > few {
            return if from == 0 { self.own_push() } else { None };
        }
        let listed = self.table.since(from);
        let (records, to) = self
            .table
            .page_to(self.cx.now, &listed, Some(node), PAGE_BYTES);
        (!records.is_empty()).then_some(Delta {
            from,
            to,
            content: Content::Records(records),
        })
    }

    /// In a crowded cluster everybody brings the own record along: others' samples may leave it out.
    fn own_push(&self) -> Option<Delta> {
        if !self.table.is_crowded() {
            return None;
        }
        let own: Vec<Slot> = self.table.find(&self.cx.id).into_iter().collect();
        let (records, _) = self.table.page(self.cx.now, &own, None, PAGE_BYTES);
        (!records.is_empty()).then_some(Delta::unlogged(records))
    }

    /// Sends a delta as an update; `request` if it is late knowledge for that.
    pub(super) fn send_delta(&mut self, link: LinkId, request: Option<RequestId>, delta: Delta) {
        let update = Update {
            request,
            delta: Some(delta),
            ..Update::default()
        };
        self.send(link, Message::Update(update), Class::Ask);
    }

    pub(super) fn on_update(&mut self, link: LinkId, update: Update, len: usize) {
        let Some((node, remote)) = self.links.get(link).map(|l| (l.node, l.remote)) else {
            return;
        };
        if self.gate.admit(self.cx.now, node, remote).is_err() {
            self.cx.stats.requests_throttled += 1;
            return;
        }
        self.charge_taken(node, remote, update.delta.as_ref(), len);
        self.take_refusals(&update.refusals);
        self.take_renewals(link, &update.renewals);
        let Some(delta) = update.delta else { return };
        let source = if delta.to == 0 {
            Source::Rumour
        } else {
            Source::Push
        };
        let (report, _) = self.take_delta(link, delta, source, false);
        let news = report.news > 0;
        self.send_refusals(link, report);
        if news {
            self.exchange_over(link, true);
            if source == Source::Push {
                self.set_even(node);
            }
            self.hurry();
        }
    }

    /// A renewal that was not known: it goes on with the next batch.
    pub(super) fn pass_renewal_on(&mut self, node: NodeId) {
        if self.push.renewals.len() >= caps::RENEWALS {
            return;
        }
        self.push.renewals.insert(node);
        let full = self.push.renewals.len() >= caps::BATCH;
        let wait = if full {
            Default::default()
        } else {
            self.cx.config.renewal_batch
        };
        let wait = self.cx.choices.jitter(wait, 50);
        self.cx.timers.at_latest(Timer::Batch, self.cx.now + wait);
    }

    /// Sends the gathered renewals to the ring successor and one random partner.
    pub(super) fn flush_renewals(&mut self) {
        self.keep_successor();
        let next = self.table.successor().and_then(|node| self.links.of(&node));
        let other = self
            .links
            .random(&mut self.cx.choices, |id, l| Some(id) != next && !l.surplus);
        let mut batch = RenewalsBuilder::default();
        let mut n = 0;
        while n < caps::BATCH {
            let Some(node) = self.push.renewals.pop_first() else {
                break;
            };
            let renewal = self
                .table
                .lookup(&node)
                .and_then(|e| e.to_renewal(self.cx.now));
            if let Some(renewal) = renewal {
                batch.push(renewal);
                n += 1;
            }
        }
        let batch = batch.finish();
        for link in [next, other].into_iter().flatten() {
            self.send_renewals(link, batch.clone());
        }
        if !self.push.renewals.is_empty() {
            self.cx
                .timers
                .at_latest(Timer::Batch, self.cx.now + self.cx.config.round);
        }
    }

    fn send_renewals(&mut self, link: LinkId, renewals: Renewals) {
        if !renewals.is_empty() {
            let update = Update {
                renewals,
                ..Update::default()
            };
            self.send(link, Message::Update(update), Class::Push);
        }
    }

    /// The first four bytes of nodes whose renewal is overdue.
    pub(super) fn overdue(&self) -> Bytes {
        let slots = self.table.overdue(self.cx.now);
        let mut out = Vec::with_capacity(4 * slots.len());
        for entry in slots.iter().filter_map(|slot| self.table.get(*slot)) {
            out.extend_from_slice(&entry.node.prefix().0);
        }
        out.into()
    }

    /// Keeps a link to the ring successor once things are calm.
    pub(super) fn keep_successor(&mut self) {
        if let Some(node) = self.table.successor().filter(|_| self.is_calm()) {
            if !self.links.is_linked(&node) {
                self.dial_peer(node);
            }
        }
    }
}
