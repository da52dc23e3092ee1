//! A reader of version 1, written from its schema alone: it shares no code with the crate, and
//! stays as it is when the crate grows. What it does not know it skips, as version 1 does.

use crate::page1::{self, Record};

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// The fields of one message, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(Vec<(u64, Value<'a>)>);

/// A message of version 1.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    /// 1 Hello, 2 Request, 3 Response, 4 Update, 5 Goodbye, 6 Beat, 7 Ask.
    pub(crate) kind: u64,
    pub(crate) content: Fields<'a>,
}

pub(crate) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(taken)
}

impl<'a> Fields<'a> {
    pub(crate) fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let value = match key & 7 {
                0 => Value::Varint(varint(&mut bytes)?),
                1 => {
                    take(&mut bytes, 8)?;
                    continue;
                }
                5 => Value::Fixed32(u32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?)),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    Value::Bytes(take(&mut bytes, length)?)
                }
                _ => return None,
            };
            fields.push((key >> 3, value));
        }
        Some(Self(fields))
    }

    /// The same message without fields of these numbers, otherwise byte for byte.
    pub(crate) fn without(message: &[u8], numbers: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = message;
        while !rest.is_empty() {
            let before = rest;
            let key = varint(&mut rest).expect("a key");
            match key & 7 {
                0 => varint(&mut rest).map(drop),
                1 => take(&mut rest, 8).map(drop),
                5 => take(&mut rest, 4).map(drop),
                _ => varint(&mut rest)
                    .and_then(|n| take(&mut rest, n as usize))
                    .map(drop),
            }
            .expect("a value");
            if !numbers.contains(&(key >> 3)) {
                out.extend(&before[..before.len() - rest.len()]);
            }
        }
        out
    }

    /// The last one of this number, as in proto3.
    fn last(&self, number: u64) -> Option<Value<'a>> {
        let found = self.0.iter().rev().find(|(n, _)| *n == number);
        found.map(|(_, value)| *value)
    }

    pub(crate) fn varint(&self, number: u64) -> u64 {
        match self.last(number) {
            Some(Value::Varint(value)) => value,
            None => 0,
            other => panic!("field {number} is no varint: {other:?}"),
        }
    }

    pub(crate) fn fixed32(&self, number: u64) -> u32 {
        match self.last(number) {
            Some(Value::Fixed32(value)) => value,
            None => 0,
            other => panic!("field {number} has not 32 bits: {other:?}"),
        }
    }

    pub(crate) fn bytes(&self, number: u64) -> &'a [u8] {
        match self.last(number) {
            Some(Value::Bytes(bytes)) => bytes,
            None => &[],
            other => panic!("field {number} is no bytes: {other:?}"),
        }
    }

    pub(crate) fn message(&self, number: u64) -> Option<Self> {
        self.last(number)?;
        Some(Self::read(self.bytes(number)).expect("a message"))
    }

    /// The page in this field, if there is one.
    pub(crate) fn page(&self, number: u64) -> Option<Vec<Record>> {
        self.last(number)?;
        Some(page1::read(self.bytes(number)))
    }
}

impl<'a> Envelope<'a> {
    /// Reads what version 1 reads. `None`: it would count the message as unknown.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        assert!(bytes.len() <= 65_536);
        let fields = Fields::read(bytes).expect("an envelope");
        let kind = (1..=7).find(|kind| fields.last(*kind).is_some())?;
        let content = fields.message(kind)?;
        Some(Self { kind, content })
    }
}
