//! Rumours: one change on its way through the cluster (R21).

use alloc::vec::Vec;

use crate::id::{LinkId, NodeId};
use crate::limits::caps::PAGE_BYTES;
use crate::node::base::Base;
use crate::node::state::links::Class;
use crate::record::check_body;
use crate::rng;
use crate::table::Slot;
use crate::wire::{Delta, Message, Records, RecordsBuilder, Update, WireRecord};

/// Rumours for which there is no room here go on to so many. Two would reach four nodes in five
/// (as s = 1 - e^(-2s) has it), where no ring reaches the rest; four reach 98 of 100.
const PASSED_TO: usize = 4;

impl Base {
    /// Sends these changes to the ring successor and one random partner, not back.
    pub(crate) fn spread(&mut self, about: &[NodeId], from: Option<LinkId>) {
        let successor = self.table.successor();
        let next = successor.and_then(|node| self.links.of(&node));
        if next.is_none() {
            if let Some(node) = successor {
                self.rumours.park(node, about);
                self.dial_peer(node);
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
            Some(id) != from && Some(id) != next && !l.is_over_cap() && Some(l.node()) != successor
        });
        let next = next.filter(|link| Some(*link) != from);
        next.into_iter().chain(other)
    }

    /// Passes on rumours for which the table has no room, once: somebody else has (R22).
    pub(crate) fn pass_on(&mut self, rumours: &[WireRecord<'_>], from: LinkId) {
        let records = self.choose_passed(rumours);
        if records.is_empty() {
            return;
        }
        let next = self.table.successor().and_then(|node| self.links.of(&node));
        let mut links: Vec<LinkId> = self.rumour_links(next, Some(from)).collect();
        while links.len() < PASSED_TO {
            let other = self.links.random(&mut self.cx.choices, |id, l| {
                id != from && !l.is_over_cap() && !links.contains(&id)
            });
            match other {
                Some(link) => links.push(link),
                None => break,
            }
        }
        for link in links {
            self.send_unlogged(link, records.clone());
        }
    }

    /// Those that have not been passed on yet, as they go on.
    fn choose_passed(&mut self, rumours: &[WireRecord<'_>]) -> Records {
        let now = self.cx.now;
        let mut page = RecordsBuilder::default();
        for rumour in rumours {
            let Ok(info) = check_body(rumour.body) else {
                continue;
            };
            let Some(remaining_s) = info.relayed(rumour.remaining_s) else {
                continue;
            };
            let hash = rng::record_hash(&rumour.node, rumour.sequence.version);
            if !self.rumours.may_pass_on(hash, now) {
                continue;
            }
            if info.tombstone {
                self.table
                    .bury(now, rumour.node, rumour.sequence, info.life());
            }
            let passed = WireRecord {
                remaining_s,
                ..*rumour
            };
            page.push(passed, PAGE_BYTES);
        }
        page.finish()
    }

    /// Sends rumours about these nodes, or lets them wait for room.
    pub(crate) fn send_rumour(&mut self, link: LinkId, about: Vec<NodeId>) {
        let slots: Vec<Slot> = about.iter().filter_map(|n| self.table.find(n)).collect();
        let peer = self.links.node(link);
        let (records, _) = self
            .table
            .page(self.cx.now, &slots, peer.as_ref(), PAGE_BYTES);
        if records.is_empty() || self.send_unlogged(link, records) {
            return;
        }
        if let Some(link) = self.links.get_mut(link) {
            link.await_room(about);
        }
    }

    /// Records that move no cursor, as a push.
    fn send_unlogged(&mut self, link: LinkId, records: Records) -> bool {
        let update = Update {
            delta: Some(Delta::unlogged(records)),
            ..Update::default()
        };
        self.send(link, Message::Update(update), Class::Push)
    }

    /// What was kept for this node, now that it is linked.
    pub(crate) fn send_parked(&mut self, link: LinkId, to: &NodeId) {
        let about = self.rumours.take_parked(to);
        if !about.is_empty() {
            self.send_rumour(link, about);
        }
    }

    /// The own tombstone to everybody who is linked (R4).
    pub(crate) fn send_tombstone(&mut self) {
        for link in self.links.ids() {
            let update = Update {
                delta: Some(Delta::unlogged(self.own_page())),
                ..Update::default()
            };
            self.send(link, Message::Update(update), Class::Answer);
        }
    }
}
