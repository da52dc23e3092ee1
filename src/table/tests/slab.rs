//! Rows and contents in chunks, against a plain list.

use alloc::collections::BTreeMap;

use super::*;
use crate::record::{BodyInfo, Signature};
use crate::rng;
use crate::table::row::Row;
use crate::table::slab::Slab;

/// What was put in a slot last.
#[derive(Clone, PartialEq, Debug)]
struct Written {
    sequence: Sequence,
    body: Vec<u8>,
    signature: Option<Signature>,
}

impl Written {
    /// Any: some have numbers that fit into no row, some have bodies of the greatest length.
    fn random(random: &mut Stream) -> Self {
        let wide = random.below(8) == 0;
        let len = match random.below(20) {
            0 => contract::BODY_BYTES,
            _ => random.below(60),
        };
        let byte = random.next_u64() as u8;
        Self {
            sequence: Sequence {
                version: if wide { 1 << 40 } else { 7 } + random.below(9) as u64,
                beat: random.below(if wide { 1 << 30 } else { 9 }) as u32,
            },
            body: vec![byte; len],
            signature: (random.below(2) == 0).then_some([!byte; 64]),
        }
    }

    fn record(&self, n: u64) -> WireRecord<'_> {
        WireRecord {
            node: node(n),
            sequence: self.sequence,
            remaining_s: 9,
            body: &self.body,
            signature: self.signature.as_ref(),
        }
    }

    fn put(&self, slab: &mut Slab, n: u64) -> Slot {
        let info = BodyInfo {
            lifetime_s: 600,
            tombstone: false,
        };
        let row = Row::new(node(n), info, Instant::ZERO, Instant::ZERO);
        slab.insert(Entry::of(&row, self.record(n)))
    }

    fn of(entry: Entry<'_>) -> Self {
        Self {
            sequence: entry.sequence(),
            body: entry.body().to_vec(),
            signature: entry.signature().copied(),
        }
    }
}

#[test]
fn what_is_written_is_read_whatever_came_and_went_beside_it() {
    let mut random = Stream::new(&[5; 32], Purpose::Choices);
    let (mut slab, mut model) = (Slab::default(), BTreeMap::new());
    for n in 0..20_000 {
        let written = Written::random(&mut random);
        let any = random.below(slab.slots() + 1) as Slot;
        match (random.below(4), model.contains_key(&any)) {
            (0, true) => {
                let gone = slab.take(any).expect("it is there");
                assert_eq!(Some(Written::of(gone.entry())), model.remove(&any));
            }
            (1, true) => {
                let (sequence, hash) = (written.sequence, random.next_u64());
                slab.renew(any, sequence, hash, written.signature.as_ref());
                assert_eq!(slab.get(any).map(|e| e.hash), Some(hash));
                let body = model.remove(&any).map(|w: Written| w.body);
                let body = body.expect("it is there");
                model.insert(any, Written { body, ..written });
            }
            _ if model.len() < 200 => {
                let slot = written.put(&mut slab, n);
                let hash = rng::record_hash(&node(n), written.sequence);
                assert_eq!(slab.get(slot).map(|e| e.hash), Some(hash));
                assert_eq!(model.insert(slot, written), None, "{slot} was taken");
            }
            _ => {}
        }
        if n % 64 == 0 {
            let all = slab.iter().map(|(slot, e)| (slot, Written::of(e)));
            assert_eq!(all.collect::<BTreeMap<_, _>>(), model);
        }
    }
    assert!(model.len() > 150 && slab.slots() <= 200);
}

/// R22: what was given up is used again.
#[test]
fn a_slab_takes_little_more_than_what_is_in_it() {
    let mut random = Stream::new(&[6; 32], Purpose::Choices);
    let mut slab = Slab::default();
    let first = Written::random(&mut random);
    let slots: Vec<_> = (0..128).map(|n| first.put(&mut slab, n)).collect();
    for n in 0..10_000 {
        let slot = slots[random.below(128)];
        let written = Written::random(&mut random);
        slab.take(slot).expect("it is there");
        assert_eq!(written.put(&mut slab, n), slot);
        let contents = |(_, e): (Slot, Entry<'_>)| e.body().len() + 64 + 12;
        let contents: usize = slab.iter().map(contents).sum();
        let most = 128 * 64 + contents * 9 / 8 + 4 * contract::BODY_BYTES + 1_024;
        assert!(slab.heap_bytes() <= most, "{} of {most}", slab.heap_bytes());
    }
}
