//! The loss of many at once (R39).

use alloc::vec::Vec;

use crate::contract;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::detector::{Detector, UNHEARD};
use crate::node::state::links::LinkState;
use crate::node::state::mass::Mass;
use crate::node::state::watches::Times;
use crate::wire::Accusation;

/// Links over which an accusation goes beside the tree.
const BESIDES: usize = 2;

impl Detector {
    /// Whether many are lost now, and what is due while they are.
    pub(super) fn look_for_mass(&mut self, base: &mut Base, times: Times) {
        let now = base.cx.now;
        let (watched, lost) = self.watches.lost(self.mass.ranks(now).is_some());
        // Of those that are starting as this node is, nobody can say that they are lost.
        let started = now < self.started + UNHEARD;
        let says_something = !started && !self.hearing.is_isolated();
        if lost > self.lost && says_something && self.mass.look(watched, lost, now) {
            self.looked_at = None;
            self.survey(base, times);
        }
        self.lost = lost;
        if self.mass.expire(now) {
            self.looked_at = None;
        }
        if self.survey_ends.take_if(|at| *at <= now).is_some() {
            for node in self.silent(base, times) {
                base.standing.doubt(node, now);
            }
        }
        if self.reconsider_at.take_if(|at| *at <= now).is_some() {
            self.reconsider(base);
        }
    }

    /// Many may be lost, though not of those that this node watches: who has gone down here says so,
    /// and who is accused by others that are not near enough. [Of those told by whoever knew, only
    /// what was said at the same time counted: a few each second, and the last after 53 s.]
    pub(super) fn hear_of_mass(&mut self, base: &Base) {
        let now = base.cx.now;
        if self.mass.ranks(now).is_some() {
            return;
        }
        let since = Mass::counts_from(now);
        let gone = base.table.downs().filter(|d| d.since >= since).count();
        let open = self.accusations.open().len();
        let left = base.table.others().saturating_sub(open);
        if self.mass.hear(gone + open, left, now) {
            self.looked_at = None;
            self.reconsider_at.get_or_insert(now);
        }
    }

    /// Asks all that are linked and of whom nothing was heard lately: whoever is lost as well is to
    /// be given no part of the ring. [Of those that it does not watch it would not know, and nine
    /// parts in ten went nowhere: the tenth in 90 to 10 took 15 s.]
    fn survey(&mut self, base: &mut Base, times: Times) {
        for node in self.silent(base, times) {
            base.send_ask(&node, self.ask_of(&node));
        }
        let patience = times.ask() * 2;
        self.survey_ends.get_or_insert(base.cx.now + patience);
    }

    /// Tells a node that has just been linked whom this one has accused: it was not there to hear it.
    /// [Two that found each other late had one accusation each, and each of them lapsed.]
    pub(super) fn tell_accused(&self, base: &mut Base, link: LinkId) {
        let said = self.watches.accusations();
        let said: Vec<_> = said
            .map(|(subject, at)| self.own_accusation(base, subject, at))
            .collect();
        for said in said.chunks(contract::ACCUSATIONS) {
            base.tell_accused(link, said);
        }
    }

    /// Tells the successor and two others who are accused by this node, and pass it on to nobody: the
    /// tree may have lost its branches. [What one alone had said of the last few lapsed after 10 s.]
    pub(super) fn tell_some(&self, base: &mut Base, said: Accusation) {
        let next = base.table.successor().and_then(|node| base.links.of(&node));
        let mut told: Vec<LinkId> = next.into_iter().collect();
        let now = base.cx.now;
        for _ in 0..BESIDES {
            let standing = &base.standing;
            let other = base.links.random(&mut base.cx.choices, |id, link| {
                let node = link.node();
                node != said.subject && !told.contains(&id) && !standing.is_doubted(&node, now)
            });
            told.extend(other);
        }
        for link in told {
            base.tell_accused_later(link, &said);
        }
    }

    fn silent(&self, base: &Base, times: Times) -> Vec<NodeId> {
        let since = base.cx.now.saturating_sub(times.patience());
        let links = base.links.iter().map(|(_, link)| link);
        let silent = links.filter(|link| link.heard_at() < since);
        silent.map(LinkState::node).collect()
    }
}
