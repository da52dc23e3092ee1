//! Who is half-open, from where, and who gives way when there are too many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// The network that an address is in: what one party is likely to have all of. A /24 of IPv4, a /64
/// of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Network {
    V4([u8; 3]),
    V6([u8; 8]),
}

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    const fn of_v4(ip: Ipv4Addr) -> Self {
        let [a, b, c, _] = ip.octets();
        Self::V4([a, b, c])
    }

    const fn of_v6(ip: Ipv6Addr) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = ip.octets();
        Self::V6([a, b, c, d, e, f, g, h])
    }
}

/// How far somebody has come. Whoever has said nothing gives way first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Stage {
    Silent,
    Heard,
    /// It is a member, and waits for the driver: it gives way to nobody.
    Proven,
}

/// The place of one that is half-open.
#[derive(Debug)]
pub(crate) struct Place {
    network: Network,
    stage: AtomicU8,
    /// It has to give way.
    pub(crate) leave: Notify,
}

impl Place {
    pub(crate) fn heard(&self) {
        self.stage.fetch_max(Stage::Heard as u8, Ordering::Relaxed);
    }

    pub(crate) fn proven(&self) {
        self.stage.fetch_max(Stage::Proven as u8, Ordering::Relaxed);
    }

    fn is(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Relaxed) == stage as u8
    }
}

/// All that are half-open, at most `size`, and half of that from one network.
#[derive(Debug)]
pub(crate) struct Places {
    size: usize,
    /// Of these for one network.
    share: usize,
    /// Somebody gives way where there is need.
    give_way: bool,
    taken: usize,
    networks: HashMap<Network, Vec<Arc<Place>>>,
    random: fastrand::Rng,
}

impl Places {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            share: size.div_ceil(2),
            give_way: true,
            taken: 0,
            networks: HashMap::new(),
            random: fastrand::Rng::new(),
        }
    }

    /// First come, first served: what a flood does where nothing is done about it.
    #[cfg(test)]
    pub(crate) fn undefended(size: usize) -> Self {
        Self {
            share: size,
            give_way: false,
            ..Self::new(size)
        }
    }

    pub(crate) const fn taken(&self) -> usize {
        self.taken
    }

    /// More than half of what there is for all, or for this network, is taken.
    pub(crate) fn is_crowded(&self, network: Network) -> bool {
        self.give_way && (2 * self.taken > self.size || 2 * self.of(network) > self.share)
    }

    /// A place for somebody from there, and how many had to give way to it: one at most. No place:
    /// all are members that wait for the driver.
    ///
    /// From half of the room on a random one gives way that has said nothing (random early drop), the
    /// more likely the less room there is; and any, where there is none: first of the newcomer's own
    /// network, where that is short of its share, else of those that have most. So a flood from one
    /// network drives out itself, and one from everywhere lets an honest newcomer live for as long as
    /// it takes to fill the room anew.
    pub(crate) fn take(&mut self, network: Network) -> Option<(Arc<Place>, usize)> {
        let short = self.shortage(self.of(network), self.share);
        let mut left = self.drop_one(short, |other, _| other == network);
        if left == 0 {
            let short = self.shortage(self.taken, self.size);
            let most = self.networks.values().map(Vec::len).max();
            left = self.drop_one(short, |_, count| Some(count) == most);
        }
        if self.taken >= self.size || self.of(network) >= self.share {
            return None;
        }
        let place = Arc::new(Place {
            network,
            stage: AtomicU8::new(Stage::Silent as u8),
            leave: Notify::new(),
        });
        self.networks
            .entry(network)
            .or_default()
            .push(place.clone());
        self.taken += 1;
        Some((place, left))
    }

    /// Somebody has gone, if it had not to give way before.
    pub(crate) fn give_back(&mut self, place: &Arc<Place>) {
        let Some(all) = self.networks.get_mut(&place.network) else {
            return;
        };
        if let Some(at) = all.iter().position(|other| Arc::ptr_eq(other, place)) {
            all.swap_remove(at);
            self.taken -= 1;
        }
        if all.is_empty() {
            self.networks.remove(&place.network);
        }
    }

    fn of(&self, network: Network) -> usize {
        self.networks.get(&network).map_or(0, Vec::len)
    }

    /// By chance: nothing up to half of it, always something when nothing is left.
    fn shortage(&mut self, taken: usize, of: usize) -> Shortage {
        let half = of / 2;
        if !self.give_way {
            Shortage::None
        } else if taken >= of {
            Shortage::Full
        } else if taken > half && self.random.usize(half..of) < taken {
            Shortage::Early
        } else {
            Shortage::None
        }
    }

    /// A random one of these networks gives way, if there is need.
    fn drop_one(&mut self, need: Shortage, of: impl Fn(Network, usize) -> bool) -> usize {
        let stages: &[Stage] = match need {
            Shortage::None => &[],
            // Members that come all at once are let in, as far as there is room.
            Shortage::Early => &[Stage::Silent],
            Shortage::Full => &[Stage::Silent, Stage::Heard],
        };
        for stage in stages {
            let networks = self.networks.iter();
            let networks = networks.filter(|(network, all)| of(**network, all.len()));
            let all = networks.flat_map(|(_, all)| all);
            let all: Vec<_> = all.filter(|place| place.is(*stage)).collect();
            if let Some(chosen) = self.random.choice(all).cloned() {
                chosen.leave.notify_one();
                self.give_back(&chosen);
                return 1;
            }
        }
        0
    }
}

