//! What two sets differ by, at the price of the difference (R27).
//!
//! A *sketch* is what minisketch (Bitcoin's BIP 330; Dodis and others' PinSketch, 2004) sends: the
//! sums of the odd powers of all elements in GF(2^16). The sums of two sets, added, are those of
//! what is in one of the sets alone, since x + x = 0; and from c sums up to c elements can be
//! computed. So that this stays cheap, the set is cut into parts of about [`PART`] differences
//! each; a part that has more than [`CAPACITY`] fails, and the others do not.
//!
//! How large a sketch has to be is told by [`Strata`]: 40 bytes, from which two nodes estimate how
//! much their sets differ.

mod field;
mod roots;

use alloc::vec;
use alloc::vec::Vec;

use self::field::{Times, square};

/// Syndromes of a part, and so the differences of one that can be found: at most.
pub(crate) const CAPACITY: usize = roots::LEN - 2;
/// Differences that a part is planned for: of so many at random, four parts in a hundred have more
/// than [`CAPACITY`].
const PART: usize = 9;
/// Parts of a sketch: at most, so that it fits into a message.
pub(crate) const PARTS: usize = 2_000;
/// More is needed for a part that is alone than what is expected.
const SPARE: usize = 2;

/// The size of a sketch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) parts: usize,
    pub(crate) capacity: usize,
}

impl Plan {
    /// For about so many differences.
    pub(crate) fn of(differences: usize) -> Self {
        let expected = differences + differences / 8 + SPARE;
        let parts = expected.div_ceil(PART);
        if parts <= 1 {
            let capacity = (expected + SPARE).min(CAPACITY);
            return Self { parts: 1, capacity };
        }
        Self {
            parts,
            capacity: CAPACITY,
        }
    }

    /// Bytes of its sums.
    pub(crate) fn byte_len(self) -> usize {
        2 * self.parts * self.capacity
    }
}

/// The sums of all parts. An element is a part's number in the high half, and what is summed in
/// the low half; of 65,536 elements one is zero there and leaves no trace.
pub(crate) struct Syndromes {
    sums: Vec<u16>,
    capacity: usize,
}

impl Syndromes {
    pub(crate) fn of(plan: Plan, elements: impl Iterator<Item = u32>) -> Self {
        let capacity = plan.capacity.clamp(1, CAPACITY);
        let mut sums = vec![0; plan.parts * capacity];
        let mut batch = [0; BATCH];
        let mut n = 0;
        for element in elements {
            batch[n] = element;
            n += 1;
            if n == BATCH {
                add(&mut sums, capacity, &batch);
                n = 0;
            }
        }
        for element in batch.iter().take(n) {
            add(&mut sums, capacity, &[*element]);
        }
        Self { sums, capacity }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.sums.iter().flat_map(|s| s.to_le_bytes()).collect()
    }

    /// The elements that only one of two sets has, given the other's sums as bytes, and whether all
    /// parts could be told.
    pub(crate) fn differences(mut self, other: &[u8]) -> (Vec<u32>, bool) {
        for (ours, theirs) in self.sums.iter_mut().zip(other.chunks_exact(2)) {
            *ours ^= u16::from_le_bytes([theirs[0], theirs[1]]);
        }
        let (mut found, mut complete) = (Vec::new(), true);
        for (part, sums) in self.sums.chunks_exact(self.capacity.max(1)).enumerate() {
            match roots::elements(sums) {
                Some(low) => {
                    let high = (part as u32) << 16;
                    found.extend(low.into_iter().map(|low| high | u32::from(low)));
                }
                None => complete = false,
            }
        }
        (found, complete)
    }
}

/// Elements whose powers are computed side by side: one waits for its own power before.
const BATCH: usize = 4;

fn add<const N: usize>(sums: &mut [u16], capacity: usize, elements: &[u32; N]) {
    let mut powers = elements.map(|e| e as u16);
    let times = powers.map(|e| Times::new(square(e)));
    let first = elements.map(|e| (e >> 16) as usize * capacity);
    for k in 0..capacity {
        for i in 0..N {
            if let Some(sum) = sums.get_mut(first[i] + k) {
                *sum ^= powers[i];
            }
            powers[i] = times[i].of(powers[i]);
        }
    }
}

/// Five samples of a set, each of a quarter of the one before, as the parities of 64 buckets
/// (Mitzenmacher, Pagh and Pham's odd sketch, 2014). Adding an element and taking it out is the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Strata([u64; Self::LEVELS]);

