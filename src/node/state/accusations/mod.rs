//! Who is accused of being silent, by whom, and what follows (R32, R33, R39).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::seal::Accuser;
use crate::time::Instant;
use crate::wire::Accusation;

#[cfg(test)]
mod tests;

/// Accusations that are counted and relayed, per accuser in a minute. [At four, real detection
/// slows; without a bound a liar costs everybody 149 bytes a second.]
const PER_MINUTE: u8 = 8;
const MINUTE: Duration = Duration::from_secs(60);
/// After so long a lone accusation says nothing any more.
const LAPSE: Duration = Duration::from_secs(10);
/// After the loss of many, made again within this time by the same node and at the same sequence, it
/// is as good as two. [Of 1,534 that had come and gone, four were left, each of which watched 64 of
/// them alone: none was ever down.]
const AGAIN: Duration = Duration::from_secs(30);

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

/// What it takes to be down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Takes {
    /// So many accusers.
    pub(crate) quorum: usize,
    /// What one says again counts as if another had joined it.
    pub(crate) again: bool,
    /// So long nothing is heard of the subject afterwards.
    pub(crate) hold: Duration,
}

impl Takes {
    /// So many accusers are needed where this is one, and that node has accused the subject before.
    fn of(self, by: &NodeId, before: Option<NodeId>) -> usize {
        let again = self.again && before == Some(*by);
        (self.quorum - usize::from(again)).max(1)
    }
}

#[derive(Default)]
struct Case {
    /// Whose accusations count.
    by: Vec<Accuser>,
    /// Since the first of them.
    since: Option<Instant>,
    /// Since the first of all, whether it counts or not.
    opened: Option<Instant>,
    /// Whose do not, yet (R39).
    kept: Vec<Accuser>,
    /// When something follows: the hold or the lapse is over.
    due: Option<Instant>,
    /// There are enough: it is down when the hold is over.
    condemned: bool,
}

type Key = (NodeId, Sequence);

#[derive(Default)]
pub(crate) struct Accusations {
    /// By subject, and by the sequence at which it is accused. [Were there one case of a subject,
    /// at the highest sequence that anybody has named, a liar who names a higher one would make
    /// all forget what others have said; and what is said of different sequences does not add up.]
    cases: BTreeMap<Key, Case>,
    /// The cases about which time decides, by when.
    due: BTreeSet<(Instant, Key)>,
    /// Who alone has accused it, in vain, and until when that is remembered.
    lapsed: BTreeMap<Key, (NodeId, Instant)>,
    /// How many accusations of whom have come since when.
    rates: BTreeMap<NodeId, (u8, Instant)>,
}

impl Accusations {
    /// Whether one more accusation by this node may be taken, in this minute.
    pub(crate) fn may_admit(&mut self, by: &NodeId, now: Instant) -> bool {
        self.rates.retain(|_, (_, since)| now < *since + MINUTE);
        match self.rates.get(by) {
            Some((count, _)) => *count < PER_MINUTE,
            None => self.rates.len() < caps::ACCUSER_RATES,
        }
    }

    /// The same, and it is taken. [Counted before it is known whose word it is, forgeries in the name
    /// of others would take theirs.]
    pub(crate) fn admit(&mut self, by: &NodeId, now: Instant) -> bool {
        let admitted = self.may_admit(by, now);
        if admitted {
            self.rates.entry(*by).or_insert((0, now)).0 += 1;
        }
        admitted
    }

    /// Takes an accusation. `counts`: its accuser is near enough to the subject, and has been up
    /// long enough.
    pub(crate) fn accuse(
        &mut self,
        said: &Accusation,
        counts: bool,
        takes: Takes,
        now: Instant,
    ) -> Outcome {
        if self.has_no_place_for(said) {
            return Outcome::Ignored;
        }
        let by = Accuser {
            node: said.by,
            signature: said.signature.map(Box::new),
        };
        self.make_room(said);
        let before = self.lapsed(&(said.subject, said.at), now);
        let quorum = takes.of(&said.by, before);
        self.with_case((said.subject, said.at), now, |case| {
            if counts {
                case.count(by, quorum, takes.hold, now)
            } else {
                case.keep(by, now)
            }
        })
    }

    /// Who has accused it before, alone and in vain: told each time, neither the subject nor anybody
    /// who hears it has said otherwise.
    fn lapsed(&self, key: &Key, now: Instant) -> Option<NodeId> {
        let lapsed = self.lapsed.get(key).filter(|(_, until)| *until > now);
        lapsed.map(|(by, _)| *by)
    }

