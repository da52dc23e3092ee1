//! Where strangers' addresses lead, and how often they are dialled in vain (R53): whatever a member
//! invents, it makes no weapon of the others.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::addr::{self, Host, Multiaddr, Subnet};
use crate::id::{DialId, NodeId};
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

/// One dial in vain of an IP address or a name, and one more after so long: 300 nodes that are told of
/// it together try 0.75 times a second.
const OF_A_HOST: Rate = Rate::new(1, Duration::from_secs(400));
/// The same of a /24 or /64,
const OF_A_SUBNET: Rate = Rate::new(8, Duration::from_secs(30));
/// and of what one node has told.
const OF_A_RELAY: Rate = Rate::new(16, Duration::from_secs(10));
/// Dials at once of a host where somebody has been found, and of others.
const AT_ONCE: usize = 16;
const AT_ONCE_UNSEEN: usize = 1;
/// The same of a subnet.
const AT_ONCE_IN_SUBNET: usize = 32;
/// Addresses of a node never met that are tried at once.
const TRIED: usize = 2;

/// What is known of a node that this one has never met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stranger {
    /// It has been up for so long that others must have met it.
    Held,
    /// The word of this one, if that is remembered.
    Told(Option<NodeId>),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Ip(IpAddr),
    Subnet(Subnet),
    Name(Vec<u8>),
    Relay(NodeId),
}

impl Place {
    fn rate(&self) -> Rate {
        match self {
            Self::Ip(_) | Self::Name(_) => OF_A_HOST,
            Self::Subnet(_) => OF_A_SUBNET,
            Self::Relay(_) => OF_A_RELAY,
        }
    }
}

#[derive(Default)]
pub(crate) struct Targets {
    /// Dials in vain.
    vain: BTreeMap<Place, Bucket>,
    /// Where somebody has proven a key, and when that was last.
    found: BTreeMap<IpAddr, Instant>,
    /// Dials of strangers that have not ended.
    under_way: BTreeMap<DialId, Vec<Place>>,
}

impl Targets {
    /// Of a stranger's addresses, those that may be dialled now.
    pub(crate) fn may_be_dialled(
        &self,
        mut addresses: Vec<Multiaddr>,
        by: Option<NodeId>,
        now: Instant,
    ) -> Vec<Multiaddr> {
        if by.is_some_and(|by| !self.allows(&Place::Relay(by), now)) {
            return Vec::new();
        }
        addresses.retain(|a| places(a).iter().all(|place| self.allows(place, now)));
        addresses
    }

    /// Whether somebody who claims to be there was dialled in vain of late.
    pub(crate) fn was_in_vain(&self, address: &Multiaddr, now: Instant) -> bool {
        let in_vain = |place: &Place| {
            let bucket = self.vain.get(place);
            bucket.is_some_and(|bucket| !bucket.has(place.rate(), now))
        };
        places(address).iter().any(in_vain)
    }

    fn allows(&self, place: &Place, now: Instant) -> bool {
        let at_once = match place {
            Place::Ip(ip) if self.found.contains_key(ip) => AT_ONCE,
            Place::Ip(_) | Place::Name(_) => AT_ONCE_UNSEEN,
            Place::Subnet(_) => AT_ONCE_IN_SUBNET,
            Place::Relay(_) => usize::MAX,
        };
        let of_it = |places: &&Vec<Place>| places.contains(place);
        let bucket = self.vain.get(place);
        bucket.is_none_or(|bucket| bucket.has(place.rate(), now))
            && self.under_way.values().filter(of_it).count() < at_once
    }

    /// A stranger is dialled there, of whom this node has told.
    pub(crate) fn begun(&mut self, dial: DialId, addresses: &[Multiaddr], by: Option<NodeId>) {
        let mut all: Vec<Place> = addresses.iter().flat_map(places).collect();
        all.extend(by.map(Place::Relay));
        all.sort_unstable();
        all.dedup();
        self.under_way.insert(dial, all);
    }

