//! All links: one of each node in the end, and no more than there may be (R22, R23).

mod link;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::CloseReason;
use crate::id::{LinkId, NodeId};
use crate::rng::Stream;
use crate::time::Instant;
use crate::wire::GoodbyeReason;

pub(crate) use self::link::{Answered, Class, LinkState, NewLink};

/// A second link, or one beyond the cap, goes when so much time has passed without its Hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Links {
    /// Boxed: the nodes of the map are half empty.
    links: BTreeMap<LinkId, Box<LinkState>>,
    /// The oldest link of each node that has one.
    by_node: BTreeMap<NodeId, LinkId>,
    order: u64,
}

/// What a look at all links has found.
#[derive(Default)]
pub(crate) struct Sweep {
    /// To be closed, with what is said to the other end and to the embedder.
    pub(crate) close: Vec<(LinkId, GoodbyeReason, CloseReason)>,
    /// Nodes of links that have lasted.
    pub(crate) lasted: Vec<NodeId>,
}

impl Links {
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    pub(crate) fn get(&self, link: LinkId) -> Option<&LinkState> {
        self.links.get(&link).map(|link| &**link)
    }

    pub(crate) fn get_mut(&mut self, link: LinkId) -> Option<&mut LinkState> {
        self.links.get_mut(&link).map(|link| &mut **link)
    }

    /// The node at the other end.
    pub(crate) fn node(&self, link: LinkId) -> Option<NodeId> {
        self.get(link).map(LinkState::node)
    }

    /// The oldest link of this node.
    pub(crate) fn of(&self, node: &NodeId) -> Option<LinkId> {
        self.by_node.get(node).copied()
    }

    /// The same, itself.
    pub(crate) fn link_of(&self, node: &NodeId) -> Option<&LinkState> {
        self.get(self.of(node)?)
    }

    pub(crate) fn is_linked(&self, node: &NodeId) -> bool {
        self.by_node.contains_key(node)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkId, &LinkState)> {
        self.links.iter().map(|(id, link)| (*id, &**link))
    }

    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    /// A random link that `accept` likes.
    pub(crate) fn random(
        &self,
        random: &mut Stream,
        accept: impl Fn(LinkId, &LinkState) -> bool,
    ) -> Option<LinkId> {
        let liked: Vec<_> = self
            .iter()
            .filter(|(id, l)| accept(*id, l))
            .map(|(id, _)| id)
            .collect();
        (!liked.is_empty()).then(|| liked[random.below(liked.len())])
    }

    pub(crate) fn add(&mut self, id: LinkId, new: NewLink, now: Instant) {
        self.order += 1;
        let node = new.node;
        let link = LinkState::new(new, self.order, now);
        self.links.insert(id, Box::new(link));
        self.by_node.entry(node).or_insert(id);
    }

    pub(crate) fn remove(&mut self, id: LinkId) -> Option<LinkState> {
        let link = self.links.remove(&id)?;
        let node = link.node();
        if self.of(&node) == Some(id) {
            match self.other_of(&node, id) {
                Some(other) => self.by_node.insert(node, other),
                None => self.by_node.remove(&node),
            };
        }
        Some(*link)
    }

    fn other_of(&self, node: &NodeId, but: LinkId) -> Option<LinkId> {
        self.iter()
            .find(|(id, l)| l.node() == *node && *id != but)
            .map(|(id, _)| id)
    }

    /// Whether a Hello has come on any of them.
    pub(crate) fn any_greeted(&self) -> bool {
        self.links.values().any(|l| l.epoch().is_some())
    }

    /// How many nodes there are of which a Hello has come.
    pub(crate) fn nodes_greeted(&self) -> usize {
        let greeted = self.links.values().filter(|l| l.epoch().is_some());
        greeted.map(|l| l.node()).collect::<BTreeSet<_>>().len()
    }

