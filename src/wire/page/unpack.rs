//! A page to records. Nothing is allocated before the bytes show that there may be so much: a record
//! is at least the end of its node ID, and what its few bits in a page stand for is bounded by the
//! largest shape.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use prost::encoding::{decode_varint, encoded_len_varint};

use crate::contract;
use crate::id::NodeId;
use crate::record::{Sequence, Signature};
use crate::wire::bits::{BitReader, bit_len};
use crate::wire::page::body::Body;
use crate::wire::page::records::{Records, Row};
use crate::wire::page::shape::{Host, Number, Shape};
use crate::wire::page::{HEAD_BITS, HEAD_BYTES, PageError, REST_BYTES, column, signed};

/// The records of a page.
///
/// # Errors
/// When the bytes are not what `pack` makes of any records.
pub(in crate::wire) fn unpack(page: &[u8]) -> Result<Records, PageError> {
    if page.is_empty() {
        return Ok(Records::default());
    }
    let (n, rest) = take_count(page)?;
    let mut bits = BitReader::new(rest);
    let heads = take_heads(n, &mut bits)?;
    let versions = column::take(n, 64, &mut bits)?;
    let beats = column::take(n, 32, &mut bits)?;
    let lives = column::take(n, 32, &mut bits)?;
    let signed = take_signed(n, &mut bits)?;
    let shapes = take_shapes(n, &mut bits)?;
    let mut numbers = Numbers::take(n, &shapes, &mut bits)?;
    let mut bytes = Bytes(bits.finish()?);
    let ends = bytes.take(n * REST_BYTES)?;
    numbers.resolve(&heads, ends)?;
    let bodies = Bodies::take(&shapes, &numbers, &mut bytes)?;
    let mut records = Records {
        rows: Vec::with_capacity(n),
        bodies: bodies.bytes,
        signatures: Vec::with_capacity(signed.iter().filter(|is| **is).count()),
    };
    let mut body_at = 0;
    for (i, end) in ends.chunks_exact(REST_BYTES).enumerate() {
        let mut node = [0; NodeId::LEN];
        node[..HEAD_BYTES].copy_from_slice(&heads[i].to_be_bytes());
        node[HEAD_BYTES..].copy_from_slice(end);
        if signed[i] {
            records.signatures.push(bytes.take_signature()?);
        }
        let body_end = bodies.ends[i];
        records.rows.push(Row {
            node: NodeId::new(node),
            sequence: Sequence {
                version: versions[i],
                beat: beats[i] as u32,
            },
            remaining_s: lives[i] as u32,
            body_at,
            body_len: body_end - body_at,
            signature: if signed[i] {
                records.signatures.len() as u32
            } else {
                0
            },
        });
        body_at = body_end;
    }
    if !records.rows.is_sorted_by(|a, b| a.node < b.node) {
        return Err(PageError::NotCanonical("order of node IDs"));
    }
    if !bytes.0.is_empty() {
        return Err(PageError::TooLong);
    }
    Ok(records)
}

/// What follows the bits.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], PageError> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(PageError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn take_signature(&mut self) -> Result<Signature, PageError> {
        let (signature, rest) = self.0.split_first_chunk().ok_or(PageError::Truncated)?;
        self.0 = rest;
        Ok(*signature)
    }
}

/// The number of records, of which the bytes may have so many.
fn take_count(page: &[u8]) -> Result<(usize, &[u8]), PageError> {
    let mut rest = page;
    let count = decode_varint(&mut rest).map_err(|_| PageError::Truncated)?;
    if count == 0 || encoded_len_varint(count) != page.len() - rest.len() {
        return Err(PageError::NotCanonical("number of records"));
    }
    let n = usize::try_from(count).unwrap_or(usize::MAX);
    if n > rest.len() / REST_BYTES {
        return Err(PageError::Truncated);
    }
    Ok((n, rest))
}

fn take_heads(n: usize, bits: &mut BitReader<'_>) -> Result<Vec<u32>, PageError> {
    let first_bits = bit_len(n as u64 - 1);
    let rest = HEAD_BITS - first_bits;
    let mut first = 0;
    let mut heads = Vec::with_capacity(n);
    for _ in 0..n {
        first += bits.take_unary()?;
        if bit_len(first) > first_bits {
            return Err(PageError::Number);
        }
        heads.push((first << rest | bits.take(rest)?) as u32);
    }
    Ok(heads)
}

