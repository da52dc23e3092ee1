//! When the own record names the node's upstreams (R47).

use core::time::Duration;

use crate::time::Instant;

/// The first record waits so long at most for what is to be found at the upstreams: three round trips
/// of 200 ms, over an ocean. [Without, each record travels twice.]
const FIRST: Duration = Duration::from_millis(600);
/// A change of upstreams alone raises the version once in this time. [Where an address is a balancer,
/// it leads to another node at each look.]
const ALONE: Duration = Duration::from_secs(600);

/// What the own record waits for.
#[derive(Default)]
pub(crate) struct Named {
    /// The first one is not written before then, unless all upstreams are known.
    first_by: Option<Instant>,
    /// When it was last written for its upstreams alone.
    alone_at: Option<Instant>,
}

impl Named {
    /// The node starts, and there are upstreams of which nothing is known: until when its record
    /// waits.
    pub(crate) fn wait(&mut self, now: Instant) -> Instant {
        *self.first_by.insert(now + FIRST)
    }

    /// Whether the first record still waits.
    pub(crate) fn waits(&self) -> bool {
        self.first_by.is_some()
    }

    /// It is written.
    pub(crate) fn written(&mut self) {
        self.first_by = None;
    }

    /// When it may be written for other upstreams alone; if more is to be known `soon`, not before
    /// then.
    pub(crate) fn alone_from(&self, now: Instant, soon: bool) -> Instant {
        let now = if soon { now + FIRST } else { now };
        self.alone_at.map_or(now, |at| now.max(at + ALONE))
    }

    /// Until when it says of upstreams that were not met what an earlier life has said.
    pub(crate) fn stands_until(&self, now: Instant) -> Instant {
        now + ALONE
    }

    /// It is written for them.
    pub(crate) fn written_alone(&mut self, now: Instant) {
        self.alone_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::at;

    #[test]
    fn the_first_record_waits_once() {
        let mut named = Named::default();
        assert!(!named.waits());
        assert_eq!(named.wait(at(5)), at(5) + FIRST);
        assert!(named.waits());
        named.written();
        assert!(!named.waits());
    }

    #[test]
    fn upstreams_alone_change_it_once_in_ten_minutes() {
        let mut named = Named::default();
        assert_eq!(named.alone_from(at(5), false), at(5));
        assert_eq!(named.alone_from(at(5), true), at(5) + FIRST);
        named.written_alone(at(5));
        assert_eq!(named.alone_from(at(6), true), at(605));
        assert_eq!(named.alone_from(at(700), false), at(700));
    }
}
