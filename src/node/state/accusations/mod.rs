//! Who is accused of being silent, by whom, and what follows (R32, R33, R39).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::time::Instant;

#[cfg(test)]
mod tests;

/// Accusations that are counted and relayed, per accuser in a minute. [At four, real detection
/// slows; without a bound a liar costs everybody 149 bytes a second.]
const PER_MINUTE: u8 = 8;
const MINUTE: Duration = Duration::from_secs(60);
/// After so long a lone accusation says nothing any more.
const LAPSE: Duration = Duration::from_secs(10);
/// Somebody says that a node is silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    pub(crate) subject: NodeId,
    /// The sequence of the subject that the accuser knew: a higher one refutes it.
    pub(crate) at: Sequence,
    pub(crate) by: NodeId,
}

/// What an accusation has led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It was known, or is about an older life of the subject.
    Ignored,
    /// Its accuser is not near enough: kept, in case those between turn out to be accused too.
    Kept,
    /// The first that counts: the subject is suspect.
    Suspect,
    /// There are enough: unless it is refuted until then, the subject is down.
    Condemned { until: Instant },
    /// One more about a subject that has been condemned.
    Added,
}

/// What time has made of an accusation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Down(NodeId),
    /// Nobody has joined the accuser: the subject is no suspect, and its watchers ask it.
    Lapsed(NodeId),
}

#[derive(Default)]
struct Case {
    at: Sequence,
    /// Whose accusations count.
    by: Vec<NodeId>,
    /// Whose do not, yet (R39).
    kept: Vec<NodeId>,
    /// When something follows: the hold or the lapse is over.
    due: Option<Instant>,
    /// There are enough: it is down when the hold is over.
    condemned: bool,
}

#[derive(Default)]
pub(crate) struct Accusations {
    cases: BTreeMap<NodeId, Case>,
    /// The cases about which time decides, by when.
    due: BTreeSet<(Instant, NodeId)>,
    /// How many accusations of whom have come since when.
    rates: BTreeMap<NodeId, (u8, Instant)>,
}

impl Accusations {
    /// Whether one more accusation by this node is taken, in this minute.
    pub(crate) fn admit(&mut self, by: &NodeId, now: Instant) -> bool {
        self.rates.retain(|_, (_, since)| now < *since + MINUTE);
        if self.rates.len() >= caps::ACCUSER_RATES && !self.rates.contains_key(by) {
            return false;
        }
        let (count, _) = self.rates.entry(*by).or_insert((0, now));
        *count = count.saturating_add(1);
        *count <= PER_MINUTE
    }

    /// Takes an accusation. `counts`: its accuser is near enough to the subject, and has been up
    /// long enough. `quorum`: so many make it down, after `hold`.
    pub(crate) fn accuse(
        &mut self,
        claim: Claim,
        counts: bool,
        quorum: usize,
        hold: Duration,
        now: Instant,
    ) -> Outcome {
        if self.cases.len() >= caps::CASES && !self.cases.contains_key(&claim.subject) {
            return Outcome::Ignored;
        }
        self.with_case(&claim.subject, |case| {
            if claim.at < case.at || case.by.contains(&claim.by) {
                return Outcome::Ignored;
            }
            if claim.at > case.at {
                *case = Case {
                    at: claim.at,
                    ..Case::default()
                };
            }
            if counts {
                case.count(claim.by, quorum, hold, now)
            } else {
                case.keep(claim.by, now)
            }
        })
    }

    /// Changes a case, which may be a new one, and what it waits for.
    fn with_case(
        &mut self,
        subject: &NodeId,
        change: impl FnOnce(&mut Case) -> Outcome,
    ) -> Outcome {
        let case = self.cases.entry(*subject).or_default();
        let before = case.due;
        let outcome = change(case);
        if before != case.due {
            before.map(|due| self.due.remove(&(due, *subject)));
            case.due.map(|due| self.due.insert((due, *subject)));
        }
        outcome
    }

    fn remove(&mut self, subject: &NodeId) -> Option<Case> {
        let case = self.cases.remove(subject)?;
        case.due.map(|due| self.due.remove(&(due, *subject)));
        Some(case)
    }

    /// Looks at those again that were kept, now that others between are accused too (R39).
    pub(crate) fn reconsider(
        &mut self,
        subject: &NodeId,
        counts: impl Fn(&NodeId) -> bool,
        quorum: usize,
        hold: Duration,
        now: Instant,
    ) -> Outcome {
        if !self.cases.contains_key(subject) {
            return Outcome::Ignored;
        }
        self.with_case(subject, |case| {
            let mut outcome = Outcome::Ignored;
            for by in core::mem::take(&mut case.kept) {
                if counts(&by) {
                    outcome = case.count(by, quorum, hold, now);
                } else {
                    case.kept.push(by);
                }
            }
            outcome
        })
    }

    /// The subjects about which accusations are kept that do not count yet.
    pub(crate) fn open(&self) -> impl Iterator<Item = &NodeId> {
        let open = |(subject, case): (_, &Case)| {
            (!case.kept.is_empty() && !case.condemned).then_some(subject)
        };
        self.cases.iter().filter_map(open)
    }

    /// The subject has spoken, at this sequence: what was said about older ones is void.
    pub(crate) fn refuted(&mut self, subject: &NodeId, at: Sequence) -> bool {
        let void = self.cases.get(subject).is_some_and(|case| case.at < at);
        if void {
            self.remove(subject);
        }
        void
    }

    /// It is not known any more.
    pub(crate) fn forget(&mut self, subject: &NodeId) {
        self.remove(subject);
    }

    /// What the time that has passed has decided.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Verdict> {
        while let Some(&(due, subject)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            let Some(case) = self.cases.get_mut(&subject) else {
                continue;
            };
            case.due = None;
            if case.condemned {
                return Some(Verdict::Down(subject));
            }
            let counted = !case.by.is_empty();
            self.cases.remove(&subject);
            if counted {
                return Some(Verdict::Lapsed(subject));
            }
        }
        None
    }

    /// When something is decided by time.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Who accuses this subject, and at which sequence: what convinces others.
    pub(crate) fn against(&self, subject: &NodeId) -> Option<(Sequence, &[NodeId])> {
        let case = self.cases.get(subject)?;
        Some((case.at, &case.by))
    }

    /// Who accuses it and does not count, yet.
    pub(crate) fn kept(&self, subject: &NodeId) -> &[NodeId] {
        self.cases.get(subject).map_or(&[], |case| &case.kept)
    }

    pub(crate) fn is_accused(&self, subject: &NodeId) -> bool {
        let case = self.cases.get(subject);
        case.is_some_and(|case| !(case.by.is_empty() && case.kept.is_empty()))
    }

    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }
}

impl Case {
    fn count(&mut self, by: NodeId, quorum: usize, hold: Duration, now: Instant) -> Outcome {
        self.kept.retain(|kept| *kept != by);
        if self.by.len() < caps::ACCUSERS {
            self.by.push(by);
        }
        if self.condemned {
            return Outcome::Added;
        }
        if self.by.len() >= quorum {
            self.condemned = true;
            self.due = Some(now + hold);
            return Outcome::Condemned { until: now + hold };
        }
        self.due = Some(now + LAPSE);
        Outcome::Suspect
    }

    fn keep(&mut self, by: NodeId, now: Instant) -> Outcome {
        if self.kept.contains(&by) || self.kept.len() >= caps::ACCUSERS {
            return Outcome::Ignored;
        }
        self.kept.push(by);
        self.due = self.due.or(Some(now + LAPSE));
        Outcome::Kept
    }
}
