//! Accusing, counting what others say, and refuting it (R32, R33, R39).

use core::time::Duration;

use crate::defence::Defence;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::detector::{Detector, OF_THE_NAMED, REFUTATIONS, UNHEARD};
use crate::node::state::accusations::{Outcome, Takes};
use crate::record::{self, Sequence};
use crate::ring::Position;
use crate::seal::Statement;
use crate::table::Slot;
use crate::time::Instant;
use crate::wire::{Accusation, Ask};

/// Two make a node down, where there are more than two.
const QUORUM: usize = 2;
/// After the loss of many it is seen at most so often who is near whom: it takes a look at all.
const RECONSIDERED: Duration = Duration::from_millis(100);

/// A message with accusations, while it is taken.
pub(crate) struct Heard {
    link: LinkId,
    /// How far round the ring they are to go on.
    reach: u64,
    /// Signatures that may be checked for it, and those that were.
    room: usize,
    checked: usize,
    /// One is its sender's, and not signed as it has to be.
    at_fault: bool,
    /// One that was told does not count, yet.
    kept: bool,
}

impl Heard {
    pub(crate) fn checked(&self) -> usize {
        self.checked
    }

    pub(crate) fn is_at_fault(&self) -> bool {
        self.at_fault
    }
}

impl Detector {
    /// Accusations have come over this link, to be passed on until there. So many signatures may be
    /// checked (R50): what is beyond that is lost, and beats make up for it (R31).
    pub(crate) fn on_accusations(
        &mut self,
        base: &mut Base,
        link: LinkId,
        said: &[Accusation],
        until: Position,
        room: usize,
    ) -> Heard {
        let mut heard = Heard {
            link,
            reach: base.table.position().reach(until),
            room,
            checked: 0,
            at_fault: false,
            kept: false,
        };
        if base.cx.config.detection.is_some() {
            for said in said {
                self.on_accusation(base, &mut heard, said);
            }
            if heard.kept {
                self.hear_of_mass(base);
            }
        }
        heard
    }

    /// What costs nothing comes first: of what is old, over a limit or would change nothing, no
    /// signature is checked.
    fn on_accusation(&mut self, base: &mut Base, heard: &mut Heard, said: &Accusation) {
        let entry = base.table.lookup(&said.subject);
        let known = entry.map(|e| e.sequence());
        let has_left = entry.is_some_and(|e| e.is_tombstone());
        if said.subject == base.cx.id {
            self.on_accused(base, heard, said);
        } else if has_left {
            // It is gone, and nobody watches it.
        } else if known.is_some_and(|known| known > said.at) {
            base.cx.stats.accusations_stale += 1;
            base.tell_alone(heard.link, said.subject);
        } else if self.is_uncounted(base, &said.subject, &said.by) {
            base.cx.stats.accusations_uncounted += 1;
        } else if Self::is_stranger(base, &said.by) {
            base.cx.stats.accusations_dropped += 1;
        } else if heard.reach <= 1 {
            self.on_told(base, heard, said, known.is_some());
        } else {
            if base.links.node(heard.link) == Some(said.by) {
                // It has not heard who has convinced this node, if that is so.
                base.send_downs(heard.link, &[said.subject]);
            }
            self.on_relayed(base, heard, said, known.is_some());
        }
    }

    /// Nothing is known of it, though this table has room for all. [A key costs nothing: with a new
    /// one for each accusation, nobody is over a limit.]
    fn is_stranger(base: &Base, by: &NodeId) -> bool {
        let (table, is_own) = (&base.table, *by == base.cx.id);
        let known = is_own || table.lookup(by).is_some() || table.down(by).is_some();
        !known && !table.is_crowded()
    }

    /// Whether its subject has named it for accusing it falsely (R33). Where nobody else is left who
    /// could, it counts.
    fn is_uncounted(&self, base: &Base, subject: &NodeId, by: &NodeId) -> bool {
        let with = self.uncounted.with(subject, by, base.cx.now);
        with.is_some_and(|named| named + 1 < base.table.live())
            && base.cx.config.defends(Defence::Voice)
    }

    /// This node is accused itself.
    fn on_accused(&mut self, base: &mut Base, heard: &mut Heard, said: &Accusation) {
        if said.at < base.own.sequence() {
            base.cx.stats.accusations_stale += 1;
        } else if Self::prove(base, heard, said).is_some() {
            self.refute(base, &said.by, said.at);
        }
    }

