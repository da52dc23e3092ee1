//! Records: what a node says about itself.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use crate::addr::{self, Multiaddr};
use crate::contract;

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

const ADDRESS: u32 = 1;
const METADATA: u32 = 2;
const LIFETIME: u32 = 3;

/// Checks a body without allocating.
pub(crate) fn check_body(body: &[u8]) -> Result<BodyInfo, RecordError> {
    if body.len() > contract::BODY_BYTES {
        return Err(RecordError::TooLong);
    }
    let mut addresses = 0;
    let mut lifetime = contract::DEFAULT_LIFETIME.as_secs();
    for field in (Fields { rest: body }) {
        match field? {
            Field::Bytes(ADDRESS, bytes) => {
                addresses += 1;
                if addresses > contract::ADDRESSES {
                    return Err(RecordError::TooManyAddresses);
                }
                addr::check(bytes)?;
            }
            Field::Bytes(METADATA, bytes) if bytes.len() > contract::METADATA_BYTES => {
                return Err(RecordError::MetadataTooLong);
            }
            Field::Varint(LIFETIME, seconds) => lifetime = seconds,
            Field::Varint(ADDRESS | METADATA, _) | Field::Bytes(LIFETIME, _) => {
                return Err(RecordError::Malformed);
            }
            _ => {}
        }
    }
    let range = contract::SHORTEST_LIFETIME.as_secs()..=contract::LIFETIME.as_secs();
    if !range.contains(&lifetime) {
        return Err(RecordError::Lifetime);
    }
    let tombstone = addresses == 0;
    // A tombstone outlives whatever its node has announced (R4).
    let more = if tombstone { lifetime / 16 } else { 0 };
    Ok(BodyInfo {
        lifetime_s: (lifetime + more) as u32,
        tombstone,
    })
}

/// The addresses in a checked body, as written.
pub(crate) fn addresses(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    Fields { rest: body }.filter_map(|field| match field {
        Ok(Field::Bytes(ADDRESS, bytes)) => Some(bytes),
        _ => None,
    })
}

/// The metadata in a checked body.
pub(crate) fn metadata(body: &[u8]) -> &[u8] {
    let last = Fields { rest: body }.filter_map(|field| match field {
        Ok(Field::Bytes(METADATA, bytes)) => Some(bytes),
        _ => None,
    });
    last.last().unwrap_or_default()
}

/// The usable addresses in a checked body.
pub(crate) fn usable_addresses(body: &[u8], local: bool) -> Vec<Multiaddr> {
    addresses(body)
        .filter(|bytes| addr::is_usable(bytes, local))
        .filter_map(|bytes| Multiaddr::from_bytes(Bytes::copy_from_slice(bytes)).ok())
        .collect()
}

/// Writes a body; of one without addresses, `lifetime` is the longest that the node has announced.
/// The caller has checked the limits with [`check_body`].
pub(crate) fn write_body(addresses: &[Multiaddr], metadata: &[u8], lifetime: Duration) -> Vec<u8> {
    let mut out = Vec::new();
    let put_bytes = |out: &mut Vec<u8>, tag, bytes: &[u8]| {
        encode_key(tag, WireType::LengthDelimited, out);
        encode_varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    };
    for address in addresses {
        put_bytes(&mut out, ADDRESS, address.as_bytes());
    }
    if !metadata.is_empty() {
        put_bytes(&mut out, METADATA, metadata);
    }
    if lifetime != contract::DEFAULT_LIFETIME {
        encode_key(LIFETIME, WireType::Varint, &mut out);
        encode_varint(lifetime.as_secs(), &mut out);
    }
    out
}

enum Field<'a> {
    Varint(u32, u64),
    Bytes(u32, &'a [u8]),
    Fixed,
}

