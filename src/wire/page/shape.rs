//! The shape of a record's body in a page: what bodies have in common that differ by numbers only.

use crate::contract;
use crate::wire::page::PageError;
use crate::wire::page::bits::{BitReader, BitWriter};

/// Addresses of a shape; with more the body stays as it is. It bounds what a record's few bits in a
/// page come to.
pub(super) const ADDRESSES: usize = 4;
/// Bytes of an address after its port: two are /quic-v1.
pub(super) const TAIL: usize = 4;

/// In the place of the number of addresses: the body as it is.
const RAW: u64 = 7;

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
    pub(super) udp: bool,
    /// The port is that of the address before it.
    pub(super) same_port: bool,
    pub(super) tail: [u8; TAIL],
    pub(super) tail_len: u8,
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

/// What bodies have in common that differ by numbers only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Shape {
    /// The bytes as they are.
    Raw,
    /// The common form.
    Plain {
        parts: [Option<Part>; ADDRESSES],
        fields: Fields,
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
        let fields = match self {
            Self::Raw => return each(Number::RawLen, 0),
            Self::Plain { fields, .. } => *fields,
        };
        if fields.metadata {
            each(Number::MetadataLen, 0);
        }
        if fields.lifetime {
            each(Number::Lifetime, 0);
        }
        if fields.detection {
            each(Number::Detection, 0);
        }
        (0..fields.upstreams.count()).for_each(|i| each(Number::Upstream, i));
    }

    pub(super) fn put(&self, out: &mut BitWriter) {
        let Self::Plain { fields, .. } = self else {
            out.put(RAW, 3);
            return;
        };
        out.put(self.parts().count() as u64, 3);
        fields.put(out);
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
        let fields = Fields::take(bits)?;
        let mut parts = [None; ADDRESSES];
        for (i, part) in parts.iter_mut().take(n as usize).enumerate() {
            *part = Some(Part::take(i == 0, bits)?);
        }
        Ok(Self::Plain { parts, fields })
    }

    /// Bits that it takes.
    pub(super) fn bits(&self) -> usize {
        let part = |(_, part): (usize, Part)| 7 + 8 * usize::from(part.tail_len);
        match self {
            Self::Raw => 3,
            Self::Plain { .. } => 3 + Fields::BITS + self.parts().map(part).sum::<usize>(),
        }
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
