//! Whom this node watches, and what it makes of their silence (R30, R32, R34).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::time::Instant;

#[cfg(test)]
mod tests;

/// Asks that a silent node is given before it is accused.
const ASKS: u8 = 10;
/// Of these, the ones that go over a fresh dial as well: the link itself may be what is broken.
const FRESH: [u8; 3] = [2, 4, 6];
/// After so many asks without an answer a node counts as lost, for R39; where many are, after fewer.
/// [After as many again for each doubling, the tenth in 90 to 10 looked at 64 ranks after 4.6 s.]
const LOST_AFTER: u8 = 7;
const LOST_SOON_AFTER: u8 = 3;
/// After so many asks whoever accuses says so again, in case it was lost.
const AGAIN: u8 = 2;
/// Whom this node could not try to reach it accuses only with others, until so many detection times
/// have passed. [For ever, two that were left of 29 each waited for the other.]
const JOINS_FOR: u32 = 10;
/// How long a node that is not to be watched any more is watched all the same, in beats.
const LINGER_BEATS: u32 = 10;

/// The times that follow from the detection time D.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Times(Duration);

impl Times {
    pub(crate) const fn new(detection: Duration) -> Self {
        Self(detection)
    }

    /// Between two beats: T.
    pub(crate) fn beat(self) -> Duration {
        self.0 / 3
    }

    /// Between two asks.
    pub(crate) fn ask(self) -> Duration {
        self.0 / 24
    }

    /// Silence for so long is doubt.
    pub(crate) fn patience(self) -> Duration {
        self.beat() + self.ask()
    }
}

/// How soon a node is asked that was never heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Haste {
    /// So that it is accused after it has been watched for D.
    None,
    /// One of those watched is lost: the next may be, too. It is accused after two thirds of D.
    /// [After the whole of D, a third of all that died at once took 6.1 s.]
    Some,
    /// Many are (R39): at once.
    Most,
}

impl Haste {
    fn patience(self, times: Times) -> Duration {
        match self {
            Self::None => times.0 - u32::from(ASKS) * times.ask(),
            Self::Some => times.0 / 4,
            Self::Most => Duration::ZERO,
        }
    }
}

/// What is due about a watched node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// It is asked whether it is there; with `fresh`, over a new dial as well.
    Ask { node: NodeId, fresh: Option<u8> },
    /// It has not answered, since then. Who accuses it says so by [`Watches::accused`]. One that was
    /// never heard, and that this node could not try to reach, is accused only where another accuses
    /// it, for a while.
    Accuse {
        node: NodeId,
        silent_since: Instant,
        joins: bool,
    },
    /// It is not watched any more.
    Release { node: NodeId },
}

/// Whether it has been tried to reach one that was never heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Tried {
    #[default]
    No,
    /// It is linked, or was dialled lately: its silence says something.
    Yes,
    /// Too many were dialled in vain of late (R28), and it has not spoken since it is watched.
    TooMany,
    /// It has spoken to others: only a dial would say more.
    Spoken,
}

struct Watch {
    times: Times,
    /// When it was heard last, or since when it has been watched.
    last: Instant,
    /// It has been heard.
    heard: bool,
    /// How long it is watched before it is asked, until it is heard.
    first: Duration,
    tried: Tried,
    /// A dial has led to it, at this version of its record.
    reached: Option<u64>,
    doubt: Option<Doubt>,
    /// The sequence at which this node has accused it.
    accused: Option<Sequence>,
    /// It is none of those to be watched: until then.
    lingers_until: Option<Instant>,
    /// It was only looked at, and is to send no beats for it. [It beats to eight at most: those that
    /// watch it would have lost their places.]
    is_look: bool,
}

#[derive(Clone, Copy)]
struct Doubt {
    since: Instant,
    asks: u8,
    next: Instant,
}

impl Watch {
    fn new(times: Times, now: Instant) -> Self {
        Self {
            times,
            last: now,
            heard: false,
            first: times.0,
            tried: Tried::No,
            reached: None,
            doubt: None,
            accused: None,
            lingers_until: None,
            is_look: false,
        }
    }

    /// When something is due about it.
    fn due(&self) -> Instant {
        let patience = if self.heard {
            self.times.patience()
        } else {
            self.first
        };
        let next = self.doubt.map_or(self.last + patience, |doubt| doubt.next);
        self.lingers_until.map_or(next, |until| next.min(until))
    }

    fn is_lost(&self, after: u8) -> bool {
        self.accused.is_some() || self.doubt.is_some_and(|doubt| doubt.asks >= after)
    }
}

#[derive(Default)]
pub(crate) struct Watches {
    watched: BTreeMap<NodeId, Watch>,
}

