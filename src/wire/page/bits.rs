//! Bits in the order in which they are written down: the highest of each byte first.

use alloc::vec::Vec;

use crate::wire::page::PageError;

/// Bits that it takes to write `value`: none for zero.
pub(super) const fn bit_len(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Appends bits to bytes.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The last `held` of these bits are not in `bytes` yet; less than 64.
    pending: u128,
    held: u32,
}

impl BitWriter {
    /// Goes on after these bytes.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// Appends the lowest `width` bits of `value`, at most 64; the others must be zero.
    pub(super) fn put(&mut self, value: u64, width: u32) {
        debug_assert!(bit_len(value) <= width, "{value} in {width} bits");
        self.pending = self.pending << width | u128::from(value);
        self.held += width;
        if self.held >= u64::BITS {
            self.held -= u64::BITS;
            let full = (self.pending >> self.held) as u64;
            self.bytes.extend_from_slice(&full.to_be_bytes());
        }
    }

    /// Appends so many zeros and a one.
    pub(super) fn put_unary(&mut self, mut zeros: u64) {
        while zeros >= 32 {
            self.put(0, 32);
            zeros -= 32;
        }
        self.put(1, zeros as u32 + 1);
    }

    /// The bytes, the last one filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let bytes = self.held.div_ceil(8);
        let last = (self.pending << (bytes * 8 - self.held)) as u64;
        let last = last.to_be_bytes();
        self.bytes.extend_from_slice(&last[8 - bytes as usize..]);
        self.bytes
    }
}

/// Takes bits from bytes.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next 64 bits, zeros beyond the end.
    fn window(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let window = match rest.first_chunk::<16>() {
            Some(chunk) => u128::from_be_bytes(*chunk),
            None => {
                let mut chunk = [0; 16];
                chunk[..rest.len()].copy_from_slice(rest);
                u128::from_be_bytes(chunk)
            }
        };
        (window << (self.at % 8) >> 64) as u64
    }

    /// The next `width` bits, at most 64.
    pub(super) fn take(&mut self, width: u32) -> Result<u64, PageError> {
        let end = self.at + width as usize;
        if end > self.bytes.len() * 8 {
            return Err(PageError::Truncated);
        }
        let value = self.window().checked_shr(u64::BITS - width).unwrap_or(0);
        self.at = end;
        Ok(value)
    }

    /// How many zeros there are before the next one.
    pub(super) fn take_unary(&mut self) -> Result<u64, PageError> {
        let start = self.at;
        loop {
            let zeros = self.window().leading_zeros();
            self.at += zeros as usize;
            if zeros < u64::BITS {
                self.at += 1;
                return Ok((self.at - 1 - start) as u64);
            }
            if self.at >= self.bytes.len() * 8 {
                return Err(PageError::Truncated);
            }
        }
    }

    /// The bytes after the last bit that was taken; up to them there must be zeros.
    pub(super) fn finish(mut self) -> Result<&'a [u8], PageError> {
        let padding = self.at.next_multiple_of(8) - self.at;
        if self.take(padding as u32)? != 0 {
            return Err(PageError::NotCanonical("padding"));
        }
        Ok(self.bytes.get(self.at / 8..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn the_highest_bit_comes_first_and_zeros_fill_up() {
        let mut out = BitWriter::after(vec![7]);
        out.put(0b101, 3);
        out.put_unary(2);
        out.put(0, 0);
        out.put(0x1_ff, 9);
        assert_eq!(out.finish(), [7, 0b1010_0111, 0b1111_1110]);
    }

    #[test]
    fn what_is_not_there_is_not_read() {
        let mut bits = BitReader::new(&[0xff, 0x80]);
        assert_eq!(bits.take(9), Ok(0x1ff));
        assert_eq!(bits.take(8), Err(PageError::Truncated));
        assert_eq!(bits.take_unary(), Err(PageError::Truncated));
        let bits = BitReader::new(&[0x01, 5]);
        assert_eq!(bits.finish(), Ok(&[0x01, 5][..]), "nothing was taken");
        let mut bits = BitReader::new(&[0x01, 5]);
        assert_eq!(bits.take(6), Ok(0));
        assert_eq!(bits.finish(), Err(PageError::NotCanonical("padding")));
    }

    proptest! {
        #[test]
        fn bits_are_read_as_written(fields in prop::collection::vec((any::<u64>(), 0u32..=64, 0u64..300), 0..50)) {
            let mut out = BitWriter::default();
            let cut = |value: u64, width: u32| value.checked_shr(64 - width).unwrap_or(0);
            for (value, width, zeros) in &fields {
                out.put(cut(*value, *width), *width);
                out.put_unary(*zeros);
            }
            let bytes = out.finish();
            let mut bits = BitReader::new(&bytes);
            for (value, width, zeros) in &fields {
                prop_assert_eq!(bits.take(*width), Ok(cut(*value, *width)));
                prop_assert_eq!(bits.take_unary(), Ok(*zeros));
            }
            prop_assert_eq!(bits.finish(), Ok(&[][..]));
        }
    }
}
