//! Nodes that are down (R32, R35): out of the table, and back only by a higher sequence of their own.
//! What they last said stays, so that they can be shown.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::seal::Accuser;
use crate::table::Gone;
use crate::time::Instant;

/// A node that is down.
pub(crate) struct Down {
    /// The sequence at which it was accused, or the one known here, if that is higher.
    pub(crate) at: Sequence,
    /// Whose accusations have led to it: what convinces others.
    pub(crate) by: Vec<Accuser>,
    /// Since when.
    pub(crate) since: Instant,
    /// Its last record; without its content, where there was no room for that.
    pub(crate) last: Gone,
    /// Counts how many were down before.
    nth: u64,
}

impl Down {
    /// When the life of its record ends.
    pub(crate) fn until(&self) -> Instant {
        self.last.deadline()
    }
}

#[derive(Default)]
pub(super) struct Downs {
    downs: BTreeMap<NodeId, Down>,
    ends: BTreeSet<(Instant, NodeId)>,
    count: u64,
    /// Of the contents of all their records.
    bytes: usize,
}

impl Downs {
    /// It is down. With too many, the one that ends first is forgotten; with too many bytes, what
    /// this one has said is. [Without that, whoever came later could not be refused.]
    pub(super) fn insert(
        &mut self,
        mut last: Gone,
        at: Sequence,
        by: Vec<Accuser>,
        since: Instant,
    ) {
        let node = last.node;
        self.remove(&node);
        if self.downs.len() >= caps::DOWNS {
            if let Some((_, first)) = self.ends.first().copied() {
                self.remove(&first);
            }
        }
        if self.bytes + last.content_bytes() > caps::DOWN_BYTES {
            last.forget_content();
        }
        self.bytes += last.content_bytes();
        self.ends.insert((last.deadline(), node));
        self.count += 1;
        let nth = self.count;
        let down = Down {
            at,
            by,
            since,
            last,
            nth,
        };
        self.downs.insert(node, down);
    }

    pub(super) fn get(&self, node: &NodeId) -> Option<&Down> {
        self.downs.get(node)
    }

    pub(super) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Down> {
        self.downs.get_mut(node)
    }

    /// All, in the order of their IDs.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Down> {
        self.downs.values()
    }

    /// Those of late, the latest first.
    pub(super) fn latest(&self, most: usize) -> Vec<NodeId> {
        let mut all: Vec<_> = self.downs.iter().map(|(n, d)| (d.nth, *n)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.into_iter().take(most).map(|(_, node)| node).collect()
    }

    pub(super) fn remove(&mut self, node: &NodeId) {
        if let Some(down) = self.downs.remove(node) {
            self.ends.remove(&(down.until(), *node));
            self.bytes -= down.last.content_bytes();
        }
    }

    /// The next one of which the record would have ended by now.
    pub(super) fn pop_ended(&mut self, now: Instant) -> Option<(NodeId, Sequence)> {
        let (_, node) = self.ends.first().copied().filter(|(end, _)| *end <= now)?;
        let at = self.downs.get(&node).map(|down| down.at)?;
        self.remove(&node);
        Some((node, at))
    }

    pub(super) fn len(&self) -> usize {
        self.downs.len()
    }

    /// Of the contents of their records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.len() * (size_of::<(NodeId, Down)>() + size_of::<(Instant, NodeId)>()) + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;
    use crate::record::BodyInfo;
    use crate::wire::WireRecord;

    fn node(n: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        NodeId::new(bytes)
    }

    fn at(second: u64) -> Instant {
        Instant::from_millis(1_000 * second)
    }

    fn entry(n: u16, until: Instant, body: &[u8]) -> Gone {
        let record = WireRecord {
            node: node(n),
            sequence: Sequence::default(),
            remaining_s: 9,
            body,
            signature: None,
        };
        let info = BodyInfo {
            lifetime_s: 9,
            tombstone: false,
        };
        Gone::of(record, info, until, until)
    }

    fn put(downs: &mut Downs, last: Gone) {
        downs.insert(last, Sequence::default(), Vec::new(), at(1));
    }

    /// R3, R35: until its record would have ended.
    #[test]
    fn what_is_down_ends_with_its_record() {
        let mut downs = Downs::default();
        for (n, end) in [(1, 9), (2, 5), (1, 7)] {
            put(&mut downs, entry(n, at(end), &[7; 40]));
        }
        assert_eq!(downs.bytes(), 80);
        assert_eq!(downs.pop_ended(at(4)), None);
        let ended = |downs: &mut Downs| downs.pop_ended(at(8)).map(|(node, _)| node);
        assert_eq!(ended(&mut downs), Some(node(2)));
        assert_eq!(ended(&mut downs), Some(node(1)));
        assert_eq!((ended(&mut downs), downs.len()), (None, 0));
        assert_eq!(downs.bytes(), 0);
    }

    /// R22.
    #[test]
    fn beyond_the_cap_the_first_to_end_is_forgotten() {
        let mut downs = Downs::default();
        for n in 0..=caps::DOWNS as u16 {
            put(&mut downs, entry(n, at(9 + u64::from(n)), &[]));
        }
        assert_eq!(downs.len(), caps::DOWNS);
        assert!(downs.get(&node(0)).is_none() && downs.get(&node(1)).is_some());
        downs.remove(&node(1));
        assert!(downs.get(&node(1)).is_none());
    }

    /// R22: what they have said has a cap of its own; that they are down is known all the same.
    #[test]
    fn beyond_the_cap_of_bytes_a_state_is_kept_without_the_content() {
        let mut downs = Downs::default();
        let body = [7; contract::BODY_BYTES];
        let most = caps::DOWN_BYTES / body.len();
        for n in 0..=most as u16 {
            put(&mut downs, entry(n, at(9), &body));
        }
        let shown = |n: usize| {
            downs
                .get(&node(n as u16))
                .map(|d| d.last.entry().body().len())
        };
        assert_eq!(shown(0), Some(body.len()));
        assert_eq!(shown(most - 1), Some(body.len()));
        assert_eq!(shown(most), Some(0));
        assert!(downs.bytes() <= caps::DOWN_BYTES);
    }
}
