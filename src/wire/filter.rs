//! What a node has, in eleven and a half bits a record: a Golomb-Rice coded set of hashes (R40).
//!
//! Each record's hash, salted with the request's ID, is scaled to a number below 2^10 times the
//! number of records; sorted, the distances between them are coded by Rice's code (Golomb, 1966;
//! Rice, 1979), as in Bitcoin's BIP 158. One record in 2^10 that is not in the set seems to be, in
//! each exchange another.

use alloc::vec;
use alloc::vec::Vec;

use crate::rng;
use crate::wire::bits::{BitReader, BitWriter, BitsError, bit_len};

/// Bits of a distance that are written as they are.
const LOW_BITS: u32 = 10;
/// Bits in which the lengths of numbers are written.
const LEN_BITS: u32 = 5;

/// A set of records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    salt: u64,
    /// It is of those alone whose salted hash begins with so many zeros.
    slice: u32,
    /// Ascending.
    values: Vec<u32>,
}

impl Filter {
    /// Records of one filter, at most: of more, it shows a part, another in each exchange.
    pub const MOST: usize = 1 << 15;

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
        let mut values: Vec<_> = mixed.iter().map(|m| scaled(*m, slice, count)).collect();
        values.sort_unstable();
        Self {
            salt,
            slice,
            values,
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
        self.slice == 0
    }

    /// About how many bytes it takes for so many records.
    pub(crate) const fn estimate(records: usize) -> usize {
        (records * 47).div_ceil(32) + 2
    }

    /// The number that a record with this hash has, if it is one of those that this filter is of.
    pub(crate) fn value(&self, hash: u64) -> Option<u32> {
        let mixed = rng::mix(hash, self.salt);
        is_in(mixed, self.slice).then(|| scaled(mixed, self.slice, self.len()))
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
        out.put(u64::from(self.slice), LEN_BITS);
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
        if count > Self::MOST || count * (LOW_BITS as usize + 1) > 8 * bytes.len() {
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
            salt,
            slice,
            values,
        })
    }
}

/// Whether a salted hash is in this part.
const fn is_in(mixed: u64, slice: u32) -> bool {
    mixed.leading_zeros() >= slice
}

/// A number below 2^10 times the count.
const fn scaled(mixed: u64, slice: u32, count: usize) -> u32 {
    let end = (count as u128) << LOW_BITS;
    (((mixed << slice) as u128 * end) >> 64) as u32
}

fn put_rice(out: &mut BitWriter, value: u32, low: u32) {
    let rest = (1_u64 << low) - 1;
    out.put_unary(u64::from(value >> low));
    out.put(u64::from(value) & rest, low);
}

/// One that is too large is [`u32::MAX`].
fn take_rice(bits: &mut BitReader<'_>, low: u32) -> Result<u32, BitsError> {
    let high = bits.take_unary()?;
    let value = high << low | bits.take(low)?;
    Ok(u32::try_from(value).unwrap_or(u32::MAX))
}

/// A filter that records are looked up in, and which of its places were found.
pub(crate) struct Members<'a> {
    filter: &'a Filter,
    /// Where the values begin that are not below 2^10 times the index.
    starts: Vec<u32>,
    found: Vec<u64>,
}

