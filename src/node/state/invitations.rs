//! Who has asked to be watched, and when this node asks for it (R30).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// Whoever was asked watches for so long, and may be asked again. [With ten minutes, those that
/// had only been late to watch by themselves were one more for as long.]
const LASTS: Duration = Duration::from_secs(60);
/// Between two times that this node asks in vain, at most.
const RARE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Invitations {
    /// Who is watched on request, and until when.
    accepted: BTreeMap<NodeId, Instant>,
    /// When this node asks, since too few watch it.
    next: Option<Instant>,
    /// How long it waits until it asks again.
    wait: Duration,
}

impl Invitations {
    /// This node asks to be watched. With too many, the one that asked longest ago goes first.
    pub(crate) fn accept(&mut self, node: NodeId, now: Instant) {
        self.accepted.insert(node, now + LASTS);
        while self.accepted.len() > caps::INVITED {
            let first = self.accepted.iter().min_by_key(|(_, until)| **until);
            let Some(first) = first.map(|(node, _)| *node) else {
                break;
            };
            self.accepted.remove(&first);
        }
    }

    /// Who is watched on request.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &NodeId> {
        self.accepted.keys()
    }

    /// Whether somebody is not to be watched any more from now on.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let before = self.accepted.len();
        self.accepted.retain(|_, until| *until > now);
        self.accepted.len() < before
    }

    /// Whether enough watch this node. Where too few do after `patience`, it asks for more.
    pub(crate) fn counted(&mut self, enough: bool, patience: Duration, now: Instant) {
        if enough {
            (self.next, self.wait) = (None, Duration::ZERO);
        } else if self.next.is_none() {
            self.wait = (2 * self.wait).clamp(patience, RARE);
            self.next = Some(now + self.wait);
        }
    }

    /// Whether it is time to ask; once.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        self.next.take_if(|at| *at <= now).is_some()
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        let ends = self.accepted.values().min().copied();
        self.next.into_iter().chain(ends).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.accepted.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};
    use alloc::vec::Vec;

    const D: Duration = Duration::from_secs(3);

    /// R30: for a minute after it has asked last.
    #[test]
    fn whoever_asks_is_watched_for_a_while() {
        let mut invitations = Invitations::default();
        invitations.accept(node(1), at(100));
        invitations.accept(node(2), at(110));
        invitations.accept(node(1), at(120));
        assert!(!invitations.expire(at(169)));
        assert_eq!(invitations.len(), 2);
        assert_eq!(invitations.next_due(), Some(at(170)));
        assert!(invitations.expire(at(170)));
        assert_eq!(invitations.accepted().collect::<Vec<_>>(), [&node(1)]);
        assert!(invitations.expire(at(180)) && !invitations.expire(at(181)));
    }

    /// R22.
    #[test]
    fn of_too_many_the_first_goes() {
        let mut invitations = Invitations::default();
        for n in 0..=caps::INVITED as u32 {
            invitations.accept(node(n), at(100 + u64::from(n)));
        }
        assert_eq!(invitations.len(), caps::INVITED);
        assert!(!invitations.accepted().any(|n| *n == node(0)));
    }

    /// R30: others have D to see for themselves; in vain, it is asked ever more rarely.
    #[test]
    fn it_is_asked_while_too_few_watch() {
        let mut invitations = Invitations::default();
        let mut asked = Vec::new();
        for second in 100..260 {
            invitations.counted(false, D, at(second));
            if invitations.is_due(at(second)) {
                asked.push(second - 100);
                assert!(!invitations.is_due(at(second)), "once");
            }
        }
        assert_eq!(asked, [3, 10, 23, 48, 97, 158]);
        invitations.counted(true, D, at(260));
        assert_eq!(invitations.next_due(), None);
        invitations.counted(false, D, at(270));
        assert_eq!(invitations.next_due(), Some(at(273)), "from the beginning");
    }
}
