//! Proof of membership: the cluster token, bound to one channel and its two ends.

use peer_exchange::NodeId;
use ring::hmac;
use zeroize::Zeroizing;

use crate::handshake::Role;
use crate::token::Token;

/// Bytes of a proof.
pub(crate) const LEN: usize = 32;

/// What a proof is bound to. It differs in every connection, in each direction: a proof that was
/// heard elsewhere, or that comes back, proves nothing.
pub(crate) struct Channel {
    /// Keying material that only the two ends of this TLS session can compute (RFC 9266).
    pub(crate) exporter: Zeroizing<[u8; 32]>,
    pub(crate) dialler: NodeId,
    pub(crate) acceptor: NodeId,
}

pub(crate) struct Prover(hmac::Key);

impl Prover {
    pub(crate) fn new(token: &Token) -> Self {
        Self(token.proof_key())
    }

    pub(crate) fn prove(&self, role: Role, channel: &Channel) -> [u8; LEN] {
        let mut proof = [0; LEN];
        let tag = hmac::sign(&self.0, &*message(role, channel));
        proof.copy_from_slice(tag.as_ref());
        proof
    }

    /// Whether the end in this role has proven the token. Takes the same time for every wrong
    /// proof.
    pub(crate) fn check(&self, role: Role, channel: &Channel, proof: &[u8; LEN]) -> bool {
        hmac::verify(&self.0, &*message(role, channel), proof).is_ok()
    }
}

fn message(role: Role, channel: &Channel) -> Zeroizing<[u8; 97]> {
    let mut message = Zeroizing::new([0; 97]);
    message[0] = match role {
        Role::Dialler => 1,
        Role::Acceptor => 2,
    };
    message[1..33].copy_from_slice(&*channel.exporter);
    message[33..65].copy_from_slice(channel.dialler.as_bytes());
    message[65..].copy_from_slice(channel.acceptor.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> Channel {
        Channel {
            exporter: [1; 32].into(),
            dialler: NodeId::new([2; 32]),
            acceptor: NodeId::new([3; 32]),
        }
    }

    #[test]
    fn a_proof_is_bound_to_everything() {
        let token = Token::generate().unwrap();
        let prover = Prover::new(&token);
        let proof = prover.prove(Role::Dialler, &channel());
        assert!(prover.check(Role::Dialler, &channel(), &proof));
        assert!(!prover.check(Role::Acceptor, &channel(), &proof));
        let others = [
            Channel {
                exporter: [9; 32].into(),
                ..channel()
            },
            Channel {
                dialler: NodeId::new([9; 32]),
                ..channel()
            },
            Channel {
                acceptor: NodeId::new([9; 32]),
                ..channel()
            },
        ];
        for other in others {
            assert!(!prover.check(Role::Dialler, &other, &proof));
        }
        let stranger = Prover::new(&Token::generate().unwrap());
        assert!(!stranger.check(Role::Dialler, &channel(), &proof));
    }

    /// Computed independently, with Python's `hmac` and `hashlib`.
    #[test]
    fn the_proof_is_part_of_the_wire() {
        let token = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let prover = Prover::new(&token.parse().unwrap());
        let proof = prover.prove(Role::Dialler, &channel());
        let hex: String = proof.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "1101e6ee6ac7a0de90adfd6aafe49757e9baa4784728ae63e02a0df0c008c65f"
        );
    }
}
