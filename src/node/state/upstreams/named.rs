//! What the own record says of them (R47).

use alloc::vec::Vec;

use super::Upstreams;
use crate::contract;
use crate::id::Prefix;

/// With so many addresses it is no use to wait for who is there: they are more nodes than a record
/// names, even if each has two.
const MANY: usize = 2 * contract::UPSTREAMS_NAMED;

impl Upstreams {
    /// How often another node was met at one of them, or others were configured.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The nodes that have answered, in the order of the addresses, each once; of too many as many
    /// as make it clear that there are more than can be named.
    pub(crate) fn named(&self) -> Vec<Prefix> {
        let mut named: Vec<Prefix> = Vec::new();
        for node in self.all.iter().filter_map(|u| Some(u.node?.prefix())) {
            if named.len() <= contract::UPSTREAMS_NAMED && !named.contains(&node) {
                named.push(node);
            }
        }
        if self.all.len() > MANY {
            named.resize(contract::UPSTREAMS_NAMED + 1, Prefix([0; Prefix::LEN]));
        }
        named
    }

    /// Whether each of them has led to a node, or to this one.
    pub(crate) fn are_all_met(&self) -> bool {
        let met = |u: &super::Upstream| u.node.is_some() || u.times_itself() > 0;
        self.all.iter().all(met)
    }

    /// Whether what is to be named may still change soon: one of the addresses that are dialled at
    /// once (R44) has led to nobody, and no dial of it has failed.
    pub(crate) fn are_being_met(&self) -> bool {
        let unknown = |u: &super::Upstream| {
            u.first && u.node.is_none() && u.failures() == 0 && u.times_itself() == 0
        };
        self.all.len() <= MANY && self.all.iter().any(unknown)
    }
}
