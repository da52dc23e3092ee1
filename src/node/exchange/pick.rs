//! Whom to ask (R20).

use crate::addr;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::node::exchange::rounds::Pick;
use crate::record;
use crate::table::Entry;

impl Exchange {
    pub(crate) fn pick_partner(&mut self, base: &mut Base) -> Pick {
        if let Some(link) = self.unsynced_upstream(base) {
            return Pick::Link(link);
        }
        // A crowded table that is filling wants many samples. It does not matter whose they are, so
        // the links that are there are used.
        if base.table.is_crowded() && base.pace.is_bursting(&base.cx.config) {
            if let Some(link) = self.linked_partner(base) {
                return Pick::Link(link);
            }
        }
        if let Some(node) = self.round.take_chosen() {
            if is_partner(base, &node) {
                return reach(base, node);
            }
        }
        if let Some(link) = unknown_upstream(base) {
            return Pick::Link(link);
        }
        match random_partner(base) {
            Some(node) => reach(base, node),
            // Linked peers that are not announced, or not known yet.
            None => self.linked_partner(base).map_or(Pick::Nobody, Pick::Link),
        }
    }

    /// The ring successor, before this node rests.
    pub(crate) fn pick_successor(&self, base: &Base) -> Pick {
        let next = base.table.successor().filter(|node| is_partner(base, node));
        next.map_or(Pick::Nobody, |node| reach(base, node))
    }

    /// A random link on which asking may bring something.
    pub(crate) fn linked_partner(&self, base: &mut Base) -> Option<LinkId> {
        let (version, since) = base.in_sync_since();
        let (peers, now) = (&base.peers, base.cx.now);
        base.links.random(&mut base.cx.choices, |_, l| {
            let node = l.node();
            let in_sync = peers.is_in_sync(&node, version, since);
            l.is_idle() && !in_sync && peers.is_ready(&node, now)
        })
    }

    /// A connected upstream with which no exchange has completed.
    pub(crate) fn unsynced_upstream(&self, base: &Base) -> Option<LinkId> {
        base.upstreams.unsynced().find_map(|node| {
            let link = base.links.of(node)?;
            let idle = base.links.get(link)?.is_idle();
            (idle && base.peers.is_ready(node, base.cx.now)).then_some(link)
        })
    }
}

/// A linked upstream of which there is no record: it had not said who it is when it was asked, and
/// what it has said since was lost. [Never asked again, since partners come from the table: the
/// seven below such a one stayed apart from 249 others.]
fn unknown_upstream(base: &Base) -> Option<LinkId> {
    let (version, since) = base.in_sync_since();
    base.unknown_upstreams().find(|link| {
        let link = base.links.get(*link).filter(|link| link.is_idle());
        link.is_some_and(|link| {
            let node = link.node();
            !base.peers.is_in_sync(&node, version, since) && base.peers.is_ready(&node, base.cx.now)
        })
    })
}

/// A random peer that is linked, or can be dialled.
fn random_partner(base: &mut Base) -> Option<NodeId> {
    let (table, peers, links) = (&base.table, &base.peers, &base.links);
    let (now, id, local) = (base.cx.now, base.cx.id, base.cx.config.local);
    let (version, since) = base.in_sync_since();
    let slot = table.random(&mut base.cx.choices, |_, entry| {
        let node = &entry.node;
        if *node == id || entry.is_tombstone() || peers.is_in_sync(node, version, since) {
            return false;
        }
        match links.link_of(node) {
            Some(link) => link.is_idle() && peers.is_ready(node, now),
            None => peers.is_ready(node, now) && has_usable_address(entry, local),
        }
    })?;
    base.table.get(slot).map(|e| e.node)
}

/// Whether this peer is known, ready, idle, and may have something new.
fn is_partner(base: &Base, node: &NodeId) -> bool {
    let idle = base.links.link_of(node).is_none_or(|l| l.is_idle());
    let (version, since) = base.in_sync_since();
    *node != base.cx.id
        && idle
        && !base.peers.is_in_sync(node, version, since)
        && base.peers.is_ready(node, base.cx.now)
        && base.table.lookup(node).is_some_and(|e| !e.is_tombstone())
}

fn reach(base: &Base, node: NodeId) -> Pick {
    base.links.of(&node).map_or(Pick::Dial(node), Pick::Link)
}

fn has_usable_address(entry: &Entry, local: bool) -> bool {
    record::addresses(entry.body()).any(|a| addr::is_usable(a, local))
}
