//! A column of numbers: the beginnings that they have in common once each, and of every number which
//! of them it is, and the rest.
//!
//! Addresses of few networks, one port, equal versions and lives that end together all come down to
//! that. How much is a beginning follows from the numbers, so that a column has one form only.

use alloc::vec;
use alloc::vec::Vec;

use crate::wire::bits::{BitReader, BitWriter, bit_len};
use crate::wire::page::PageError;

/// Bits in which the width of a column is written.
const WIDTH_BITS: u32 = 7;

/// How a column is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cut {
    /// Bits of its highest number.
    width: u32,
    /// Bits of a beginning.
    beginning: u32,
    /// Distinct beginnings.
    distinct: usize,
}

impl Cut {
    /// The cut that makes these numbers shortest; of equals, the one with the shorter beginnings.
    fn of(values: &[u64]) -> Self {
        let (any, all) = values
            .iter()
            .fold((0, u64::MAX), |(any, all), v| (any | v, all & v));
        let width = bit_len(any);
        if any == all {
            return Self::of_equals(width, values.len());
        }
        let parted = parted(values, width, any ^ all);
        let n = values.len();
        let mut distinct = 1;
        let mut best = Self {
            width,
            beginning: 0,
            distinct,
        };
        let mut least = best.bits(n);
        for beginning in 1..=width {
            distinct += parted[beginning as usize - 1];
            if beginning < width && parted[beginning as usize] == 0 {
                // With one bit more of them there are no more beginnings, and each rest is shorter.
                continue;
            }
            let cut = Self {
                width,
                beginning,
                distinct,
            };
            let bits = cut.bits(n);
            if bits < least {
                (best, least) = (cut, bits);
            }
        }
        best
    }

    /// The whole number once, or so many times.
    fn of_equals(width: u32, n: usize) -> Self {
        let cut = |beginning| Self {
            width,
            beginning,
            distinct: 1,
        };
        let (each, once) = (cut(0), cut(width));
        if once.bits(n) < each.bits(n) {
            once
        } else {
            each
        }
    }

    /// Whether a number is said by its being there.
    const fn is_one_number(self) -> bool {
        self.rest() == 0 && self.distinct == 1
    }

    /// Bits of a column of `n` numbers, but for what every cut has.
    fn bits(self, n: usize) -> usize {
        let list = if self.beginning == 0 {
            0
        } else {
            bit_len(n as u64 - 1) as usize + self.distinct * self.beginning as usize
        };
        list + n * (self.index_bits() + self.rest()) as usize
    }

    /// Bits that say which beginning it is.
    const fn index_bits(self) -> u32 {
        bit_len(self.distinct as u64 - 1)
    }

    /// Bits after the beginning.
    const fn rest(self) -> u32 {
        self.width - self.beginning
    }
}

/// Of the distinct ones of these numbers, sorted: how many have just so many first bits in common with
/// the next. `differ`: the bits by which all may differ.
fn parted(values: &[u64], width: u32, differ: u64) -> [usize; 64] {
    let differ = bit_len(differ);
    // Close together, they are marked in a map, which is faster than to sort them.
    if differ <= MAPPED_BITS && values.len() << 5 >= 1 << differ {
        return parted_in_map(values, width, differ);
    }
    let mut parted = [0; 64];
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    for pair in sorted.windows(2).filter(|pair| pair[0] != pair[1]) {
        let common = width - bit_len(pair[0] ^ pair[1]);
        parted[common as usize] += 1;
    }
    parted
}

/// A map of so many bits takes 8 KiB.
const MAPPED_BITS: u32 = 16;

/// The same of numbers that differ in their last `differ` bits at most.
fn parted_in_map(values: &[u64], width: u32, differ: u32) -> [usize; 64] {
    let mut map = vec![0_u64; (1 << differ >> 6_u32).max(1)];
    for value in values {
        let low = value & low_bits(differ);
        map[low as usize >> 6] |= 1 << (low & 63);
    }
    // How many distinct beginnings there are without so many last bits.
    let mut distinct = [0; MAPPED_BITS as usize + 6];
    for first in (0..=differ as usize).step_by(6) {
        for at in 0..map.len() {
            let mut word = core::mem::take(&mut map[at]);
            for (step, count) in distinct[first..][..6].iter_mut().enumerate() {
                *count += word.count_ones() as usize;
                word = (word | word >> (1 << step)) & EVERY[step];
            }
            map[at >> 6] |= word << (at & 63);
        }
        map.truncate(map.len().div_ceil(64));
    }
    let mut parted = [0; 64];
    for last in 1..=differ as usize {
        parted[width as usize - last] = distinct[last - 1] - distinct[last];
    }
    parted
}

