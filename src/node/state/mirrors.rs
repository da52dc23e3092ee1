//! Links to this node's own ID: is it this node, or another with its key (R36)?

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::LinkId;
use crate::limits::caps;
use crate::time::Instant;

/// A Hello comes within this time, or none does.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// A link to this node's own ID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mirror {
    /// The upstream's address that has led to it.
    pub(crate) upstream: Option<Multiaddr>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) since: Instant,
}

#[derive(Default)]
pub(crate) struct Mirrors {
    links: BTreeMap<LinkId, Mirror>,
    /// When another with this key was last reported.
    reported: Option<Instant>,
}

impl Mirrors {
    /// Waits for its Hello, if there is room.
    pub(crate) fn add(&mut self, link: LinkId, mirror: Mirror) -> bool {
        let has_room = self.links.len() < caps::MIRRORS;
        if has_room {
            self.links.insert(link, mirror);
        }
        has_room
    }

    pub(crate) fn contains(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    pub(crate) fn remove(&mut self, link: LinkId) -> Option<Mirror> {
        self.links.remove(&link)
    }

    /// Those whose Hello has not come in time, or that the other end should have closed.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<LinkId> {
        let late = |m: &Mirror| now.saturating_since(m.since) > HELLO_TIMEOUT;
        let links = self.links.iter().filter(|(_, m)| late(m));
        links.map(|(link, _)| *link).collect()
    }

    /// All of them: the node ends.
    pub(crate) fn take_all(&mut self) -> Vec<LinkId> {
        core::mem::take(&mut self.links).into_keys().collect()
    }

    /// Whether another with this key is to be reported: once in `interval`.
    pub(crate) fn reports(&mut self, now: Instant, interval: Duration) -> bool {
        let due = self
            .reported
            .is_none_or(|at| now.saturating_since(at) >= interval);
        if due {
            self.reported = Some(now);
        }
        due
    }

    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::at;

    fn mirror(since: u64) -> Mirror {
        Mirror {
            upstream: None,
            remote: None,
            since: at(since),
        }
    }

    /// R36, R22.
    #[test]
    fn so_many_wait_for_their_hello_and_not_for_ever() {
        let mut mirrors = Mirrors::default();
        for n in 0..caps::MIRRORS as u64 {
            assert!(mirrors.add(LinkId::new(n), mirror(n)));
        }
        assert!(!mirrors.add(LinkId::new(99), mirror(9)));
        assert_eq!(mirrors.len(), caps::MIRRORS);
        assert!(mirrors.overdue(at(5)).is_empty());
        assert_eq!(mirrors.overdue(at(6)), [LinkId::new(0)]);
        assert_eq!(mirrors.remove(LinkId::new(0)), Some(mirror(0)));
        assert!(!mirrors.contains(LinkId::new(0)) && mirrors.contains(LinkId::new(1)));
        assert_eq!(mirrors.take_all().len(), caps::MIRRORS - 1);
    }

    #[test]
    fn another_is_reported_once_in_an_interval() {
        let mut mirrors = Mirrors::default();
        let mut reports = |second| mirrors.reports(at(second), Duration::from_secs(10));
        assert!(reports(1) && !reports(10) && reports(11));
    }
}