impl Watches {
    /// From now on these are watched; who is none of them any more is kept for a while, since the
    /// ring may move back, and then released. Returns who is new among them.
    pub(crate) fn set(
        &mut self,
        wanted: &[(NodeId, Times)],
        haste: Haste,
        now: Instant,
    ) -> Vec<NodeId> {
        for (node, watch) in &mut self.watched {
            if wanted.iter().any(|(wanted, _)| wanted == node) {
                watch.lingers_until = None;
            } else if watch.lingers_until.is_none() {
                watch.lingers_until = Some(now + LINGER_BEATS * watch.times.beat());
            }
        }
        let mut new = Vec::new();
        for (node, times) in wanted {
            let watch = self.watched.entry(*node).or_insert_with(|| {
                new.push(*node);
                Watch::new(*times, now)
            });
            if core::mem::take(&mut watch.is_look) {
                new.push(*node);
            }
            watch.times = *times;
            watch.first = watch.first.min(haste.patience(*times));
        }
        self.make_room();
        new
    }

    /// Asks one at once that is none of those to be watched, and may be gone: it was heard over its
    /// link last then, or was dialled in vain.
    pub(crate) fn look_at(
        &mut self,
        node: NodeId,
        times: Times,
        heard: Option<Instant>,
        now: Instant,
    ) {
        let look = self.watched.entry(node).or_insert_with(|| Watch {
            last: heard.unwrap_or(now),
            heard: heard.is_some(),
            tried: Tried::Yes,
            lingers_until: Some(now + LINGER_BEATS * times.beat()),
            is_look: true,
            ..Watch::new(times, now)
        });
        look.tried = Tried::Yes;
        look.begin_doubt(now);
        self.make_room();
    }

    /// Where the ring moves fast, who has been watched longest for nothing goes first.
    fn make_room(&mut self) {
        while self.watched.len() > caps::WATCHES {
            let lingers = |(node, watch): (&NodeId, &Watch)| Some((watch.lingers_until?, *node));
            let Some((_, first)) = self.watched.iter().filter_map(lingers).min() else {
                break;
            };
            self.watched.remove(&first);
        }
    }

    /// It is gone for everybody, or has left: there is nothing to watch.
    pub(crate) fn forget(&mut self, node: &NodeId) {
        self.watched.remove(node);
    }

    /// Something of it has come, over any link.
    pub(crate) fn heard(&mut self, node: &NodeId, now: Instant) {
        if let Some(watch) = self.watched.get_mut(node) {
            if watch.is_look {
                self.watched.remove(node);
                return;
            }
            watch.last = now;
            watch.heard = true;
            watch.doubt = None;
            watch.accused = None;
        }
    }

    /// Whether something of it has ever come while it was watched.
    pub(crate) fn was_heard(&self, node: &NodeId) -> bool {
        self.watched.get(node).is_some_and(|watch| watch.heard)
    }

    /// Its link was lost, or somebody accuses it: it is asked at once.
    pub(crate) fn doubt(&mut self, node: &NodeId, now: Instant) {
        if let Some(watch) = self.watched.get_mut(node) {
            watch.begin_doubt(now);
        }
    }

    /// It was dialled.
    pub(crate) fn tried(&mut self, node: &NodeId) {
        if let Some(watch) = self.watched.get_mut(node) {
            watch.tried = Tried::Yes;
        }
    }

    /// It would have been dialled, but for the bound on dials in vain. [Brief identities, twelve a
    /// second: those that nobody had time to link were dialled one after the other, and 1,500 of them
    /// were listed an hour later.]
    pub(crate) fn is_one_too_many(&mut self, node: &NodeId) {
        if let Some(watch) = self.watched.get_mut(node).filter(|w| w.tried == Tried::No) {
            watch.tried = Tried::TooMany;
        }
    }

    /// A dial has led to it, when its record had this version; `None`: none has.
    pub(crate) fn set_reached(&mut self, node: &NodeId, version: Option<u64>) {
        if let Some(watch) = self.watched.get_mut(node) {
            watch.reached = version;
            watch.tried = Tried::Yes;
        }
    }

