//! What others say of a node that could say it itself, where records are not signed (R52).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::time::Instant;

/// Whoever says within so long the same as before what others said of it has contradicted them. [Longer,
/// and a node whose metadata go to and fro would have done so.]
const ANSWERED: Duration = Duration::from_secs(2);
/// Since then nobody believes others about it at once,
const DISPUTED: Duration = Duration::from_secs(600);
/// but what nobody has gone beyond for so long.
const STOOD: Duration = Duration::from_secs(1);
/// Between two questions to one node.
const ASKED: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Claim {
    /// A hash of what the node had said before, and since when others say otherwise.
    before: u64,
    since: Instant,
    /// The last that was said of it, and since when that is said.
    said: Sequence,
    said_at: Instant,
    asked_at: Option<Instant>,
    /// When it has contradicted others last.
    disputed_at: Option<Instant>,
}

impl Claim {
    fn is_disputed(&self, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_since(at) < DISPUTED;
        self.disputed_at.is_some_and(recent)
    }

    fn may_be_answered(&self, now: Instant) -> bool {
        now.saturating_since(self.since) < ANSWERED
    }
}

#[derive(Default)]
pub(crate) struct Claims {
    claims: BTreeMap<NodeId, Claim>,
}

impl Claims {
    /// Whether others may be believed that it says this: where they were contradicted of late, once it
    /// has stood for a while.
    pub(crate) fn may_be_so(&self, node: &NodeId, said: Sequence, now: Instant) -> bool {
        let stands = |c: &Claim| c.said == said && now.saturating_since(c.said_at) >= STOOD;
        let claim = self.claims.get(node);
        claim.is_none_or(|c| !c.is_disputed(now) || stands(c))
    }

    /// Others say this of a node that has said something else before, of this hash.
    pub(crate) fn said(&mut self, node: NodeId, said: Sequence, before: u64, now: Instant) {
        if self.claims.len() >= caps::CLAIMS && !self.claims.contains_key(&node) {
            self.make_room(now);
        }
        let claim = self.claims.entry(node).or_insert(Claim {
            before,
            since: now,
            said,
            said_at: now,
            asked_at: None,
            disputed_at: None,
        });
        if !claim.may_be_answered(now) {
            (claim.before, claim.since) = (before, now);
        }
        if claim.said != said {
            (claim.said, claim.said_at) = (said, now);
        }
    }

    /// The node has said this, of this hash, itself or as others tell.
    pub(crate) fn has_said(&mut self, node: &NodeId, hash: u64, now: Instant) {
        if let Some(claim) = self.claims.get_mut(node) {
            if claim.before == hash && claim.may_be_answered(now) {
                claim.disputed_at = Some(now);
            }
        }
    }

    /// Whether the node is to be asked what it says.
    pub(crate) fn asks(&mut self, node: &NodeId, now: Instant) -> bool {
        let Some(claim) = self.claims.get_mut(node) else {
            return false;
        };
        let recent = |at: Instant| now.saturating_since(at) < ASKED;
        let asks = !claim.asked_at.is_some_and(recent);
        if asks {
            claim.asked_at = Some(now);
        }
        asks
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.claims.len()
    }

    /// What nobody can contradict any more goes, and of the rest what is oldest: disputes last.
    fn make_room(&mut self, now: Instant) {
        let matters = |c: &Claim| c.is_disputed(now) || c.may_be_answered(now);
        self.claims.retain(|_, claim| matters(claim));
        if self.claims.len() >= caps::CLAIMS {
            let age = |c: &Claim| (c.is_disputed(now), c.disputed_at, c.since);
            let oldest = self.claims.iter().min_by_key(|(_, c)| age(c));
            if let Some(node) = oldest.map(|(node, _)| *node) {
                self.claims.remove(&node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const TRUTH: u64 = 7;
    const LIE: u64 = 8;

    fn sequence(version: u64) -> Sequence {
        Sequence { version, beat: 0 }
    }

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// A node of which others lie at 1 s, and that contradicts them.
    fn disputed() -> Claims {
        let mut claims = Claims::default();
        assert!(claims.may_be_so(&node(1), sequence(2), at(1)));
        claims.said(node(1), sequence(2), TRUTH, at(1));
        claims.has_said(&node(1), TRUTH, ms(1_100));
        claims
    }

    /// R52: whom it has contradicted nobody believes at once, for ten minutes.
    #[test]
    fn what_is_said_of_one_that_has_contradicted_others_must_stand() {
        let mut claims = disputed();
        assert!(!claims.may_be_so(&node(1), sequence(4), ms(1_200)));
        claims.said(node(1), sequence(4), TRUTH, ms(1_200));
        assert!(!claims.may_be_so(&node(1), sequence(4), ms(2_199)));
        assert!(claims.may_be_so(&node(1), sequence(4), ms(2_200)));
        assert!(claims.may_be_so(&node(2), sequence(4), ms(1_200)));
        assert!(claims.may_be_so(&node(1), sequence(9), at(602)));
    }

    /// R52: [Each of a hundred lies a second would be believed a second later.]
    #[test]
    fn what_others_have_gone_beyond_does_not_stand() {
        let mut claims = disputed();
        for n in 0..100 {
            claims.said(node(1), sequence(4 + n), TRUTH, ms(1_200 + 900 * n));
            assert!(!claims.may_be_so(&node(1), sequence(4 + n), ms(1_200 + 900 * n)));
        }
    }

    /// R52: a change is none.
    #[test]
    fn who_says_something_new_contradicts_nobody() {
        let mut claims = Claims::default();
        claims.said(node(1), sequence(2), TRUTH, at(1));
        claims.has_said(&node(1), LIE, at(1));
        assert!(claims.may_be_so(&node(1), sequence(3), at(1)));
        // Nor what was said long ago.
        claims.has_said(&node(1), TRUTH, at(4));
        assert!(claims.may_be_so(&node(1), sequence(3), at(4)));
    }

    #[test]
    fn a_node_is_asked_once_a_second() {
        let mut claims = disputed();
        assert!(claims.asks(&node(1), at(2)) && !claims.asks(&node(1), ms(2_999)));
        assert!(claims.asks(&node(1), at(3)) && !claims.asks(&node(2), at(3)));
    }

    /// R22: a dispute is not forgotten for what is said of a thousand others.
    #[test]
    fn the_memory_is_bounded_and_keeps_disputes() {
        let mut claims = disputed();
        for n in 0..3 * caps::CLAIMS as u32 {
            claims.said(node(10 + n), sequence(2), TRUTH, ms(1_200));
            assert!(claims.len() <= caps::CLAIMS);
        }
        assert!(!claims.may_be_so(&node(1), sequence(4), ms(1_300)));
    }
}
