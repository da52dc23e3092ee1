//! A record's body as its shape and what fills it, where it has the common form: a few addresses of
//! an IP and a port, metadata, a lifetime, each written as plainly as it can be. Anything else stays
//! as it is.

use alloc::vec::Vec;

use prost::encoding::{decode_varint, encode_varint};

use crate::contract;
use crate::wire::page::PageError;
use crate::wire::page::bits::{BitReader, BitWriter};

/// Addresses of a shape; with more the body stays as it is. It bounds what a record's few bits in a
/// page come to.
const ADDRESSES: usize = 4;
/// Bytes of an address after its port: two are /quic-v1.
const TAIL: usize = 4;

const ADDRESS_KEY: u8 = 0x0a;
const METADATA_KEY: u8 = 0x12;
const LIFETIME_KEY: u8 = 0x18;
/// The codes of /ip4, /ip6, /tcp and, as a varint of two bytes, /udp.
const IP4: u8 = 0x04;
const IP6: u8 = 0x29;
const TCP: u8 = 0x06;
const UDP: [u8; 2] = [0x91, 0x02];

/// In the place of the number of addresses: the body as it is.
const RAW: u64 = 7;

/// Where an address leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Host {
    Ip4,
    Ip6,
    /// Where the one before it in the same body does.
    Same,
}

/// One address but for its numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Part {
    pub(super) host: Host,
    udp: bool,
    /// The port is that of the address before it.
    pub(super) same_port: bool,
    tail: [u8; TAIL],
    tail_len: u8,
}

/// What bodies have in common that differ by numbers only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Shape {
    /// The bytes as they are.
    Raw,
    /// The common form.
    Plain {
        parts: [Option<Part>; ADDRESSES],
        metadata: bool,
        lifetime: bool,
    },
}

/// What the numbers of bodies are. A page has a column of each, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    Ip4,
    Ip6Network,
    Ip6Host,
    Port,
    Lifetime,
    MetadataLen,
    RawLen,
}

impl Number {
    pub(super) const COUNT: usize = 7;

    /// Bits that each has at most.
    pub(super) const BITS: [u32; Self::COUNT] = [32, 64, 64, 16, 32, 16, 32];
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
    /// The whole of it.
    pub(super) bytes: &'a [u8],
}

impl Shape {
    pub(super) fn parts(&self) -> impl Iterator<Item = (usize, Part)> {
        let parts = match self {
            Self::Raw => [None; ADDRESSES],
            Self::Plain { parts, .. } => *parts,
        };
        parts.into_iter().flatten().enumerate()
    }

    /// The numbers of a body of this shape, in their order, and of which address each is.
    #[inline]
    pub(super) fn numbers(&self, mut each: impl FnMut(Number, usize)) {
        for (i, part) in self.parts() {
            match part.host {
                Host::Ip4 => each(Number::Ip4, i),
                Host::Ip6 => {
                    each(Number::Ip6Network, i);
                    each(Number::Ip6Host, i);
                }
                Host::Same => {}
            }
            if !part.same_port {
                each(Number::Port, i);
            }
        }
        let (metadata, lifetime) = match self {
            Self::Raw => return each(Number::RawLen, 0),
            Self::Plain {
                metadata, lifetime, ..
            } => (*metadata, *lifetime),
        };
        if metadata {
            each(Number::MetadataLen, 0);
        }
        if lifetime {
            each(Number::Lifetime, 0);
        }
    }

    pub(super) fn put(&self, out: &mut BitWriter) {
        let Self::Plain {
            metadata, lifetime, ..
        } = self
        else {
            out.put(RAW, 3);
            return;
        };
        out.put(self.parts().count() as u64, 3);
        out.put(u64::from(*metadata), 1);
        out.put(u64::from(*lifetime), 1);
        for (_, part) in self.parts() {
            out.put(part.host as u64, 2);
            out.put(u64::from(part.udp), 1);
            out.put(u64::from(part.same_port), 1);
            out.put(u64::from(part.tail_len), 3);
            let tail = part.tail.iter().take(part.tail_len.into());
            tail.for_each(|byte| out.put(u64::from(*byte), 8));
        }
    }

    pub(super) fn take(bits: &mut BitReader<'_>) -> Result<Self, PageError> {
        let n = bits.take(3)?;
        if n == RAW {
            return Ok(Self::Raw);
        }
        if n > ADDRESSES as u64 {
            return Err(PageError::Shape);
        }
        let (metadata, lifetime) = (bits.take(1)? == 1, bits.take(1)? == 1);
        let mut parts = [None; ADDRESSES];
        for (i, part) in parts.iter_mut().take(n as usize).enumerate() {
            *part = Some(Part::take(i == 0, bits)?);
        }
        Ok(Self::Plain {
            parts,
            metadata,
            lifetime,
        })
    }

    /// Bits that it takes.
    pub(super) fn bits(&self) -> usize {
        let part = |(_, part): (usize, Part)| 7 + 8 * usize::from(part.tail_len);
        5 + self.parts().map(part).sum::<usize>()
    }
}

impl Part {
    fn take(is_first: bool, bits: &mut BitReader<'_>) -> Result<Self, PageError> {
        let host = match bits.take(2)? {
            0 => Host::Ip4,
            1 => Host::Ip6,
            2 if !is_first => Host::Same,
            _ => return Err(PageError::Shape),
        };
        let (udp, same_port) = (bits.take(1)? == 1, bits.take(1)? == 1);
        let tail_len = bits.take(3)? as u8;
        if usize::from(tail_len) > TAIL || (is_first && same_port) {
            return Err(PageError::Shape);
        }
        let mut tail = [0; TAIL];
        for byte in tail.iter_mut().take(tail_len.into()) {
            *byte = bits.take(8)? as u8;
        }
        Ok(Self {
            host,
            udp,
            same_port,
            tail,
            tail_len,
        })
    }
}

