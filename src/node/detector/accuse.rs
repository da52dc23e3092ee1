//! Accusing, counting what others say, and refuting it (R32, R33, R39).

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::detector::{Detector, REFUTATIONS};
use crate::node::state::accusations::{Claim, Outcome};
use crate::record::Sequence;
use crate::ring::Position;
use crate::time::Instant;
use crate::wire::Accusation;

/// Fewer than so many nodes that are up stand between whoever accuses and whom it accuses.
const NEAR: usize = 8;
/// Two make a node down, where there are more than two.
const QUORUM: usize = 2;
/// Who accuses has been up for so long here, or since this node's own beginning.
const KNOWN: Duration = Duration::from_secs(60);

impl Detector {
    /// Accusations have come over this link, to be passed on until there.
    pub(crate) fn on_accusations(
        &mut self,
        base: &mut Base,
        link: LinkId,
        said: &[Accusation],
        until: Position,
    ) {
        // Where records are signed, whoever relays could accuse in anybody's name.
        if base.cx.config.detection.is_none() || !base.sealer.is_off() {
            return;
        }
        let reach = base.table.position().reach(until);
        for said in said {
            self.on_accusation(base, link, said, reach);
        }
    }

    fn on_accusation(&mut self, base: &mut Base, link: LinkId, said: &Accusation, reach: u64) {
        if said.subject == base.cx.id {
            self.refute(base, said.at);
            return;
        }
        let entry = base.table.lookup(&said.subject);
        let known = entry.map(|e| e.sequence());
        if entry.is_some_and(|e| e.is_tombstone()) {
            return;
        }
        if known.is_some_and(|known| known > said.at) {
            base.tell_alone(link, said.subject);
            return;
        }
        if reach <= 1 {
            return self.on_told(base, said, known.is_some());
        }
        let in_mass = self.mass.ranks(base.cx.now).is_some();
        if !in_mass && !self.is_known(said) && !self.accusations.admit(&said.by, base.cx.now) {
            return;
        }
        if known.is_some() {
            self.count(base, said, Self::hold(base));
        }
        base.spread_accusation(said, reach);
    }

    /// Told to this node alone, by one for whom the subject is down. It is said again and again
    /// while the two differ, and so is no part of what its accuser may say in a minute; and the time
    /// to refute it is over there.
    fn on_told(&mut self, base: &mut Base, said: &Accusation, is_up: bool) {
        let kept = is_up && self.count(base, said, Duration::ZERO) == Outcome::Kept;
        // For that one those are down who are up here, and the other way round: all have to know,
        // those first who are accused.
        if kept && self.accusations.admit(&said.by, base.cx.now) {
            base.spread_accusation(said, u64::MAX);
        }
    }

    fn is_known(&self, said: &Accusation) -> bool {
        let against = self.accusations.against(&said.subject);
        against.is_some_and(|(at, by)| at == said.at && by.contains(&said.by))
    }

    /// This node accuses one that it watches.
    pub(super) fn accuse(&mut self, base: &mut Base, subject: NodeId, silent_since: Instant) {
        let id = base.cx.id;
        let Some(entry) = base.table.lookup(&subject).filter(|e| !e.is_tombstone()) else {
            self.forget(&subject);
            return;
        };
        let at = entry.sequence();
        let alone = base.table.live() <= 2;
        if !base.sealer.is_off() || !base.own.is_published() {
            return;
        }
        if !alone && !self.hearing.heard_others(&subject, silent_since) {
            return;
        }
        let said = Accusation {
            subject,
            at,
            by: id,
        };
        // It has said so, or two others have.
        let against = self.accusations.against(&subject);
        let enough = against.is_some_and(|(known, by)| known == at && by.len() >= QUORUM);
        if enough || self.count(base, &said, Self::hold(base)) == Outcome::Ignored {
            return;
        }
        self.watches.accused(&subject, at);
        base.cx.stats.accusations += 1;
        base.spread_accusation(&said, u64::MAX);
        base.send_ask(&subject, true, Some(at));
        // A suspect is no rank: others are watched beside it.
        self.looked_at = None;
    }

    /// So long a subject may refute what makes it down.
    fn hold(base: &Base) -> Duration {
        base.cx.config.detection.unwrap_or_default() / 10
    }

    fn count(&mut self, base: &Base, said: &Accusation, hold: Duration) -> Outcome {
        let (now, quorum) = (base.cx.now, Self::quorum(base));
        let claim = Claim {
            subject: said.subject,
            at: said.at,
            by: said.by,
        };
        let counts = self.is_near(base, said);
        let outcome = self.accusations.accuse(claim, counts, quorum, hold, now);
        if matches!(outcome, Outcome::Suspect | Outcome::Condemned { .. }) {
            self.watches.doubt(&said.subject, now);
            self.looked_at = None;
        }
        if self.mass.ranks(now).is_some() {
            self.reconsider(base);
        }
        outcome
    }

    /// Those that did not count, now that others between are accused, too (R39).
    fn reconsider(&mut self, base: &Base) {
        let (now, quorum) = (base.cx.now, Self::quorum(base));
        let hold = Self::hold(base);
        let open: Vec<NodeId> = self.accusations.open().copied().collect();
        for subject in open {
            let Some((at, _)) = self.accusations.against(&subject) else {
                continue;
            };
            let kept: Vec<NodeId> = self.accusations.kept(&subject).to_vec();
            let near: Vec<NodeId> = kept
                .into_iter()
                .filter(|by| {
                    let by = *by;
                    self.is_near(base, &Accusation { subject, at, by })
                })
                .collect();
            self.accusations
                .reconsider(&subject, |by| near.contains(by), quorum, hold, now);
        }
    }

    fn quorum(base: &Base) -> usize {
        QUORUM.min(base.table.live().saturating_sub(1)).max(1)
    }

    /// Whether an accusation counts: its accuser is near its subject, and has been up for a while.
    fn is_near(&self, base: &Base, said: &Accusation) -> bool {
        if base.table.live() <= 2 {
            return true;
        }
        let up = said.by == base.cx.id
            || base.table.lookup(&said.by).is_some_and(|e| {
                let since = e.first_seen();
                let early = since <= self.started + KNOWN;
                !e.is_tombstone() && (early || since + KNOWN <= base.cx.now)
            });
        let in_mass = self.mass.ranks(base.cx.now).is_some();
        let counted = |node: &NodeId| !(in_mass && self.accusations.is_accused(node));
        up && base.table.between(&said.by, &said.subject, counted) < NEAR
    }

    /// This node is accused at this sequence (R33). Over the budget it answers later: whoever
    /// accuses it asks again.
    pub(super) fn refute(&mut self, base: &mut Base, at: Sequence) {
        if at < base.own.sequence() || !at.is_credible(base.own.sequence().version) {
            return;
        }
        if self.refutations.take(REFUTATIONS, base.cx.now, 1).is_ok() {
            base.refute(at);
        }
    }

    /// A record of this node has come: older accusations of it are void.
    pub(crate) fn newer(&mut self, base: &Base, node: &NodeId) {
        let Some(at) = base.table.lookup(node).map(|e| e.sequence()) else {
            return;
        };
        if self.accusations.refuted(node, at) {
            self.watches.refuted(node, base.cx.now);
            self.looked_at = None;
        }
    }
}
