//! What a node has, in thirteen and a half bits a record: a Golomb-Rice coded set of hashes (R40).
//!
//! Each record's hash, salted with the request's ID, is scaled to a number below 2^12 times the
//! number of records; sorted, the distances between them are coded by Rice's code (Golomb, 1966;
//! Rice, 1979), as in Bitcoin's BIP 158. One record in 2^12 that is not in the set seems to be, in
//! each exchange another.

use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::ops::Range;

use crate::rng;
use crate::wire::bits::{BitReader, BitWriter, bit_len};
use crate::wire::picks::{LEN_BITS, Picks, put_rice, take_rice};

/// Bits of a distance that are written as they are.
const LOW_BITS: u32 = 12;

/// A set of records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    scale: Scale,
    /// Ascending.
    values: Vec<u32>,
}

/// What number each record has in a filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Scale {
    salt: u64,
    /// The filter is of those alone whose salted hash begins with so many zeros.
    slice: u32,
    /// Number of records in it.
    count: usize,
}

impl Scale {
    /// That of a record with this hash, if it is one of those that the filter is of.
    fn value(&self, hash: u64) -> Option<u32> {
        let mixed = rng::mix(hash, self.salt);
        is_in(mixed, self.slice).then(|| scaled(mixed, self.slice, self.count))
    }
}

impl Filter {
    /// Records of one filter, at most: of more, it shows a part, another in each exchange.
    pub const MOST: usize = Picks::MOST;

    /// Of `n` records with these hashes; the salt is the ID of the request.
    #[must_use]
    pub fn of(salt: u64, n: usize, hashes: impl Iterator<Item = u64>) -> Self {
        // An eighth to spare, since the parts are not all alike.
        let full = n.div_ceil(Self::MOST - Self::MOST / 8);
        let slice = bit_len(full.saturating_sub(1) as u64);
        let mut mixed = Vec::with_capacity(n >> slice);
        let all = hashes.map(|hash| rng::mix(hash, salt));
        mixed.extend(all.filter(|m| is_in(*m, slice)).take(Self::MOST));
        let count = mixed.len();
        let values = mixed.into_iter().map(|m| scaled(m, slice, count));
        Self {
            scale: Scale { salt, slice, count },
            values: sorted(values),
        }
    }

    /// Number of records in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether it is of all records of its sender.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.scale.slice == 0
    }

    /// About how many bytes it takes for so many records.
    pub(crate) const fn estimate(records: usize) -> usize {
        (records * 55).div_ceil(32) + 2
    }

    /// The number that a record with this hash has, if it is one of those that this filter is of.
    pub(crate) fn value(&self, hash: u64) -> Option<u32> {
        self.scale.value(hash)
    }

    /// Which of these records (their numbers, with their hashes) are not in it, and the places in it
    /// that none of them has. Of records that have a place together, one at most is the asker's, and
    /// it cannot be told which: none of them is in it. [Told that it had them, one node in a ring of a
    /// hundred had to ask once more for the last record: four hops of 27.]
    pub(crate) fn differences(&self, ours: impl Iterator<Item = (u32, u64)>) -> (Vec<u32>, Picks) {
        let mut places = Places::of(self);
        let (mut lacking, mut shared) = (Vec::new(), Vec::new());
        for (number, hash) in ours {
            let Some(value) = self.value(hash) else {
                continue;
            };
            let with = places.with(value);
            let at = with.start;
            let found = places.found.get_mut(with).unwrap_or_default();
            let taken = found.partition_point(Option::is_some);
            match found.get_mut(taken) {
                Some(free) => *free = Found::new(number.saturating_add(1)),
                None => {
                    if !found.is_empty() {
                        shared.push(at);
                    }
                    lacking.push(number);
                }
            }
        }
        shared.sort_unstable();
        shared.dedup();
        for at in &shared {
            let with = places.with(self.values[*at]);
            let found = places.found[with].iter().flatten();
            lacking.extend(found.map(|found| found.get() - 1));
        }
        lacking.sort_unstable();
        let all = 0..self.len() as u32;
        let missing = all.filter(|at| places.found[*at as usize].is_none());
        (lacking, Picks::of(missing.collect()))
    }

    /// What is at these places.
    pub(crate) fn lacked(&self, places: &Picks) -> Lacked {
        Lacked {
            scale: self.scale,
            values: self.at(places),
        }
    }

    /// The numbers at these places, ascending.
    pub(crate) fn at(&self, places: &Picks) -> Vec<u32> {
        let places = places.iter();
        let mut values: Vec<_> = places
            .filter_map(|i| self.values.get(i as usize).copied())
            .collect();
        values.dedup();
        values
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = BitWriter::after(Vec::with_capacity(Self::estimate(self.len())));
        out.put(u64::from(self.scale.slice), LEN_BITS);
        let count = self.len() as u64;
        out.put(u64::from(bit_len(count)), LEN_BITS);
        out.put(count, bit_len(count));
        let mut last = 0;
        for value in &self.values {
            put_rice(&mut out, value - last, LOW_BITS);
            last = *value;
        }
        out.finish()
    }

    /// `None`: it is no filter.
    pub(super) fn decode(salt: u64, bytes: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(bytes);
        let slice = bits.take(LEN_BITS).ok()? as u32;
        let len = bits.take(LEN_BITS).ok()? as u32;
        let count = bits.take(len).ok()? as usize;
        if count > Self::MOST || len != bit_len(count as u64) {
            return None;
        }
        if count * (LOW_BITS as usize + 1) > 8 * bytes.len() {
            return None;
        }
        let end = (count as u32) << LOW_BITS;
        let (mut values, mut last) = (Vec::with_capacity(count), 0_u32);
        for _ in 0..count {
            let distance = take_rice(&mut bits, LOW_BITS).ok()?;
            last = last.checked_add(distance).filter(|value| *value < end)?;
            values.push(last);
        }
        bits.finish().ok()?.is_empty().then_some(Self {
            scale: Scale { salt, slice, count },
            values,
        })
    }
}

