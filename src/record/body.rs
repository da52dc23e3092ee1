//! What stands in a record's body: the fields of a protobuf message, read in place and written.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use self::field::{ADDRESS, DETECTION, LIFETIME, METADATA, NAMED, UPSTREAMS};
use super::{BodyInfo, RecordError};
use crate::addr::{self, Multiaddr};
use crate::contract;
use crate::id::Prefix;

/// The numbers of the fields.
pub(crate) mod field {
    pub(crate) const ADDRESS: u32 = 1;
    pub(crate) const METADATA: u32 = 2;
    pub(crate) const LIFETIME: u32 = 3;
    pub(crate) const DETECTION: u32 = 4;
    pub(crate) const UPSTREAMS: u32 = 5;
    pub(crate) const NAMED: u32 = 7;
}

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
            Field::Bytes(UPSTREAMS, bytes)
                if bytes.len() % Prefix::LEN != 0
                    || bytes.len() > contract::UPSTREAMS_NAMED * Prefix::LEN =>
            {
                return Err(RecordError::Upstreams);
            }
            Field::Varint(LIFETIME, seconds) => lifetime = seconds,
            Field::Bytes(NAMED, bytes)
                if bytes.len() % Prefix::LEN != 0
                    || bytes.len() > contract::NAMED * Prefix::LEN =>
            {
                return Err(RecordError::Malformed);
            }
            Field::Varint(ADDRESS | METADATA | UPSTREAMS | NAMED, _)
            | Field::Bytes(LIFETIME, _) => {
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

/// What this field of a checked body says: the last counts, as everywhere in protobuf.
fn last_bytes(body: &[u8], number: u32) -> &[u8] {
    last_field(body, number).unwrap_or_default()
}

fn last_field(body: &[u8], number: u32) -> Option<&[u8]> {
    let all = Fields { rest: body }.filter_map(|field| match field {
        Ok(Field::Bytes(of, bytes)) if of == number => Some(bytes),
        _ => None,
    });
    all.last()
}

/// The metadata in a checked body.
pub(crate) fn metadata(body: &[u8]) -> &[u8] {
    last_bytes(body, METADATA)
}

/// The detection time in a checked body (R30).
pub(crate) fn detection(body: &[u8]) -> Duration {
    let last = Fields { rest: body }.filter_map(|field| match field {
        Ok(Field::Varint(DETECTION, millis)) => Some(Duration::from_millis(millis)),
        _ => None,
    });
    let named = last.last().unwrap_or(contract::DETECTION);
    named.clamp(contract::DETECTION, contract::LONGEST_DETECTION)
}

/// Says the detection time in a body, where it is not what a body without it says.
pub(crate) fn put_detection(body: &mut Vec<u8>, detection: Duration) {
    if detection != contract::DETECTION {
        encode_key(DETECTION, WireType::Varint, body);
        encode_varint(detection.as_millis() as u64, body);
    }
}

/// Whom a checked body names for having accused its node falsely (R33).
pub(crate) fn named(body: &[u8]) -> Vec<Prefix> {
    Prefix::list(last_bytes(body, NAMED)).collect()
}

/// Names them, where there are some and they fit.
pub(crate) fn put_named(body: &mut Vec<u8>, named: &[Prefix]) {
    let bytes: Vec<u8> = named.iter().flat_map(|prefix| prefix.0).collect();
    // The key and the length take a byte each.
    if !bytes.is_empty() && body.len() + 2 + bytes.len() <= contract::BODY_BYTES {
        encode_key(NAMED, WireType::LengthDelimited, body);
        encode_varint(bytes.len() as u64, body);
        body.extend_from_slice(&bytes);
    }
}

/// The upstreams that a checked body names: none, too, where there are more than can be named.
pub(crate) fn upstreams(body: &[u8]) -> impl Iterator<Item = Prefix> + '_ {
    Prefix::list(last_bytes(body, UPSTREAMS))
}

/// Whether it says that there are more of them than can be named.
pub(crate) fn has_many_upstreams(body: &[u8]) -> bool {
    last_field(body, UPSTREAMS).is_some_and(<[u8]>::is_empty)
}

/// Whether two bodies differ in what they say of other nodes at most.
pub(crate) fn is_same_but_upstreams(one: &[u8], other: &[u8]) -> bool {
    let rest = |body| {
        let upstreams =
            |field: &Result<Field<'_>, _>| matches!(field, Ok(Field::Bytes(UPSTREAMS | NAMED, _)));
        Fields { rest: body }.filter(move |field| !upstreams(field))
    };
    rest(one).eq(rest(other))
}

