//! A seal for tests and simulations.

use std::hash::Hasher;

use peer_exchange::{NodeId, Seal, Signature};
use siphasher::sip::SipHasher13;

/// Signs with a hash that everybody can compute: **no cryptography**. It costs what hashing costs,
/// so that a simulation of thousands of nodes can run signed, and tells what is altered by chance or
/// by a test that does not use it.
#[derive(Clone, Copy, Debug)]
pub struct MockSeal {
    node: NodeId,
}

impl MockSeal {
    /// The seal of this node.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self { node }
    }
}

impl Seal for MockSeal {
    fn sign(&self, message: &[u8]) -> Signature {
        stamp(&self.node, message)
    }

    fn verify(&self, node: &NodeId, message: &[u8], signature: &Signature) -> bool {
        stamp(node, message) == *signature
    }
}

fn stamp(node: &NodeId, message: &[u8]) -> Signature {
    let mut hasher = SipHasher13::new();
    hasher.write(node.as_bytes());
    hasher.write(message);
    let hash = hasher.finish();
    let mut signature = [0; 64];
    for (i, word) in signature.chunks_exact_mut(8).enumerate() {
        // Distinct words, so that a bit that is lost anywhere shows.
        let word_of = hash.rotate_left(8 * i as u32) ^ i as u64;
        word.copy_from_slice(&word_of.to_le_bytes());
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R50: another node, message or signature does not verify.
    #[test]
    fn what_is_altered_does_not_verify() {
        let (a, b) = (NodeId::new([1; 32]), NodeId::new([2; 32]));
        let seal = MockSeal::new(a);
        let signature = seal.sign(b"message");
        assert!(MockSeal::new(b).verify(&a, b"message", &signature));
        assert!(!seal.verify(&b, b"message", &signature));
        assert!(!seal.verify(&a, b"massage", &signature));
        for bit in 0..512 {
            let mut altered = signature;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!seal.verify(&a, b"message", &altered), "bit {bit}");
        }
    }
}
