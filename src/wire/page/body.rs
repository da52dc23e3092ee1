//! A record's body as its shape and what fills it, where it has the common form: a few addresses of
//! an IP and a port, metadata, a lifetime, a detection time, upstreams, each written as plainly as it
//! can be. Anything else stays as it is.

use alloc::vec::Vec;

use prost::encoding::{WireType, decode_varint, encode_varint};

use crate::contract;
use crate::id::Prefix;
use crate::record::field;
use crate::wire::page::shape::{ADDRESSES, Fields, Host, Named, Number, Part, Shape, UPSTREAMS};

/// The keys of the fields of a body, each a byte.
const ADDRESS_KEY: u8 = key(field::ADDRESS, WireType::LengthDelimited);
const METADATA_KEY: u8 = key(field::METADATA, WireType::LengthDelimited);
const LIFETIME_KEY: u8 = key(field::LIFETIME, WireType::Varint);
const DETECTION_KEY: u8 = key(field::DETECTION, WireType::Varint);
const UPSTREAMS_KEY: u8 = key(field::UPSTREAMS, WireType::LengthDelimited);
/// The codes of /ip4, /ip6, /tcp and, as a varint of two bytes, /udp.
const IP4: u8 = 0x04;
const IP6: u8 = 0x29;
const TCP: u8 = 0x06;
const UDP: [u8; 2] = [0x91, 0x02];

const fn key(field: u32, wire_type: WireType) -> u8 {
    (field << 3) as u8 | wire_type as u8
}

/// A body, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'a> {
    pub(super) shape: Shape,
    /// The numbers of its addresses, that of an IPv4 one in the low bits.
    pub(super) hosts: [u128; ADDRESSES],
    pub(super) ports: [u16; ADDRESSES],
    pub(super) metadata: &'a [u8],
    pub(super) lifetime: u32,
    pub(super) detection: u32,
    /// Beginnings of IDs.
    pub(super) upstreams: [u64; UPSTREAMS],
    /// The whole of it.
    pub(super) bytes: &'a [u8],
}

impl<'a> Body<'a> {
    pub(super) const fn raw(bytes: &'a [u8]) -> Self {
        Self {
            shape: Shape::RAW,
            hosts: [0; ADDRESSES],
            ports: [0; ADDRESSES],
            metadata: &[],
            lifetime: 0,
            detection: 0,
            upstreams: [0; UPSTREAMS],
            bytes,
        }
    }

    /// Its numbers, in their order.
    #[inline]
    pub(super) fn numbers(&self, mut each: impl FnMut(Number, u64)) {
        self.shape.numbers(|number, i| {
            let value = match number {
                Number::Ip4 | Number::Ip6Host => self.hosts[i] as u64,
                Number::Ip6Network => (self.hosts[i] >> 64) as u64,
                Number::Port => self.ports[i].into(),
                Number::Lifetime => self.lifetime.into(),
                Number::Detection => self.detection.into(),
                Number::Upstream => self.upstreams[i],
                Number::MetadataLen => self.metadata.len() as u64,
                Number::RawLen => self.bytes.len() as u64,
            };
            each(number, value);
        });
    }

