//! The network's randomness.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// A seeded stream of random numbers, the same on every platform: SipHash-1-3 over a counter. For
/// simulations, not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    counter: u64,
}

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.counter += 1;
        hash(self.seed, &self.counter.to_le_bytes())
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 <= probability
    }

    /// 32 bytes.
    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        out.chunks_exact_mut(8)
            .for_each(|c| c.copy_from_slice(&self.next_u64().to_le_bytes()));
        out
    }
}

pub(crate) fn hash(key: u64, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key, 0);
    hasher.write(bytes);
    hasher.finish()
}
