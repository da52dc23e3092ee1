//! Who told what: every node whose records are in the table has a number, so that an entry names it
//! in two bytes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::addr::Subnet;
use crate::id::NodeId;

/// The number of the node that told of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Via(u16);

impl Via {
    pub(super) const NOBODY: Self = Self(u16::MAX);
    /// All numbers were taken.
    const FORGOTTEN: Self = Self(u16::MAX - 1);
}

/// Who told of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Teller {
    /// Nobody: it is of this node's own making, or from its snapshot.
    #[default]
    Nobody,
    /// This node.
    Node(NodeId),
    /// There were too many to remember who.
    Forgotten,
}

/// Who tells, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) node: NodeId,
    pub(crate) subnet: Option<Subnet>,
}

/// For whom somebody has vouched by telling of it (R53).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Vouched {
    /// A hash of the subnet that was told from; of the teller, where that is not known.
    pub(super) network: Option<u32>,
    /// Of how many that live the same one has told.
    pub(super) living: usize,
}

impl From<u32> for Vouched {
    fn from(network: u32) -> Self {
        Self {
            network: Some(network),
            living: 0,
        }
    }
}

struct Relay {
    node: NodeId,
    network: u32,
    /// Entries that it told of, and those of them that live.
    entries: u32,
    living: u32,
}

#[derive(Default)]
pub(super) struct Relays {
    numbers: BTreeMap<NodeId, u16>,
    relays: Vec<Relay>,
    free: Vec<u16>,
    /// Who has told last: nearly always of the next one too.
    last: u16,
}

impl Relays {
    /// An entry is told of by this node, whose network has this hash.
    pub(super) fn added(
        &mut self,
        by: Option<&By>,
        lives: bool,
        network: impl FnOnce(&By) -> u32,
    ) -> Via {
        let Some(by) = by else { return Via::NOBODY };
        let Some(number) = self.number(by, network) else {
            return Via::FORGOTTEN;
        };
        let relay = &mut self.relays[usize::from(number)];
        relay.entries += 1;
        relay.living += u32::from(lives);
        Via(number)
    }

    fn number(&mut self, by: &By, network: impl FnOnce(&By) -> u32) -> Option<u16> {
        let last = self.relays.get(usize::from(self.last));
        if last.is_some_and(|relay| relay.entries > 0 && relay.node == by.node) {
            return Some(self.last);
        }
        if let Some(number) = self.numbers.get(&by.node) {
            self.last = *number;
            return Some(*number);
        }
        let relay = Relay {
            node: by.node,
            network: network(by),
            entries: 0,
            living: 0,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.relays[usize::from(number)] = relay;
                number
            }
            None => {
                let number = u16::try_from(self.relays.len()).ok();
                let number = number.filter(|number| *number < Via::FORGOTTEN.0)?;
                self.relays.push(relay);
                number
            }
        };
        self.numbers.insert(by.node, number);
        Some(number)
    }

    /// The entry has gone.
    pub(super) fn removed(&mut self, via: Via, lived: bool) {
        let Some(relay) = self.relays.get_mut(usize::from(via.0)) else {
            return;
        };
        relay.entries -= 1;
        relay.living -= u32::from(lived);
        if relay.entries == 0 {
            self.numbers.remove(&relay.node);
            self.free.push(via.0);
        }
    }

    /// Who has told.
    pub(super) fn teller(&self, via: Via) -> Teller {
        match self.relays.get(usize::from(via.0)) {
            Some(relay) => Teller::Node(relay.node),
            None if via == Via::NOBODY => Teller::Nobody,
            None => Teller::Forgotten,
        }
    }

    /// Who vouches for one that was told of so.
    pub(super) fn vouched(&self, via: Via) -> Vouched {
        let relay = self.relays.get(usize::from(via.0));
        relay.map_or(Vouched::default(), |relay| Vouched {
            network: Some(relay.network),
            living: relay.living as usize,
        })
    }

    /// For whom this one vouches, whose network has this hash.
    pub(super) fn vouched_by(&self, by: &By, network: u32) -> Vouched {
        let number = self.numbers.get(&by.node);
        number.map_or(Vouched::from(network), |number| self.vouched(Via(*number)))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.relays.capacity() * size_of::<Relay>()
            + self.numbers.len() * size_of::<(NodeId, u16)>()
            + self.free.capacity() * size_of::<u16>()
    }

    /// Against the entries themselves: who told, and whether they live.
    pub(super) fn check(&self, entries: impl Iterator<Item = (Via, bool)>) {
        let mut counts = BTreeMap::<u16, (u32, u32)>::new();
        for (via, lives) in entries.filter(|(via, _)| via.0 < Via::FORGOTTEN.0) {
            let count = counts.entry(via.0).or_default();
            (count.0, count.1) = (count.0 + 1, count.1 + u32::from(lives));
        }
        assert_eq!(counts.len(), self.numbers.len());
        for (node, number) in &self.numbers {
            let relay = &self.relays[usize::from(*number)];
            assert_eq!(relay.node, *node);
            assert_eq!(counts.get(number), Some(&(relay.entries, relay.living)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u32) -> NodeId {
        let mut id = [7; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        NodeId::new(id)
    }

    fn added(relays: &mut Relays, n: u32, lives: bool) -> Via {
        let (node, subnet) = (node(n), None);
        relays.added(Some(&By { node, subnet }), lives, |_| n)
    }

    #[test]
    fn a_number_is_free_again_when_its_last_entry_has_gone() {
        let mut relays = Relays::default();
        let first = added(&mut relays, 1, true);
        assert_eq!(added(&mut relays, 1, false), first);
        assert_eq!(relays.teller(first), Teller::Node(node(1)));
        assert_eq!(relays.vouched(first).living, 1);
        relays.removed(first, true);
        assert_eq!(relays.vouched(first).living, 0);
        relays.removed(first, false);
        assert_eq!(added(&mut relays, 2, true), first);
        assert_eq!(relays.teller(first), Teller::Node(node(2)));
        assert_eq!(relays.added(None, true, |_| 0), Via::NOBODY);
        assert_eq!(relays.teller(Via::NOBODY), Teller::Nobody);
    }

    /// R22: what more of them tell is taken, and who told is not remembered.
    #[test]
    fn beyond_the_last_number_who_told_is_forgotten() {
        let mut relays = Relays::default();
        for n in 0..u32::from(Via::FORGOTTEN.0) {
            assert!(added(&mut relays, n, true) != Via::FORGOTTEN);
        }
        let late = added(&mut relays, u32::MAX, true);
        assert_eq!(relays.teller(late), Teller::Forgotten);
        relays.removed(late, true);
    }
}
