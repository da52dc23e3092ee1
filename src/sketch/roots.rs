//! From power sums to the elements that they are of: Berlekamp and Massey's locator polynomial, and
//! its roots by Berlekamp's trace algorithm.

use alloc::vec::Vec;

use super::field::{Times, inverse, mul, solve, square};

/// Coefficients of a polynomial: one more than the elements of a part.
pub(super) const LEN: usize = 16;
/// Bits of an element.
const BITS: usize = 16;

/// The elements of which `sums` are the sums of the powers 1, 3, 5, …, at most as many as there
/// are sums; `None` if they are more.
pub(super) fn elements(sums: &[u16]) -> Option<Vec<u16>> {
    if sums.iter().all(|sum| *sum == 0) {
        return Some(Vec::new());
    }
    Splitter::new(locator(sums)?)?.roots()
}

/// A polynomial, lowest coefficient first. The highest is not zero, and there is none of zero.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Poly {
    c: [u16; LEN],
    len: usize,
}

impl Poly {
    const ZERO: Self = Self {
        c: [0; LEN],
        len: 0,
    };

    const fn constant(c: u16) -> Self {
        let mut one = Self::ZERO;
        (one.c[0], one.len) = (c, 1);
        one
    }

    fn trimmed(mut self) -> Self {
        while self.len > 0 && self.c[self.len - 1] == 0 {
            self.len -= 1;
        }
        self
    }

    fn lead(&self) -> u16 {
        self.len.checked_sub(1).map_or(0, |top| self.c[top])
    }

    fn scale(&mut self, k: u16) {
        let times = Times::new(k);
        self.c[..self.len]
            .iter_mut()
            .for_each(|c| *c = times.of(*c));
    }

    /// Adds `k` times `other` times x^`shift`; false if that is too long.
    fn add(&mut self, other: &Self, k: u16, shift: usize) -> bool {
        let end = other.len + shift;
        if end > LEN {
            return false;
        }
        let times = Times::new(k);
        for (to, c) in self.c[shift..end].iter_mut().zip(&other.c) {
            *to ^= times.of(*c);
        }
        self.len = self.len.max(end);
        *self = self.trimmed();
        true
    }

    fn monic(mut self) -> Self {
        self.scale(inverse(self.lead()));
        self
    }

    /// Leaves the remainder by a monic divisor, and gives the quotient.
    fn divide(&mut self, by: &Self) -> Self {
        let mut quotient = Self::ZERO;
        while by.len > 0 && self.len >= by.len {
            let (k, shift) = (self.lead(), self.len - by.len);
            quotient.c[shift] = k;
            quotient.len = quotient.len.max(shift + 1);
            self.add(by, k, shift);
        }
        quotient
    }

    /// The greatest common divisor, monic.
    fn gcd(mut a: Self, mut b: Self) -> Self {
        while b.len > 0 {
            b = b.monic();
            a.divide(&b);
            core::mem::swap(&mut a, &mut b);
        }
        a.monic()
    }
}

/// The monic polynomial whose roots are the elements: Massey's algorithm without inversions. In
/// characteristic two every second discrepancy is zero.
fn locator(odd: &[u16]) -> Option<Poly> {
    let mut sums = [0; 2 * LEN];
    for (i, sum) in odd.iter().enumerate().take(LEN) {
        sums[2 * i] = *sum;
        // The sum of the power 2k is the square of that of k.
        sums[2 * i + 1] = square(sums[i]);
    }
    let (mut c, mut before, mut last) = (Poly::constant(1), Poly::constant(1), 1);
    let (mut degree, mut gap) = (0, 1);
    for n in (0..2 * odd.len()).step_by(2) {
        let terms = c.c[..c.len.min(n + 1)].iter().enumerate();
        let discrepancy = terms.fold(0, |sum, (i, c)| sum ^ mul(*c, sums[n - i]));
        if discrepancy != 0 {
            let old = c;
            c.scale(last);
            if !c.add(&before, discrepancy, gap) {
                return None;
            }
            if 2 * degree <= n {
                (degree, before, last, gap) = (n + 1 - degree, old, discrepancy, 0);
            }
        }
        gap += 2;
    }
    if degree > odd.len() || c.len != degree + 1 {
        return None;
    }
    c.c[..c.len].reverse();
    Some(c.trimmed().monic())
}

/// Splits a monic polynomial into its linear factors.
struct Splitter {
    poly: Poly,
    /// x^(2^i) modulo the polynomial.
    powers: [Poly; BITS],
}