fn take_signed(n: usize, bits: &mut BitReader<'_>) -> Result<Vec<bool>, PageError> {
    match bits.take(2)? {
        signed::NONE => Ok(vec![false; n]),
        signed::ALL => Ok(vec![true; n]),
        signed::SOME => {
            let mut list = Vec::with_capacity(n);
            for _ in 0..n {
                list.push(bits.take(1)? == 1);
            }
            let mixed = list.contains(&true) && list.contains(&false);
            mixed
                .then_some(list)
                .ok_or(PageError::NotCanonical("signatures"))
        }
        _ => Err(PageError::Number),
    }
}

/// The shapes, and which of them each body has.
struct Shapes {
    list: Vec<Shape>,
    indexes: Vec<u32>,
}

impl Shapes {
    /// The shape of each body.
    fn iter(&self) -> impl ExactSizeIterator<Item = &Shape> {
        self.indexes.iter().map(|i| &self.list[*i as usize])
    }
}

fn take_shapes(n: usize, bits: &mut BitReader<'_>) -> Result<Shapes, PageError> {
    let count = bits.take(bit_len(n as u64 - 1))? as usize + 1;
    if count > n {
        return Err(PageError::Number);
    }
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(Shape::take(bits)?);
    }
    let distinct: BTreeSet<_> = list.iter().collect();
    if distinct.len() != count {
        return Err(PageError::NotCanonical("a shape twice"));
    }
    let index_bits = bit_len(count as u64 - 1);
    let mut used = 0;
    let mut indexes = Vec::with_capacity(n);
    for _ in 0..n {
        let index = bits.take(index_bits)? as usize;
        if index > used {
            return Err(PageError::NotCanonical("order of shapes"));
        }
        if index >= count {
            return Err(PageError::Number);
        }
        used += usize::from(index == used);
        indexes.push(index as u32);
    }
    if used != count {
        return Err(PageError::NotCanonical("a shape without a body"));
    }
    Ok(Shapes { list, indexes })
}

/// The numbers of the bodies, by what they are; of upstreams first their places in the page.
struct Numbers {
    columns: [Vec<u64>; Number::COUNT],
    /// The beginnings of the IDs of upstreams that are not in the page.
    elsewhere: Vec<u64>,
}

impl Numbers {
    fn take(n: usize, shapes: &Shapes, bits: &mut BitReader<'_>) -> Result<Self, PageError> {
        let mut counts = [0; Number::COUNT];
        for shape in shapes.iter() {
            shape.numbers(|number, _| counts[number as usize] += 1);
        }
        let mut columns: [Vec<u64>; Number::COUNT] = Default::default();
        let mut elsewhere = Vec::new();
        for (i, number) in Number::ALL.into_iter().enumerate() {
            let most = Number::BITS[i];
            columns[i] = match number {
                Number::Upstream => {
                    let places = column::take(counts[i], bit_len(n as u64), bits)?;
                    let absent = places.iter().filter(|place| **place == 0).count();
                    elsewhere = column::take(absent, most, bits)?;
                    places
                }
                _ => column::take(counts[i], most, bits)?,
            };
        }
        Ok(Self { columns, elsewhere })
    }

    /// Places of upstreams become the beginnings of their IDs.
    fn resolve(&mut self, heads: &[u32], ends: &[u8]) -> Result<(), PageError> {
        let places = &mut self.columns[Number::Upstream as usize];
        if places.is_empty() {
            return Ok(());
        }
        let beginning = |(head, end): (&u32, &[u8])| {
            let end = end.first_chunk().map_or(0, |end| u32::from_be_bytes(*end));
            u64::from(*head) << 32 | u64::from(end)
        };
        let ids = heads.iter().zip(ends.chunks_exact(REST_BYTES));
        let ids: Vec<u64> = ids.map(beginning).collect();
        let mut elsewhere = self.elsewhere.iter();
        for place in places {
            let named = match (*place as usize).checked_sub(1) {
                Some(i) => {
                    let named = *ids.get(i).ok_or(PageError::Number)?;
                    // Of two that begin alike, the first.
                    let first = i == 0 || ids[i - 1] != named;
                    first.then_some(named)
                }
                None => {
                    let named = elsewhere.next().filter(|n| ids.binary_search(n).is_err());
                    named.copied()
                }
            };
            *place = named.ok_or(PageError::NotCanonical("the place of an upstream"))?;
        }
        Ok(())
    }

    fn of(&self, number: Number) -> &[u64] {
        &self.columns[number as usize]
    }
}

