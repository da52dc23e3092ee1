//! A reader of pages of version 1, written from proto/README.md alone. It takes every page for the
//! one form of its records: what else is refused is tested elsewhere.

use crate::version1::{take, varint};

/// One record of a page.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) node: Vec<u8>,
    pub(crate) version: u64,
    pub(crate) beat: u64,
    pub(crate) remaining_s: u64,
    pub(crate) body: Vec<u8>,
}

/// Bits, the highest of each byte first.
struct Bits<'a>(&'a [u8], usize);

impl Bits<'_> {
    fn bit(&mut self) -> u64 {
        let byte = self.0[self.1 / 8];
        self.1 += 1;
        u64::from(byte >> (7 - (self.1 - 1) % 8) & 1)
    }

    fn number(&mut self, width: u32) -> u64 {
        (0..width).fold(0, |number, _| number << 1 | self.bit())
    }

    fn unary(&mut self) -> u64 {
        let mut zeros = 0;
        while self.bit() == 0 {
            zeros += 1;
        }
        zeros
    }

    fn column(&mut self, n: usize) -> std::vec::IntoIter<u64> {
        let mut values = Vec::new();
        if n > 0 {
            let width = self.number(7) as u32;
            let first = if n > 1 {
                self.number(bits_of(width.into())) as u32
            } else {
                0
            };
            let mut list = vec![0];
            if first > 0 {
                let count = self.number(bits_of(n as u64 - 1)) + 1;
                list = (0..count).map(|_| self.number(first)).collect();
            }
            for _ in 0..n {
                let beginning = list[self.number(bits_of(list.len() as u64 - 1)) as usize];
                let rest = self.number(width - first);
                values.push((u128::from(beginning) << (width - first)) as u64 | rest);
            }
        }
        values.into_iter()
    }
}

/// How many bits this number has.
fn bits_of(number: u64) -> u32 {
    64 - number.leading_zeros()
}

struct Address {
    host: u64,
    udp: bool,
    same_port: bool,
    tail: Vec<u8>,
}

/// What a body that is not as it is has.
struct Plain {
    addresses: Vec<Address>,
    metadata: bool,
    lifetime: bool,
    detection: bool,
    /// 0: not named; 9: named and empty.
    upstreams: usize,
}

impl Plain {
    fn named(&self) -> usize {
        self.upstreams % 9
    }
}

/// `None`: as it is.
type Shape = Option<Plain>;

