//! Records of nodes to which this node's upstreams lead, beyond the capacity of a crowded table (R47).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::caps;
use crate::record::Sequence;
use crate::table::{Entry, Gone};

/// By the beginnings of the node IDs, as numbers.
#[derive(Default)]
pub(super) struct Beyond {
    kept: BTreeMap<u64, Kept>,
    /// Were kept, and were silent at this sequence: somebody else may not have heard of it yet.
    silent: BTreeMap<u64, Sequence>,
    /// All to whom the upstreams lead, in ascending order: who of them comes, or has to leave the table,
    /// is kept.
    on_way: Vec<u64>,
}

struct Kept {
    record: Gone,
    /// Who has accused it of being silent since.
    accused_by: Option<NodeId>,
}

impl Beyond {
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.kept.keys().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.kept.values().map(|kept| kept.record.entry())
    }

    pub(super) fn get(&self, number: u64) -> Option<Entry<'_>> {
        self.kept.get(&number).map(|kept| kept.record.entry())
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether a record of this node would be kept.
    pub(super) fn has_room_for(&self, node: &NodeId) -> bool {
        let number = node.prefix().number();
        let has_room = self.kept.len() < caps::BEYOND || self.kept.contains_key(&number);
        has_room && self.on_way.binary_search(&number).is_ok()
    }

    /// Whether this is more than is known of its node.
    pub(super) fn is_news(&self, node: &NodeId, sequence: Sequence) -> bool {
        let number = node.prefix().number();
        let above = |known: Sequence| sequence > known;
        let known = self.get(number);
        known.is_none_or(|e| e.node == *node && above(e.sequence()))
            && self.silent.get(&number).is_none_or(|at| above(*at))
    }

    pub(super) fn keep(&mut self, record: Gone) {
        let kept = Kept {
            record,
            accused_by: None,
        };
        let number = kept.record.node.prefix().number();
        self.kept.insert(number, kept);
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        self.kept.remove(&number).is_some()
    }

    /// It is silent by the word of this node. Of a second one it goes: whether it has.
    pub(super) fn accuse(&mut self, node: &NodeId, at: Sequence, by: NodeId) -> bool {
        let number = node.prefix().number();
        let kept = self.kept.get_mut(&number);
        let Some(kept) = kept.filter(|k| k.record.node == *node) else {
            return false;
        };
        // Whoever accuses may name any sequence: what refutes it is above the one that is known.
        let known = kept.record.entry().sequence();
        if known > at || *kept.accused_by.get_or_insert(by) == by {
            return false;
        }
        self.silent.insert(number, known);
        self.remove(number)
    }

    /// Those for which `stays` holds; whether there were others.
    pub(super) fn retain(&mut self, stays: impl Fn(u64, &Gone) -> bool) -> bool {
        let before = self.len();
        self.kept
            .retain(|number, kept| stays(*number, &kept.record));
        self.len() < before
    }

    /// Who is on the way now, and who of them is missing.
    pub(super) fn set_way(&mut self, on_way: Vec<u64>, is_missing: impl Fn(u64) -> bool) {
        self.on_way = on_way;
        self.silent.retain(|number, _| is_missing(*number));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let pair = size_of::<(u64, Kept)>();
        let contents = self.kept.values().map(|k| k.record.content_bytes());
        contents.map(|bytes| bytes + pair).sum::<usize>()
            + self.silent.len() * size_of::<(u64, Sequence)>()
            + self.on_way.capacity() * size_of::<u64>()
    }
}
