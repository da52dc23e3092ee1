//! What the table keeps of a record, beside its hash and its content: 56 bytes.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::id::NodeId;
use crate::record::BodyInfo;
use crate::table::relays::Via;
use crate::time::Instant;

/// What this node has seen of the way to another: a fact of its own, beside what the cluster says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Way {
    /// Nothing has failed since the last link.
    #[default]
    Open,
    /// The last link to it has broken.
    LinkLost,
    /// It could not be dialled since, or has stopped to answer.
    Unreachable,
}

/// A lifetime in the low bits, since a week takes 20, and what is so or not above.
#[derive(Clone, Copy)]
struct Facts(NonZeroU32);

impl Facts {
    const LIFETIME: u32 = (1 << 20) - 1;
    const TOMBSTONE: u32 = 1 << 20;
    const OVERDUE: u32 = 1 << 21;
    const WAS_ALIVE: u32 = 1 << 22;
    const LINK_LOST: u32 = 1 << 23;
    const UNREACHABLE: u32 = 1 << 24;
    const SIGNED: u32 = 1 << 25;
    const WIDE: u32 = 1 << 26;
    /// Always so: where there is no row, this is zero.
    const THERE: NonZeroU32 = NonZeroU32::MIN.saturating_add((1 << 27) - 1);

    const fn has(self, fact: u32) -> bool {
        self.0.get() & fact != 0
    }

    fn set(&mut self, fact: u32, holds: bool) {
        let bits = if holds { fact } else { 0 };
        self.0 = Self::THERE | (self.0.get() & !fact | bits);
    }
}

/// Where the content of a record is in its chunk, and what it is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Content {
    /// In pairs of bytes.
    pub(super) start: u16,
    /// Bytes of the body.
    pub(super) body: u16,
    /// A version or beat that finds no room in the row.
    pub(super) wide: bool,
    pub(super) signed: bool,
}

/// A row of the table. Times are in seconds, rounded down.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) node: NodeId,
    facts: Facts,
    deadline_s: u32,
    first_seen_s: u32,
    pub(super) version: u32,
    pub(super) beat: u16,
    start: u16,
    body: u16,
    /// Who told.
    pub(super) via: Via,
}

impl Row {
    pub(super) fn new(
        node: NodeId,
        info: BodyInfo,
        deadline: Instant,
        first_seen: Instant,
    ) -> Self {
        let mut facts = Facts(Facts::THERE);
        facts.set(info.lifetime_s & Facts::LIFETIME, true);
        facts.set(Facts::TOMBSTONE, info.tombstone);
        Self {
            node,
            facts,
            deadline_s: seconds(deadline),
            first_seen_s: seconds(first_seen),
            version: 0,
            beat: 0,
            start: 0,
            body: 0,
            via: Via::NOBODY,
        }
    }

    /// What it knows of the one before with the same node.
    pub(super) fn follow(&mut self, before: &Self) {
        self.set_way(before.way());
        let was_alive = match self.is_tombstone() {
            true => !before.is_tombstone() || before.was_alive(),
            false => !before.is_tombstone() && before.was_alive(),
        };
        self.set_was_alive(was_alive);
        if self.is_tombstone() == before.is_tombstone() {
            self.first_seen_s = before.first_seen_s;
        }
    }

    pub(super) const fn content(&self) -> Content {
        Content {
            start: self.start,
            body: self.body,
            wide: self.facts.has(Facts::WIDE),
            signed: self.facts.has(Facts::SIGNED),
        }
    }

    pub(super) fn set_content(&mut self, content: Content) {
        (self.start, self.body) = (content.start, content.body);
        self.facts.set(Facts::WIDE, content.wide);
        self.facts.set(Facts::SIGNED, content.signed);
    }

    /// When its life ends: never later than its author could have meant (R2).
    pub(crate) fn deadline(&self) -> Instant {
        instant(self.deadline_s)
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline_s = seconds(deadline);
    }

    /// When there is something to do about it: its renewal is overdue from its last eighth on, and
    /// a tombstone awaits none.
    pub(super) fn due(&self) -> Instant {
        if self.is_overdue() || self.is_tombstone() {
            self.deadline()
        } else {
            self.deadline().saturating_sub(self.lifetime() / 8)
        }
    }

