//! Whom to ask (R20, R43).

use core::time::Duration;

use crate::addr;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::node::exchange::rounds::Pick;
use crate::node::state::links::LinkState;
use crate::node::state::pace::Pace;
use crate::record;
use crate::table::Entry;
use crate::time::Instant;

/// So long the dialler of a link has to ask first.
const TURN: Duration = Duration::from_secs(1);

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
        let chooses = base.pace.is_fast(&base.cx.config) && !base.pace.discovery_wanted();
        let partner = if chooses {
            let at_frontier = self.at_frontier(base).map(|node| reach(base, node));
            let more = at_frontier.or_else(|| self.knows_more(base).map(Pick::Link));
            more.or_else(|| self.on_the_ring(base).map(|node| reach(base, node)))
        } else {
            None
        };
        let partner = partner.or_else(|| self.random_partner(base).map(|node| reach(base, node)));
        // Linked peers that are not announced, or not known yet.
        partner.unwrap_or_else(|| self.linked_partner(base).map_or(Pick::Nobody, Pick::Link))
    }

    /// A connected upstream with which no exchange has completed; of many, one of which nothing is
    /// known. [Never asked again, since partners come from the table: the seven below an upstream whose
    /// answer was lost stayed apart from 249 others.]
    pub(crate) fn unsynced_upstream(&self, base: &Base) -> Option<LinkId> {
        let few = !base.upstreams.are_several();
        let is_unknown = |node: &NodeId| base.table.lookup(node).is_none();
        let mut unsynced = base.upstreams.unsynced().copied();
        let unsynced = unsynced.find_map(|node| {
            let first = few || is_unknown(&node);
            idle_link(base, &node).filter(|_| first)
        });
        let is_idle = |link: &LinkId| base.links.get(*link).is_some_and(|l| may_bring(base, l));
        unsynced.or_else(|| base.unknown_upstreams().find(is_idle))
    }

    /// Where what is known of the configuration ends.
    fn at_frontier(&mut self, base: &mut Base) -> Option<NodeId> {
        let edges = base.table.edges();
        if base.table.is_crowded() || !self.round.may_have_frontier(edges) {
            return None;
        }
        let mut choices = base.cx.choices.clone();
        let found = base
            .table
            .frontier(&mut choices, |node| self.may_ask(base, node));
        base.cx.choices = choices;
        if found.is_none() {
            self.round.found_no_frontier(edges);
        }
        found
    }

    /// A link to somebody who has said to have more records.
    fn knows_more(&self, base: &mut Base) -> Option<LinkId> {
        let own = base.table.len();
        let (peers, now) = (&base.peers, base.cx.now);
        let ready = |l: &LinkState| l.is_idle() && peers.is_ready(&l.node(), now);
        let more = base
            .links
            .iter()
            .filter(|(_, l)| l.records() > own && ready(l));
        let most = more.map(|(_, l)| l.records()).max()?;
        base.links
            .random(&mut base.cx.choices, |_, l| l.records() == most && ready(l))
    }

    /// One of those to whom this node keeps links anyway (R30, R46).
    fn on_the_ring(&self, base: &Base) -> Option<NodeId> {
        let next = base.table.next_ranks().iter().enumerate();
        let mut kept = next.filter(|(i, _)| (i + 1).is_power_of_two());
        let kept = kept.find(|(_, (_, node))| self.may_ask(base, node));
        kept.map(|(_, (_, node))| *node)
    }

    /// A random link on which asking may bring something.
    pub(crate) fn linked_partner(&self, base: &mut Base) -> Option<LinkId> {
        let (fingerprint, since) = base.in_sync_since();
        let (peers, pace, now) = (&base.peers, &base.pace, base.cx.now);
        base.links.random(&mut base.cx.choices, |_, l| {
            let node = l.node();
            let in_sync = peers.is_in_sync(&node, fingerprint, since);
            l.is_idle()
                && !in_sync
                && !self.round.has_asked(&node)
                && peers.is_ready(&node, now)
                && has_had_its_turn(l, pace, now)
        })
    }

    /// A random peer that is linked, or can be dialled.
    fn random_partner(&self, base: &mut Base) -> Option<NodeId> {
        let mut choices = base.cx.choices.clone();
        let slot = base
            .table
            .random(&mut choices, |_, entry| self.is_partner(base, entry));
        base.cx.choices = choices;
        base.table.get(slot?).map(|e| e.node)
    }

    /// Whether this peer is known, ready, idle, and may have something new.
    fn may_ask(&self, base: &Base, node: &NodeId) -> bool {
        let entry = base.table.lookup(node);
        entry.is_some_and(|e| self.is_partner(base, e))
    }

    fn is_partner(&self, base: &Base, entry: Entry<'_>) -> bool {
        let node = &entry.node;
        *node != base.cx.id
            && !entry.is_tombstone()
            && !self.round.has_asked(node)
            && !is_in_sync(base, node)
            && base.peers.is_ready(node, base.cx.now)
            && match base.links.link_of(node) {
                Some(link) => link.is_idle() && has_had_its_turn(link, &base.pace, base.cx.now),
                None => has_usable_address(entry, base.cx.config.local),
            }
    }
}

fn may_bring(base: &Base, link: &LinkState) -> bool {
    let node = link.node();
    link.is_idle() && !is_in_sync(base, &node) && base.peers.is_ready(&node, base.cx.now)
}

/// On a new link the dialler asks first (R44), unless the embedder wants to hear from others now.
fn has_had_its_turn(link: &LinkState, pace: &Pace, now: Instant) -> bool {
    let has = link.is_dialled() || link.has_spoken() || link.age(now) > TURN;
    has || pace.discovery_wanted()
}

fn idle_link(base: &Base, node: &NodeId) -> Option<LinkId> {
    let link = base.links.of(node)?;
    let idle = base.links.get(link)?.is_idle();
    (idle && base.peers.is_ready(node, base.cx.now)).then_some(link)
}

fn is_in_sync(base: &Base, node: &NodeId) -> bool {
    let (fingerprint, since) = base.in_sync_since();
    base.peers.is_in_sync(node, fingerprint, since)
}

fn reach(base: &Base, node: NodeId) -> Pick {
    base.links.of(&node).map_or(Pick::Dial(node), Pick::Link)
}

fn has_usable_address(entry: Entry<'_>, local: bool) -> bool {
    record::addresses(entry.body()).any(|a| addr::is_usable(a, local))
}
