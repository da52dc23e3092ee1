//! Which of an upstream's ups and downs are told, when it goes up and down all the time.

use super::log::Seldom;
use peer_exchange::Multiaddr;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A connection that has held for so long was one (R17): its end is news.
const HELD: Duration = Duration::from_secs(30);
/// Upstreams that are remembered: the core has no more at once.
const UPSTREAMS: usize = peer_exchange::limits::caps::UPSTREAMS;

/// An upstream that flaps is told once per interval, with how often.
pub(super) struct Flaps {
    seldom: Seldom,
    upstreams: HashMap<Multiaddr, Upstream>,
}

#[derive(Default)]
struct Upstream {
    up: Option<Instant>,
    down_told: bool,
}

impl Flaps {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            seldom: Seldom::new(interval),
            upstreams: HashMap::new(),
        }
    }

    /// It is connected: whether to tell.
    pub(super) fn up(&mut self, address: &Multiaddr, now: Instant) -> bool {
        let first = !self.upstreams.contains_key(address);
        let upstream = self.upstream(address);
        upstream.up = Some(now);
        std::mem::take(&mut upstream.down_told) || first
    }

    /// It is not: whether to tell, and how often that was left out.
    pub(super) fn down(&mut self, address: &Multiaddr, now: Instant) -> Option<u64> {
        let condition = address.to_string();
        let up = self.upstream(address).up.take();
        if up.is_some_and(|up| now.duration_since(up) >= HELD) {
            self.seldom.over(&condition);
        }
        let due = self.seldom.due(&condition, now);
        self.upstream(address).down_told |= due.is_some();
        due
    }

    fn upstream(&mut self, address: &Multiaddr) -> &mut Upstream {
        if self.upstreams.len() >= UPSTREAMS && !self.upstreams.contains_key(address) {
            // Names that stand for ever new addresses: some are told once too often.
            self.upstreams.clear();
        }
        self.upstreams.entry(address.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flapping_is_told_once_per_interval_and_an_end_after_a_while_at_once() {
        let mut flaps = Flaps::new(Duration::from_secs(600));
        let address: Multiaddr = "/ip4/10.0.0.1/tcp/7".parse().unwrap();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert!(flaps.up(&address, at(0)));
        assert_eq!(flaps.down(&address, at(1)), Some(0));
        assert!(flaps.up(&address, at(2)));
        for s in 2..100 {
            assert_eq!(flaps.down(&address, at(2 * s + 1)), None);
            assert!(!flaps.up(&address, at(2 * s + 2)));
        }
        // It has held: that it is gone is news.
        assert_eq!(flaps.down(&address, at(300)), Some(0));
        assert_eq!(flaps.down(&address, at(301)), None);
        assert!(flaps.up(&address, at(302)));
        assert_eq!(flaps.down(&address, at(903)), Some(0));
    }

    #[test]
    fn one_that_never_answers_is_told_once_per_interval() {
        let mut flaps = Flaps::new(Duration::from_secs(60));
        let address: Multiaddr = "/ip4/10.0.0.1/tcp/7".parse().unwrap();
        let start = Instant::now();
        let told = (0..120).filter_map(|s| flaps.down(&address, start + Duration::from_secs(s)));
        assert_eq!(told.collect::<Vec<_>>(), [0, 59]);
    }
}