/// These numbers, which are spread evenly below 2^12 times their count, ascending. Each goes near its
/// place first, and then to it.
fn sorted(values: impl ExactSizeIterator<Item = u32> + Clone) -> Vec<u32> {
    let mut sorted = vec![0; values.len()];
    let mut starts = starts(values.clone());
    for value in values {
        let start = &mut starts[(value >> LOW_BITS) as usize];
        sorted[*start as usize] = value;
        *start += 1;
    }
    for end in 1..sorted.len() {
        let value = sorted[end];
        let mut at = end;
        while at > 0 && sorted[at - 1] > value {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        sorted[at] = value;
    }
    sorted
}

/// Where those of these numbers begin, once they are sorted, that are not below 2^12 times the index.
fn starts(values: impl ExactSizeIterator<Item = u32>) -> Vec<u32> {
    let mut starts = vec![0; values.len() + 1];
    for value in values {
        starts[(value >> LOW_BITS) as usize + 1] += 1;
    }
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
    starts
}

/// Whether a salted hash is in this part.
const fn is_in(mixed: u64, slice: u32) -> bool {
    mixed.leading_zeros() >= slice
}

/// A number below 2^12 times the count.
const fn scaled(mixed: u64, slice: u32, count: usize) -> u32 {
    let end = (count as u128) << LOW_BITS;
    (((mixed << slice) as u128 * end) >> 64) as u32
}

/// The places of a filter, and what was found for each.
struct Places<'a> {
    filter: &'a Filter,
    /// Where the values begin that are not below 2^12 times the index.
    starts: Vec<u32>,
    found: Vec<Option<Found>>,
}

/// The number of a record, one more.
type Found = NonZeroU32;

impl<'a> Places<'a> {
    fn of(filter: &'a Filter) -> Self {
        Self {
            filter,
            starts: starts(filter.values.iter().copied()),
            found: vec![None; filter.len()],
        }
    }

    /// The places that have this value.
    fn with(&self, value: u32) -> Range<usize> {
        let bucket = (value >> LOW_BITS) as usize;
        let start = self.starts.get(bucket).copied().unwrap_or_default() as usize;
        let end = self.starts.get(bucket + 1).copied().unwrap_or_default() as usize;
        let in_bucket = self.filter.values.get(start..end).unwrap_or_default();
        let first = start + in_bucket.partition_point(|v| *v < value);
        first..start + in_bucket.partition_point(|v| *v <= value)
    }
}

/// What somebody has that its answerer did not have.
#[derive(Clone, Debug)]
pub(crate) struct Lacked {
    scale: Scale,
    /// Ascending.
    values: Vec<u32>,
}

