//! Records whose renewal has not come by (R2): their last eighth has begun, and the author renews
//! in the quarter before. Somebody else may have it, or the node is gone.

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{NodeId, Prefix};
use crate::rng::Stream;
use crate::table::{Due, Slot, Table};
use crate::time::Instant;

impl Table {
    /// No entry is overdue or expires before.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The next entry that is due. One whose life has ended is taken out, and leaves its
    /// certificate.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        self.dead.expire(now);
        loop {
            let slot = self.deadlines.pop(now, &self.entries, self.own_slot)?;
            // It may have been renewed since, or have gone.
            let row = self.entries.row_mut(slot);
            let Some(row) = row.filter(|row| row.due() <= now) else {
                continue;
            };
            if row.deadline() > now {
                row.set_overdue(true);
                self.overdue.insert(row, slot);
                self.deadlines.add(row.due());
                return Some(Due::Renewal);
            }
            let gone = self.remove(slot)?;
            let sequence = gone.entry().sequence();
            self.bury(now, gone.node, sequence, gone.lifetime());
            return Some(Due::Ended(gone));
        }
    }
}

/// Whom to ask for.
impl Table {
    /// The shortest of the lives whose renewal is overdue.
    pub(crate) fn shortest_overdue(&self) -> Option<Duration> {
        let (seconds, _) = self.overdue.0.first()?;
        Some(Duration::from_secs(u64::from(*seconds)))
    }

    /// The nodes whose renewal is overdue; of more than `most`, others each time, since most of
    /// them may be gone and the rest would never be asked for.
    pub(crate) fn overdue(&self, most: usize, random: &mut Stream) -> Vec<Prefix> {
        let all = &self.overdue.0;
        let skipped = if all.len() > most {
            random.below(all.len())
        } else {
            0
        };
        let listed = all.iter().cycle().skip(skipped).take(most.min(all.len()));
        let entries = listed.filter_map(|(_, slot)| self.get(*slot));
        entries.map(|e| e.node.prefix()).collect()
    }

    /// Of these nodes, those whose records have been renewed: with a life so long, it is not the
    /// one that the asker calls overdue.
    pub(crate) fn renewed(&self, now: Instant, prefixes: &[u8]) -> Vec<Slot> {
        let mut slots = self.by_prefix(prefixes);
        slots.retain(|slot| {
            self.get(*slot)
                .is_some_and(|e| e.deadline().saturating_since(now) > e.lifetime() / 2)
        });
        slots
    }