    /// Whether nothing would come of this accusation here, whoever is near: it counts already, it
    /// is about an older life, or there are too many.
    pub(crate) fn has_no_place_for(&self, said: &Accusation) -> bool {
        match self.cases.get(&(said.subject, said.at)) {
            Some(case) => case.has_counted(&said.by),
            None => {
                let newer = |(at, case): (Sequence, &Case)| at > said.at && case.has(&said.by);
                self.cases.len() >= caps::CASES || self.of(&said.subject).any(newer)
            }
        }
    }

    /// The cases of a subject, by sequence.
    fn of(&self, subject: &NodeId) -> impl DoubleEndedIterator<Item = (Sequence, &Case)> {
        let all = (*subject, Sequence::LOWEST)..=(*subject, Sequence::HIGHEST);
        self.cases.range(all).map(|((_, at), case)| (*at, case))
    }

    /// What its author has said of the subject before, at a lower sequence, is superseded: so many
    /// accusers, so many cases at most. Of too many the one goes that fewest support, of those the
    /// highest.
    fn make_room(&mut self, said: &Accusation) {
        let subject = said.subject;
        let older =
            |(at, case): &(Sequence, &Case)| *at < said.at && !case.condemned && case.has(&said.by);
        let older: Vec<Sequence> = self.of(&subject).filter(older).map(|(at, _)| at).collect();
        for at in older {
            let is_empty = self.cases.get_mut(&(subject, at)).is_some_and(|case| {
                case.by.retain(|by| by.node != said.by);
                case.kept.retain(|by| by.node != said.by);
                case.since = case.since.filter(|_| !case.by.is_empty());
                case.accusers().next().is_none()
            });
            if is_empty {
                self.remove(&(subject, at));
            }
        }
        let is_new = !self.cases.contains_key(&(subject, said.at));
        if is_new && self.of(&subject).count() >= caps::CASES_OF_ONE {
            let weakest = self
                .of(&subject)
                .rev()
                .min_by_key(|(_, case)| case.by.len());
            if let Some(at) = weakest.map(|(at, _)| at) {
                self.remove(&(subject, at));
            }
        }
    }

    /// This accusation as it was taken, if it was: with the signature that was found good.
    pub(crate) fn known(&self, said: &Accusation) -> Option<Accusation> {
        let case = self.cases.get(&(said.subject, said.at))?;
        let by = case.accusers().find(|a| a.node == said.by)?;
        Some(Accusation {
            signature: by.signature.as_deref().copied(),
            ..*said
        })
    }

    /// Changes a case, which may be a new one, and what it waits for.
    fn with_case(
        &mut self,
        key: Key,
        now: Instant,
        change: impl FnOnce(&mut Case) -> Outcome,
    ) -> Outcome {
        let case = self.cases.entry(key).or_default();
        case.opened.get_or_insert(now);
        let before = case.due;
        let outcome = change(case);
        if before != case.due {
            before.map(|due| self.due.remove(&(due, key)));
            case.due.map(|due| self.due.insert((due, key)));
        }
        outcome
    }

    fn remove(&mut self, key: &Key) -> Option<Case> {
        let case = self.cases.remove(key)?;
        case.due.map(|due| self.due.remove(&(due, *key)));
        Some(case)
    }

    /// Looks at those again that were kept, now that others between are accused too (R39).
    pub(crate) fn reconsider(
        &mut self,
        subject: &NodeId,
        counts: impl Fn(&NodeId) -> bool,
        takes: Takes,
        now: Instant,
    ) -> Outcome {
        let mut outcome = Outcome::Ignored;
        let sequences: Vec<Sequence> = self.of(subject).map(|(at, _)| at).collect();
        for at in sequences {
            let before = self.lapsed(&(*subject, at), now);
            self.with_case((*subject, at), now, |case| {
                for by in core::mem::take(&mut case.kept) {
                    if counts(&by.node) {
                        let quorum = takes.of(&by.node, before);
                        outcome = case.count(by, quorum, takes.hold, now);
                    } else {
                        case.kept.push(by);
                    }
                }
                outcome
            });
        }
        outcome
    }

    /// The subjects about which accusations are kept that do not count yet.
    pub(crate) fn open(&self) -> Vec<NodeId> {
        let open = |((subject, _), case): (&'_ Key, &Case)| {
            (!case.kept.is_empty() && !case.condemned).then_some(*subject)
        };
        let mut open: Vec<NodeId> = self.cases.iter().filter_map(open).collect();
        open.dedup();
        open
    }

