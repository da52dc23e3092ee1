//! Whom to ask (R20).

use core::time::Duration;

use crate::id::{LinkId, NodeId};
use crate::node::Node;
use crate::time::Instant;

/// Whom to ask.
pub(super) enum Pick {
    Link(LinkId),
    Dial(NodeId),
    Nobody,
}

impl Node {
    pub(super) fn pick_partner(&mut self) -> Pick {
        if let Some(link) = self.fresh_upstream() {
            return Pick::Link(link);
        }
        // A crowded table in a hurry wants many samples, and whose they are is all the same.
        if self.table.is_crowded() && self.is_rushing() {
            if let Some(link) = self.linked_partner() {
                return Pick::Link(link);
            }
        }
        if let Some(node) = self.ask.take_chosen() {
            if self.is_partner(&node) {
                return self.reach(node);
            }
        }
        let (table, partners, links) = (&self.table, &self.partners, &self.links);
        let (now, id, local) = (self.cx.now, self.cx.id, self.cx.config.local);
        let (version, since) = self.even_since();
        let slot = table.random(&mut self.cx.choices, |_, entry| {
            let node = &entry.node;
            if *node == id || entry.is_tombstone() || partners.is_even(node, version, since) {
                return false;
            }
            match links.of(node).and_then(|l| links.get(l)) {
                Some(link) => link.asking.is_none() && partners.is_ready(node, now),
                None => partners.is_ready(node, now) && has_usable_address(entry, local),
            }
        });
        if let Some(node) = slot.and_then(|s| self.table.get(s)).map(|e| e.node) {
            return self.reach(node);
        }
        // Linked peers that are not announced, or not known yet.
        self.linked_partner().map_or(Pick::Nobody, Pick::Link)
    }

    /// The ring successor, before this node rests.
    pub(super) fn pick_successor(&self) -> Pick {
        let next = self.table.successor().filter(|node| self.is_partner(node));
        next.map_or(Pick::Nobody, |node| self.reach(node))
    }

    pub(super) fn linked_partner(&mut self) -> Option<LinkId> {
        let (partners, now) = (&self.partners, self.cx.now);
        let (version, since) = self.even_since();
        self.links.random(&mut self.cx.choices, |_, l| {
            let even = partners.is_even(&l.node, version, since);
            l.asking.is_none() && !even && partners.is_ready(&l.node, now)
        })
    }

    /// An exchange with this node is over: each knows what the other knew.
    pub(super) fn set_even(&mut self, node: NodeId) {
        self.partners
            .set_even(node, self.table.version(), self.cx.now);
    }

    /// For whom an exchange would bring nothing: those with whom there has been one in the time of
    /// a fast round, and nothing has changed here since.
    fn even_since(&self) -> (u64, Instant) {
        let time = if self.ask.is_wished() {
            Duration::ZERO
        } else {
            self.cx.config.round
        };
        (self.table.version(), self.cx.now.saturating_sub(time))
    }

    fn is_partner(&self, node: &NodeId) -> bool {
        let idle = self
            .links
            .of(node)
            .and_then(|l| self.links.get(l))
            .is_none_or(|l| l.asking.is_none());
        let (version, since) = self.even_since();
        *node != self.cx.id
            && idle
            && !self.partners.is_even(node, version, since)
            && self.partners.is_ready(node, self.cx.now)
            && self.table.lookup(node).is_some_and(|e| !e.is_tombstone())
    }

    fn reach(&self, node: NodeId) -> Pick {
        self.links.of(&node).map_or(Pick::Dial(node), Pick::Link)
    }

    /// A connected upstream with which no exchange has completed.
    pub(super) fn fresh_upstream(&self) -> Option<LinkId> {
        self.dialer.incomplete().find_map(|node| {
            let link = self.links.of(node)?;
            let idle = self.links.get(link)?.asking.is_none();
            (idle && self.partners.is_ready(node, self.cx.now)).then_some(link)
        })
    }
}

fn has_usable_address(entry: &crate::table::Entry, local: bool) -> bool {
    crate::record::addresses(entry.body()).any(|a| crate::addr::is_usable(a, local))
}