    /// The whole of a body that stays as it is.
    pub(super) fn raw_bytes(&self) -> &'a [u8] {
        match self.shape.is_raw() {
            true => self.bytes,
            false => &[],
        }
    }

    /// Takes a body apart.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let mut body = Self::raw(bytes);
        match body.take_apart() {
            Some(shape) => Self { shape, ..body },
            None => Self::raw(bytes),
        }
    }

    /// Its shape, if it has the common form.
    fn take_apart(&mut self) -> Option<Shape> {
        let body = self;
        let mut rest = body.bytes;
        let mut parts = [Part::default(); ADDRESSES];
        let (mut n, mut is_ip6) = (0, false);
        while let [ADDRESS_KEY, len, after @ ..] = rest {
            let (address, after) = after.split_at_checked(usize::from(*len))?;
            let (udp, host, port, tail) = split_address(address)?;
            let now_ip6 = address[0] == IP6;
            let last = n > 0;
            let same_host = last && now_ip6 == is_ip6 && host == body.hosts[n - 1];
            let same_port = last && port == body.ports[n - 1];
            *body.hosts.get_mut(n)? = host;
            body.ports[n] = port;
            let leads = match now_ip6 {
                _ if same_host => Host::Same,
                true => Host::Ip6,
                false => Host::Ip4,
            };
            parts[n] = Part::new(leads, udp, same_port, tail)?;
            (n, is_ip6, rest) = (n + 1, now_ip6, after);
        }
        let metadata = rest.first() == Some(&METADATA_KEY);
        if metadata {
            let (len, after) = plain_varint(&rest[1..])?;
            let len = len as usize;
            (body.metadata, rest) = after.split_at_checked(len)?;
            if len > contract::METADATA_BYTES {
                return None;
            }
        }
        let lifetime = rest.first() == Some(&LIFETIME_KEY);
        if lifetime {
            (body.lifetime, rest) = plain_varint(&rest[1..])?;
        }
        let detection = rest.first() == Some(&DETECTION_KEY);
        if detection {
            (body.detection, rest) = plain_varint(&rest[1..])?;
        }
        let upstreams = body.take_upstreams(&mut rest)?;
        let fields = Fields {
            metadata,
            lifetime,
            detection,
            upstreams,
        };
        rest.is_empty().then_some(Shape::plain(parts, n, fields))
    }

    /// Beginnings of IDs; none of them: there are more than can be named.
    fn take_upstreams(&mut self, rest: &mut &'a [u8]) -> Option<Named> {
        let [UPSTREAMS_KEY, len, after @ ..] = *rest else {
            return Some(Named::None);
        };
        let (named, after) = after.split_at_checked(usize::from(*len))?;
        let chunks = named.chunks_exact(Prefix::LEN);
        if !chunks.remainder().is_empty() || chunks.len() > UPSTREAMS {
            return None;
        }
        let count = chunks.len() as u8;
        for (room, chunk) in self.upstreams.iter_mut().zip(chunks) {
            *room = u64::from_be_bytes(*chunk.first_chunk()?);
        }
        *rest = after;
        Some(match count {
            0 => Named::Many,
            count => Named::Some(count),
        })
    }

    /// Puts a body together.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if self.shape.is_raw() {
            out.extend_from_slice(self.bytes);
            return;
        }
        let mut is_ip6 = false;
        for (i, part) in self.shape.parts().iter().enumerate() {
            is_ip6 = match part.host() {
                Host::Ip4 => false,
                Host::Ip6 => true,
                Host::Same => is_ip6,
            };
            let after = 3 + u8::from(part.udp()) + part.tail_len();
            if is_ip6 {
                out.extend_from_slice(&[ADDRESS_KEY, 1 + 16 + after, IP6]);
                out.extend_from_slice(&self.hosts[i].to_be_bytes());
            } else {
                let [a, b, c, d] = (self.hosts[i] as u32).to_be_bytes();
                out.extend_from_slice(&[ADDRESS_KEY, 1 + 4 + after, IP4, a, b, c, d]);
            }
            let [high, low] = self.ports[i].to_be_bytes();
            match (part.udp(), UDP) {
                (true, [first, second]) => out.extend_from_slice(&[first, second, high, low]),
                (false, _) => out.extend_from_slice(&[TCP, high, low]),
            }
            part.put_tail(out);
        }
        let fields = self.shape.fields();
        if fields.metadata {
            out.push(METADATA_KEY);
            encode_varint(self.metadata.len() as u64, out);
            out.extend_from_slice(self.metadata);
        }
        if fields.lifetime {
            out.push(LIFETIME_KEY);
            encode_varint(self.lifetime.into(), out);
        }
        if fields.detection {
            out.push(DETECTION_KEY);
            encode_varint(self.detection.into(), out);
        }
        if fields.upstreams != Named::None {
            let named = self.upstreams.iter().take(fields.upstreams.count());
            out.extend_from_slice(&[UPSTREAMS_KEY, (named.len() * Prefix::LEN) as u8]);
            named.for_each(|beginning| out.extend_from_slice(&beginning.to_be_bytes()));
        }
    }
}

/// A number of at most 32 bits in the fewest bytes.
fn plain_varint(mut bytes: &[u8]) -> Option<(u32, &[u8])> {
    let before = bytes.len();
    let value = decode_varint(&mut bytes).ok()?;
    let plain = prost::encoding::encoded_len_varint(value) == before - bytes.len();
    Some((u32::try_from(value).ok().filter(|_| plain)?, bytes))
}

