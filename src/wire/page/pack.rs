//! Records to a page.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use prost::encoding::encode_varint;

use crate::id::NodeId;
use crate::wire::bits::{BitWriter, bit_len};
use crate::wire::page::body::Body;
use crate::wire::page::records::Records;
use crate::wire::page::shape::{Number, Shape};
use crate::wire::page::{HEAD_BITS, HEAD_BYTES, REST_BYTES, column, signed};

/// The numbers of the bodies, by what they are, and their bytes.
#[derive(Default)]
struct Bodies {
    numbers: [Vec<u64>; Number::COUNT],
    metadata: Vec<u8>,
    raw: Vec<u8>,
}

/// The first bytes of a node ID as a number.
fn head(node: &NodeId) -> u64 {
    let head = node.as_bytes().first_chunk::<HEAD_BYTES>();
    head.map_or(0, |head| u32::from_be_bytes(*head).into())
}

/// The page of these records; of none it is empty.
pub(in crate::wire) fn pack(records: &Records) -> Vec<u8> {
    let n = records.len();
    if n == 0 {
        return Vec::new();
    }
    // Nearly always enough: few columns but the IDs cost a byte and a half.
    let most = 64 + n * (NodeId::LEN + 8) + records.bodies.len() + 64 * records.signatures.len();
    let mut count = Vec::with_capacity(most);
    encode_varint(n as u64, &mut count);
    let mut out = BitWriter::after(count);
    put_heads(records, &mut out);
    let column = |of: fn(&super::records::Row) -> u64, out: &mut BitWriter| {
        let values: Vec<u64> = records.rows.iter().map(of).collect();
        column::put(&values, out);
    };
    column(|row| row.sequence.version, &mut out);
    column(|row| row.sequence.beat.into(), &mut out);
    column(|row| row.remaining_s.into(), &mut out);
    put_signed(records, &mut out);
    let bodies = put_shapes(records, &mut out);
    bodies.put(records, &mut out);
    let mut page = out.finish();
    for row in &records.rows {
        page.extend_from_slice(
            row.node
                .as_bytes()
                .last_chunk::<REST_BYTES>()
                .unwrap_or(&[0; REST_BYTES]),
        );
    }
    page.extend_from_slice(&bodies.metadata);
    page.extend_from_slice(&bodies.raw);
    let signatures = records.iter().filter_map(|record| record.signature);
    signatures.for_each(|signature| page.extend_from_slice(signature));
    page
}

/// The beginnings of the IDs: of as many bits as tell so many random ones apart, how far from the
/// one before, in unary, and the rest of the first bytes (Elias and Fano's code of a sorted list).
fn put_heads(records: &Records, out: &mut BitWriter) {
    let rest = HEAD_BITS - bit_len(records.len() as u64 - 1);
    let mut last = 0;
    for row in &records.rows {
        let head = head(&row.node);
        let first = head >> rest;
        out.put_unary(first - last);
        out.put(head & ((1 << rest) - 1), rest);
        last = first;
    }
}

fn put_signed(records: &Records, out: &mut BitWriter) {
    let is_signed = |row: &super::records::Row| row.signature > 0;
    let count = records.rows.iter().filter(|row| is_signed(row)).count();
    if count == 0 {
        out.put(signed::NONE, 2);
    } else if count == records.len() {
        out.put(signed::ALL, 2);
    } else {
        out.put(signed::SOME, 2);
        let rows = records.rows.iter();
        rows.for_each(|row| out.put(is_signed(row).into(), 1));
    }
}

/// The shapes in the order in which they first occur, and which one each body has.
fn put_shapes(records: &Records, out: &mut BitWriter) -> Bodies {
    let mut bodies = Bodies::default();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut places: BTreeMap<Shape, usize> = BTreeMap::new();
    let mut indexes = Vec::with_capacity(records.len());
    let mut last = None;
    for record in records.iter() {
        let body = Body::of(record.body);
        let index = match last {
            Some((shape, index)) if shape == body.shape => index,
            _ => *places.entry(body.shape).or_insert_with(|| {
                shapes.push(body.shape);
                shapes.len() - 1
            }),
        };
        last = Some((body.shape, index));
        indexes.push(index as u64);
        bodies.push(&body, records.len());
    }
    out.put(shapes.len() as u64 - 1, bit_len(records.len() as u64 - 1));
    shapes.iter().for_each(|shape| shape.put(out));
    let index_bits = bit_len(shapes.len() as u64 - 1);
    indexes.iter().for_each(|index| out.put(*index, index_bits));
    bodies
}

impl Bodies {
    /// One of so many records'.
    fn push(&mut self, body: &Body<'_>, records: usize) {
        body.numbers(|number, value| {
            let column = &mut self.numbers[number as usize];
            if column.is_empty() {
                column.reserve(records);
            }
            column.push(value);
        });
        self.metadata.extend_from_slice(body.metadata);
        self.raw.extend_from_slice(body.raw_bytes());
    }

    fn put(&self, records: &Records, out: &mut BitWriter) {
        for (number, values) in Number::ALL.into_iter().zip(&self.numbers) {
            match number {
                Number::Upstream => put_upstreams(values, records, out),
                _ => column::put(values, out),
            }
        }
    }
}

/// Where in the page each upstream is, from 1; and of those that are not there the beginnings of
/// their IDs.
fn put_upstreams(named: &[u64], records: &Records, out: &mut BitWriter) {
    let beginnings: Vec<u64> = match named {
        [] => Vec::new(),
        _ => records
            .rows
            .iter()
            .map(|r| r.node.prefix().number())
            .collect(),
    };
    let place = |named: &u64| match beginnings.partition_point(|b| b < named) {
        i if beginnings.get(i) == Some(named) => i as u64 + 1,
        _ => 0,
    };
    let places: Vec<u64> = named.iter().map(place).collect();
    let elsewhere = named.iter().zip(&places).filter(|(_, place)| **place == 0);
    let elsewhere: Vec<u64> = elsewhere.map(|(named, _)| *named).collect();
    column::put(&places, out);
    column::put(&elsewhere, out);
}
