//! Names of nodes, links, dials and requests.

use core::fmt;
use core::str::FromStr;

/// A node's identity: an Ed25519 public key (32 bytes), which the transport proves.
///
/// Its text form is 64 hexadecimal digits; `Debug` prints the first eight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// Bytes of a node ID.
    pub const LEN: usize = 32;

    /// The node ID with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The node ID in `bytes`, if they are exactly 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its beginning.
    pub(crate) fn prefix(&self) -> Prefix {
        let mut bytes = [0; Prefix::LEN];
        bytes.copy_from_slice(&self.0[..Prefix::LEN]);
        Prefix(bytes)
    }
}

impl From<[u8; 32]> for NodeId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for NodeId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// A text that is no node ID: not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a node ID is 64 hexadecimal digits")]
pub struct ParseNodeIdError;

impl FromStr for NodeId {
    type Err = ParseNodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(ParseNodeIdError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = (pair[0] as char).to_digit(16).ok_or(ParseNodeIdError)?;
            let low = (pair[1] as char).to_digit(16).ok_or(ParseNodeIdError)?;
            *byte = (high << 4 | low) as u8;
        }
        Ok(Self(bytes))
    }
}

/// The first eight bytes of a node ID, by which a record is named where its node may be meant by
/// nothing else: another ID with the same takes 2^64 tries to find.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Prefix(pub(crate) [u8; 8]);

impl Prefix {
    pub(crate) const LEN: usize = 8;

    /// Those of a checked list.
    pub(crate) fn list(bytes: &[u8]) -> impl Iterator<Item = Self> + '_ {
        bytes.chunks_exact(Self::LEN).map(|chunk| {
            let mut prefix = [0; Self::LEN];
            prefix.copy_from_slice(chunk);
            Self(prefix)
        })
    }

    /// As a number: those are quicker to compare.
    pub(crate) fn number(self) -> u64 {
        u64::from_be_bytes(self.0)
    }
}

/// A link: one authenticated, ordered connection to one node. The embedder picks the number and
/// never uses it twice in the life of a [`Node`](crate::Node).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(u64);

impl LinkId {
    /// That of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A dial: the node picks the number, and the embedder returns it with the outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DialId(u64);

impl DialId {
    /// That of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A request: random, the same on every hop of a walk (R8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u32);

impl RequestId {
    /// That of this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// What filters and sketches of this request are salted with.
    pub(crate) const fn salt(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_and_back() {
        let id = NodeId::new(core::array::from_fn(|i| i as u8 * 7));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn refuses_other_text() {
        for text in ["", "00", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert_eq!(text.parse::<NodeId>(), Err(ParseNodeIdError), "{text}");
        }
    }
}