/// Every second, fourth, eighth bit and so on.
const EVERY: [u64; 6] = [
    0x5555_5555_5555_5555,
    0x1111_1111_1111_1111,
    0x0101_0101_0101_0101,
    0x0001_0001_0001_0001,
    0x0000_0001_0000_0001,
    1,
];

/// Writes a column. Of no numbers it is nothing.
pub(super) fn put(values: &[u64], out: &mut BitWriter) {
    if values.is_empty() {
        return;
    }
    let cut = Cut::of(values);
    out.put(u64::from(cut.width), WIDTH_BITS);
    if values.len() > 1 {
        out.put(u64::from(cut.beginning), bit_len(u64::from(cut.width)));
    }
    if cut.beginning == 0 {
        values.iter().for_each(|v| out.put(*v, cut.width));
        return;
    }
    let rest = cut.rest();
    let beginning = |value: u64| value.checked_shr(rest).unwrap_or(0);
    let mut list: Vec<u64> = values.iter().map(|v| beginning(*v)).collect();
    if cut.distinct == 1 {
        list.truncate(1);
    } else {
        list.sort_unstable();
        list.dedup();
    }
    out.put(list.len() as u64 - 1, bit_len(values.len() as u64 - 1));
    list.iter().for_each(|b| out.put(*b, cut.beginning));
    if cut.is_one_number() {
        return;
    }
    let index_bits = cut.index_bits();
    for value in values {
        if index_bits > 0 {
            let index = list.partition_point(|b| *b < beginning(*value));
            out.put(index as u64, index_bits);
        }
        out.put(value & low_bits(rest), rest);
    }
}

const fn low_bits(n: u32) -> u64 {
    if n == 0 { 0 } else { u64::MAX >> (64 - n) }
}

/// Reads a column of `n` numbers of at most `widest` bits. The caller knows from the bytes that
/// there may be so many.
pub(super) fn take(n: usize, widest: u32, bits: &mut BitReader<'_>) -> Result<Vec<u64>, PageError> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let width = bits.take(WIDTH_BITS)? as u32;
    if width > widest {
        return Err(PageError::Number);
    }
    let beginning = match n {
        1 => 0,
        _ => bits.take(bit_len(u64::from(width)))? as u32,
    };
    if beginning > width {
        return Err(PageError::Number);
    }
    let list = take_list(n, beginning, bits)?;
    let cut = Cut {
        width,
        beginning,
        distinct: list.len().max(1),
    };
    let mut values = Vec::with_capacity(n);
    if cut.is_one_number() {
        values.resize(n, list.first().copied().unwrap_or(0));
    }
    while values.len() < n {
        let first = match list.as_slice() {
            [] => 0,
            list => {
                let index = bits.take(cut.index_bits())? as usize;
                *list.get(index).ok_or(PageError::Number)?
            }
        };
        let first = first.checked_shl(cut.rest()).unwrap_or(0);
        values.push(first | bits.take(cut.rest())?);
    }
    // The same number of beginnings, and none but these: then each of them is used.
    if Cut::of(&values) != cut {
        return Err(PageError::NotCanonical("column"));
    }
    Ok(values)
}

fn take_list(n: usize, beginning: u32, bits: &mut BitReader<'_>) -> Result<Vec<u64>, PageError> {
    if beginning == 0 {
        return Ok(Vec::new());
    }
    let distinct = bits.take(bit_len(n as u64 - 1))? as usize + 1;
    if distinct > n {
        return Err(PageError::Number);
    }
    let mut list: Vec<u64> = Vec::with_capacity(distinct);
    for _ in 0..distinct {
        let next = bits.take(beginning)?;
        if list.last().is_some_and(|last| *last >= next) {
            return Err(PageError::NotCanonical("order of a list"));
        }
        list.push(next);
    }
    Ok(list)
}

/// The most that a column can take, known while it grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bound {
    min: u64,
    max: u64,
    n: usize,
}

