//! Signed records and accusations: the functions that a node is given, and what is signed (R50).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::record::{Sequence, Signature};

/// Signs for one node, and checks the signatures of all. The core knows no cryptography: whoever
/// embeds it says what a signature is. `peer-exchange-tls` has one of Ed25519 (RFC 8032), whose
/// public keys are the node IDs.
///
/// The functions are called within [`Node::handle`](crate::Node::handle), 64 checks in one call at
/// most: they should take microseconds, and must not block.
pub trait Seal: Send + Sync {
    /// The node's own signature over `message`.
    fn sign(&self, message: &[u8]) -> Signature;

    /// Whether `signature` is the one of `node` over `message`.
    fn verify(&self, node: &NodeId, message: &[u8], signature: &Signature) -> bool;

    /// Checks several: `good[i]` says whether `items[i]` verifies. Both have the same length, and
    /// all of `good` is false at first.
    fn verify_many(&self, items: &[Signed<'_>], good: &mut [bool]) {
        for (item, good) in items.iter().zip(good) {
            *good = self.verify(item.node, item.message, item.signature);
        }
    }
}

/// A message with the signature that it came with.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Whose signature it should be.
    pub node: &'a NodeId,
    /// What is signed.
    pub message: &'a [u8],
    /// What is to be checked.
    pub signature: &'a Signature,
}

/// Whether records are signed by their nodes: the same for a whole cluster, but on the way from
/// one to the next (R50).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Signing {
    /// Signatures are neither made, checked nor passed on: members trust each other's relays.
    #[default]
    Off,
    /// They are made, and checked where there are some. An unsigned record is taken, but never in
    /// the place of a signed one: else a relay could strip signatures.
    Accept,
    /// What is not signed is refused, and so is a node that does not sign.
    Require,
}

/// A [`Seal`] that is shared, as part of what is compared and shown.
#[derive(Clone)]
pub(crate) struct SharedSeal(Arc<dyn Seal>);

impl SharedSeal {
    pub(crate) fn new(seal: Arc<dyn Seal>) -> Self {
        Self(seal)
    }
}

impl PartialEq for SharedSeal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedSeal {}

impl core::fmt::Debug for SharedSeal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seal")
    }
}

/// What a node says and signs. The domain keeps signatures of one kind apart from those of the other,
/// and from all that may be made with the same key; neither begins the other.
#[derive(Clone, Copy)]
pub(crate) struct Statement<'a> {
    domain: &'static [u8],
    /// The node that it is about, and which sequence of it.
    node: NodeId,
    sequence: Sequence,
    rest: &'a [u8],
}

impl<'a> Statement<'a> {
    /// What the node says of itself.
    pub(crate) const fn record(node: NodeId, sequence: Sequence, body: &'a [u8]) -> Self {
        Self {
            domain: b"peer-exchange v1 record",
            node,
            sequence,
            rest: body,
        }
    }

    /// That another node does not hear it (R32).
    pub(crate) const fn accusation(subject: NodeId, at: Sequence, by: &'a NodeId) -> Self {
        Self {
            domain: b"peer-exchange v1 accusation",
            node: subject,
            sequence: at,
            rest: by.as_bytes(),
        }
    }
}

/// A statement that claims to be signed by this node.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) by: NodeId,
    pub(crate) said: Statement<'a>,
    pub(crate) signature: &'a Signature,
}

/// Who accuses a node, with its signature where there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Accuser {
    pub(crate) node: NodeId,
    pub(crate) signature: Option<Box<Signature>>,
}

/// The seal of one cluster: signs and checks in its name.
#[derive(Clone, Debug)]
pub(crate) struct Sealer {
    signing: Signing,
    cluster: Vec<u8>,
    seal: Option<SharedSeal>,
}

impl Sealer {
    /// `None` where records are to be signed and there is nothing to do it with.
    pub(crate) fn new(signing: Signing, cluster: &str, seal: Option<SharedSeal>) -> Option<Self> {
        let seal = seal.filter(|_| signing != Signing::Off);
        (seal.is_some() || signing == Signing::Off).then(|| Self {
            signing,
            cluster: cluster.as_bytes().to_vec(),
            seal,
        })
    }

    pub(crate) fn is_off(&self) -> bool {
        self.signing == Signing::Off
    }

    pub(crate) fn is_required(&self) -> bool {
        self.signing == Signing::Require
    }

    /// What is signed (proto/README.md). What may be of any length is last, so no two statements have
    /// the same bytes.
    fn write(&self, said: Statement<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(said.domain);
        out.push(self.cluster.len() as u8);
        out.extend_from_slice(&self.cluster);
        out.extend_from_slice(said.node.as_bytes());
        out.extend_from_slice(&said.sequence.version.to_be_bytes());
        out.extend_from_slice(&said.sequence.beat.to_be_bytes());
        out.extend_from_slice(said.rest);
    }

    /// Signs for the node itself; nothing where signing is off.
    pub(crate) fn sign(&self, said: Statement<'_>) -> Option<Signature> {
        let seal = self.seal.as_ref()?;
        let mut message = Vec::new();
        self.write(said, &mut message);
        Some(seal.0.sign(&message))
    }

    /// Checks these, in order.
    pub(crate) fn verify(&self, claims: &[Claim<'_>]) -> Vec<bool> {
        let mut good = alloc::vec![false; claims.len()];
        let Some(seal) = &self.seal else {
            return good;
        };
        let mut bytes = Vec::new();
        let ends: Vec<usize> = claims
            .iter()
            .map(|claim| {
                self.write(claim.said, &mut bytes);
                bytes.len()
            })
            .collect();
        let mut start = 0;
        let items: Vec<_> = claims
            .iter()
            .zip(ends)
            .map(|(claim, end)| {
                let message = &bytes[start..end];
                start = end;
                Signed {
                    node: &claim.by,
                    message,
                    signature: claim.signature,
                }
            })
            .collect();
        seal.0.verify_many(&items, &mut good);
        good
    }
}
