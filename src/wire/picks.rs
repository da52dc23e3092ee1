//! Ascending numbers, coded by their distances in Rice's code (Golomb, 1966; Rice, 1979).

use alloc::vec::Vec;

use crate::wire::bits::{BitReader, BitWriter, BitsError, bit_len};

/// Bits in which the lengths of numbers are written.
pub(super) const LEN_BITS: u32 = 5;

/// Numbers picked out of a range: places in a filter, or elements of a sketch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Picks(Vec<u32>);

impl Picks {
    /// Numbers, at most.
    pub(super) const MOST: usize = 1 << 15;

    /// Of these numbers, ascending, each once; of too many, the lowest.
    #[must_use]
    pub fn of(mut numbers: Vec<u32>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.truncate(Self::MOST);
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
            if numbers.len() >= Self::MOST {
                return None;
            }
            numbers.push(number);
        }
        Some(Self(numbers))
    }
}

/// Writes one number, so many of its low bits as they are.
pub(super) fn put_rice(out: &mut BitWriter, value: u32, low: u32) {
    let rest = (1_u64 << low) - 1;
    out.put_unary(u64::from(value >> low));
    out.put(u64::from(value) & rest, low);
}

/// One that is too large is [`u32::MAX`].
pub(super) fn take_rice(bits: &mut BitReader<'_>, low: u32) -> Result<u32, BitsError> {
    let high = bits.take_unary()?;
    let value = high << low | bits.take(low)?;
    Ok(u32::try_from(value).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn picks_of_all_take_a_bit_each() {
        let all = Picks::of((0..1_000).collect());
        assert_eq!(all.encode().len(), (1_000 + 5_usize).div_ceil(8));
        assert!(all.has(999) && !all.has(1_000));
    }

    #[test]
    fn too_many_picks_are_refused() {
        let most = Picks::of((0..2 * Picks::MOST as u32).collect());
        assert_eq!(most.len(), Picks::MOST);
        assert_eq!(Picks::decode(&most.encode()), Some(most.clone()));
        let more = [&most.encode()[..], &[0xff]].concat();
        assert_eq!(Picks::decode(&more), None);
        assert_eq!(Picks::decode(&[0b1111_1000, 0, 0, 0, 1]), None, "too large");
    }

    proptest! {
        #[test]
        fn picks_come_back(of in prop::collection::vec(any::<u32>(), 0..100)) {
            let picks = Picks::of(of.into_iter().map(|n| n & 0x7ff_ffff).collect());
            prop_assert_eq!(Picks::decode(&picks.encode()), Some(picks));
        }

        #[test]
        fn whatever_is_decoded_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(picks) = Picks::decode(&bytes) {
                prop_assert!(picks.len() <= 8 * bytes.len());
            }
        }
    }
}