    /// Its renewal has not come by.
    pub(super) fn is_overdue(&self) -> bool {
        self.facts.has(Facts::OVERDUE)
    }

    pub(super) fn set_overdue(&mut self, overdue: bool) {
        self.facts.set(Facts::OVERDUE, overdue);
    }

    pub(crate) fn is_tombstone(&self) -> bool {
        self.facts.has(Facts::TOMBSTONE)
    }

    /// A tombstone's node was known alive; one that lives had been known for long when it was down.
    pub(super) fn was_alive(&self) -> bool {
        self.facts.has(Facts::WAS_ALIVE)
    }

    pub(super) fn set_was_alive(&mut self, was_alive: bool) {
        self.facts.set(Facts::WAS_ALIVE, was_alive);
    }

    /// How the way to its node is, as far as this one has tried.
    pub(crate) fn way(&self) -> Way {
        if self.facts.has(Facts::UNREACHABLE) {
            Way::Unreachable
        } else if self.facts.has(Facts::LINK_LOST) {
            Way::LinkLost
        } else {
            Way::Open
        }
    }

    pub(super) fn set_way(&mut self, way: Way) {
        self.facts.set(Facts::LINK_LOST, way == Way::LinkLost);
        self.facts.set(Facts::UNREACHABLE, way == Way::Unreachable);
    }

    /// No dial to it has failed since the last that succeeded.
    pub(crate) fn is_reachable(&self) -> bool {
        self.way() != Way::Unreachable
    }

    /// Whether its node has been known for so long, its time down aside.
    pub(crate) fn is_known_for(&self, time: Duration, now: Instant) -> bool {
        !self.is_tombstone() && (self.was_alive() || self.first_seen() + time <= now)
    }

    /// Since when its node has been known, or has left.
    pub(crate) fn first_seen(&self) -> Instant {
        instant(self.first_seen_s)
    }

    pub(super) fn lifetime_s(&self) -> u32 {
        self.facts.0.get() & Facts::LIFETIME
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.lifetime_s()))
    }

    /// What is left of its life in whole seconds, at least one less than at the hop before (R2);
    /// none in its last moments, when it is not relayed any more (R3).
    pub(crate) fn remaining_s(&self, now: Instant) -> Option<u32> {
        let left = self.deadline().saturating_since(now);
        let quiet = Duration::from_secs(2).max(self.lifetime() / 500);
        if left <= quiet {
            return None;
        }
        let down = Duration::from_nanos(1);
        u32::try_from((left - down).as_secs()).ok()
    }
}

fn seconds(at: Instant) -> u32 {
    u32::try_from(at.as_duration().as_secs()).unwrap_or(u32::MAX)
}

fn instant(seconds: u32) -> Instant {
    Instant::from_duration(Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_56_bytes_and_none_no_more() {
        assert_eq!(size_of::<Row>(), 56);
        assert_eq!(size_of::<Option<Row>>(), 56);
    }

    #[test]
    fn facts_are_told_apart() {
        let info = BodyInfo {
            lifetime_s: 642_600,
            tombstone: false,
        };
        let at = |s| Instant::from_duration(Duration::from_secs(s));
        let mut row = Row::new(NodeId::new([1; 32]), info, at(900), at(7));
        row.set_overdue(true);
        for way in [Way::Unreachable, Way::LinkLost, Way::Open] {
            row.set_way(way);
            assert_eq!(row.way(), way);
        }
        let content = Content {
            start: 9,
            body: 1_024,
            wide: true,
            signed: false,
        };
        row.set_content(content);
        assert_eq!(row.content(), content);
        assert_eq!((row.lifetime_s(), row.is_tombstone()), (642_600, false));
        assert_eq!((row.is_overdue(), row.was_alive()), (true, false));
        assert_eq!((row.deadline(), row.first_seen()), (at(900), at(7)));
        row.set_overdue(false);
        assert_eq!(row.due(), at(900).saturating_sub(row.lifetime() / 8));
    }
}
