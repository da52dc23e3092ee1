//! Whether this node hears anybody, and whether it has stood still (R34).

use core::time::Duration;

use crate::id::NodeId;
use crate::time::Instant;

/// What a late wake tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// Long enough that the silence of others is this node's own.
    Short,
    /// Long enough that others may have accused this node.
    Long,
}

pub(crate) struct Hearing {
    /// The two nodes heard last, and when: one of them is another than any given one.
    last: [Option<(NodeId, Instant)>; 2],
    /// When somebody was heard last, or since when this node listens.
    any: Instant,
    isolated: bool,
}

impl Hearing {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            last: [None; 2],
            any: now,
            isolated: false,
        }
    }

    /// This node was heard. Whether that ends an isolation.
    pub(crate) fn heard(&mut self, node: &NodeId, now: Instant) -> bool {
        self.any = now;
        if self.last[0].is_none_or(|(last, _)| last != *node) {
            self.last[1] = self.last[0];
        }
        self.last[0] = Some((*node, now));
        core::mem::take(&mut self.isolated)
    }

    /// Whether another node than this one was heard since then: else the silence may be one's own.
    pub(crate) fn heard_others(&self, than: &NodeId, since: Instant) -> bool {
        let other = |(node, at): &(NodeId, Instant)| node != than && *at >= since;
        self.last.iter().flatten().any(other)
    }

    /// Whether nobody was heard for the detection time: this node neither accuses nor beats.
    pub(crate) fn is_deaf(&self, now: Instant, detection: Duration) -> bool {
        now.saturating_since(self.any) > detection
    }

    /// When it is deaf unless somebody is heard until then.
    pub(crate) fn deaf_at(&self, detection: Duration) -> Instant {
        self.any + detection + Duration::from_millis(1)
    }

    /// Whether it has just become deaf, to be told once.
    pub(crate) fn becomes_isolated(&mut self, now: Instant, detection: Duration) -> bool {
        let isolated = self.is_deaf(now, detection);
        isolated && !core::mem::replace(&mut self.isolated, true)
    }

    pub(crate) fn is_isolated(&self) -> bool {
        self.isolated
    }

    /// What a wake means that was due then. A stop makes what was heard before it worthless.
    pub(crate) fn woken(
        &mut self,
        due: Instant,
        now: Instant,
        detection: Duration,
    ) -> Option<Stop> {
        let late = now.saturating_since(due);
        if late <= detection / 8 {
            return None;
        }
        self.last = [None; 2];
        self.any = now;
        Some(if late > detection / 2 {
            Stop::Long
        } else {
            Stop::Short
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const D: Duration = Duration::from_secs(24);

    /// R32: an accusation takes somebody else who was heard meanwhile.
    #[test]
    fn others_than_the_subject_are_what_counts() {
        let mut hearing = Hearing::new(at(100));
        assert!(!hearing.heard_others(&node(1), at(100)));
        hearing.heard(&node(1), at(101));
        assert!(!hearing.heard_others(&node(1), at(100)));
        hearing.heard(&node(2), at(102));
        hearing.heard(&node(1), at(103));
        hearing.heard(&node(1), at(104));
        assert!(hearing.heard_others(&node(1), at(102)));
        assert!(!hearing.heard_others(&node(1), at(103)));
    }

    /// R34.
    #[test]
    fn who_hears_nobody_is_deaf_and_says_so_once() {
        let mut hearing = Hearing::new(at(100));
        assert!(!hearing.becomes_isolated(at(124), D));
        assert!(hearing.becomes_isolated(at(125), D));
        assert!(!hearing.becomes_isolated(at(126), D));
        assert!(hearing.is_deaf(at(126), D) && hearing.is_isolated());
        assert!(hearing.heard(&node(1), at(127)), "that ends it");
        assert!(!hearing.heard(&node(1), at(128)));
        assert!(!hearing.is_deaf(at(128), D) && !hearing.is_isolated());
        assert!(hearing.becomes_isolated(at(160), D), "another time");
    }

    /// R34: late by an eighth of D, and by half of it.
    #[test]
    fn a_late_wake_is_a_stop() {
        let mut hearing = Hearing::new(at(0));
        let mut woken = |late: u64| hearing.woken(at(100), at(100 + late), D);
        assert_eq!((woken(0), woken(3)), (None, None));
        assert_eq!(
            (woken(4), woken(12)),
            (Some(Stop::Short), Some(Stop::Short))
        );
        assert_eq!(woken(13), Some(Stop::Long));
    }

    /// R34: what was heard before the stop does not make others' silence theirs.
    #[test]
    fn after_a_stop_nothing_was_heard() {
        let mut hearing = Hearing::new(at(0));
        hearing.heard(&node(2), at(99));
        hearing.woken(at(100), at(110), D);
        assert!(!hearing.heard_others(&node(1), at(90)));
        assert!(!hearing.is_deaf(at(130), D), "it listens anew");
    }
}