    /// Whom this node has accused, and at which sequence, while they stay silent.
    pub(crate) fn accusations(&self) -> impl Iterator<Item = (NodeId, Sequence)> + '_ {
        let accused = |(node, watch): (&NodeId, &Watch)| Some((*node, watch.accused?));
        self.watched.iter().filter_map(accused)
    }

    /// At which version of its record a dial has led to it.
    pub(crate) fn reached(&self, node: &NodeId) -> Option<u64> {
        self.watched.get(node)?.reached
    }

    /// This node has accused it, at this sequence.
    pub(crate) fn accused(&mut self, node: &NodeId, at: Sequence) {
        if let Some(watch) = self.watched.get_mut(node) {
            watch.accused = Some(at);
        }
    }

    /// When it was heard last, or since when its silence has been counted; of one that was heard.
    pub(crate) fn last_heard(&self, node: &NodeId) -> Option<Instant> {
        let watch = self.watched.get(node).filter(|watch| watch.heard)?;
        Some(watch.last)
    }

    /// The sequence at which this node has accused it, while it stays silent.
    pub(crate) fn accusation(&self, node: &NodeId) -> Option<Sequence> {
        self.watched.get(node).and_then(|watch| watch.accused)
    }

    /// It has refuted the accusation, though it was not heard here: it is watched anew.
    pub(crate) fn refuted(&mut self, node: &NodeId, now: Instant) {
        if let Some(watch) = self.watched.get_mut(node) {
            watch.last = now;
            watch.doubt = None;
            watch.accused = None;
            if watch.tried != Tried::Yes {
                watch.tried = Tried::Spoken;
            }
        }
    }

    /// This process, or its machine, has stood still: nobody else is to blame for the silence (R34).
    pub(crate) fn start_anew(&mut self, now: Instant) {
        for watch in self.watched.values_mut() {
            watch.last = now;
            watch.doubt = None;
        }
    }

    /// What is due now, one after the other.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Step> {
        let due = |(node, watch): (&NodeId, &Watch)| (watch.due() <= now).then_some(*node);
        let node = self.watched.iter().find_map(due)?;
        let watch = self.watched.get_mut(&node)?;
        if watch.lingers_until.is_some_and(|until| until <= now) {
            self.watched.remove(&node);
            return Some(Step::Release { node });
        }
        watch.begin_doubt(now);
        Some(watch.next_step(node, now))
    }

    /// When something is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.watched.values().map(Watch::due).min()
    }

    pub(crate) fn contains(&self, node: &NodeId) -> bool {
        self.watched.contains_key(node)
    }

    /// Whether it is to beat.
    pub(crate) fn wants_beats(&self, node: &NodeId) -> bool {
        self.watched.get(node).is_some_and(|watch| !watch.is_look)
    }

    /// Those that are to be watched, and how many of them are lost (R39). `soon`: many are.
    pub(crate) fn lost(&self, soon: bool) -> (usize, usize) {
        let after = if soon { LOST_SOON_AFTER } else { LOST_AFTER };
        let kept = self.watched.values().filter(|w| w.lingers_until.is_none());
        kept.fold((0, 0), |(all, lost), watch| {
            (all + 1, lost + usize::from(watch.is_lost(after)))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.watched.len()
    }
}

impl Watch {
    fn begin_doubt(&mut self, now: Instant) {
        self.doubt.get_or_insert(Doubt {
            since: now,
            asks: 0,
            next: now,
        });
    }

    /// The next ask; after the last one the accusation, twice, and asks at a slower pace from then on.
    fn next_step(&mut self, node: NodeId, now: Instant) -> Step {
        let ask = self.times.ask();
        let Some(doubt) = &mut self.doubt else {
            return Step::Ask { node, fresh: None };
        };
        if doubt.asks == ASKS + 1 {
            doubt.asks += 1;
            doubt.next = now + ask * u32::from(ASKS - AGAIN);
            let silent_since = doubt.since;
            return match self.accused {
                Some(_) => Step::Accuse {
                    node,
                    silent_since,
                    joins: false,
                },
                None => Step::Ask { node, fresh: None },
            };
        }
        if doubt.asks == ASKS {
            doubt.asks += 1;
            doubt.next = now + ask * u32::from(AGAIN);
            // Whom nobody has tried to reach lately, its silence cannot be held against.
            let silent_since = doubt.since;
            return match self.tried {
                _ if self.heard => Step::Accuse {
                    node,
                    silent_since,
                    joins: false,
                },
                Tried::Yes | Tried::TooMany => Step::Accuse {
                    node,
                    silent_since,
                    joins: core::mem::take(&mut self.tried) == Tried::TooMany
                        && now < self.last + self.times.0 * JOINS_FOR,
                },
                Tried::No | Tried::Spoken => Step::Ask {
                    node,
                    fresh: Some(0),
                },
            };
        }
        let rest = doubt.asks > ASKS;
        doubt.asks = if rest { ASKS } else { doubt.asks + 1 };
        doubt.next = if rest { now } else { now + ask };
        let nth = FRESH.iter().position(|nth| *nth == doubt.asks);
        Step::Ask {
            node,
            fresh: nth.filter(|_| !rest).map(|nth| nth as u8),
        }
    }
}
