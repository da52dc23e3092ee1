//! The shape of a record's body in a page: what bodies have in common that differ by numbers only.

use alloc::vec::Vec;

use crate::contract;
use crate::wire::bits::{BitReader, BitWriter};
use crate::wire::page::PageError;

/// Addresses of a shape; with more the body stays as it is. It bounds what a record's few bits in a
/// page come to.
pub(super) const ADDRESSES: usize = 4;
/// Bytes of an address after its port: two are /quic-v1.
pub(super) const TAIL: usize = 4;

/// In the place of the number of addresses: the body as it is.
const RAW: u8 = 7;

/// Upstreams that a body names at most (R47).
pub(super) const UPSTREAMS: usize = contract::UPSTREAMS_NAMED;

/// What a body says of upstreams.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Named {
    /// Nothing.
    None,
    /// So many of them.
    Some(u8),
    /// That there are more than can be named.
    Many,
}

impl Named {
    /// How they are written: the number, and after the highest one that there are more.
    const fn code(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Some(n) => n as u64,
            Self::Many => UPSTREAMS as u64 + 1,
        }
    }

    fn of(code: u64) -> Result<Self, PageError> {
        match code {
            0 => Ok(Self::None),
            n if n <= UPSTREAMS as u64 => Ok(Self::Some(n as u8)),
            n if n == Self::Many.code() => Ok(Self::Many),
            _ => Err(PageError::Shape),
        }
    }

    /// How many are named.
    pub(super) const fn count(self) -> usize {
        match self {
            Self::Some(n) => n as usize,
            Self::None | Self::Many => 0,
        }
    }
}

/// Where an address leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Host {
    Ip4,
    Ip6,
    /// Where the one before it in the same body does.
    Same,
}

/// One address but for its numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Part {
    /// As it is written: two bits for the host, one for UDP, one for the port of the address before
    /// it, three for how many bytes follow the port.
    head: u8,
    /// These bytes, the last in the lowest bits.
    tail: u32,
}

impl Part {
    const HEAD_BITS: u32 = 7;
    const UDP: u8 = 1 << 4;
    const SAME_PORT: u8 = 1 << 3;
    const TAIL_LEN: u8 = 0b111;

    /// `None` if the tail is too long.
    #[inline]
    pub(super) fn new(host: Host, udp: bool, same_port: bool, tail: &[u8]) -> Option<Self> {
        if tail.len() > TAIL {
            return None;
        }
        let if_so = |bit: u8, so: bool| if so { bit } else { 0 };
        let facts = if_so(Self::UDP, udp) | if_so(Self::SAME_PORT, same_port);
        let head = (host as u8) << 5 | facts | tail.len() as u8;
        let tail = tail.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        Some(Self { head, tail })
    }

    pub(super) const fn host(self) -> Host {
        match self.head >> 5 {
            0 => Host::Ip4,
            1 => Host::Ip6,
            _ => Host::Same,
        }
    }

    pub(super) const fn udp(self) -> bool {
        self.head & Self::UDP > 0
    }

    pub(super) const fn same_port(self) -> bool {
        self.head & Self::SAME_PORT > 0
    }

    pub(super) const fn tail_len(self) -> u8 {
        self.head & Self::TAIL_LEN
    }

    /// The bytes after the port.
    #[inline]
    pub(super) fn put_tail(self, out: &mut Vec<u8>) {
        let tail = self.tail.to_be_bytes();
        out.extend_from_slice(&tail[TAIL - usize::from(self.tail_len())..]);
    }

    const fn tail_bits(self) -> u32 {
        8 * self.tail_len() as u32
    }

    fn put(self, out: &mut BitWriter) {
        out.put(self.head.into(), Self::HEAD_BITS);
        out.put(self.tail.into(), self.tail_bits());
    }

    fn take(is_first: bool, bits: &mut BitReader<'_>) -> Result<Self, PageError> {
        let head = bits.take(Self::HEAD_BITS)? as u8;
        let mut part = Self { head, tail: 0 };
        let alone = part.host() != Host::Same && !part.same_port();
        if head >> 5 > Host::Same as u8
            || usize::from(part.tail_len()) > TAIL
            || (is_first && !alone)
        {
            return Err(PageError::Shape);
        }
        part.tail = bits.take(part.tail_bits())? as u32;
        Ok(part)
    }
}

/// What else a body has beside its addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Fields {
    pub(super) metadata: bool,
    pub(super) lifetime: bool,
    pub(super) detection: bool,
    pub(super) upstreams: Named,
}