impl Bound {
    pub(super) fn push(&mut self, value: u64) {
        if self.n == 0 {
            self.min = value;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.n += 1;
    }

    /// Bits: what it takes with what all numbers have in common as the one beginning.
    pub(super) fn bits(self) -> usize {
        if self.n == 0 {
            return 0;
        }
        let heads = 2 * WIDTH_BITS + bit_len(self.n as u64 - 1) + bit_len(self.max);
        heads as usize + self.n * bit_len(self.min ^ self.max) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    fn written(values: &[u64]) -> Vec<u8> {
        let mut out = BitWriter::default();
        put(values, &mut out);
        out.finish()
    }

    fn read(n: usize, bytes: &[u8]) -> Result<Vec<u64>, PageError> {
        let mut bits = BitReader::new(bytes);
        let values = take(n, 64, &mut bits)?;
        bits.finish()?;
        Ok(values)
    }

    /// R45: what all have in common is there once.
    #[test]
    fn equal_numbers_cost_one() {
        assert_eq!(written(&[0; 500]).len(), 1);
        assert_eq!(
            written(&[7_000; 500]).len(),
            (7 + 4 + 9 + 13_usize).div_ceil(8)
        );
        let network: Vec<u64> = (0..1_000).map(|i| 0x0af4_0000 | (i * 65)).collect();
        assert_eq!(
            written(&network).len(),
            (7 + 5 + 10 + 12 + 16_000_usize).div_ceil(8)
        );
    }

    #[test]
    fn one_far_number_costs_the_others_a_bit() {
        let mut versions = vec![1; 1_000];
        versions[500] = 1 << 40;
        assert_eq!(
            written(&versions).len(),
            (7 + 6 + 10 + 2 * 41 + 1_000_usize).div_ceil(8)
        );
    }

    #[test]
    fn another_cut_than_the_shortest_is_refused() {
        // 2 and 3, as two whole beginnings, where two plain numbers are shorter.
        let mut out = BitWriter::default();
        for (value, bits) in [(2, 7), (2, 2), (1, 1), (2, 2), (3, 2), (0, 1), (1, 1)] {
            out.put(value, bits);
        }
        let refused = Err(PageError::NotCanonical("column"));
        assert_eq!(read(2, &out.finish()), refused);
        assert_eq!(read(2, &written(&[2, 3])), Ok(vec![2, 3]));
    }

    #[test]
    fn no_number_is_wider_than_its_column() {
        let bytes = written(&[1 << 16]);
        assert!(take(1, 17, &mut BitReader::new(&bytes)).is_ok());
        let narrow = take(1, 16, &mut BitReader::new(&bytes));
        assert_eq!(narrow, Err(PageError::Number));
    }

    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let number = prop_oneof![
            any::<u64>(),
            0u64..4,
            (0u64..3, 0u64..256).prop_map(|(net, host)| 0x0a00_0000 + (net << 16) + host),
            Just(u64::MAX),
        ];
        prop_oneof![
            prop::collection::vec(number, 1..40),
            prop::collection::vec(1_700u64..1_710, 1..200),
        ]
    }

    /// However it is found where the numbers part.
    fn parted_by_looking(values: &[u64], width: u32) -> [usize; 64] {
        let beginnings = |bits: u32| {
            let first = |v: &u64| v.checked_shr(width - bits).unwrap_or(0);
            values.iter().map(first).collect::<BTreeSet<_>>().len()
        };
        core::array::from_fn(|common| match common as u32 {
            common if common < width => beginnings(common + 1) - beginnings(common),
            _ => 0,
        })
    }

    proptest! {
        #[test]
        fn a_map_and_a_sort_find_the_same(
            first in any::<u64>(),
            differ in 1u32..=MAPPED_BITS,
            last in prop::collection::vec(any::<u16>(), 1..300),
        ) {
            let high = first & !low_bits(differ);
            let values: Vec<u64> = last.iter().map(|v| high | u64::from(*v) & low_bits(differ)).collect();
            let width = bit_len(high | low_bits(differ));
            let expected = parted_by_looking(&values, width);
            prop_assert_eq!(parted_in_map(&values, width, differ), expected);
            prop_assert_eq!(parted(&values, width, low_bits(differ)), expected);
        }

        #[test]
        fn a_column_is_read_as_written_and_within_its_bound(values in numbers()) {
            let mut bound = Bound::default();
            values.iter().for_each(|v| bound.push(*v));
            let bytes = written(&values);
            prop_assert!(bytes.len() <= bound.bits().div_ceil(8));
            prop_assert_eq!(read(values.len(), &bytes), Ok(values));
        }

        #[test]
        fn what_is_read_has_one_form(n in 1usize..12, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(values) = read(n, &bytes) {
                let again = written(&values);
                prop_assert_eq!(&again[..], &bytes[..again.len()]);
            }
        }
    }
}