/// An address of an IP, /tcp or /udp, a port, and what follows.
fn split_address(address: &[u8]) -> Option<(bool, u128, u16, &[u8])> {
    let (host, rest) = match address {
        [IP4, rest @ ..] => {
            let (host, rest) = rest.split_first_chunk::<4>()?;
            (u128::from(u32::from_be_bytes(*host)), rest)
        }
        [IP6, rest @ ..] => {
            let (host, rest) = rest.split_first_chunk::<16>()?;
            (u128::from_be_bytes(*host), rest)
        }
        _ => return None,
    };
    let (udp, rest) = match rest {
        [TCP, rest @ ..] => (false, rest),
        [first, second, rest @ ..] if [*first, *second] == UDP => (true, rest),
        _ => return None,
    };
    let (port, tail) = rest.split_first_chunk::<2>()?;
    Some((udp, host, u16::from_be_bytes(*port), tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Multiaddr;
    use crate::record::write_body;
    use crate::wire::bits::{BitReader, BitWriter};
    use core::time::Duration;
    use proptest::prelude::*;

    fn body(addresses: &[&str], metadata: &[u8], seconds: u64) -> Vec<u8> {
        let addresses: Vec<Multiaddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        write_body(&addresses, metadata, Duration::from_secs(seconds))
    }

    /// Puts it together again, from what a page has of it.
    fn again(body: &Body<'_>) -> Vec<u8> {
        let mut bits = BitWriter::default();
        body.shape.put(&mut bits);
        let bits = bits.finish();
        assert_eq!(bits.len(), body.shape.bits().div_ceil(8));
        let shape = Shape::take(&mut BitReader::new(&bits)).unwrap();
        let mut out = Vec::new();
        Body { shape, ..*body }.put(&mut out);
        out
    }

    #[test]
    fn what_nodes_write_has_the_common_form() {
        let quic = "/ip4/10.0.0.1/udp/7000/quic-v1";
        let six = "/ip6/2001:db8::1/udp/7000/quic-v1";
        for written in [
            body(&[], b"", 60),
            body(&["/ip4/10.0.0.1/tcp/7000"], b"", 86_400),
            body(&[quic, "/ip4/10.0.0.1/tcp/7000", six], b"zone=1", 60),
            body(&[six, quic, six, quic], &[7; 256], 604_800),
        ] {
            let body = Body::of(&written);
            assert_ne!(body.shape, Shape::RAW, "{written:?}");
            assert_eq!(again(&body), written);
        }
    }

    /// One host, two transports: the second address is seven bits and its tail.
    #[test]
    fn a_host_and_a_port_are_there_once() {
        let written = body(
            &["/ip4/10.0.0.1/udp/7/quic-v1", "/ip4/10.0.0.1/tcp/7"],
            b"",
            60,
        );
        let shape = Body::of(&written).shape;
        let parts = shape.parts();
        assert_eq!(parts[0].host(), Host::Ip4);
        assert_eq!((parts[1].host(), parts[1].same_port()), (Host::Same, true));
    }

    /// R7: what a plain writer would not have written stays as it is.
    #[test]
    fn anything_else_stays_as_it_is() {
        let plain = body(&["/ip4/10.0.0.1/tcp/7000"], b"m", 60);
        let padded = [&plain[..plain.len() - 1], &[0xbc, 0x00]].concat();
        let unknown = [&plain[..], &[0x7a, 1, 1]].concat();
        let backwards = [&[0x18, 60], &plain[..10]].concat();
        let nine = [&plain[..], &[0x2a, 72], &[7; 72]].concat();
        let half = [&plain[..], &[0x2a, 4], &[7; 4]].concat();
        let cut = &plain[..7];
        let wide = [&plain[..plain.len() - 1], &[0xff, 0xff, 0xff, 0xff, 0x1f]].concat();
        for odd in [
            &padded,
            &unknown,
            &backwards,
            &nine,
            &half,
            cut,
            &wide,
            &[0][..],
        ] {
            assert_eq!(Body::of(odd).shape, Shape::RAW, "{odd:?}");
            assert_eq!(again(&Body::of(odd)), odd);
        }
        for address in [
            "/dns/a.b/tcp/80",
            "/ip4/10.0.0.1",
            "/ip4/10.0.0.1/udp/1/quic-v1/p2p/0x00",
        ] {
            if let Ok(address) = address.parse::<Multiaddr>() {
                let odd = write_body(&[address], b"", Duration::from_secs(60));
                assert_eq!(Body::of(&odd).shape, Shape::RAW, "{odd:?}");
            }
        }
        let five = body(&["/ip4/10.0.0.1/tcp/7000"; 5], b"", 60);
        assert_eq!(Body::of(&five).shape, Shape::RAW);
    }

    /// R30, R47.
    #[test]
    fn a_detection_time_and_upstreams_belong_to_it() {
        let plain = body(&["/ip4/10.0.0.1/tcp/7000"], b"m", 60);
        let named = [&[0x2a, 64][..], &[7; 64]].concat();
        for more in [&[0x20, 0xe8, 0x07][..], &[0x2a, 0], &named] {
            let written = [&plain[..], more].concat();
            assert_ne!(Body::of(&written).shape, Shape::RAW, "{more:?}");
            assert_eq!(again(&Body::of(&written)), written);
        }
    }

    const PARTS: [&[u8]; 12] = [
        &[0x0a, 8, 4, 10, 0, 0, 1, 6, 0, 7],
        &[0x0a, 8, 4, 10, 0, 0, 2, 6, 0, 7],
        &[0x0a, 11, 4, 10, 0, 0, 1, 0x91, 2, 0, 7, 0xcd, 3],
        &[0x12, 2, 1, 2],
        &[0x12, 0],
        &[0x18, 0x3c],
        &[0x18, 0],
        &[0x18, 0xbc, 0],
        &[0x20, 0x3c],
        &[0x2a, 0],
        &[0x2a, 8, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x2a, 7, 1, 2, 3, 4, 5, 6, 7],
    ];

    proptest! {
        #[test]
        fn every_body_comes_out_as_it_went_in(
            parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..7),
            more in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let written = [parts.concat(), more].concat();
            prop_assert_eq!(again(&Body::of(&written)), written);
        }
    }
}