    /// Another link of the same node whose Hello has come. There is at most one; the others' turn
    /// is at theirs.
    pub(crate) fn greeted_twin(&self, id: LinkId) -> Option<LinkId> {
        let node = self.node(id)?;
        let is_twin = |(other, l): &(LinkId, &LinkState)| {
            l.node() == node && *other != id && l.epoch().is_some()
        };
        self.iter().find(is_twin).map(|(other, _)| other)
    }

    /// Of two links to one node, both greeted, the one that stays and the one that goes (R23). Both
    /// ends see the same facts and agree.
    pub(crate) fn survivor(&self, a: LinkId, b: LinkId, own: &NodeId) -> Option<(LinkId, LinkId)> {
        let (la, lb) = (self.get(a)?, self.get(b)?);
        let (epoch_a, epoch_b) = (la.epoch()?, lb.epoch()?);
        let newer = if la.order() > lb.order() { a } else { b };
        let apart = la
            .up_at()
            .max(lb.up_at())
            .saturating_since(la.up_at().min(lb.up_at()));
        let stays = if epoch_a != epoch_b || la.is_dialled() == lb.is_dialled() {
            newer
        } else if la.replaces() != lb.replaces() {
            if la.replaces() { a } else { b }
        } else if la.replaces() && apart > HELLO_TIMEOUT {
            // What once took the place of another may be mute by now.
            newer
        } else {
            // The one that the smaller ID has dialled.
            let ours_stays = *own < la.node();
            if la.is_dialled() == ours_stays { a } else { b }
        };
        Some((stays, if stays == a { b } else { a }))
    }

    /// Of a link that has just come up and another of the same node, the one that will stay unless
    /// their epochs differ, which the Hello will tell.
    pub(crate) fn likely_survivor(&self, new: LinkId, own: &NodeId) -> LinkId {
        let Some(link) = self.get(new) else {
            return new;
        };
        let Some(other) = self.of(&link.node()).filter(|other| *other != new) else {
            return new;
        };
        let crossed = |l: &LinkState| l.epoch().is_some() && l.is_dialled() != link.is_dialled();
        let crossed = self.get(other).is_some_and(crossed);
        let new_stays = link.replaces() || link.is_dialled() == (*own < link.node());
        if crossed && !new_stays { other } else { new }
    }

    /// Looks at all links: which are to be closed, and which have lasted. Those that `is_kept` names
    /// stay though unused.
    pub(crate) fn sweep(
        &self,
        now: Instant,
        idle: Duration,
        is_kept: impl Fn(&NodeId) -> bool,
    ) -> Sweep {
        let mut sweep = Sweep::default();
        let doubled = self.doubled();
        for (id, link) in self.iter() {
            let late = link.age(now) > HELLO_TIMEOUT;
            let mute_twin = late && link.epoch().is_none() && doubled.contains(&link.node());
            let unused = link.is_dialled() && link.unused_for(now) > idle;
            let close = if mute_twin {
                Some((GoodbyeReason::Duplicate, CloseReason::Duplicate))
            } else if link.is_over_cap() && late {
                Some((GoodbyeReason::Full, CloseReason::Full))
            } else if unused && !is_kept(&link.node()) {
                Some((GoodbyeReason::Idle, CloseReason::Idle))
            } else {
                None
            };
            match close {
                Some((goodbye, reason)) => sweep.close.push((id, goodbye, reason)),
                None if link.has_lasted(now) => sweep.lasted.push(link.node()),
                None => {}
            }
        }
        sweep
    }

    /// Nodes with more than one link.
    fn doubled(&self) -> BTreeSet<NodeId> {
        if self.links.len() == self.by_node.len() {
            return BTreeSet::new();
        }
        let mut seen = BTreeSet::new();
        let nodes = self.links.values().map(|l| l.node());
        nodes.filter(|node| !seen.insert(*node)).collect()
    }
}

#[cfg(test)]
mod tests;
