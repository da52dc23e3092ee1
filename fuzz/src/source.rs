//! Values out of the fuzzer's bytes. When those have run out, everything is zero: a short input is
//! a valid one, and what the fuzzer cuts off changes nothing before it.

use arbitrary::Unstructured;
use bytes::Bytes;

/// The fuzzer's bytes.
pub struct Source<'a>(Unstructured<'a>);

impl<'a> Source<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or_default()
    }

    pub fn u16(&mut self) -> u16 {
        self.0.arbitrary().unwrap_or_default()
    }

    pub fn u32(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or_default()
    }

    pub fn u64(&mut self) -> u64 {
        self.0.arbitrary().unwrap_or_default()
    }

    pub fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// One of these many, at most 256; 0 for none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.u8()) % bound.max(1)
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let i = self.below(list.len());
        list.get(i).copied()
    }

    pub fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| make(self))
    }

    /// At most `most` bytes.
    pub fn bytes(&mut self, most: usize) -> Bytes {
        let len = usize::from(self.u16()) % (most + 1);
        let len = len.min(self.0.len());
        Bytes::copy_from_slice(self.0.bytes(len).unwrap_or_default())
    }

    /// What is left.
    pub fn rest(self) -> Bytes {
        Bytes::copy_from_slice(self.0.take_rest())
    }

    /// A number with a taste for the edges.
    pub fn number(&mut self) -> u64 {
        match self.u8() % 8 {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => u64::MAX - 1,
            4 => u64::from(u32::MAX),
            5 | 6 => u64::from(self.u8()),
            _ => self.u64(),
        }
    }
}