impl Splitter {
    /// `None` unless all roots are in the field, and distinct.
    fn new(poly: Poly) -> Option<Self> {
        let even = EvenPowers::new(&poly);
        let mut power = Poly::ZERO;
        (power.c[1], power.len) = (1, 2);
        power.divide(&poly);
        let first = power;
        let mut powers = [power; BITS];
        for slot in &mut powers {
            *slot = power;
            power = even.square(&power);
        }
        (power == first).then_some(Self { poly, powers })
    }

    /// The trace of `b` times x: for half of all elements it is zero, another half for each `b`.
    fn trace(&self, mut b: u16) -> Poly {
        let mut trace = Poly::ZERO;
        for power in &self.powers {
            trace.add(power, b, 0);
            b = square(b);
        }
        trace
    }

    fn roots(&self) -> Option<Vec<u16>> {
        let mut roots = Vec::with_capacity(self.poly.len);
        let mut parts = Vec::from([self.poly]);
        // Two elements differ in the trace of some power of x.
        for bit in 0..=BITS {
            let mut whole = Vec::new();
            for part in parts {
                match part.len {
                    0 | 1 => {}
                    2 => roots.push(part.c[0]),
                    3 => roots.extend(quadratic(&part)?),
                    _ => whole.push(part),
                }
            }
            if whole.is_empty() || bit == BITS {
                parts = whole;
                break;
            }
            let trace = self.trace(1 << bit);
            parts = Vec::with_capacity(2 * whole.len());
            for mut part in whole {
                let mut rest = trace;
                rest.divide(&part);
                let half = Poly::gcd(part, rest);
                parts.push(part.divide(&half));
                parts.push(half);
            }
        }
        (parts.is_empty() && roots.len() + 1 == self.poly.len).then_some(roots)
    }
}

/// The roots of x^2 + px + q.
fn quadratic(poly: &Poly) -> Option<[u16; 2]> {
    let [q, p, ..] = poly.c;
    let w = solve(mul(q, square(inverse(p))))?;
    Some([mul(p, w), mul(p, w) ^ p])
}

/// x^(2i) modulo a monic polynomial: what squaring needs.
struct EvenPowers {
    powers: [Poly; LEN],
}

impl EvenPowers {
    fn new(modulus: &Poly) -> Self {
        let mut powers = [Poly::ZERO; LEN];
        let mut power = Poly::constant(1);
        power.divide(modulus);
        let degree = modulus.len.saturating_sub(1);
        for slot in powers.iter_mut().take(degree) {
            *slot = power;
            for _ in 0..2 {
                let mut shifted = Poly::ZERO;
                if power.len < LEN {
                    shifted.add(&power, 1, 1);
                }
                shifted.divide(modulus);
                power = shifted;
            }
        }
        Self { powers }
    }

    fn square(&self, p: &Poly) -> Poly {
        let mut out = Poly::ZERO;
        for (c, power) in p.c[..p.len].iter().zip(&self.powers) {
            out.add(power, square(*c), 0);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many elements as a part can have.
    const MOST: usize = LEN - 2;

    fn power_sums(elements: &[u16], capacity: usize) -> Vec<u16> {
        let mut sums = alloc::vec![0; capacity];
        for e in elements {
            let (mut power, by) = (*e, square(*e));
            for sum in &mut sums {
                *sum ^= power;
                power = mul(power, by);
            }
        }
        sums
    }

    /// Distinct elements, none of them zero.
    fn some(n: usize, seed: u64) -> Vec<u16> {
        let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut out = Vec::new();
        while out.len() < n {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let e = (x >> 40) as u16;
            if e != 0 && !out.contains(&e) {
                out.push(e);
            }
        }
        out.sort_unstable();
        out
    }

    #[test]
    fn elements_come_back_from_their_power_sums() {
        for n in 0..=MOST {
            for capacity in n.max(1)..=MOST {
                for seed in 0..40 {
                    let expected = some(n, seed);
                    let found = elements(&power_sums(&expected, capacity)).map(|mut found| {
                        found.sort_unstable();
                        found
                    });
                    assert_eq!(found, Some(expected), "{n} of {capacity}, {seed}");
                }
            }
        }
    }

    #[test]
    fn a_locator_has_the_elements_as_roots() {
        let expected = some(9, 3);
        let product = expected.iter().fold(Poly::constant(1), |p, root| {
            let mut next = Poly::ZERO;
            next.add(&p, 1, 1);
            next.add(&p, *root, 0);
            next
        });
        assert_eq!(locator(&power_sums(&expected, 12)), Some(product));
    }

    /// Syndromes of more elements than there are sums are nearly always seen to be that.
    #[test]
    fn too_many_are_noticed() {
        let wrong = (0..500).filter(|seed| {
            let sums = power_sums(&some(30, *seed), 8);
            elements(&sums).is_some()
        });
        assert!(wrong.count() < 5);
    }
}
