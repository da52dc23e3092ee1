//! What protects a node from others: limits, the memory of how they behave, and bans (R18).

use core::net::SocketAddr;
use core::time::Duration;

use crate::config::Config;
use crate::defence::Defence;
use crate::id::NodeId;
use crate::limits::rates::{Cost, RateLimits};
use crate::limits::reputation::Reputation;
use crate::node::state::bans::Bans;
use crate::time::Instant;

/// Outlives links: reconnecting wipes nothing.
pub(crate) struct Guard {
    pub(crate) limits: RateLimits,
    pub(crate) reputation: Reputation,
    pub(crate) bans: Bans,
}

/// Whether a request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Admitted,
    /// Its node was told to wait on another link, and is told again, without records.
    MustWait(Duration),
    /// Over its limit: it is told to wait for so long.
    OverLimit(Duration),
}

impl Guard {
    pub(crate) fn new(config: &Config) -> Self {
        let limits = RateLimits::new(config.node_rates(), config.subnet_rates());
        Self {
            limits: match config.defends(Defence::Minimum) {
                true => limits,
                false => limits.without_minimum(),
            },
            reputation: Reputation::default(),
            bans: Bans::default(),
        }
    }

    pub(crate) fn admit_request(
        &mut self,
        now: Instant,
        (node, remote): (NodeId, Option<SocketAddr>),
    ) -> Admission {
        if let Some(wait) = self.reputation.wait_left(now, &node) {
            return Admission::MustWait(wait);
        }
        match self.limits.admit(now, node, remote) {
            Ok(()) => Admission::Admitted,
            Err(wait) => Admission::OverLimit(wait),
        }
    }

    /// Charges what has come in: bytes, and records pushed.
    pub(crate) fn charge_taken(
        &mut self,
        now: Instant,
        (node, remote): (NodeId, Option<SocketAddr>),
        records: u64,
        bytes: usize,
    ) {
        let cost = Cost {
            messages: 0,
            records,
            bytes: bytes as u64,
        };
        self.limits.charge(now, node, remote, cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    /// One message a second with a burst of ten; 1,024 bytes a second with one of a minute's worth.
    fn guard() -> Guard {
        Guard::new(&Config {
            messages_per_second: 1,
            bytes_per_second: 1_024,
            capacity: 2,
            ..Config::default()
        })
    }

    fn admitted(guard: &mut Guard, n: u32, now: Instant) -> usize {
        let admitted = (0..100)
            .take_while(|_| guard.admit_request(now, (node(n), None)) == Admission::Admitted);
        admitted.count()
    }

    /// R18.
    #[test]
    fn beyond_its_rate_a_node_is_told_how_long_to_wait() {
        let mut guard = guard();
        assert_eq!(admitted(&mut guard, 1, at(0)), 10);
        let second = Duration::from_secs(1);
        let refused = guard.admit_request(at(0), (node(1), None));
        assert_eq!(refused, Admission::OverLimit(second));
        assert_eq!(admitted(&mut guard, 1, at(1)), 1);
        assert_eq!(admitted(&mut guard, 2, at(1)), 10, "another node");
    }

    /// R18: who reconnects is told again to wait. It does not pay for being told.
    #[test]
    fn who_was_told_to_wait_is_told_again_until_the_time_is_over() {
        let mut guard = guard();
        guard.reputation.must_wait(at(0), node(1), at(5));
        for _ in 0..100 {
            let told = guard.admit_request(at(2), (node(1), None));
            assert_eq!(told, Admission::MustWait(Duration::from_secs(3)));
        }
        assert_eq!(admitted(&mut guard, 1, at(5)), 10);
    }

    /// R18: what is pushed and not asked for is charged too, bytes and records.
    #[test]
    fn what_is_taken_in_is_charged() {
        let source = (node(1), None);
        let second = Duration::from_secs(1);
        let refused = Admission::OverLimit(second);

        let mut bytes = guard();
        bytes.charge_taken(at(0), source, 0, 60 * 1_024);
        bytes.charge_taken(at(0), source, 0, 1_023);
        assert!(
            matches!(bytes.admit_request(at(0), source), Admission::OverLimit(w) if w <= second)
        );
        assert_eq!(bytes.admit_request(at(1), source), Admission::Admitted);

        let mut records = guard();
        let burst = 2 * 2 + 1_000_u64;
        records.charge_taken(at(0), source, burst + 999, 0);
        assert_eq!(records.admit_request(at(0), source), refused);
        assert_eq!(records.admit_request(at(1), source), Admission::Admitted);
    }
}
