//! Ed25519 signatures: of records (R50), and of TLS sessions.

use std::fmt;
use std::sync::Arc;

use peer_exchange::{NodeId, Seal, Signature};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use crate::key::{NodeKey, spki_of};

/// Signs with a node's key, and checks with node IDs, which are public keys (RFC 8032).
struct KeySeal(Arc<Ed25519KeyPair>);

impl Seal for KeySeal {
    fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = [0; 64];
        // An Ed25519 signature has 64 bytes.
        signature.copy_from_slice(self.0.sign(message).as_ref());
        signature
    }

    fn verify(&self, node: &NodeId, message: &[u8], signature: &Signature) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, node.as_bytes());
        key.verify(message, signature).is_ok()
    }
}

/// Signs TLS sessions with the same copy of the key: rustls would make one of its own.
#[derive(Clone)]
struct SessionKey {
    pair: Arc<Ed25519KeyPair>,
    node: NodeId,
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({:?})", self.node)
    }
}

impl SigningKey for SessionKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_offered = offered.contains(&self.scheme());
        is_offered.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(spki_of(&self.node))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for SessionKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl NodeKey {
    pub(crate) fn signing(&self) -> Arc<dyn SigningKey> {
        Arc::new(SessionKey {
            pair: self.pair(),
            node: self.node(),
        })
    }

    /// What signs records with this key and checks those of others, to be given to
    /// [`Identity::with_seal`](peer_exchange::Identity::with_seal).
    #[must_use]
    pub fn seal(&self) -> Arc<dyn Seal> {
        Arc::new(KeySeal(self.pair()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The private key of RFC 8410, section 10.3.
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    /// As in proto/README.md.
    const VECTOR: &str = "357982f92e8d4191e67db16f5d8bb69df422846d5a97854f339f6bba6d204544\
        147eb17a6ec9649f2c72e212a4175ef1695eaccd46ef34613b1ee081883d2905";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// What is signed, written out: not by the code that is tested.
    fn message(node: &NodeId) -> Vec<u8> {
        let mut message = b"peer-exchange v1 record\x04prod".to_vec();
        message.extend_from_slice(node.as_bytes());
        message.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3]);
        message.extend_from_slice(&[0x0a, 8, 4, 192, 0, 2, 1, 6, 0x0f, 0xa0]);
        message
    }

    /// R50: the test vector of the contract.
    #[test]
    fn signs_as_the_contract_says() {
        let key = NodeKey::from_pem(KEY.as_bytes()).unwrap();
        let (seal, message) = (key.seal(), message(&key.node()));
        let signature = seal.sign(&message);
        assert_eq!(hex(&signature), VECTOR);
        assert!(seal.verify(&key.node(), &message, &signature));
    }

    /// R50: with any bit changed, or another key, it does not verify.
    #[test]
    fn what_is_altered_does_not_verify() {
        let (key, other) = (NodeKey::generate().unwrap(), NodeKey::generate().unwrap());
        let (seal, message) = (key.seal(), message(&key.node()));
        let signature = seal.sign(&message);
        assert!(other.seal().verify(&key.node(), &message, &signature));
        assert!(!seal.verify(&other.node(), &message, &signature));
        for bit in 0..8 * message.len() {
            let mut altered = message.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!seal.verify(&key.node(), &altered, &signature), "bit {bit}");
        }
        for bit in 0..512 {
            let mut altered = signature;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!seal.verify(&key.node(), &message, &altered), "bit {bit}");
        }
        assert!(
            !seal.verify(&NodeId::new([0xff; 32]), &message, &signature),
            "no key"
        );
    }
}