/// The bodies, one after the other, and where each ends.
struct Bodies {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Bodies {
    fn take(shapes: &Shapes, numbers: &Numbers, bytes: &mut Bytes<'_>) -> Result<Self, PageError> {
        let n = shapes.indexes.len();
        let length = |lengths: &[u64]| lengths.iter().sum::<u64>() as usize;
        let mut filling = Filling {
            ip4: numbers.of(Number::Ip4).iter(),
            ip6: numbers
                .of(Number::Ip6Network)
                .iter()
                .zip(numbers.of(Number::Ip6Host)),
            ports: numbers.of(Number::Port).iter(),
            lifetimes: numbers.of(Number::Lifetime).iter(),
            detections: numbers.of(Number::Detection).iter(),
            upstreams: numbers.of(Number::Upstream).iter(),
            metadata: numbers.of(Number::MetadataLen).iter(),
            raw: numbers.of(Number::RawLen).iter(),
            metadata_bytes: Bytes(bytes.take(length(numbers.of(Number::MetadataLen)))?),
            raw_bytes: Bytes(bytes.take(length(numbers.of(Number::RawLen)))?),
        };
        let mut out = Self {
            bytes: Vec::with_capacity(n * 12),
            ends: Vec::with_capacity(n),
        };
        for shape in shapes.iter() {
            filling.next(shape)?.put(&mut out.bytes);
            out.ends.push(out.bytes.len() as u32);
        }
        Ok(out)
    }
}

/// What fills the shapes, one after the other.
struct Filling<'a> {
    ip4: core::slice::Iter<'a, u64>,
    ip6: core::iter::Zip<core::slice::Iter<'a, u64>, core::slice::Iter<'a, u64>>,
    ports: core::slice::Iter<'a, u64>,
    lifetimes: core::slice::Iter<'a, u64>,
    detections: core::slice::Iter<'a, u64>,
    upstreams: core::slice::Iter<'a, u64>,
    metadata: core::slice::Iter<'a, u64>,
    raw: core::slice::Iter<'a, u64>,
    metadata_bytes: Bytes<'a>,
    raw_bytes: Bytes<'a>,
}

impl<'a> Filling<'a> {
    /// The body of this shape, as only it is written.
    fn next(&mut self, shape: &Shape) -> Result<Body<'a>, PageError> {
        let next = |numbers: &mut core::slice::Iter<'_, u64>| numbers.next().copied();
        if shape.is_raw() {
            let len = next(&mut self.raw).unwrap_or(0) as usize;
            let body = Body::of(self.raw_bytes.take(len)?);
            return match body.shape.is_raw() {
                true => Ok(body),
                false => Err(PageError::NotCanonical("a raw body")),
            };
        }
        let mut body = Body::raw(&[]);
        body.shape = *shape;
        self.addresses(shape, &mut body)?;
        let fields = shape.fields();
        if fields.metadata {
            let len = next(&mut self.metadata).unwrap_or(0) as usize;
            if len > contract::METADATA_BYTES {
                return Err(PageError::Number);
            }
            body.metadata = self.metadata_bytes.take(len)?;
        }
        if fields.lifetime {
            body.lifetime = next(&mut self.lifetimes).unwrap_or(0) as u32;
        }
        if fields.detection {
            body.detection = next(&mut self.detections).unwrap_or(0) as u32;
        }
        let named = body.upstreams.iter_mut().take(fields.upstreams.count());
        for (room, upstream) in named.zip(&mut self.upstreams) {
            *room = *upstream;
        }
        Ok(body)
    }

    /// Its addresses.
    fn addresses(&mut self, shape: &Shape, body: &mut Body<'a>) -> Result<(), PageError> {
        let next = |numbers: &mut core::slice::Iter<'_, u64>| numbers.next().copied();
        let mut is_ip6 = None;
        for (i, part) in shape.parts().iter().enumerate() {
            let (before_ip6, before) = (is_ip6, i.checked_sub(1));
            let before_host = before.map(|i| body.hosts[i]);
            let host = match part.host() {
                Host::Same => before_host,
                Host::Ip4 => {
                    is_ip6 = Some(false);
                    next(&mut self.ip4).map(u128::from)
                }
                Host::Ip6 => {
                    is_ip6 = Some(true);
                    let halves = self.ip6.next();
                    halves.map(|(net, host)| u128::from(*net) << 64 | u128::from(*host))
                }
            };
            let before_port = before.map(|i| body.ports[i]);
            let port = match part.same_port() {
                true => before_port,
                false => next(&mut self.ports).map(|port| port as u16),
            };
            let again = part.host() != Host::Same && before_ip6 == is_ip6 && before_host == host;
            if again || (!part.same_port() && before_port == port) {
                return Err(PageError::NotCanonical("an address like the one before"));
            }
            body.hosts[i] = host.ok_or(PageError::Shape)?;
            body.ports[i] = port.ok_or(PageError::Shape)?;
        }
        Ok(())
    }
}