impl Fields {
    const BITS: usize = 7;
    const NONE: Self = Self {
        metadata: false,
        lifetime: false,
        detection: false,
        upstreams: Named::None,
    };

    fn put(self, out: &mut BitWriter) {
        for there in [self.metadata, self.lifetime, self.detection] {
            out.put(u64::from(there), 1);
        }
        out.put(self.upstreams.code(), 4);
    }

    fn take(bits: &mut BitReader<'_>) -> Result<Self, PageError> {
        let mut flag = || bits.take(1).map(|bit| bit == 1);
        Ok(Self {
            metadata: flag()?,
            lifetime: flag()?,
            detection: flag()?,
            upstreams: Named::of(bits.take(4)?)?,
        })
    }
}

/// What bodies have in common that differ by numbers only: the common form, or that they are as they
/// are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Shape {
    parts: [Part; ADDRESSES],
    /// How many of them there are, or [`RAW`].
    count: u8,
    fields: Fields,
}

/// What the numbers of bodies are. A page has a column of each, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    Ip4,
    Ip6Network,
    Ip6Host,
    Port,
    Lifetime,
    Detection,
    /// The beginning of an upstream's ID.
    Upstream,
    MetadataLen,
    RawLen,
}

impl Number {
    pub(super) const COUNT: usize = 9;

    /// In their order.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Ip4,
        Self::Ip6Network,
        Self::Ip6Host,
        Self::Port,
        Self::Lifetime,
        Self::Detection,
        Self::Upstream,
        Self::MetadataLen,
        Self::RawLen,
    ];

    /// Bits that each has at most.
    pub(super) const BITS: [u32; Self::COUNT] = [32, 64, 64, 16, 32, 32, 64, 16, 32];
}

impl Shape {
    pub(super) const RAW: Self = Self {
        parts: [Part { head: 0, tail: 0 }; ADDRESSES],
        count: RAW,
        fields: Fields::NONE,
    };

    /// The common form with these addresses, of which there are so many.
    pub(super) const fn plain(parts: [Part; ADDRESSES], count: usize, fields: Fields) -> Self {
        Self {
            parts,
            count: count as u8,
            fields,
        }
    }

    pub(super) const fn is_raw(&self) -> bool {
        self.count == RAW
    }

    pub(super) const fn fields(&self) -> Fields {
        self.fields
    }

    #[inline]
    pub(super) fn parts(&self) -> &[Part] {
        self.parts.get(..self.count.into()).unwrap_or_default()
    }

    /// The numbers of a body of this shape, in their order, and of which address each is.
    #[inline]
    pub(super) fn numbers(&self, mut each: impl FnMut(Number, usize)) {
        for (i, part) in self.parts().iter().enumerate() {
            match part.host() {
                Host::Ip4 => each(Number::Ip4, i),
                Host::Ip6 => {
                    each(Number::Ip6Network, i);
                    each(Number::Ip6Host, i);
                }
                Host::Same => {}
            }
            if !part.same_port() {
                each(Number::Port, i);
            }
        }
        if self.is_raw() {
            return each(Number::RawLen, 0);
        }
        if self.fields.metadata {
            each(Number::MetadataLen, 0);
        }
        if self.fields.lifetime {
            each(Number::Lifetime, 0);
        }
        if self.fields.detection {
            each(Number::Detection, 0);
        }
        (0..self.fields.upstreams.count()).for_each(|i| each(Number::Upstream, i));
    }

    pub(super) fn put(&self, out: &mut BitWriter) {
        out.put(self.count.into(), 3);
        if self.is_raw() {
            return;
        }
        self.fields.put(out);
        self.parts().iter().for_each(|part| part.put(out));
    }

    pub(super) fn take(bits: &mut BitReader<'_>) -> Result<Self, PageError> {
        let count = bits.take(3)? as u8;
        if count == RAW {
            return Ok(Self::RAW);
        }
        if usize::from(count) > ADDRESSES {
            return Err(PageError::Shape);
        }
        let fields = Fields::take(bits)?;
        let mut parts = [Part::default(); ADDRESSES];
        for (i, part) in parts.iter_mut().take(count.into()).enumerate() {
            *part = Part::take(i == 0, bits)?;
        }
        Ok(Self::plain(parts, count.into(), fields))
    }

    /// Bits that it takes.
    pub(super) fn bits(&self) -> usize {
        let part = |part: &Part| (Part::HEAD_BITS + part.tail_bits()) as usize;
        match self.is_raw() {
            true => 3,
            false => 3 + Fields::BITS + self.parts().iter().map(part).sum::<usize>(),
        }
    }
}
