//! Records: what a node says about itself.

mod body;

use core::time::Duration;

use crate::addr;
use crate::contract;

pub(crate) use self::body::{
    addresses, check_body, detection, field, has_many_upstreams, is_same_but_upstreams, metadata,
    named, put_detection, put_named, put_upstreams, upstreams, usable_addresses, write_body,
};

/// The signature of a record's author, as long as one of Ed25519 (RFC 8032).
pub type Signature = [u8; 64];

/// How new a record is (R1): the version rises with the content, the beat with a renewal. Only the
/// node itself raises either; the highest wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sequence {
    /// Rises when the content changes.
    pub version: u64,
    /// Rises with a renewal of unchanged content.
    pub beat: u32,
}

impl Sequence {
    pub(crate) const LOWEST: Self = Self {
        version: 0,
        beat: 0,
    };
    pub(crate) const HIGHEST: Self = Self {
        version: u64::MAX,
        beat: u32::MAX,
    };

    /// The sequence of the next content.
    pub(crate) fn next_version(self) -> Self {
        Self {
            version: self.version.saturating_add(1),
            beat: 0,
        }
    }

    /// Whether it is believed where this version is known, 0 where none is (R51). One that has lost
    /// its state begins at 1 and is told the version that it had: so whoever knows of less believes
    /// as much as one to whom the node is new.
    pub(crate) fn is_credible(self, known: u64) -> bool {
        let step = known.saturating_add(contract::VERSION_STEP);
        self.version < contract::VERSIONS && self.version <= step.max(contract::FIRST_VERSIONS)
    }
}

/// What is wrong with a record. It is skipped and counts as known (R7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The body is longer than 1,024 bytes.
    #[error("a record's body has at most {} bytes", contract::BODY_BYTES)]
    TooLong,
    /// The body is not a protobuf message of the expected types.
    #[error("a record's body does not parse")]
    Malformed,
    /// More than 16 addresses.
    #[error("a record has at most {} addresses", contract::ADDRESSES)]
    TooManyAddresses,
    /// An address is no multiaddr.
    #[error("a record has a bad address: {0}")]
    Address(#[from] addr::AddressError),
    /// More than 256 bytes of metadata.
    #[error("a record's metadata has at most {} bytes", contract::METADATA_BYTES)]
    MetadataTooLong,
    /// A lifetime outside ten minutes to a week.
    #[error("a record's lifetime is 600 to 604,800 seconds")]
    Lifetime,
    /// Upstreams that are no list of at most eight beginnings of IDs.
    #[error(
        "a record names at most {} upstreams, by eight bytes each",
        contract::UPSTREAMS_NAMED
    )]
    Upstreams,
    /// Version 0 is that of no record.
    #[error("a record's version is at least 1")]
    NoVersion,
    /// Far above what is known of its node, or at 2^63 or above.
    #[error("a record's version is far above the one before")]
    VersionTooHigh,
}

/// What is read from a body when it is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BodyInfo {
    /// The full lifetime in seconds.
    pub(crate) lifetime_s: u32,
    /// The node has left (R4).
    pub(crate) tombstone: bool,
}

impl BodyInfo {
    pub(crate) fn life(self) -> Duration {
        Duration::from_secs(u64::from(self.lifetime_s))
    }

    /// What is left of a record's life, received with so many seconds, when it goes on at once:
    /// at least one less (R2), and none in its last moments (R3).
    pub(crate) fn relayed(self, remaining_s: u32) -> Option<u32> {
        let left = remaining_s.min(self.lifetime_s);
        (left > (self.lifetime_s / 500).max(2)).then(|| left - 1)
    }
}
