//! Who has accused this node though it was there (R33).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::contract;
use crate::id::{NodeId, Prefix};
use crate::limits::caps;
use crate::record::Sequence;
use crate::time::Instant;

struct Said {
    at: Sequence,
    last: Instant,
    before: Option<Instant>,
}

/// What others have said of this node, and whom it names for that.
pub(crate) struct FalseAccusers {
    said: BTreeMap<NodeId, Said>,
    /// Until when each is named.
    named: BTreeMap<NodeId, Instant>,
    /// What is said until then may be true: this node has stood still, heard nobody, or is new.
    excused: Instant,
}

impl FalseAccusers {
    pub(crate) fn new(excused: Instant) -> Self {
        Self {
            said: BTreeMap::new(),
            named: BTreeMap::new(),
            excused,
        }
    }

    /// What is said until then is not held against those who say it. [Of a node that stood still
    /// twice, all who watch it would be named, and nobody be left to say that it has died.]
    pub(crate) fn excuse(&mut self, until: Instant) {
        self.excused = self.excused.max(until);
    }

    /// This node was accused, at that sequence, and is there. Whether its accuser is to be named
    /// from now on.
    pub(crate) fn accused(&mut self, by: &NodeId, at: Sequence, now: Instant) -> bool {
        self.said
            .retain(|_, said| now < said.last + contract::NOT_COUNTED);
        self.named.retain(|_, until| now < *until);
        if now < self.excused {
            return false;
        }
        let Some(said) = self.said.get_mut(by) else {
            if self.said.len() < caps::FALSE_ACCUSERS {
                let (last, before) = (now, None);
                self.said.insert(*by, Said { at, last, before });
            }
            return false;
        };
        if at <= said.at {
            return false;
        }
        said.before = Some(said.last);
        (said.at, said.last) = (at, now);
        let is_new = !self.named.contains_key(by) && self.named.len() < contract::NAMED;
        if is_new {
            self.named.insert(*by, now + contract::NOT_COUNTED);
        }
        is_new
    }

    /// Whether what this one says of this node is counted by nobody now.
    pub(crate) fn is_named(&self, by: &NodeId, now: Instant) -> bool {
        self.named.get(by).is_some_and(|until| now < *until)
    }

    /// Whom the own record is to name.
    pub(crate) fn named(&self, now: Instant) -> Vec<Prefix> {
        let named = self.named.iter().filter(|(_, until)| now < **until);
        named.map(|(node, _)| node.prefix()).collect()
    }

    pub(crate) fn named_count(&self, now: Instant) -> usize {
        self.named.values().filter(|until| now < **until).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.said.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    fn beat(beat: u32) -> Sequence {
        Sequence { version: 1, beat }
    }

    /// R33: two in ten minutes, each about another sequence.
    #[test]
    fn whoever_accuses_twice_in_ten_minutes_is_named_for_ten() {
        let mut false_accusers = FalseAccusers::new(at(0));
        assert!(!false_accusers.accused(&node(1), beat(0), at(100)));
        assert!(!false_accusers.accused(&node(1), beat(0), at(101)), "again");
        assert!(!false_accusers.accused(&node(2), beat(1), at(102)));
        assert!(false_accusers.accused(&node(1), beat(1), at(699)));
        assert_eq!(false_accusers.named(at(699)), [node(1).prefix()]);
        assert!(false_accusers.is_named(&node(1), at(1_298)));
        assert!(!false_accusers.is_named(&node(1), at(1_299)));
        assert!(!false_accusers.is_named(&node(2), at(699)));
    }

    #[test]
    fn twice_in_a_longer_time_is_no_reason() {
        let mut false_accusers = FalseAccusers::new(at(0));
        assert!(!false_accusers.accused(&node(1), beat(0), at(100)));
        assert!(!false_accusers.accused(&node(1), beat(1), at(700)));
        assert!(false_accusers.accused(&node(1), beat(2), at(701)));
    }

    /// R33: whoever goes on is named again with its next one.
    #[test]
    fn whoever_goes_on_is_named_again_at_once() {
        let mut false_accusers = FalseAccusers::new(at(0));
        for minute in 0..10 {
            let named = false_accusers.accused(&node(1), beat(minute), at(u64::from(minute) * 60));
            assert_eq!(named, minute == 1);
        }
        assert!(false_accusers.accused(&node(1), beat(99), at(661)));
    }

    /// R33, R34: after a stop they were right.
    #[test]
    fn what_is_said_after_a_stop_is_not_held_against_them() {
        let mut false_accusers = FalseAccusers::new(at(10));
        assert!(!false_accusers.accused(&node(1), beat(0), at(9)));
        false_accusers.excuse(at(103));
        for n in 0..5 {
            assert!(!false_accusers.accused(&node(1), beat(1 + n), at(102)));
        }
        assert!(!false_accusers.accused(&node(1), beat(9), at(103)));
    }

    /// R22.
    #[test]
    fn so_many_are_named_and_remembered() {
        let mut false_accusers = FalseAccusers::new(at(0));
        for sequence in 0..2 {
            for n in 0..100 {
                false_accusers.accused(&node(n), beat(sequence), at(100));
            }
        }
        assert_eq!(false_accusers.len(), caps::FALSE_ACCUSERS);
        assert_eq!(false_accusers.named(at(100)).len(), contract::NAMED);
    }
}