    /// The subject has spoken, at this sequence: what was said about older ones is void. How many
    /// of them had counted, if there were any.
    pub(crate) fn refuted(&mut self, subject: &NodeId, at: Sequence) -> Option<usize> {
        let older = self.of(subject).take_while(|(of, _)| *of < at);
        let older: Vec<Sequence> = older.map(|(of, _)| of).collect();
        let counted = older.iter().filter_map(|of| self.remove(&(*subject, *of)));
        let counted: usize = counted.map(|case| case.by.len()).sum();
        (!older.is_empty()).then_some(counted)
    }

    /// It is not known any more.
    pub(crate) fn forget(&mut self, subject: &NodeId) {
        let all: Vec<Sequence> = self.of(subject).map(|(at, _)| at).collect();
        for at in all {
            self.remove(&(*subject, at));
        }
    }

    /// What the time that has passed has decided.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Verdict> {
        while let Some(&(due, key)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            let Some(case) = self.cases.get_mut(&key) else {
                continue;
            };
            case.due = None;
            if case.condemned {
                return Some(Verdict::Down(key.0));
            }
            let alone = case.by.first().map(|by| by.node);
            self.cases.remove(&key);
            if let Some(by) = alone {
                self.lapse(key, by, now);
                return Some(Verdict::Lapsed(key.0));
            }
        }
        None
    }

    fn lapse(&mut self, key: Key, by: NodeId, now: Instant) {
        self.lapsed.retain(|_, (_, until)| *until > now);
        if self.lapsed.len() < caps::CASES {
            self.lapsed.insert(key, (by, now + AGAIN));
        }
    }

    /// When something is decided by time.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Who accuses this subject, and at which sequence: what convinces others.
    pub(crate) fn against(&self, subject: &NodeId) -> Option<(Sequence, &[Accuser])> {
        let most = self
            .of(subject)
            .max_by_key(|(_, c)| (c.condemned, c.by.len()));
        most.map(|(at, case)| (at, &case.by[..]))
    }

    /// How many accuse it at this sequence, and count.
    pub(crate) fn counted(&self, subject: &NodeId, at: Sequence) -> usize {
        let case = self.cases.get(&(*subject, at));
        case.map_or(0, |case| case.by.len())
    }

    /// Since when this subject is suspect, and by whose accusations (R35).
    pub(crate) fn suspicion(&self, subject: &NodeId) -> Option<(Instant, &[Accuser])> {
        let since = self.of(subject).filter_map(|(_, case)| case.since).min()?;
        let (_, by) = self.against(subject)?;
        Some((since, by))
    }

    /// Number of suspects.
    pub(crate) fn suspects(&self) -> usize {
        let suspects = self.cases.iter().filter(|(_, case)| case.since.is_some());
        let mut suspects: Vec<&NodeId> = suspects.map(|((subject, _), _)| subject).collect();
        suspects.dedup();
        suspects.len()
    }

    /// Who accuses it and does not count, yet.
    pub(crate) fn kept(&self, subject: &NodeId) -> impl Iterator<Item = &Accuser> {
        self.of(subject).flat_map(|(_, case)| &case.kept)
    }

    pub(crate) fn is_accused(&self, subject: &NodeId) -> bool {
        self.of(subject).any(|(_, c)| c.accusers().next().is_some())
    }

    /// Whether it is accused, and has had so long to say otherwise.
    pub(crate) fn stands(&self, subject: &NodeId, time: Duration, now: Instant) -> bool {
        let mut opened = self.of(subject).filter_map(|(_, case)| case.opened);
        opened.any(|opened| now >= opened + time)
    }

    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }
}

impl Case {
    fn accusers(&self) -> impl Iterator<Item = &Accuser> {
        self.by.iter().chain(&self.kept)
    }

    fn has(&self, by: &NodeId) -> bool {
        self.accusers().any(|known| known.node == *by)
    }

    fn has_counted(&self, by: &NodeId) -> bool {
        self.by.iter().any(|known| known.node == *by)
    }

    fn count(&mut self, by: Accuser, quorum: usize, hold: Duration, now: Instant) -> Outcome {
        self.kept.retain(|kept| kept.node != by.node);
        if self.by.len() < caps::ACCUSERS {
            self.by.push(by);
        }
        self.since.get_or_insert(now);
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

    fn keep(&mut self, by: Accuser, now: Instant) -> Outcome {
        if self.kept.iter().any(|kept| kept.node == by.node) || self.kept.len() >= caps::ACCUSERS {
            return Outcome::Ignored;
        }
        self.kept.push(by);
        self.due = self.due.or(Some(now + LAPSE));
        Outcome::Kept
    }
}