fn shape(bits: &mut Bits<'_>) -> Shape {
    let count = bits.number(3);
    if count == 7 {
        return None;
    }
    let [metadata, lifetime, detection] = [0; 3].map(|_| bits.bit() == 1);
    let upstreams = bits.number(4) as usize;
    let address = |_| Address {
        host: bits.number(2),
        udp: bits.bit() == 1,
        same_port: bits.bit() == 1,
        tail: (0..bits.number(3)).map(|_| bits.number(8) as u8).collect(),
    };
    Some(Plain {
        addresses: (0..count).map(address).collect(),
        metadata,
        lifetime,
        detection,
        upstreams,
    })
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The records of a page.
pub(crate) fn read(mut page: &[u8]) -> Vec<Record> {
    if page.is_empty() {
        return Vec::new();
    }
    let n = varint(&mut page).expect("a count") as usize;
    let mut bits = Bits(page, 0);
    let ahead = bits_of(n as u64 - 1);
    let mut first = 0;
    let mut heads = Vec::new();
    for _ in 0..n {
        first += bits.unary();
        heads.push((first << (32 - ahead) | bits.number(32 - ahead)) as u32);
    }
    let [mut versions, mut beats, mut lives] = [0; 3].map(|_| bits.column(n));
    let signed: Vec<bool> = match bits.number(2) {
        0 => vec![false; n],
        1 => vec![true; n],
        _ => (0..n).map(|_| bits.bit() == 1).collect(),
    };
    let shapes: Vec<Shape> = {
        let count = bits.number(bits_of(n as u64 - 1)) + 1;
        (0..count).map(|_| shape(&mut bits)).collect()
    };
    let index = bits_of(shapes.len() as u64 - 1);
    let shapes: Vec<&Shape> = (0..n)
        .map(|_| &shapes[bits.number(index) as usize])
        .collect();
    let bodies = bodies(&shapes, &mut bits);
    let mut rest = &page[bits.1.div_ceil(8)..];
    let ends = take(&mut rest, 28 * n).expect("the ends of IDs");
    let node = |i: usize| [&u32::to_be_bytes(heads[i])[..], &ends[28 * i..28 * (i + 1)]].concat();
    let (mut metadata, mut raw) = (rest, rest);
    let total = |number: u64| {
        bodies
            .lengths
            .iter()
            .filter(|l| l.0 == number)
            .map(|l| l.1)
            .sum()
    };
    take(&mut raw, total(METADATA)).expect("metadata");
    let mut after = raw;
    take(&mut after, total(RAW)).expect("bodies as they are");
    let body = |parts: Vec<Part>| {
        let mut out = Vec::new();
        for part in parts {
            match part {
                Part::Bytes(bytes) => out.extend(bytes),
                Part::Metadata(len) => {
                    out.push(0x12);
                    put_varint(len as u64, &mut out);
                    out.extend(take(&mut metadata, len).expect("metadata"));
                }
                Part::Raw(len) => out.extend(take(&mut raw, len).expect("a body")),
                Part::Upstream(place) => out.extend(&node(place - 1)[..8]),
            }
        }
        out
    };
    let bodies: Vec<_> = bodies.parts.into_iter().map(body).collect();
    let signatures = signed.iter().filter(|signed| **signed).count();
    assert_eq!(after.len(), 64 * signatures, "signatures, and no more");
    let record = |(i, body)| Record {
        node: node(i),
        version: versions.next().expect("a version"),
        beat: beats.next().expect("a beat"),
        remaining_s: lives.next().expect("a life"),
        body,
    };
    bodies.into_iter().enumerate().map(record).collect()
}

const METADATA: u64 = 0;
const RAW: u64 = 1;

enum Part {
    Bytes(Vec<u8>),
    Metadata(usize),
    Raw(usize),
    /// By its place in the page, from 1.
    Upstream(usize),
}

struct Bodies {
    parts: Vec<Vec<Part>>,
    /// Of metadata and of bodies as they are.
    lengths: Vec<(u64, usize)>,
}

fn bodies(shapes: &[&Shape], bits: &mut Bits<'_>) -> Bodies {
    let plain = || shapes.iter().filter_map(|shape| shape.as_ref());
    let addresses =
        |of: fn(&Address) -> bool| plain().flat_map(|s| &s.addresses).filter(|a| of(a)).count();
    let six = addresses(|a| a.host == 1);
    let mut ip4 = bits.column(addresses(|a| a.host == 0));
    let (mut networks, mut hosts) = (bits.column(six), bits.column(six));
    let mut ports = bits.column(addresses(|a| !a.same_port));
    let mut lifetimes = bits.column(plain().filter(|s| s.lifetime).count());
    let mut detections = bits.column(plain().filter(|s| s.detection).count());
    let places = bits.column(plain().map(Plain::named).sum());
    let mut elsewhere = bits.column(places.clone().filter(|place| *place == 0).count());
    let mut places = places.map(|place| place as usize);
    let mut metadata = bits.column(plain().filter(|s| s.metadata).count());
    let mut raw = bits.column(shapes.iter().filter(|s| s.is_none()).count());
    let mut lengths = Vec::new();
    let mut parts = Vec::new();
    for shape in shapes {
        let Some(plain) = shape else {
            let len = raw.next().expect("a length") as usize;
            lengths.push((RAW, len));
            parts.push(vec![Part::Raw(len)]);
            continue;
        };
        let (mut host, mut port) = (Vec::new(), 0);
        let mut bytes = Vec::new();
        for address in &plain.addresses {
            match address.host {
                0 => {
                    let number = ip4.next().expect("an address") as u32;
                    host = [&[4][..], &number.to_be_bytes()].concat();
                }
                1 => {
                    let halves = [&mut networks, &mut hosts].map(|c| c.next().expect("a half"));
                    host = [&[0x29][..], &halves.map(u64::to_be_bytes).concat()].concat();
                }
                _ => {}
            }
            if !address.same_port {
                port = ports.next().expect("a port") as u16;
            }
            let transport: &[u8] = if address.udp { &[0x91, 2] } else { &[6] };
            let whole = [&host, transport, &port.to_be_bytes(), &address.tail].concat();
            bytes.extend([0x0a, whole.len() as u8]);
            bytes.extend(whole);
        }
        let mut body = vec![Part::Bytes(bytes)];
        if plain.metadata {
            let len = metadata.next().expect("a length") as usize;
            lengths.push((METADATA, len));
            body.push(Part::Metadata(len));
        }
        for (there, key, column) in [
            (plain.lifetime, 0x18, &mut lifetimes),
            (plain.detection, 0x20, &mut detections),
        ] {
            if there {
                let mut field = vec![key];
                put_varint(column.next().expect("a time"), &mut field);
                body.push(Part::Bytes(field));
            }
        }
        if plain.upstreams > 0 {
            body.push(Part::Bytes(vec![0x2a, 8 * plain.named() as u8]));
        }
        for place in (&mut places).take(plain.named()) {
            body.push(match place {
                0 => {
                    let named = elsewhere.next().expect("the beginning of an ID");
                    Part::Bytes(named.to_be_bytes().into())
                }
                place => Part::Upstream(place),
            });
        }
        parts.push(body);
    }
    Bodies { parts, lengths }
}