    /// A dial has ended, with whom it was meant for or in vain.
    pub(crate) fn ended(&mut self, dial: DialId, reached: bool, now: Instant) {
        for place in self.under_way.remove(&dial).unwrap_or_default() {
            if !reached {
                self.make_room(now);
                let rate = place.rate();
                self.vain.entry(place).or_default().charge(rate, now, 1);
            }
        }
    }

    /// A node has proven its key from there, or there.
    pub(crate) fn found(&mut self, at: IpAddr, now: Instant) {
        if self.found.len() >= caps::OCCUPANTS && !self.found.contains_key(&at) {
            let oldest = self.found.iter().min_by_key(|(_, at)| **at);
            if let Some(oldest) = oldest.map(|(ip, _)| *ip) {
                self.found.remove(&oldest);
            }
        }
        self.found.insert(at, now);
    }

    /// Whoever is forgiven goes; where nobody is, those that will be soonest.
    fn make_room(&mut self, now: Instant) {
        if self.vain.len() < caps::TARGETS {
            return;
        }
        self.vain.retain(|_, bucket| !bucket.is_full(now));
        if self.vain.len() >= caps::TARGETS {
            let mut ends: Vec<_> = self.vain.values().map(Bucket::full_at).collect();
            let (_, end, _) = ends.select_nth_unstable(caps::TARGETS / 4);
            let end = *end;
            self.vain.retain(|_, bucket| bucket.full_at() > end);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.vain.len() + self.found.len() + self.under_way.len()
    }
}

fn places(address: &Multiaddr) -> Vec<Place> {
    match addr::host(address.as_bytes()) {
        Some(Host::Ip(ip)) => {
            let ip = ip.to_canonical();
            Vec::from([Place::Ip(ip), Place::Subnet(Subnet::of(ip))])
        }
        Some(Host::Dns(name)) => Vec::from([Place::Name(name.to_ascii_lowercase().into_bytes())]),
        None => Vec::new(),
    }
}

/// Two of these, all that are tried of a node that was never met, from another place on after each failure; the second of another transport or host than
/// the first, where there is one.
pub(crate) fn some_of(mut addresses: Vec<Multiaddr>, failures: usize) -> Vec<Multiaddr> {
    if addresses.len() <= TRIED {
        return addresses;
    }
    let from = failures * TRIED % addresses.len();
    addresses.rotate_left(from);
    let first = addresses[0].clone();
    let differs = |a: &Multiaddr| {
        let protocol = |a: &Multiaddr| a.port().map(|(protocol, _)| protocol);
        protocol(a) != protocol(&first)
    };
    if let Some(at) = addresses.iter().position(differs) {
        addresses.swap(1, at);
    }
    addresses.truncate(TRIED);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    fn addresses(all: &[&str]) -> Vec<Multiaddr> {
        all.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn allowed(targets: &Targets, text: &str, now: u64) -> bool {
        let chosen = targets.may_be_dialled(addresses(&[text]), None, at(now));
        !chosen.is_empty()
    }

    fn in_vain(targets: &mut Targets, dial: u64, text: &str, by: Option<NodeId>, now: u64) {
        targets.begun(DialId::new(dial), &addresses(&[text]), by);
        targets.ended(DialId::new(dial), false, at(now));
    }

    /// R53: whatever the ID and the port.
    #[test]
    fn a_host_is_dialled_in_vain_once_in_a_while() {
        let mut targets = Targets::default();
        assert!(allowed(&targets, "/ip4/192.0.2.1/tcp/1", 0));
        in_vain(&mut targets, 1, "/ip4/192.0.2.1/tcp/1", None, 0);
        assert!(!allowed(&targets, "/ip4/192.0.2.1/tcp/2", 399));
        assert!(!allowed(&targets, "/ip6/::ffff:192.0.2.1/tcp/2", 399));
        assert!(allowed(&targets, "/ip4/192.0.2.1/tcp/2", 400));
        assert!(allowed(&targets, "/ip4/192.0.2.2/tcp/1", 0), "a neighbour");
        in_vain(&mut targets, 2, "/dns4/Host.example/tcp/1", None, 0);
        assert!(!allowed(&targets, "/dns4/host.example/tcp/2", 399));
    }

    /// R53: a network as well.
    #[test]
    fn a_subnet_is_dialled_in_vain_a_few_times() {
        let mut targets = Targets::default();
        for n in 0..8 {
            let there = alloc::format!("/ip4/192.0.2.{n}/tcp/1");
            assert!(allowed(&targets, &there, 0));
            in_vain(&mut targets, n, &there, None, 0);
        }
        assert!(!allowed(&targets, "/ip4/192.0.2.99/tcp/1", 29));
        assert!(allowed(&targets, "/ip4/192.0.2.99/tcp/1", 30));
        assert!(allowed(&targets, "/ip4/192.0.3.99/tcp/1", 0));
    }

    /// R53: and what one node tells of.
    #[test]
    fn what_one_tells_of_is_dialled_in_vain_so_often() {
        let mut targets = Targets::default();
        let told = |targets: &Targets, by, now| {
            let there = addresses(&["/ip4/203.0.113.7/tcp/1"]);
            !targets.may_be_dialled(there, Some(by), at(now)).is_empty()
        };
        for n in 0..16 {
            assert!(told(&targets, node(1), 0), "{n}");
            let there = alloc::format!("/ip4/10.{n}.2.1/tcp/1");
            in_vain(&mut targets, n, &there, Some(node(1)), 0);
        }
        assert!(!told(&targets, node(1), 9) && told(&targets, node(1), 10));
        assert!(told(&targets, node(2), 0), "another");
    }

    /// R53: where somebody is, others may be, on other ports: behind one address there can be many.
    #[test]
    fn who_is_found_costs_nothing_and_several_are_dialled_there_at_once() {
        let mut targets = Targets::default();
        let there = addresses(&["/ip4/192.0.2.1/tcp/1"]);
        targets.begun(DialId::new(0), &there, None);
        assert!(!allowed(&targets, "/ip4/192.0.2.1/tcp/2", 0), "one at once");
        targets.ended(DialId::new(0), true, at(0));
        targets.found(([192, 0, 2, 1]).into(), at(0));
        for dial in 1..=AT_ONCE as u64 {
            assert!(allowed(&targets, "/ip4/192.0.2.1/tcp/2", 0), "{dial}");
            targets.begun(DialId::new(dial), &there, None);
        }
        assert!(!allowed(&targets, "/ip4/192.0.2.1/tcp/2", 0));
    }

    /// R53.
    #[test]
    fn two_addresses_are_tried_and_others_after_a_failure() {
        let all = addresses(&[
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/10.0.0.2/tcp/1",
            "/ip4/10.0.0.3/udp/1/quic-v1",
            "/ip4/10.0.0.4/tcp/1",
        ]);
        let tried = |failures| some_of(all.clone(), failures);
        assert_eq!(tried(0), [all[0].clone(), all[2].clone()]);
        assert_eq!(tried(1), [all[2].clone(), all[3].clone()]);
        assert_eq!(tried(2), tried(0));
    }

    /// R22: those that are forgiven soonest are forgotten first.
    #[test]
    fn the_memory_is_bounded() {
        let mut targets = Targets::default();
        for n in 0..3 * caps::TARGETS as u64 {
            let [.., a, b, c] = n.to_be_bytes();
            let there = alloc::format!("/ip4/10.{a}.{b}.{c}/tcp/1");
            in_vain(&mut targets, n, &there, None, n / 64);
            assert!(targets.len() <= caps::TARGETS + 2);
            assert!(!allowed(&targets, &there, n / 64));
        }
    }
}