/// The fields of a protobuf message, read in place.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<Field<'a>, RecordError> {
        let bad = |_| RecordError::Malformed;
        let (tag, wire_type) = decode_key(&mut self.rest).map_err(bad)?;
        let len = match wire_type {
            WireType::Varint => {
                return Ok(Field::Varint(
                    tag,
                    decode_varint(&mut self.rest).map_err(bad)?,
                ));
            }
            WireType::LengthDelimited => decode_varint(&mut self.rest).map_err(bad)?,
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::StartGroup | WireType::EndGroup => return Err(RecordError::Malformed),
        };
        let len = usize::try_from(len).map_err(|_| RecordError::Malformed)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(RecordError::Malformed)?;
        self.rest = rest;
        match wire_type {
            WireType::LengthDelimited => Ok(Field::Bytes(tag, bytes)),
            _ => Ok(Field::Fixed),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// A body as the table keeps it: short ones in place, so that a record with one IPv4 address
/// allocates nothing and pins no message buffer (R24).
#[derive(Clone)]
pub(crate) enum Body {
    Inline { len: u8, bytes: [u8; 22] },
    Heap(Box<[u8]>),
}

impl Body {
    pub(crate) fn copy_from(body: &[u8]) -> Self {
        let mut bytes = [0; 22];
        match bytes.get_mut(..body.len()) {
            Some(room) => {
                room.copy_from_slice(body);
                Self::Inline {
                    len: body.len() as u8,
                    bytes,
                }
            }
            None => Self::Heap(body.into()),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Heap(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_body_reads_as_written() {
        let list = [address("/ip4/10.0.0.1/tcp/1"), address("/dns/a.b/tcp/2")];
        let body = write_body(&list, b"zone=1", Duration::from_secs(660));
        let info = check_body(&body).unwrap();
        assert_eq!(
            info,
            BodyInfo {
                lifetime_s: 660,
                tombstone: false
            }
        );
        let read: Vec<_> = addresses(&body).collect();
        assert_eq!(read, [list[0].as_bytes(), list[1].as_bytes()]);
        assert_eq!(metadata(&body), b"zone=1");
    }

    /// R4: 17/16 of the longest life that its node has announced.
    #[test]
    fn no_addresses_is_a_tombstone_and_outlives_what_was_announced() {
        for (longest, lives) in [(600, 637), (86_400, 91_800), (604_800, 642_600)] {
            let body = write_body(&[], b"", Duration::from_secs(longest));
            assert_eq!(
                check_body(&body),
                Ok(BodyInfo {
                    lifetime_s: lives,
                    tombstone: true
                })
            );
        }
        assert_eq!(contract::TOMBSTONE_LIFETIME.as_secs(), 642_600);
        assert_eq!(check_body(b"").map(|info| info.lifetime_s), Ok(91_800));
    }

    #[test]
    fn refuses_what_is_out_of_bounds() {
        let many = vec![address("/ip4/10.0.0.1/tcp/1"); 17];
        let check =
            |a: &[Multiaddr], m: &[u8], s| check_body(&write_body(a, m, Duration::from_secs(s)));
        assert_eq!(check(&many, b"", 660), Err(RecordError::TooManyAddresses));
        assert_eq!(
            check(&many[..1], &[0; 257], 660),
            Err(RecordError::MetadataTooLong)
        );
        for seconds in [0, 599, 604_801, 100 * 365 * 86_400] {
            let refused = Err(RecordError::Lifetime);
            assert_eq!(check(&many[..1], b"", seconds), refused);
            assert_eq!(check(&[], b"", seconds), refused);
        }
        assert_eq!(check_body(&[0; 1025]), Err(RecordError::TooLong));
        assert_eq!(check_body(&[0x0a, 200]), Err(RecordError::Malformed));
        assert_eq!(check_body(&[0x0b]), Err(RecordError::Malformed));
        assert_eq!(
            check_body(&[0x0a, 1, 6]),
            Err(RecordError::Address(addr::AddressError::NoHost))
        );
    }

    #[test]
    fn unknown_fields_are_kept_and_skipped() {
        let mut body = write_body(
            &[address("/ip4/10.0.0.1/tcp/1")],
            b"",
            contract::DEFAULT_LIFETIME,
        );
        body.extend_from_slice(&[0xa2, 0x06, 2, 1, 2, 0xa8, 0x06, 9]);
        assert!(check_body(&body).is_ok());
        assert_eq!(Body::copy_from(&body).as_slice(), body);
    }

    #[test]
    fn the_stored_body_takes_24_bytes() {
        assert_eq!(size_of::<Body>(), 24);
    }
}
