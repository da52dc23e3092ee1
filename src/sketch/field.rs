//! Arithmetic in GF(2^16), modulo x^16 + x^5 + x^3 + x + 1 (that of minisketch), without tables:
//! a table of logarithms would take a quarter of a megabyte. What is done to many elements is done
//! lane by lane, in loops that compilers turn into vector code.

/// Elements that are handled at once.
pub(super) const LANES: usize = 16;
pub(super) type Lanes = [u16; LANES];

/// x^16, reduced.
const LOW: u16 = 0b10_1011;

const fn reduce(x: u32) -> u16 {
    let high = x >> 16;
    let folded = high ^ (high << 1) ^ (high << 3) ^ (high << 5);
    let over = folded >> 16;
    (x ^ folded ^ over ^ (over << 1) ^ (over << 3) ^ (over << 5)) as u16
}

pub(super) const fn mul(a: u16, b: u16) -> u16 {
    let mut product = 0_u32;
    let mut bit = 0;
    while bit < 16 {
        let mask = 0_u32.wrapping_sub((b >> bit) as u32 & 1);
        product ^= ((a as u32) << bit) & mask;
        bit += 1;
    }
    reduce(product)
}

/// Squaring only spreads the bits.
pub(super) const fn square(a: u16) -> u16 {
    let mut x = a as u32;
    x = (x | (x << 8)) & 0x00ff_00ff;
    x = (x | (x << 4)) & 0x0f0f_0f0f;
    x = (x | (x << 2)) & 0x3333_3333;
    x = (x | (x << 1)) & 0x5555_5555;
    reduce(x)
}

/// a^(2^n).
const fn squares(mut a: u16, n: usize) -> u16 {
    let mut i = 0;
    while i < n {
        a = square(a);
        i += 1;
    }
    a
}

/// 1/a = a^(2^16 - 2), by an addition chain for 15 = 2^4 - 1 (Itoh and Tsujii, 1988).
pub(super) const fn inverse(a: u16) -> u16 {
    let two = mul(squares(a, 1), a);
    let three = mul(squares(two, 1), a);
    let six = mul(squares(three, 3), three);
    let twelve = mul(squares(six, 6), six);
    square(mul(squares(twelve, 3), three))
}

/// Times x, in every lane.
fn times_x(v: u16) -> u16 {
    (v << 1) ^ (LOW & 0_u16.wrapping_sub(v >> 15))
}

/// `to` plus `k` times `from`.
pub(super) fn add_scaled(to: &mut [u16; LANES], from: &Lanes, k: u16) {
    let mut shifted = *from;
    for bit in 0..16 {
        let mask = 0_u16.wrapping_sub((k >> bit) & 1);
        for (to, s) in to.iter_mut().zip(&mut shifted) {
            *to ^= *s & mask;
            *s = times_x(*s);
        }
    }
}

/// The products, lane by lane.
pub(super) fn mul_lanes(a: &Lanes, b: &Lanes) -> Lanes {
    let (mut shifted, mut product) = (*a, [0; LANES]);
    for bit in 0..16 {
        for ((p, s), b) in product.iter_mut().zip(&mut shifted).zip(b) {
            *p ^= *s & 0_u16.wrapping_sub((b >> bit) & 1);
            *s = times_x(*s);
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_field() {
        for a in (1..=u16::MAX).step_by(7) {
            assert_eq!(mul(a, inverse(a)), 1, "{a}");
            assert_eq!(mul(a, a), square(a), "{a}");
            assert_eq!(mul(a, 2), times_x(a), "{a}");
            let b = a.wrapping_mul(31).wrapping_add(5);
            assert_eq!(mul(a, b), mul(b, a));
            let mut lanes = [b; LANES];
            add_scaled(&mut lanes, &[a; LANES], b);
            assert_eq!(lanes, [b ^ mul(a, b); LANES]);
            assert_eq!(mul_lanes(&[a; LANES], &[b; LANES]), [mul(a, b); LANES]);
        }
        // Frobenius: 2^16 is the order of the field, and of no smaller one.
        assert_eq!(squares(2, 16), 2);
        assert!((1..16).all(|n| squares(2, n) != 2));
    }
}
