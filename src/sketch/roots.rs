//! From power sums to the elements that they are of: Berlekamp and Massey's locator polynomial, and
//! its roots by Berlekamp's trace algorithm. All polynomials have a degree below [`LANES`].

use alloc::vec::Vec;

use super::field::{LANES, Lanes, add_scaled, inverse, mul_lanes, square};

/// Bits of an element.
const BITS: usize = 16;

/// The elements of which `sums` are the sums of the powers 1, 3, 5, …, at most as many as there
/// are sums; `None` if they are more.
pub(super) fn elements(sums: &[u16]) -> Option<Vec<u16>> {
    if sums.iter().all(|sum| *sum == 0) {
        return Some(Vec::new());
    }
    let locator = locator(sums)?;
    Splitter::new(locator)?.roots()
}

/// A polynomial, lowest coefficient first.
#[derive(Clone, Copy)]
struct Poly {
    c: Lanes,
}

impl Poly {
    const ONE: Self = {
        let mut c = [0; LANES];
        c[0] = 1;
        Self { c }
    };

    fn degree(&self) -> Option<usize> {
        self.c.iter().rposition(|c| *c != 0)
    }

    fn scaled(&self, k: u16) -> Self {
        let mut c = [0; LANES];
        add_scaled(&mut c, &self.c, k);
        Self { c }
    }

    fn add_scaled(&mut self, other: &Self, k: u16) {
        add_scaled(&mut self.c, &other.c, k);
    }

    /// Times x^n; what goes beyond the lanes is lost, and `false`.
    fn shifted(&self, n: usize) -> (Self, bool) {
        let mut c = [0; LANES];
        let n = n.min(LANES);
        c[n..].copy_from_slice(&self.c[..LANES - n]);
        (Self { c }, self.c[LANES - n..].iter().all(|c| *c == 0))
    }

    fn monic(&self) -> Self {
        self.degree()
            .map_or(*self, |d| self.scaled(inverse(self.c[d])))
    }

    /// The remainder by `other`, but for a factor of the field.
    fn reduce(&mut self, other: &Self) {
        let Some(d) = other.degree() else { return };
        while let Some(top) = self.degree().filter(|top| *top >= d) {
            let (shifted, _) = other.shifted(top - d);
            let lead = self.c[top];
            *self = self.scaled(other.c[d]);
            self.add_scaled(&shifted, lead);
        }
    }

    /// The greatest common divisor, monic.
    fn gcd(mut a: Self, mut b: Self) -> Self {
        while b.degree().is_some() {
            a.reduce(&b);
            core::mem::swap(&mut a, &mut b);
        }
        a.monic()
    }

    /// The quotient by a monic divisor without remainder.
    fn divided(mut self, by: &Self) -> Self {
        let mut quotient = [0; LANES];
        let Some(d) = by.degree() else { return self };
        while let Some(top) = self.degree().filter(|top| *top >= d) {
            let lead = self.c[top];
            quotient[top - d] = lead;
            self.add_scaled(&by.shifted(top - d).0, lead);
        }
        Self { c: quotient }
    }
}

/// The monic polynomial whose roots are the elements: Massey's algorithm without inversions. In
/// characteristic two every second discrepancy is zero.
fn locator(odd: &[u16]) -> Option<Poly> {
    let mut sums = Vec::with_capacity(2 * odd.len());
    for (i, sum) in odd.iter().enumerate() {
        sums.push(*sum);
        // The sum of the power 2k is the square of that of k.
        sums.push(square(sums[i]));
    }
    let (mut c, mut before, mut last) = (Poly::ONE, Poly::ONE, 1);
    let (mut len, mut gap) = (0, 1);
    for n in (0..sums.len()).step_by(2) {
        let mut window = [0; LANES];
        (0..=n.min(LANES - 1)).for_each(|i| window[i] = sums[n - i]);
        let products = mul_lanes(&c.c, &window);
        let discrepancy = products.iter().fold(0, |sum, p| sum ^ p);
        if discrepancy != 0 {
            let (shifted, fits) = before.shifted(gap);
            if !fits {
                return None;
            }
            let old = c;
            c = c.scaled(last);
            c.add_scaled(&shifted, discrepancy);
            if 2 * len <= n {
                (len, before, last, gap) = (n + 1 - len, old, discrepancy, 0);
            }
        }
        gap += 2;
    }
    if len > odd.len() || c.degree() != Some(len) {
        return None;
    }
    let mut reversed = [0; LANES];
    (0..=len).for_each(|i| reversed[i] = c.c[len - i]);
    Some(Poly { c: reversed }.monic())
}

