//! What the own record says of them (R47).

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::Upstreams;
use crate::contract;
use crate::id::Prefix;

/// So many upstreams are each asked before anybody else.
const FEW: usize = 4;

impl Upstreams {
    /// How often another node was met at one of them, or others were configured.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The nodes that have answered, in the order of the addresses, each once; of too many as many
    /// as make it clear that there are more than can be named.
    pub(crate) fn named(&self) -> Vec<Prefix> {
        if self.are_many() {
            return vec![Prefix([0; Prefix::LEN]); contract::UPSTREAMS_NAMED + 1];
        }
        let mut named: Vec<Prefix> = Vec::new();
        for node in self.all.iter().filter_map(|u| Some(u.node?.prefix())) {
            if named.len() <= contract::UPSTREAMS_NAMED && !named.contains(&node) {
                named.push(node);
            }
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
        !self.are_many() && self.are_awaited()
    }

    /// Whether one of the addresses that are dialled at once has led to nobody, and no dial of it has
    /// failed.
    pub(crate) fn are_awaited(&self) -> bool {
        let unknown = |u: &super::Upstream| {
            u.first && u.node.is_none() && u.failures() == 0 && u.times_itself() == 0
        };
        self.all.iter().any(unknown)
    }

    /// Whether they are so many that not each of them is asked first (R44).
    pub(crate) fn are_several(&self) -> bool {
        self.all.len() > FEW
    }

    /// Whether the addresses are of more hosts than a record names: then it is no use to wait for who
    /// is there.
    fn are_many(&self) -> bool {
        let hosts = self.all.iter().map(|u| u.address.host());
        self.all.len() > contract::UPSTREAMS_NAMED
            && hosts.collect::<BTreeSet<_>>().len() > contract::UPSTREAMS_NAMED
    }
}