    /// The entries whose node ID begins with one of these prefixes.
    pub(crate) fn by_prefix(&self, prefixes: &[u8]) -> Vec<Slot> {
        let mut sorted: Vec<_> = Prefix::list(prefixes).map(Prefix::number).collect();
        if sorted.is_empty() {
            return Vec::new();
        }
        sorted.sort_unstable();
        let is_named = |node: &NodeId| sorted.binary_search(&node.prefix().number()).is_ok();
        let named = self.entries.rows().filter(|(_, row)| is_named(&row.node));
        named.map(|(slot, _)| slot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Multiaddr;
    use crate::limits::caps;
    use crate::record::{Sequence, write_body};
    use crate::ring::RingKey;
    use crate::rng::Purpose;
    use crate::table::Word;
    use crate::wire::WireRecord;

    const LIFE: u64 = 800;

    fn node(n: u8) -> NodeId {
        NodeId::new([n; 32])
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_duration(Duration::from_secs(seconds))
    }

    /// The record of a node with this life, as new as can be at this time.
    fn put(table: &mut Table, seconds: u64, n: u8, beat: u32, life: u64) {
        let address = Multiaddr::tcp(([10, 0, 0, n], 7000).into());
        let record = WireRecord {
            node: node(n),
            sequence: Sequence { version: 1, beat },
            remaining_s: life as u32,
            body: &write_body(&[address], b"", Duration::from_secs(life)),
            signature: None,
        };
        table.merge(at(seconds), record, None, &|_| false, Word::Own);
        table.check();
    }

    /// How many are newly overdue, and how many have ended.
    fn due(table: &mut Table, seconds: u64) -> (usize, usize) {
        let due = core::iter::from_fn(|| table.pop_due(at(seconds)));
        let (overdue, ended): (Vec<_>, Vec<_>) = due.partition(|d| matches!(d, Due::Renewal));
        table.check();
        (overdue.len(), ended.len())
    }

    fn listed(table: &Table, most: usize, seed: u8) -> Vec<Prefix> {
        table.overdue(most, &mut Stream::new(&[seed; 32], Purpose::Choices))
    }

    fn table() -> Table {
        Table::new(node(0xff), 400, &[9; 32], RingKey::new(""))
    }

    /// R2: what is not renewed in seven eighths of its life is asked for in the last.
    #[test]
    fn a_record_is_overdue_from_its_last_eighth_until_its_renewal_or_end() {
        let mut table = table();
        put(&mut table, 0, 1, 0, LIFE);
        put(&mut table, 0, 2, 0, LIFE);
        assert_eq!(table.next_deadline(), Some(at(700)));
        assert_eq!(due(&mut table, 699), (0, 0));
        assert_eq!(due(&mut table, 700), (2, 0));
        assert_eq!(listed(&table, 9, 1), [node(1).prefix(), node(2).prefix()]);
        assert_eq!(table.next_deadline(), Some(at(800)));
        put(&mut table, 750, 1, 1, LIFE);
        assert_eq!(listed(&table, 9, 1), [node(2).prefix()]);
        assert_eq!(due(&mut table, 800), (0, 1));
        assert_eq!(listed(&table, 9, 1), []);
        assert_eq!(table.next_deadline(), Some(at(750 + 700)));
    }

    /// R2: one short life that is always renewed in time hides no other.
    #[test]
    fn lives_of_any_length_are_overdue_each_in_its_time() {
        let mut table = table();
        put(&mut table, 0, 1, 0, 86_400);
        for beat in 0..180 {
            let seconds = u64::from(beat) * 450;
            let overdue = usize::from(seconds == 75_600);
            assert_eq!(due(&mut table, seconds), (overdue, 0), "{seconds} s");
            put(&mut table, seconds, 2, beat, 600);
            assert_eq!(
                table.shortest_overdue(),
                (seconds >= 75_600).then_some(Duration::from_secs(86_400))
            );
        }
    }

    /// R2: a clock that has jumped over the last eighth asks for nobody.
    #[test]
    fn what_has_ended_meanwhile_is_not_overdue() {
        let mut table = table();
        put(&mut table, 0, 1, 0, LIFE);
        assert_eq!(due(&mut table, 900), (0, 1));
    }

    /// R2, R22: of very many, each request has others.
    #[test]
    fn of_more_than_a_request_has_room_for_others_are_listed_each_time() {
        let mut table = table();
        for n in 0..200 {
            put(&mut table, 0, n, 0, LIFE);
        }
        assert_eq!(due(&mut table, 750), (200, 0));
        let mut seen: Vec<_> = (0..40)
            .flat_map(|seed| listed(&table, caps::OVERDUE, seed))
            .collect();
        assert_eq!(seen.len(), 40 * caps::OVERDUE);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 200);
    }

    /// R2: whoever has no newer beat either has nothing to answer.
    #[test]
    fn only_what_was_renewed_answers_a_request_for_what_is_overdue() {
        let mut table = table();
        put(&mut table, 0, 1, 0, LIFE);
        put(&mut table, 0, 2, 0, LIFE);
        put(&mut table, 650, 2, 1, LIFE);
        put(&mut table, 650, 3, 0, LIFE);
        let asked: Vec<u8> = [1, 2, 4].iter().flat_map(|n| node(*n).prefix().0).collect();
        let slots = table.renewed(at(720), &asked);
        let found = slots.iter().filter_map(|slot| table.get(*slot));
        assert_eq!(found.map(|e| e.node).collect::<Vec<_>>(), [node(2)]);
        assert_eq!(table.renewed(at(720), &[]), []);
    }
}