/// Splits a polynomial into its linear factors.
struct Splitter {
    poly: Poly,
    degree: usize,
    /// x^(2^i) modulo the polynomial.
    powers: [Poly; BITS],
}

impl Splitter {
    /// `None` unless all roots are in the field, and distinct.
    fn new(poly: Poly) -> Option<Self> {
        let degree = poly.degree()?;
        let mut power = Poly { c: [0; LANES] };
        power.c[1] = 1;
        power.reduce(&poly);
        let first = power;
        let mut powers = [power; BITS];
        for i in 0..BITS {
            powers[i] = power;
            power = squared(&power, &poly, degree);
        }
        (power.c == first.c).then_some(Self {
            poly,
            degree,
            powers,
        })
    }

    /// The trace of `b` times x: half of all elements are its roots, another half for each `b`.
    fn trace(&self, mut b: u16) -> Poly {
        let mut trace = Poly { c: [0; LANES] };
        for power in &self.powers {
            trace.add_scaled(power, b);
            b = square(b);
        }
        trace
    }

    fn roots(&self) -> Option<Vec<u16>> {
        let mut roots = Vec::with_capacity(self.degree);
        let mut parts = Vec::from([self.poly]);
        // Two elements differ in the trace of some power of x.
        for bit in 0..=BITS {
            let mut whole = Vec::new();
            for part in parts {
                match part.degree() {
                    Some(1) => roots.push(part.c[0]),
                    Some(d) if d > 1 => whole.push(part),
                    _ => {}
                }
            }
            if whole.is_empty() {
                return (roots.len() == self.degree).then_some(roots);
            }
            if bit == BITS {
                break;
            }
            let trace = self.trace(1 << bit);
            parts = Vec::with_capacity(2 * whole.len());
            for part in whole {
                let mut rest = trace;
                rest.reduce(&part);
                let half = Poly::gcd(part, rest);
                parts.push(part.divided(&half));
                parts.push(half);
            }
        }
        None
    }
}

/// The square, modulo a monic polynomial of this degree.
fn squared(p: &Poly, modulus: &Poly, degree: usize) -> Poly {
    let mut wide = [0_u16; 2 * LANES];
    for (i, c) in p.c.iter().enumerate() {
        wide[2 * i] = square(*c);
    }
    for top in (degree..2 * degree.max(1)).rev() {
        let k = wide[top];
        if k == 0 {
            continue;
        }
        let at = top - degree;
        let mut window = [0; LANES];
        window.copy_from_slice(&wide[at..at + LANES]);
        add_scaled(&mut window, &modulus.c, k);
        wide[at..at + LANES].copy_from_slice(&window);
    }
    let mut c = [0; LANES];
    c.copy_from_slice(&wide[..LANES]);
    Poly { c }
}

/// The product of all (x - root), for tests.
#[cfg(test)]
fn product(roots: &[u16]) -> Poly {
    roots.iter().fold(Poly::ONE, |p, root| {
        let mut next = p.shifted(1).0;
        next.add_scaled(&p, *root);
        next
    })
}

#[cfg(test)]
mod tests {
    use super::super::field::mul;
    use super::*;

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
        for n in 0..=LANES - 2 {
            for capacity in n.max(1)..=LANES - 2 {
                for seed in 0..20 {
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
        let locator = locator(&power_sums(&expected, 12)).map(|p| p.c);
        assert_eq!(locator, Some(product(&expected).c));
    }

    /// Sums of more elements than there are sums are nearly always seen to be that.
    #[test]
    fn too_many_are_noticed() {
        let wrong = (0..500).filter(|seed| {
            let sums = power_sums(&some(30, *seed), 8);
            elements(&sums).is_some()
        });
        assert!(wrong.count() < 5);
    }
}