/// Names upstreams in a body; of more than can be named it says just that.
pub(crate) fn put_upstreams(body: &mut Vec<u8>, upstreams: &[Prefix]) {
    if upstreams.is_empty() {
        return;
    }
    let named = match upstreams.len() {
        n if n > contract::UPSTREAMS_NAMED => &[],
        _ => upstreams,
    };
    encode_key(UPSTREAMS, WireType::LengthDelimited, body);
    encode_varint((named.len() * Prefix::LEN) as u64, body);
    for node in named {
        body.extend_from_slice(&node.0);
    }
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

#[derive(PartialEq)]
enum Field<'a> {
    Varint(u32, u64),
    Bytes(u32, &'a [u8]),
    Fixed(u32, &'a [u8]),
}

/// The fields of a protobuf message, read in place.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// A field whose key and whose number or length take a byte each, as nearly all do.
    #[inline]
    fn read_short(&mut self) -> Option<Field<'a>> {
        let [key @ 0x08..0x80, short @ 0..0x80, after @ ..] = self.rest else {
            return None;
        };
        let tag = u32::from(key >> 3);
        let (field, rest) = match key & 7 {
            0 => (Field::Varint(tag, (*short).into()), after),
            2 => {
                let (bytes, rest) = after.split_at_checked((*short).into())?;
                (Field::Bytes(tag, bytes), rest)
            }
            _ => return None,
        };
        self.rest = rest;
        Some(field)
    }

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
            _ => Ok(Field::Fixed(tag, bytes)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some(field) = self.read_short() {
            return Some(Ok(field));
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
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

    /// R30: out of range, it is the nearest that is in it.
    #[test]
    fn a_detection_time_is_named_where_it_is_not_the_default() {
        let body = || write_body(&[address("/ip4/10.0.0.1/tcp/1")], b"", contract::LIFETIME);
        for (named, read) in [
            (3_000, 3_000),
            (10_000, 10_000),
            (1, 3_000),
            (999_999, 60_000),
        ] {
            let mut with = body();
            put_detection(&mut with, Duration::from_millis(named));
            assert_eq!(check_body(&with), check_body(&body()));
            assert_eq!(detection(&with), Duration::from_millis(read));
            assert_eq!(with == body(), named == 3_000);
        }
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
    }

    /// R47: up to eight, in their order; of more that there are more.
    #[test]
    fn upstreams_are_named_by_their_beginnings() {
        for count in [0, 1, 8, 9, 200] {
            let nodes: Vec<_> = (0..count).map(|i| Prefix([i; 8])).collect();
            let mut body = write_body(&[address("/ip4/10.0.0.1/tcp/1")], b"", contract::LIFETIME);
            let without = body.clone();
            put_upstreams(&mut body, &nodes);
            assert_eq!(check_body(&body), check_body(&without));
            let named: Vec<_> = upstreams(&body).collect();
            match count {
                0 => assert_eq!(body, without),
                1..=8 => assert_eq!(named, nodes),
                _ => assert!(named.is_empty() && body.len() == without.len() + 2),
            }
        }
        for odd in [&[0x2a, 72][..], &[0x2a, 7]] {
            let body = [odd, &[1; 72][..odd[1].into()]].concat();
            assert_eq!(check_body(&body), Err(RecordError::Upstreams));
        }
        assert_eq!(check_body(&[0x28, 1]), Err(RecordError::Malformed));
    }

    /// R47.
    #[test]
    fn bodies_may_differ_in_their_upstreams_alone() {
        let body = |metadata, upstreams: &[u8]| {
            let one = [address("/ip4/10.0.0.1/tcp/1")];
            let mut body = write_body(&one, metadata, contract::LIFETIME);
            let upstreams: Vec<_> = upstreams.iter().map(|i| Prefix([*i; 8])).collect();
            put_upstreams(&mut body, &upstreams);
            body
        };
        let one = body(b"a", &[1]);
        for (other, same) in [
            (body(b"a", &[]), true),
            (body(b"a", &[2, 3]), true),
            (body(b"b", &[1]), false),
            ([&one[..], &[0x7d, 1, 2, 3, 4]].concat(), false),
        ] {
            assert_eq!(is_same_but_upstreams(&one, &other), same);
        }
    }
}
