//! Arithmetic in GF(2^16), as pairs over GF(2^8): tables of 1.5 KiB do, where one of logarithms in
//! GF(2^16) would take a quarter of a megabyte.
//!
//! GF(2^8) is taken modulo x^8 + x^4 + x^3 + x^2 + 1, GF(2^16) modulo y^2 + y + 32 over it. The low
//! byte of an element is the constant, the high byte the factor of y.

/// The constant of y's polynomial: the smallest power of two with which it is irreducible.
const NORM: u8 = 32;
/// The logarithm of zero: any sum with it leads to where the powers are zero.
const ZERO: u16 = 511;

/// The powers of x, twice over, then zeros.
const POWERS: [u8; 1024] = {
    let mut powers = [0; 1024];
    let (mut power, mut i) = (1_u16, 0);
    while i < 510 {
        powers[i] = power as u8;
        power = (power << 1) ^ (if power & 0x80 == 0 { 0 } else { 0x11d });
        i += 1;
    }
    powers
};

const LOGS: [u16; 256] = {
    let mut logs = [ZERO; 256];
    let mut i = 0;
    while i < 255 {
        logs[POWERS[i] as usize] = i as u16;
        i += 1;
    }
    logs
};

const fn log(a: u8) -> u16 {
    LOGS[a as usize]
}

const fn product(log_a: u16, log_b: u16) -> u8 {
    POWERS[(log_a + log_b) as usize & 1023]
}

/// Multiplies by one element.
#[derive(Clone, Copy)]
pub(super) struct Times {
    low: u16,
    /// With the constant of y's polynomial.
    high: u16,
    both: u16,
}

impl Times {
    pub(super) const fn new(k: u16) -> Self {
        let [low, high] = k.to_le_bytes();
        Self {
            low: log(low),
            high: log(product(log(high), log(NORM))),
            both: log(low ^ high),
        }
    }

    /// Karatsuba's three products.
    pub(super) const fn of(self, a: u16) -> u16 {
        let [low, high] = a.to_le_bytes();
        let lows = product(log(low), self.low);
        let highs = product(log(high), self.high);
        let both = product(log(low ^ high), self.both);
        u16::from_le_bytes([lows ^ highs, both ^ lows])
    }
}

pub(super) const fn mul(a: u16, b: u16) -> u16 {
    Times::new(b).of(a)
}

pub(super) const fn square(a: u16) -> u16 {
    let [low, high] = a.to_le_bytes();
    let (low, high) = (product(log(low), log(low)), product(log(high), log(high)));
    u16::from_le_bytes([low ^ product(log(high), log(NORM)), high])
}

/// The inverse, by that of the norm; 0 for 0.
pub(super) const fn inverse(a: u16) -> u16 {
    let [low, high] = a.to_le_bytes();
    let [norm, _] = mul(a, u16::from_le_bytes([low ^ high, high])).to_le_bytes();
    if norm == 0 {
        return 0;
    }
    let inverse = 255 - log(norm);
    u16::from_le_bytes([
        product(log(low ^ high), inverse),
        product(log(high), inverse),
    ])
}

/// w with w^2 + w = e, if there is one; the other is w + 1.
pub(super) fn solve(e: u16) -> Option<u16> {
    let (mut rest, mut w) = (e, 0);
    for (image, root) in ROOTS {
        // Its highest bit is in no image after it.
        if image != 0 && rest & (1 << image.ilog2()) != 0 {
            rest ^= image;
            w ^= root;
        }
    }
    (rest == 0).then_some(w)
}

/// A basis of what w^2 + w can be, highest bits first and distinct, each with its w.
const ROOTS: [(u16, u16); 16] = {
    let mut basis = [(0, 0); 16];
    let mut i = 0;
    while i < 16 {
        let (mut w, mut e) = (1_u16 << i, square(1 << i) ^ (1 << i));
        // Gauss: slot k has the image whose highest bit is 15 - k.
        while e != 0 {
            let k = e.leading_zeros() as usize;
            if basis[k].0 == 0 {
                basis[k] = (e, w);
                break;
            }
            (e, w) = (e ^ basis[k].0, w ^ basis[k].1);
        }
        i += 1;
    }
    basis
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_field() {
        assert_eq!(mul(0, 77), 0);
        for a in (1..=u16::MAX).step_by(7) {
            let b = a.wrapping_mul(31).wrapping_add(5);
            let c = a.wrapping_mul(77).wrapping_add(9);
            assert_eq!(mul(a, 1), a);
            assert_eq!(mul(a, inverse(a)), 1, "{a}");
            assert_eq!(mul(a, a), square(a), "{a}");
            assert_eq!(mul(a, b), mul(b, a));
            assert_eq!(mul(a, b ^ c), mul(a, b) ^ mul(a, c));
            assert_eq!(mul(mul(a, b), c), mul(a, mul(b, c)));
        }
    }

    #[test]
    fn half_of_all_quadratic_equations_have_roots() {
        let solved = (0..=u16::MAX).filter_map(|e| Some((e, solve(e)?)));
        let n = solved
            .inspect(|(e, w)| assert_eq!(square(*w) ^ w, *e))
            .count();
        assert_eq!(n, 1 << 15);
    }
}