/// How much somebody has to give way.
#[derive(Clone, Copy)]
enum Shortage {
    None,
    Early,
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    fn taken(places: &mut Places, network: Network) -> Arc<Place> {
        places.take(network).expect("there is room").0
    }

    #[test]
    fn a_network_is_a_24_or_a_64() {
        assert_eq!(network("192.0.2.1"), network("192.0.2.255"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.9"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    }

    #[test]
    fn one_network_has_half_of_the_room_whatever_comes_from_there() {
        let (mut places, flood) = (Places::new(8), network("192.0.2.1"));
        let other = taken(&mut places, network("198.51.100.1"));
        for _ in 0..1000 {
            taken(&mut places, flood);
        }
        assert!(places.of(flood) <= 4, "{places:?}");
        assert_eq!(places.of(other.network), 1);
    }

    #[test]
    fn a_flood_from_everywhere_does_not_drive_out_who_has_spoken() {
        let mut places = Places::new(64);
        let member = taken(&mut places, network("192.0.2.1"));
        member.heard();
        for n in 0..10_000_u32 {
            let from = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + ((n % 1000) << 8)));
            taken(&mut places, Network::of(from));
        }
        assert_eq!(places.of(member.network), 1);
        assert!(places.taken() <= 64);
    }

    #[test]
    fn in_its_own_network_those_go_first_that_have_said_nothing() {
        let (mut places, here) = (Places::new(64), network("192.0.2.1"));
        let member = taken(&mut places, here);
        member.heard();
        for _ in 0..10_000 {
            taken(&mut places, here);
        }
        let all = &places.networks[&here];
        assert!(all.iter().any(|place| Arc::ptr_eq(place, &member)));
    }

    #[test]
    fn who_goes_is_left_to_chance() {
        // The first of eight goes at one of the newcomers, not always at the first or the last.
        let mut survived = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let (mut places, here) = (Places::new(16), network("192.0.2.1"));
            places.random = fastrand::Rng::with_seed(seed);
            let first = taken(&mut places, here);
            let goes = |places: &mut Places| {
                taken(places, here);
                !places.networks[&here]
                    .iter()
                    .any(|place| Arc::ptr_eq(place, &first))
            };
            survived.insert((0..1000).position(|_| goes(&mut places)).expect("it goes"));
        }
        assert!(survived.len() > 5, "{survived:?}");
    }

    #[test]
    fn early_only_those_give_way_that_have_said_nothing() {
        let (mut places, here) = (Places::new(64), network("192.0.2.1"));
        for _ in 0..32 {
            taken(&mut places, here).heard();
        }
        // The share of the network; beyond it one goes for each that comes.
        assert_eq!(places.of(here), 32);
        taken(&mut places, here);
        assert_eq!(places.of(here), 32);
    }

    #[test]
    fn members_that_wait_for_the_driver_give_way_to_nobody() {
        let (mut places, here) = (Places::new(4), network("192.0.2.1"));
        let waiting = [taken(&mut places, here), taken(&mut places, here)];
        waiting.iter().for_each(|place| place.proven());
        assert!(places.take(here).is_none());
        assert!(places.take(network("198.51.100.1")).is_some());
        places.give_back(&waiting[0]);
        assert!(places.take(here).is_some());
    }

    #[test]
    fn who_had_to_give_way_gives_no_place_back() {
        let (mut places, here) = (Places::new(2), network("192.0.2.1"));
        let first = taken(&mut places, here);
        let _second = taken(&mut places, here);
        places.give_back(&first);
        assert_eq!((places.taken(), places.of(here)), (1, 1));
    }
}
