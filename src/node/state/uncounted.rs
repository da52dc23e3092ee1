//! Whose accusations do not count about whom: what their subjects have said of them (R33).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::contract;
use crate::id::{NodeId, Prefix};
use crate::limits::caps;
use crate::time::Instant;

struct Named {
    version: u64,
    by: Vec<Prefix>,
    until: Instant,
}

#[derive(Default)]
pub(crate) struct Uncounted {
    subjects: BTreeMap<NodeId, Named>,
}

impl Uncounted {
    /// This version of the node's record names these. Known again after it was forgotten here or down,
    /// it is no new word. With too many such nodes, those go whose
    /// word ends first.
    pub(crate) fn say(&mut self, subject: NodeId, version: u64, by: Vec<Prefix>, now: Instant) {
        if self
            .subjects
            .get(&subject)
            .is_some_and(|n| n.version == version)
        {
            return;
        }
        if by.is_empty() {
            self.subjects.remove(&subject);
            return;
        }
        self.subjects.retain(|_, named| now < named.until);
        if self.subjects.len() >= caps::UNCOUNTED && !self.subjects.contains_key(&subject) {
            let first = self.subjects.iter().min_by_key(|(_, named)| named.until);
            if let Some(first) = first.map(|(node, _)| *node) {
                self.subjects.remove(&first);
            }
        }
        let until = now + contract::NOT_COUNTED;
        self.subjects.insert(subject, Named { version, by, until });
    }

    /// How many do not count about it, if this one does not.
    pub(crate) fn with(&self, subject: &NodeId, by: &NodeId, now: Instant) -> Option<usize> {
        let named = self.subjects.get(subject).filter(|n| now < n.until)?;
        named.by.contains(&by.prefix()).then_some(named.by.len())
    }

    /// How many do not count about it.
    pub(crate) fn about(&self, subject: &NodeId, now: Instant) -> usize {
        let named = self.subjects.get(subject).filter(|n| now < n.until);
        named.map_or(0, |named| named.by.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.subjects.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    /// R33: about this one alone, and for ten minutes.
    #[test]
    fn who_is_named_does_not_count_about_the_one_that_names_it() {
        let mut uncounted = Uncounted::default();
        let both = [node(7).prefix(), node(8).prefix()];
        uncounted.say(node(1), 1, both.to_vec(), at(100));
        uncounted.say(node(1), 1, both.to_vec(), at(600));
        assert_eq!(uncounted.with(&node(1), &node(7), at(699)), Some(2));
        assert_eq!(uncounted.with(&node(1), &node(9), at(699)), None);
        assert_eq!(uncounted.with(&node(2), &node(7), at(699)), None);
        assert_eq!(uncounted.about(&node(1), at(699)), 2);
        assert_eq!(uncounted.with(&node(1), &node(7), at(700)), None);
        uncounted.say(node(1), 2, Vec::new(), at(101));
        assert_eq!(uncounted.len(), 0, "its newer word counts");
    }

    /// R22.
    #[test]
    fn so_many_are_remembered_and_the_oldest_goes() {
        let mut uncounted = Uncounted::default();
        for n in 0..=caps::UNCOUNTED as u32 {
            let second = 100 + u64::from(n) / 100;
            uncounted.say(node(n), 1, alloc::vec![node(7).prefix()], at(second));
        }
        assert_eq!(uncounted.len(), caps::UNCOUNTED);
        assert_eq!(uncounted.about(&node(0), at(111)), 0);
        assert_eq!(uncounted.about(&node(caps::UNCOUNTED as u32), at(111)), 1);
    }
}