impl Lacked {
    /// Whether a record with this hash, which was not there when the filter was looked at, need not be
    /// sent: it is one of these, or the filter is not of such.
    pub(crate) fn has(&self, hash: u64) -> bool {
        let value = self.scale.value(hash);
        value.is_none_or(|value| self.values.binary_search(&value).is_ok())
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<u32>() * self.values.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(n: u64) -> u64 {
        rng::mix(n, 99)
    }

    fn filter(salt: u64, n: u64) -> Filter {
        Filter::of(salt, n as usize, (0..n).map(hash))
    }

    /// R40: thirteen and a half bits a record.
    #[test]
    fn a_filter_takes_thirteen_and_a_half_bits_a_record() {
        for n in [1, 10, 100, 1_000, 10_000] {
            let bits = filter(7, n).encode().len() * 8;
            assert!(bits <= 48 + n as usize * 137 / 10, "{n}: {bits}");
            assert!(bits <= 8 * Filter::estimate(n as usize) + 48, "{n}: {bits}");
        }
    }

    /// Of these records, those that are not in it, and how many places are theirs.
    fn lacking(filter: &Filter, records: impl Iterator<Item = u64>) -> (Vec<u32>, Picks) {
        filter.differences(records.map(|n| (n as u32, hash(n))))
    }

    /// R40: what is in it is found, and of what is not one in 2^12 seems to be.
    #[test]
    fn one_in_four_thousand_seems_to_be_in_it() {
        let filter = filter(7, 100);
        let (not_in_it, missing) = lacking(&filter, 0..100);
        assert!(not_in_it.is_empty() && missing.is_empty());
        let seems = |n: &u64| lacking(&filter, *n..*n + 1).0.is_empty();
        let wrong = (1_000..81_000).filter(seems).count();
        assert!((8..36).contains(&wrong), "{wrong} of 80,000");
    }

    /// R40: with another salt, others.
    #[test]
    fn what_seems_to_be_in_it_depends_on_the_salt() {
        let seem = |salt| {
            let filter = filter(salt, 100);
            let seems = |n: &u64| lacking(&filter, *n..*n + 1).0.is_empty();
            (1_000..81_000).filter(seems).collect::<Vec<_>>()
        };
        let (one, other) = (seem(1), seem(2));
        assert!(one.len() > 5 && one.iter().filter(|n| other.contains(n)).count() <= 2);
    }

    /// R40: with what it has in common there is nothing that only seems to be in it.
    #[test]
    fn of_two_that_have_one_place_both_are_told() {
        for salt in 0..20 {
            let filter = filter(salt, 1_000);
            let (told, missing) = lacking(&filter, 0..4_000);
            assert!(missing.is_empty());
            assert!((1_000..4_000).all(|n| told.binary_search(&n).is_ok()));
            let twice = told.iter().filter(|n| **n < 1_000).count();
            assert!(twice < 8, "{twice} of what it has");
            assert!(told.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn what_was_not_found_is_missing_at_its_place() {
        let filter = filter(7, 50);
        let (_, missing) = lacking(&filter, (0..50).filter(|n| n % 5 != 0));
        assert_eq!(missing.len(), 10);
        let values = filter.at(&missing);
        let mut expected: Vec<_> = (0..50)
            .step_by(5)
            .filter_map(|n| filter.value(hash(n)))
            .collect();
        expected.sort_unstable();
        assert_eq!(values, expected);
        let lacked = filter.lacked(&missing);
        let has = (0..50).filter(|n| lacked.has(hash(*n)));
        assert!(has.eq((0..50).step_by(5)));
    }

    /// A message holds so many.
    #[test]
    fn of_a_large_table_it_shows_a_part() {
        let n = 200_000;
        let filter = filter(7, n);
        assert!(!filter.is_whole() && filter.len() <= Filter::MOST);
        assert!(filter.len() > Filter::MOST / 4, "{}", filter.len());
        assert!(filter.encode().len() < 56 * 1024);
        assert_eq!(lacking(&filter, 0..n), (Vec::new(), Picks::default()));
        let told = lacking(&filter, n..n + 10_000).0.len();
        assert!(told > 500, "{told} of 10,000 are told to be missing");
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let good = filter(7, 20).encode();
        assert!(Filter::decode(7, &good).is_some());
        for cut in 0..good.len() {
            assert_eq!(Filter::decode(7, &good[..cut]), None, "{cut} bytes");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(Filter::decode(7, &longer), None);
        // None, but their number in four bits.
        assert!(Filter::decode(7, &[0, 0]).is_some());
        assert_eq!(Filter::decode(7, &[0, 0b0010_0000]), None);
        // More records than there are bits for.
        assert_eq!(Filter::decode(7, &[0b0000_0011, 0b1111_1111, 0xff]), None);
    }

    proptest! {
        #[test]
        fn filters_come_back(salt: u64, n in 0u64..300) {
            let filter = filter(salt, n);
            prop_assert_eq!(Filter::decode(salt, &filter.encode()), Some(filter));
        }

        #[test]
        fn whatever_is_decoded_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(filter) = Filter::decode(1, &bytes) {
                prop_assert!(filter.len() * 13 <= 8 * bytes.len());
                let (lacking, missing) = lacking(&filter, 0..40);
                prop_assert!(lacking.len() <= 40 && missing.len() <= filter.len());
            }
        }
    }
}