impl<'a> Body<'a> {
    pub(super) const fn raw(bytes: &'a [u8]) -> Self {
        Self {
            shape: Shape::Raw,
            hosts: [0; ADDRESSES],
            ports: [0; ADDRESSES],
            metadata: &[],
            lifetime: 0,
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
                Number::MetadataLen => self.metadata.len() as u64,
                Number::RawLen => self.bytes.len() as u64,
            };
            each(number, value);
        });
    }

    /// The whole of a body that stays as it is.
    pub(super) fn raw_bytes(&self) -> &'a [u8] {
        match self.shape {
            Shape::Raw => self.bytes,
            Shape::Plain { .. } => &[],
        }
    }

    /// Takes a body apart.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self::plain(bytes).unwrap_or(Self::raw(bytes))
    }

    fn plain(bytes: &'a [u8]) -> Option<Self> {
        let mut body = Self::raw(bytes);
        let mut rest = bytes;
        let mut parts = [None; ADDRESSES];
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
            let mut kept = [0; TAIL];
            kept.get_mut(..tail.len())?.copy_from_slice(tail);
            parts[n] = Some(Part {
                host: match now_ip6 {
                    _ if same_host => Host::Same,
                    true => Host::Ip6,
                    false => Host::Ip4,
                },
                udp,
                same_port,
                tail: kept,
                tail_len: tail.len() as u8,
            });
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
        body.shape = Shape::Plain {
            parts,
            metadata,
            lifetime,
        };
        rest.is_empty().then_some(body)
    }

    /// Puts a body together.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let Shape::Plain {
            metadata, lifetime, ..
        } = self.shape
        else {
            out.extend_from_slice(self.bytes);
            return;
        };
        let mut is_ip6 = false;
        for (i, part) in self.shape.parts() {
            is_ip6 = match part.host {
                Host::Ip4 => false,
                Host::Ip6 => true,
                Host::Same => is_ip6,
            };
            let len = 1 + if is_ip6 { 16 } else { 4 } + 3 + u8::from(part.udp) + part.tail_len;
            out.extend_from_slice(&[ADDRESS_KEY, len, if is_ip6 { IP6 } else { IP4 }]);
            if is_ip6 {
                out.extend_from_slice(&self.hosts[i].to_be_bytes());
            } else {
                out.extend_from_slice(&(self.hosts[i] as u32).to_be_bytes());
            }
            out.extend_from_slice(if part.udp { &UDP } else { &[TCP] });
            out.extend_from_slice(&self.ports[i].to_be_bytes());
            out.extend_from_slice(&part.tail[..part.tail_len.into()]);
        }
        if metadata {
            out.push(METADATA_KEY);
            encode_varint(self.metadata.len() as u64, out);
            out.extend_from_slice(self.metadata);
        }
        if lifetime {
            out.push(LIFETIME_KEY);
            encode_varint(self.lifetime.into(), out);
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
            assert_ne!(body.shape, Shape::Raw, "{written:?}");
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
        let parts: Vec<_> = Body::of(&written).shape.parts().collect();
        assert_eq!(parts[0].1.host, Host::Ip4);
        assert_eq!((parts[1].1.host, parts[1].1.same_port), (Host::Same, true));
    }

    /// R7: what a plain writer would not have written stays as it is.
    #[test]
    fn anything_else_stays_as_it_is() {
        let plain = body(&["/ip4/10.0.0.1/tcp/7000"], b"m", 60);
        let padded = [&plain[..plain.len() - 1], &[0xbc, 0x00]].concat();
        let unknown = [&plain[..], &[0x7a, 1, 1]].concat();
        let backwards = [&[0x18, 60], &plain[..10]].concat();
        let cut = &plain[..7];
        let wide = [&plain[..plain.len() - 1], &[0xff, 0xff, 0xff, 0xff, 0x1f]].concat();
        for odd in [&padded, &unknown, &backwards, cut, &wide, &[0][..]] {
            assert_eq!(Body::of(odd).shape, Shape::Raw, "{odd:?}");
            assert_eq!(again(&Body::of(odd)), odd);
        }
        for address in [
            "/dns/a.b/tcp/80",
            "/ip4/10.0.0.1",
            "/ip4/10.0.0.1/udp/1/quic-v1/p2p/0x00",
        ] {
            if let Ok(address) = address.parse::<Multiaddr>() {
                let odd = write_body(&[address], b"", Duration::from_secs(60));
                assert_eq!(Body::of(&odd).shape, Shape::Raw, "{odd:?}");
            }
        }
        let five = body(&["/ip4/10.0.0.1/tcp/7000"; 5], b"", 60);
        assert_eq!(Body::of(&five).shape, Shape::Raw);
    }

    const PARTS: [&[u8]; 8] = [
        &[0x0a, 8, 4, 10, 0, 0, 1, 6, 0, 7],
        &[0x0a, 8, 4, 10, 0, 0, 2, 6, 0, 7],
        &[0x0a, 11, 4, 10, 0, 0, 1, 0x91, 2, 0, 7, 0xcd, 3],
        &[0x12, 2, 1, 2],
        &[0x12, 0],
        &[0x18, 0x3c],
        &[0x18, 0],
        &[0x18, 0xbc, 0],
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