impl<'a> Members<'a> {
    pub(crate) fn of(filter: &'a Filter) -> Self {
        let count = filter.len();
        let mut starts = vec![0; count + 1];
        for value in &filter.values {
            starts[(value >> LOW_BITS) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Self {
            filter,
            starts,
            found: vec![0; count.div_ceil(64)],
        }
    }

    /// Whether a record with this hash need not be sent: it is in the filter, or the filter is not of
    /// such.
    pub(crate) fn has(&mut self, hash: u64) -> bool {
        let Some(value) = self.filter.value(hash) else {
            return true;
        };
        let bucket = (value >> LOW_BITS) as usize;
        let (Some(start), Some(end)) = (self.starts.get(bucket), self.starts.get(bucket + 1))
        else {
            return false;
        };
        let mut has = false;
        for place in *start..*end {
            if self.filter.values[place as usize] == value {
                self.found[place as usize / 64] |= 1 << (place % 64);
                has = true;
            }
        }
        has
    }

    /// The places that nothing was found for.
    pub(crate) fn missing(&self) -> Picks {
        let places = 0..self.filter.len() as u32;
        let found = |i: &u32| self.found[*i as usize / 64] >> (i % 64) & 1 == 1;
        Picks(places.filter(|i| !found(i)).collect())
    }
}

/// Numbers picked out of a range: places in a filter, or elements of a sketch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Picks(Vec<u32>);

impl Picks {
    /// Of these numbers, ascending, each once; of too many, the lowest.
    #[must_use]
    pub fn of(mut numbers: Vec<u32>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.truncate(Filter::MOST);
        Self(numbers)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Whether this is one of them.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    /// Of none, nothing. The number of low bits that fits their mean distance, then the distances less
    /// one; zeros at the end are none.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Some(last) = self.0.last() else {
            return Vec::new();
        };
        let mean = (u64::from(*last) + 1) / self.0.len() as u64;
        let low = bit_len(mean).saturating_sub(1);
        let mut out = BitWriter::default();
        out.put(u64::from(low), LEN_BITS);
        let mut next = 0;
        for number in &self.0 {
            put_rice(&mut out, number - next, low);
            next = number + 1;
        }
        out.finish()
    }

    /// `None`: it is no list, or too long.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut bits = BitReader::new(bytes);
        let low = bits.take(LEN_BITS).ok()? as u32;
        let (mut numbers, mut next) = (Vec::new(), 0_u32);
        while let Ok(high) = bits.take_unary() {
            let distance = high.checked_shl(low)? | bits.take(low).ok()?;
            let number = next.checked_add(u32::try_from(distance).ok()?)?;
            next = number.checked_add(1)?;
            if numbers.len() >= Filter::MOST {
                return None;
            }
            numbers.push(number);
        }
        Some(Self(numbers))
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

    /// R40: eleven and a half bits a record.
    #[test]
    fn a_filter_takes_eleven_and_a_half_bits_a_record() {
        for n in [1, 10, 100, 1_000, 10_000] {
            let bits = filter(7, n).encode().len() * 8;
            assert!(bits <= 48 + n as usize * 117 / 10, "{n}: {bits}");
            assert!(bits <= 8 * Filter::estimate(n as usize) + 48, "{n}: {bits}");
        }
    }

    /// R40: what is in it is found, and of what is not one in 2^10 seems to be.
    #[test]
    fn one_in_a_thousand_seems_to_be_in_it() {
        let filter = filter(7, 1_000);
        let mut members = Members::of(&filter);
        assert!((0..1_000).all(|n| members.has(hash(n))));
        assert!(members.missing().is_empty());
        let wrong = (1_000..101_000).filter(|n| members.has(hash(*n))).count();
        assert!((50..150).contains(&wrong), "{wrong} of 100,000");
    }

    /// R40: with another salt, others.
    #[test]
    fn what_seems_to_be_in_it_depends_on_the_salt() {
        let seem = |salt| {
            let filter = filter(salt, 1_000);
            let mut members = Members::of(&filter);
            let seem: Vec<u64> = (1_000..20_000).filter(|n| members.has(hash(*n))).collect();
            seem
        };
        let (one, other) = (seem(1), seem(2));
        assert!(one.iter().filter(|n| other.contains(n)).count() <= 2);
    }

    #[test]
    fn what_was_not_found_is_missing_at_its_place() {
        let filter = filter(7, 50);
        let mut members = Members::of(&filter);
        (0..50).filter(|n| n % 5 != 0).for_each(|n| {
            members.has(hash(n));
        });
        let missing = members.missing();
        assert_eq!(missing.len(), 10);
        let values = filter.at(&missing);
        let mut expected: Vec<_> = (0..50)
            .step_by(5)
            .filter_map(|n| filter.value(hash(n)))
            .collect();
        expected.sort_unstable();
        assert_eq!(values, expected);
    }

    /// A message holds so many.
    #[test]
    fn of_a_large_table_it_shows_a_part() {
        let n = 200_000;
        let filter = filter(7, n);
        assert!(!filter.is_whole() && filter.len() <= Filter::MOST);
        assert!(filter.len() > Filter::MOST / 4, "{}", filter.len());
        assert!(filter.encode().len() < 56 * 1024);
        let mut members = Members::of(&filter);
        assert!((0..n).all(|n| members.has(hash(n))));
        let told = (n..n + 10_000).filter(|n| !members.has(hash(*n))).count();
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
        // More records than there are bits for.
        assert_eq!(Filter::decode(7, &[0b0000_0011, 0b1111_1111, 0xff]), None);
    }

    #[test]
    fn picks_of_all_take_a_bit_each() {
        let all = Picks::of((0..1_000).collect());
        assert_eq!(all.encode().len(), (1_000 + 5_usize).div_ceil(8));
        assert!(all.has(999) && !all.has(1_000));
    }

    #[test]
    fn too_many_picks_are_refused() {
        let most = Picks::of((0..2 * Filter::MOST as u32).collect());
        assert_eq!(most.len(), Filter::MOST);
        assert_eq!(Picks::decode(&most.encode()), Some(most.clone()));
        let more = [&most.encode()[..], &[0xff]].concat();
        assert_eq!(Picks::decode(&more), None);
        assert_eq!(Picks::decode(&[0b1111_1000, 0, 0, 0, 1]), None, "too large");
    }

    proptest! {
        #[test]
        fn filters_and_picks_come_back(salt: u64, n in 0u64..300, of in prop::collection::vec(any::<u32>(), 0..100)) {
            let filter = filter(salt, n);
            prop_assert_eq!(Filter::decode(salt, &filter.encode()), Some(filter));
            let picks = Picks::of(of.into_iter().map(|n| n & 0x7ff_ffff).collect());
            prop_assert_eq!(Picks::decode(&picks.encode()), Some(picks));
        }

        #[test]
        fn whatever_is_decoded_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(filter) = Filter::decode(1, &bytes) {
                prop_assert!(filter.len() * 11 <= 8 * bytes.len());
                let mut members = Members::of(&filter);
                members.has(5);
                members.missing();
            }
            if let Some(picks) = Picks::decode(&bytes) {
                prop_assert!(picks.len() <= 8 * bytes.len());
            }
        }
    }
}