impl Strata {
    const LEVELS: usize = 5;
    /// Encoded bytes.
    pub(crate) const LEN: usize = 8 * Self::LEVELS;

    pub(crate) fn toggle(&mut self, hash: u64) {
        let bit = 1 << (hash & 63);
        let deepest = (hash >> 6).trailing_zeros() as usize / 2;
        for level in self.0.iter_mut().take(deepest + 1) {
            *level ^= bit;
        }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|level| level.to_le_bytes())
            .collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut levels = [0; Self::LEVELS];
        if bytes.len() != Self::LEN {
            return None;
        }
        for (level, bytes) in levels.iter_mut().zip(bytes.chunks_exact(8)) {
            *level = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(Self(levels))
    }

    /// About how many elements only one of the sets has; `None` if that is beyond telling. Coarse
    /// samples first, as long as they have too few to tell much: a sample that is saturated looks
    /// like any other.
    pub(crate) fn differences(self, other: Self) -> Option<usize> {
        let mut best = None;
        for level in (0..Self::LEVELS).rev() {
            let odd = (self.0[level] ^ other.0[level]).count_ones() as usize;
            let Some(sampled) = EXPECTED.get(odd) else {
                break;
            };
            best = Some(sampled << (2 * level));
            if *sampled > TELLING {
                break;
            }
        }
        best
    }
}

/// With more in a sample, that in the next finer one would saturate it.
const TELLING: usize = 12;

/// How many elements leave so many of 64 buckets odd: -32 ln(1 - k/32), rounded up.
const EXPECTED: [usize; 25] = [
    0, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 16, 17, 19, 21, 23, 25, 27, 29, 32, 35, 38, 41, 45,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    /// Two sets with `common` elements in common and `a` and `b` of their own, cut into parts.
    fn sets(plan: Plan, common: u32, a: u32, b: u32, salt: u64) -> [Vec<u32>; 2] {
        let element = |i: u32| {
            let x = rng::mix(u64::from(i), salt);
            let part = ((x & 0xffff_ffff) * plan.parts as u64) >> 32;
            ((part as u32) << 16) | (x >> 48) as u32
        };
        let all = |from: u32, n: u32| (0..common).chain(from..from + n).map(element).collect();
        [all(common, a), all(common + a, b)]
    }

    #[test]
    fn the_difference_is_found_in_sets_of_any_size() {
        for (common, a, b) in [(0, 3, 0), (50, 0, 4), (1_000, 2, 2), (5_000, 20, 30)] {
            let plan = Plan::of((a + b) as usize);
            let mut full = 0;
            for salt in 0..40 {
                let [ours, theirs] = sets(plan, common, a, b, salt);
                let bytes = Syndromes::of(plan, theirs.iter().copied()).to_bytes();
                assert_eq!(bytes.len(), plan.byte_len());
                let (found, complete) =
                    Syndromes::of(plan, ours.iter().copied()).differences(&bytes);
                full += u32::from(complete && found.len() == (a + b) as usize);
            }
            assert!(full >= 24, "{common}, {a}, {b}: {full} of 40");
        }
    }

    #[test]
    fn a_sketch_costs_as_much_as_the_difference() {
        assert!(Plan::of(2).byte_len() <= 16);
        assert!(Plan::of(100).byte_len() <= 400);
        assert!(Plan::of(10_000).byte_len() <= 40_000);
    }

    #[test]
    fn strata_tell_the_difference() {
        for n in [0_u64, 1, 5, 20, 100, 500, 3_000] {
            let estimates = (0..50_u64).map(|salt| {
                let (mut a, mut b) = (Strata::default(), Strata::default());
                (0..2_000).for_each(|i| {
                    a.toggle(rng::mix(i, salt));
                    b.toggle(rng::mix(i, salt));
                });
                (0..n).for_each(|i| a.toggle(rng::mix(i + 2_000, salt)));
                let a = Strata::from_bytes(&a.to_bytes());
                a.and_then(|a| a.differences(b)).unwrap_or(1 << 20) as u64
            });
            let mut estimates: Vec<_> = estimates.collect();
            estimates.sort_unstable();
            let (low, mid, high) = (estimates[2], estimates[25], estimates[47]);
            assert!(
                low * 3 + 4 >= n && high <= 2 * n + 4,
                "{n}: {low} to {high}"
            );
            assert!(mid * 4 >= n * 3 && mid <= n * 4 / 3 + 3, "{n}: {mid}");
        }
        assert_eq!(Strata::from_bytes(&[0; 39]), None);
    }
}