    /// On its way round the ring.
    fn on_relayed(&mut self, base: &mut Base, heard: &mut Heard, said: &Accusation, is_up: bool) {
        let now = base.cx.now;
        let known = self.accusations.known(said);
        let is_limited = known.is_none() && self.mass.ranks(now).is_none();
        if is_limited && !self.accusations.may_admit(&said.by, now) {
            base.cx.stats.accusations_dropped += 1;
            return;
        }
        let has_gone = base.has_spread(said, heard.reach);
        if has_gone && (known.is_some() || !is_up) {
            return;
        }
        // Of one that is known, the signature that was checked goes on.
        let Some(said) = known.or_else(|| Self::prove(base, heard, said)) else {
            return;
        };
        if is_limited {
            self.accusations.admit(&said.by, now);
        }
        if is_up {
            self.count(base, &said, Self::hold(base));
        } else {
            base.table.accuse_beyond(&said.subject, said.at, said.by);
        }
        base.spread_accusation(&said, heard.reach);
    }

    /// Told to this node alone, by one for whom the subject is down. It is said again and again
    /// while the two differ, and so is no part of what its accuser may say in a minute; and the time
    /// to refute it is over there.
    fn on_told(&mut self, base: &mut Base, heard: &mut Heard, said: &Accusation, is_up: bool) {
        if !is_up || self.accusations.has_no_place_for(said) {
            return;
        }
        let known = self.accusations.known(said);
        let Some(said) = known.or_else(|| Self::prove(base, heard, said)) else {
            return;
        };
        let kept = self.count(base, &said, Duration::ZERO) == Outcome::Kept;
        heard.kept |= kept;
        // For that one those are down who are up here, and the other way round: all have to know,
        // those first who are accused.
        if kept && self.accusations.admit(&said.by, base.cx.now) {
            base.spread_accusation(&said, u64::MAX);
        }
    }

    /// The accusation as it counts and goes on, if it is its accuser's own word.
    fn prove(base: &mut Base, heard: &mut Heard, said: &Accusation) -> Option<Accusation> {
        let needs_check = base.is_checked(said);
        if needs_check && heard.checked >= heard.room {
            base.cx.stats.accusations_dropped += 1;
            return None;
        }
        heard.checked += usize::from(needs_check);
        let proven = base.prove_accusation(said);
        if proven.is_none() {
            base.cx.stats.accusations_unproven += 1;
            heard.at_fault |= base.links.node(heard.link) == Some(said.by);
        }
        proven
    }

    /// This node accuses one that it watches.
    pub(super) fn accuse(&mut self, base: &mut Base, subject: NodeId, silent_since: Instant) {
        let Some(entry) = base.table.lookup(&subject).filter(|e| !e.is_tombstone()) else {
            self.forget(&subject);
            return;
        };
        let at = entry.sequence();
        let alone = base.table.live() <= 2;
        if !base.own.is_published() {
            return;
        }
        if self.is_uncounted(base, &subject, &base.cx.id) || base.is_refused_by(&subject) {
            // Nobody would count it, and another watches in this node's place; or it has another
            // node with this one's key, and does not answer this one.
            self.watches.refuted(&subject, base.cx.now);
            return;
        }
        // It may be starting, as this node is (R29).
        let started = base.cx.now < self.started + UNHEARD;
        if started && !self.watches.was_heard(&subject) {
            // It is asked and dialled anew: it may be there by then.
            self.watches.refuted(&subject, base.cx.now);
            return;
        }
        if !alone && !self.hearing.heard_others(&subject, silent_since) {
            return;
        }
        // Two have said so.
        if self.accusations.counted(&subject, at) >= QUORUM {
            return;
        }
        let said = self.own_accusation(base, subject, at);
        let known = self.count(base, &said, Self::hold(base)) == Outcome::Ignored;
        if self.mass.ranks(base.cx.now).is_some() {
            self.tell_some(base, said);
        }
        if known {
            base.say_again(&said);
            return;
        }
        self.watches.accused(&subject, at);
        base.cx.stats.accusations += 1;
        base.spread_accusation(&said, u64::MAX);
        base.send_ask(&subject, self.ask_of(&subject));
        // A suspect is no rank: others are watched beside it.
        self.looked_at = None;
    }

    /// What this node says of the subject, signed where records are.
    pub(super) fn own_accusation(&self, base: &Base, subject: NodeId, at: Sequence) -> Accusation {
        let by = base.cx.id;
        let unsigned = Accusation {
            subject,
            at,
            by,
            signature: None,
        };
        self.accusations.known(&unsigned).unwrap_or_else(|| {
            let signature = base.sealer.sign(Statement::accusation(subject, at, &by));
            Accusation {
                signature,
                ..unsigned
            }
        })
    }

