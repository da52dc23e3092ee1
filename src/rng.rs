//! Randomness from the seed: one keyed stream per purpose, and the keyed hashes.

use core::hash::Hasher;

use siphasher::sip::{SipHasher13, SipHasher24};

use crate::id::NodeId;
use crate::record::Sequence;

/// What a stream is for. The purposes share the seed and nothing else.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    RequestIds = 1,
    Choices = 2,
    Index = 3,
    Eviction = 4,
    Epoch = 5,
    News = 8,
}

/// 64-bit random numbers: SipHash-2-4, a pseudo-random function, over a counter
/// (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
#[derive(Clone)]
pub(crate) struct Stream {
    key: (u64, u64),
    counter: u64,
}

impl Stream {
    pub(crate) fn new(seed: &[u8; 32], purpose: Purpose) -> Self {
        Self {
            key: derive(seed, purpose),
            counter: 0,
        }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        let hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        let number = hasher.hash(&self.counter.to_le_bytes());
        self.counter += 1;
        number
    }

    /// A number below `bound`, which is at least 1. The bias is below `bound`/2^64.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// `duration` scaled by a factor drawn evenly from [`from`, 1), `from` in percent.
    pub(crate) fn jitter(
        &mut self,
        duration: core::time::Duration,
        from: u32,
    ) -> core::time::Duration {
        let parts = u64::from(from) * 10 + self.below(1000 - from as usize * 10) as u64;
        let nanos = (duration.as_nanos() * u128::from(parts) / 1000).min(u128::from(u64::MAX));
        core::time::Duration::from_nanos(nanos as u64)
    }
}

/// A keyed hash of node IDs, secret to this node (R22).
#[derive(Clone)]
pub(crate) struct Keyed(u64, u64);

impl Keyed {
    pub(crate) fn new(seed: &[u8; 32], purpose: Purpose) -> Self {
        let (a, b) = derive(seed, purpose);
        Self(a, b)
    }

    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        SipHasher13::new_with_keys(self.0, self.1).hash(bytes)
    }
}

fn derive(seed: &[u8; 32], purpose: Purpose) -> (u64, u64) {
    let word = |i: usize| {
        let mut w = [0; 8];
        w.copy_from_slice(&seed[i * 8..i * 8 + 8]);
        u64::from_le_bytes(w)
    };
    let half = |k0: u64, k1: u64, other: u64, side: u64| {
        let mut hasher = SipHasher24::new_with_keys(k0, k1);
        hasher.write(&(purpose as u64 * 2 + side).to_le_bytes());
        hasher.write(&other.to_le_bytes());
        hasher.finish()
    };
    (
        half(word(0), word(1), word(2), 0),
        half(word(2), word(3), word(0), 1),
    )
}

/// The hash of a record's (node, version, beat), the same on every node: SipHash-1-3 with a zero key.
/// Sets are fingerprinted by the wrapping sum of these, short IDs are cut from them.
pub(crate) fn record_hash(node: &NodeId, sequence: Sequence) -> u64 {
    let mut bytes = [0; NodeId::LEN + 12];
    bytes[..NodeId::LEN].copy_from_slice(node.as_bytes());
    bytes[NodeId::LEN..][..8].copy_from_slice(&sequence.version.to_le_bytes());
    bytes[NodeId::LEN + 8..].copy_from_slice(&sequence.beat.to_le_bytes());
    SipHasher13::new_with_keys(0, 0).hash(&bytes)
}

/// A table with this fingerprint, whose owner's record is this one: SipHash-1-3 with a zero key.
pub(crate) fn state_hash(fingerprint: u64, own: Sequence, check: u16) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(&fingerprint.to_le_bytes());
    hasher.write(&own.version.to_le_bytes());
    hasher.write(&own.beat.to_le_bytes());
    hasher.write(&check.to_le_bytes());
    hasher.finish()
}

/// A short check of a record's body, the same on every node.
pub(crate) fn body_check(body: &[u8]) -> u16 {
    Keyed(0, 0).hash(body) as u16
}

/// What a cluster's name is told by; 0 for none.
pub(crate) fn cluster_hash(name: &str) -> u64 {
    if name.is_empty() {
        0
    } else {
        Keyed(0, 0).hash(name.as_bytes())
    }
}

/// The place of an address, or of a node, in an order that is the same on every node and without
/// meaning.
pub(crate) fn place(bytes: &[u8]) -> u64 {
    Keyed(0, 0).hash(bytes)
}

/// What short IDs are cut from: the finaliser of MurmurHash3 over a record's hash and a salt.
pub(crate) fn mix(hash: u64, salt: u64) -> u64 {
    let mut x = hash ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_apart_and_repeatable() {
        let seed = [7; 32];
        let draw = |p| {
            let mut s = Stream::new(&seed, p);
            [s.next_u64(), s.next_u64(), s.next_u64()]
        };
        assert_eq!(draw(Purpose::Choices), draw(Purpose::Choices));
        assert_ne!(draw(Purpose::Choices), draw(Purpose::RequestIds));
        let [a, b, _] = draw(Purpose::Choices);
        assert_ne!(a, b);
    }

    #[test]
    fn below_stays_below() {
        let mut s = Stream::new(&[1; 32], Purpose::Choices);
        let mut seen = [0; 7];
        for _ in 0..700 {
            seen[s.below(7)] += 1;
        }
        assert!(seen.iter().all(|n| (50..150).contains(n)), "{seen:?}");
    }

    #[test]
    fn jitter_stays_in_its_range() {
        let mut s = Stream::new(&[1; 32], Purpose::Choices);
        let second = core::time::Duration::from_secs(1);
        for _ in 0..100 {
            let d = s.jitter(second, 50);
            assert!((second / 2..second).contains(&d));
        }
    }
}
