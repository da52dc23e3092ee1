//! Where addresses are counted together (R18, R22).

use core::net::IpAddr;

/// Where addresses are counted together: a /24 of IPv4, a /64 of IPv6 (R22).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Subnet {
    V4([u8; 3]),
    V6([u8; 8]),
}

impl Subnet {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let mut prefix = [0; 8];
                prefix.copy_from_slice(&ip.octets()[..8]);
                Self::V6(prefix)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(ip: &str) -> Subnet {
        Subnet::of(ip.parse().unwrap())
    }

    /// R18, R22.
    #[test]
    fn ipv4_is_counted_by_24_bits() {
        assert_eq!(subnet("10.1.2.3"), Subnet::V4([10, 1, 2]));
        assert_eq!(subnet("10.1.2.0"), subnet("10.1.2.255"));
        assert_ne!(subnet("10.1.2.3"), subnet("10.1.3.3"));
    }

    /// R18, R22.
    #[test]
    fn ipv6_is_counted_by_64_bits() {
        assert_eq!(subnet("2001:db8::"), subnet("2001:db8::ffff:0:0:1"));
        assert_ne!(subnet("2001:db8::"), subnet("2001:db8:0:1::"));
    }

    /// R18: a listener for both families shows IPv4 as mapped, and nobody gets two buckets by it.
    #[test]
    fn mapped_ipv4_counts_as_ipv4() {
        assert_eq!(subnet("::ffff:10.1.2.3"), subnet("10.1.2.3"));
        assert_ne!(subnet("::ffff:10.1.2.3"), subnet("::ffff:10.1.3.3"));
    }

    #[test]
    fn the_families_are_apart() {
        assert_ne!(subnet("0.0.0.0"), subnet("::"));
    }
}
