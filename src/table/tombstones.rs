//! The places of tombstones, beside those of the living (R55): neither pushes out the other.
//!
//! When they are all taken, who left last stays: what was told long ago needs telling least. A node
//! that was never known alive here goes before all others, so that leavers who are made up push out
//! none that were real. What goes leaves a certificate.

use alloc::collections::BTreeSet;

use crate::limits::caps;
use crate::table::Slot;
use crate::table::row::Row;
use crate::time::Instant;

/// Whether it was known alive here, and when it left: the smallest goes first.
type Worth = (bool, Instant);

pub(super) struct Tombstones {
    by_worth: BTreeSet<(Worth, Slot)>,
    room: usize,
}

/// Every relay takes a little of the life that is left (R2): so the order is that of leaving for
/// whatever life, and the same at all nodes but for seconds.
fn worth(row: &Row) -> Worth {
    let left_at = row.deadline().saturating_sub(row.lifetime());
    (row.was_alive(), left_at)
}

impl Tombstones {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            by_worth: BTreeSet::new(),
            room: caps::tombstones(capacity),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_worth.len()
    }

    pub(super) fn insert(&mut self, row: &Row, slot: Slot) {
        self.by_worth.insert((worth(row), slot));
    }

    pub(super) fn remove(&mut self, row: &Row, slot: Slot) {
        self.by_worth.remove(&(worth(row), slot));
    }

    /// Which of them makes room for this one, if none is left.
    pub(super) fn makes_room_for(&self, newcomer: &Row) -> Place {
        if self.len() < self.room {
            return Place::Free;
        }
        match self.by_worth.first() {
            Some((least, slot)) if newcomer.was_alive() || *least < worth(newcomer) => {
                Place::Of(*slot)
            }
            _ => Place::None,
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.len() * size_of::<(Worth, Slot)>()
    }

    pub(super) fn check<'a>(&self, all: impl Iterator<Item = (Slot, &'a Row)>) {
        assert!(self.len() <= self.room);
        assert_eq!(
            self.by_worth,
            all.map(|(slot, row)| (worth(row), slot)).collect()
        );
    }
}

/// Where a tombstone finds room.
pub(super) enum Place {
    Free,
    /// In the place of this one.
    Of(Slot),
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Multiaddr;
    use crate::contract;
    use crate::id::NodeId;
    use crate::record::{Sequence, write_body};
    use crate::ring::RingKey;
    use crate::table::{Merged, Table, Word};
    use crate::wire::WireRecord;
    use core::time::Duration;

    /// Places beside so few of the living.
    const ROOM: u32 = 64;
    const LIFE: Duration = contract::DEFAULT_LIFETIME;

    fn node(n: u32) -> NodeId {
        let mut id = [7; 32];
        id[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
        NodeId::new(id)
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_duration(LIFE * 9 + Duration::from_secs(seconds))
    }

    fn put(table: &mut Table, seconds: u64, n: u32, version: u64, body: &[u8]) -> Merged {
        let record = WireRecord {
            node: node(n),
            sequence: Sequence { version, beat: 0 },
            remaining_s: u32::MAX,
            body,
            signature: None,
        };
        let merged = table.merge(at(seconds), record, None, &|_| false, Word::Own);
        table.check();
        merged
    }

    fn live(table: &mut Table, seconds: u64, n: u32, version: u64) -> Merged {
        let address = Multiaddr::tcp(([10, (n >> 8) as u8, n as u8, 1], 7000).into());
        put(
            table,
            seconds,
            n,
            version,
            &write_body(&[address], b"", LIFE),
        )
    }

    /// This node leaves at this time.
    fn leave(table: &mut Table, seconds: u64, n: u32) -> Merged {
        put(table, seconds, n, 9, b"")
    }

    fn table(capacity: usize) -> Table {
        Table::new(
            NodeId::new([0xff; 32]),
            capacity,
            &[9; 32],
            RingKey::new(""),
        )
    }

    fn is_buried(table: &Table, n: u32) -> bool {
        table.lookup(&node(n)).is_some_and(|e| e.is_tombstone())
    }

    /// R55: neither pushes out the other.
    #[test]
    fn leavers_take_no_place_of_the_living_nor_these_one_of_theirs() {
        let mut table = table(20);
        for n in 0..20 {
            assert!(matches!(live(&mut table, 0, n, 1), Merged::New(_)));
        }
        for n in 100..100 + 2 * ROOM {
            leave(&mut table, u64::from(n), n);
        }
        assert_eq!((table.live(), table.tombstone_count()), (20, ROOM as usize));
        assert!(!table.is_crowded());
        for n in 1_000..1_100 {
            live(&mut table, 500, n, 1);
        }
        assert_eq!((table.live(), table.tombstone_count()), (20, ROOM as usize));
        assert!(table.is_crowded());
    }

    /// R55: who left last stays, and what goes stays dead.
    #[test]
    fn the_oldest_leaver_goes_first_and_leaves_its_certificate() {
        let mut table = table(20);
        for n in 0..ROOM + 3 {
            assert!(matches!(leave(&mut table, u64::from(n), n), Merged::New(_)));
        }
        for n in 0..ROOM + 3 {
            assert_eq!(is_buried(&table, n), n >= 3, "{n}");
        }
        for n in 0..3 {
            let refused = Merged::Refused(Sequence {
                version: 9,
                beat: 0,
            });
            assert_eq!(live(&mut table, 100, n, 8), refused);
        }
        assert!(matches!(live(&mut table, 100, 0, 10), Merged::New(_)));
    }

    /// R55: of any number of leavers that were never known alive, none pushes out one that was.
    #[test]
    fn leavers_who_are_made_up_push_out_none_that_were_known() {
        let mut table = table(200);
        for n in 0..40 {
            live(&mut table, 0, n, 1);
            assert!(matches!(leave(&mut table, 1, n), Merged::Left(_)));
        }
        for n in 1_000..3_000 {
            leave(&mut table, 2, n);
        }
        assert!((0..40).all(|n| is_buried(&table, n)));
        // And whoever was known finds room among those who are made up.
        for n in 200..200 + ROOM {
            live(&mut table, 3, n, 1);
            assert!(matches!(leave(&mut table, 4, n), Merged::Left(_)));
            assert!(is_buried(&table, n));
        }
        // One that is made up has no place left then, and is refused for good all the same.
        assert_eq!(leave(&mut table, 5, 5_000), Merged::Full);
        assert!(matches!(live(&mut table, 6, 5_000, 8), Merged::Refused(_)));
    }

    /// R55: whoever returns needs a place among the living again.
    #[test]
    fn a_leaver_that_returns_to_a_full_table_is_ranked_like_a_newcomer() {
        let mut table = table(20);
        for n in 0..20 {
            live(&mut table, 0, n, 1);
        }
        for n in 100..140 {
            leave(&mut table, 1, n);
        }
        let back = (100..140).filter(|n| match live(&mut table, 2, *n, 10) {
            Merged::New(_) => true,
            Merged::Full => false,
            other => panic!("{other:?}"),
        });
        let back = back.count();
        assert!((1..40).contains(&back), "{back}");
        assert_eq!(table.live(), 20);
    }
}