    /// So long a subject may refute what makes it down.
    pub(super) fn hold(base: &Base) -> Duration {
        base.cx.config.detection.unwrap_or_default() / 10
    }

    fn count(&mut self, base: &mut Base, said: &Accusation, hold: Duration) -> Outcome {
        let now = base.cx.now;
        let counts = self.counts(base, said);
        let takes = self.takes(base, &said.subject, hold);
        let outcome = self.accusations.accuse(said, counts, takes, now);
        if matches!(outcome, Outcome::Suspect | Outcome::Condemned { .. }) {
            self.watches.doubt(&said.subject, now);
            self.looked_at = None;
        }
        let counted = matches!(
            outcome,
            Outcome::Suspect | Outcome::Condemned { .. } | Outcome::Added
        );
        base.cx.stats.accusations_counted += u64::from(counted);
        if outcome != Outcome::Ignored && self.mass.ranks(now).is_some() {
            self.reconsider_at.get_or_insert(now + RECONSIDERED);
        }
        outcome
    }

    /// What makes this subject down: two accusers, where as many could say so and count.
    pub(super) fn takes(&self, base: &Base, subject: &NodeId, hold: Duration) -> Takes {
        let others = base.table.live().saturating_sub(1);
        let named = self.uncounted.about(subject, base.cx.now);
        let left = others.checked_sub(named).filter(|left| *left > 0);
        Takes {
            quorum: QUORUM.min(left.unwrap_or(others)).max(1),
            again: self.mass.ranks(base.cx.now).is_some() && !base.table.is_crowded(),
            hold: base.silent_in(subject).max(hold),
        }
    }

    /// This node is accused at this sequence, though it is there (R33). Over the budget it answers
    /// later: whoever accuses it asks again.
    pub(super) fn refute(&mut self, base: &mut Base, by: &NodeId, at: Sequence) {
        if at < base.own.sequence() || !at.is_credible(base.own.sequence().version) {
            return;
        }
        let now = base.cx.now;
        let unheeded = self.false_accusers.is_named(by, now);
        if unheeded
            && self
                .refutations_of_named
                .take(OF_THE_NAMED, now, 1)
                .is_err()
        {
            return;
        }
        if self.refutations.take(REFUTATIONS, now, 1).is_err() {
            return;
        }
        let names = self.false_accusers.accused(by, at, now);
        base.cx.stats.accusers_named += u64::from(names);
        let named = names.then(|| self.false_accusers.named(now));
        base.refute(at, named);
    }

    /// Others say this of this node (R52). Whoever asks may have it from others, and is named for
    /// nothing.
    pub(super) fn contradict(&mut self, base: &mut Base, at: Sequence) {
        let own = base.own.sequence();
        let is_news = at > own && at.is_credible(own.version);
        if is_news && self.refutations.take(REFUTATIONS, base.cx.now, 1).is_ok() {
            base.refute(at, None);
        }
    }

    /// Others say this of a node that could say it itself: it is asked (R52).
    pub(crate) fn ask_what_it_says(&self, base: &mut Base, node: NodeId, said: Sequence) {
        if base.links.is_linked(&node) && base.claims.asks(&node, base.cx.now) {
            let claimed = Some(said);
            let ask = self.ask_of(&node);
            base.send_ask(&node, Ask { claimed, ..ask });
        }
    }

    /// The record of this node is another than before: whom it names does not count about it. [Of
    /// the same content again, once a day, the ten minutes would begin anew.]
    pub(crate) fn heed(&mut self, base: &Base, slot: Slot) {
        if let Some(entry) = base.table.get(slot) {
            let (version, named) = (entry.sequence().version, record::named(entry.body()));
            self.uncounted.say(entry.node, version, named, base.cx.now);
        }
    }

    /// A record of this node has come: older accusations of it are void.
    pub(crate) fn newer(&mut self, base: &mut Base, slot: Slot) {
        let Some(entry) = base.table.get(slot) else {
            return;
        };
        let (node, at) = (&entry.node, entry.sequence());
        if let Some(counted) = self.accusations.refuted(node, at) {
            base.cx.stats.accusations_false += counted as u64;
            self.watches.refuted(node, base.cx.now);
            self.looked_at = None;
        } else if !self.watches.was_heard(node) {
            // Others have heard it. [Of many that start again together, those that have no link yet
            // would be accused.]
            self.watches.refuted(node, base.cx.now);
        }
    }
}
