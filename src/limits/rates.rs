//! Buckets per node ID and address prefix, which outlive the connection (R18).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::addr::Subnet;
use crate::id::NodeId;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LimitKey {
    Node(NodeId),
    Subnet(Subnet),
}

#[derive(Default)]
struct Buckets {
    messages: Bucket,
    records: Bucket,
    bytes: Bucket,
    /// Of whatever comes, asked for or not: messages, and bytes that nobody asked for (R54).
    arrivals: Bucket,
    arrived_bytes: Bucket,
    /// Of a subnet: nodes that have been answered beyond its share (R54).
    minimum: Vec<(NodeId, Bucket)>,
}

impl Buckets {
    /// As good as new ones.
    fn are_full(&self, now: Instant) -> bool {
        let all = [
            self.messages,
            self.records,
            self.bytes,
            self.arrivals,
            self.arrived_bytes,
        ];
        let idle = |(_, bucket): &(NodeId, Bucket)| bucket.is_full(now);
        all.iter().all(|bucket| bucket.is_full(now)) && self.minimum.iter().all(idle)
    }

    /// Whether one more exchange may pass, or how long to wait.
    fn admits(&self, rates: Rates, now: Instant) -> Result<(), Duration> {
        for (mut bucket, rate) in [
            (self.records, rates.records),
            (self.bytes, rates.bytes),
            (self.messages, rates.messages),
        ] {
            bucket.take(rate, now, 1)?;
        }
        Ok(())
    }

    /// Whether this node of the subnet may be answered though its share is used up by others.
    fn admits_beyond(&mut self, node: NodeId, rate: Rate, now: Instant) -> bool {
        let members = &mut self.minimum;
        if !members.iter().any(|(member, _)| *member == node) {
            if members.len() >= caps::MINIMUM {
                members.retain(|(_, bucket)| !bucket.is_full(now));
            }
            if members.len() >= caps::MINIMUM {
                return false;
            }
            members.push((node, Bucket::default()));
        }
        let member = members.iter_mut().find(|(member, _)| *member == node);
        member.is_some_and(|(_, bucket)| bucket.take(rate, now, 1).is_ok())
    }
}

/// The rates of one kind of source.
#[derive(Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) messages: Rate,
    pub(crate) records: Rate,
    pub(crate) bytes: Rate,
}

/// What an answer or an update costs.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) struct Cost {
    pub(crate) messages: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// Whatever others of its subnet do, a node may ask a tenth as often as one alone (R54).
const MINIMUM: u32 = 10;
/// A message that brings nothing costs as many others more (R54): of an unknown kind, of which there are
/// a few in an upgrade, or a Hello once more.
pub(crate) const NEEDLESS: u64 = 7;
/// Of messages of all kinds so many times as many may come as of those that are answered: beats, asks
/// and answers are not among these.
const ARRIVALS: u64 = 4;
/// And of bytes that nobody asked for: whoever is told to wait may have sent some.
const ARRIVED_BYTES: u64 = 2;

/// All buckets of a node.
pub(crate) struct RateLimits {
    buckets: BTreeMap<LimitKey, Buckets>,
    node: Rates,
    subnet: Rates,
    has_minimum: bool,
}

impl RateLimits {
    pub(crate) fn new(node: Rates, subnet: Rates) -> Self {
        Self {
            buckets: BTreeMap::new(),
            node,
            subnet,
            has_minimum: true,
        }
    }

    /// Without a minimum for each node of a subnet.
    pub(crate) fn without_minimum(mut self) -> Self {
        self.has_minimum = false;
        self
    }

    /// Lets one more exchange pass, or says how long to wait.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        node: NodeId,
        remote: Option<SocketAddr>,
    ) -> Result<(), Duration> {
        // All are asked before one is charged: whom its subnet holds back has spent nothing.
        let (least, has_minimum) = (self.node.messages.slower(MINIMUM), self.has_minimum);
        for (source, rates) in self.sources(node, remote) {
            let buckets = self.entry(source, now);
            let beyond = |buckets: &mut Buckets| {
                let is_subnet = matches!(source, LimitKey::Subnet(_));
                is_subnet && has_minimum && buckets.admits_beyond(node, least, now)
            };
            match buckets.admits(rates, now) {
                Err(wait) if !beyond(buckets) => return Err(wait),
                _ => {}
            }
        }
        for (source, rates) in self.sources(node, remote) {
            let buckets = self.entry(source, now);
            buckets.messages.charge(rates.messages, now, 1);
        }
        Ok(())
    }

    /// Charges what was sent or taken in.
    pub(crate) fn charge(
        &mut self,
        now: Instant,
        node: NodeId,
        remote: Option<SocketAddr>,
        cost: Cost,
    ) {
        for (source, rates) in self.sources(node, remote) {
            let buckets = self.entry(source, now);
            for (bucket, rate, tokens) in [
                (&mut buckets.messages, rates.messages, cost.messages),
                (&mut buckets.records, rates.records, cost.records),
                (&mut buckets.bytes, rates.bytes, cost.bytes),
            ] {
                if tokens > 0 {
                    bucket.charge(rate, now, tokens);
                }
            }
        }
    }

    /// Charges what has come, before it is decoded (R54). False where its node has sent far more
    /// than anybody asks for: then it is not looked at.
    pub(crate) fn arrives(
        &mut self,
        now: Instant,
        node: NodeId,
        messages: u64,
        bytes: usize,
    ) -> bool {
        let messages_rate = self.node.messages.times(ARRIVALS);
        let bytes_rate = self.node.bytes.times(ARRIVED_BYTES);
        let buckets = self.entry(LimitKey::Node(node), now);
        let has_room =
            buckets.arrivals.has(messages_rate, now) && buckets.arrived_bytes.has(bytes_rate, now);
        buckets.arrivals.charge(messages_rate, now, messages);
        buckets.arrived_bytes.charge(bytes_rate, now, bytes as u64);
        has_room
    }

    /// So many bytes of what has come from this node were asked for.
    pub(crate) fn were_asked_for(&mut self, now: Instant, node: NodeId, bytes: usize) {
        let rate = self.node.bytes.times(ARRIVED_BYTES);
        let buckets = self.entry(LimitKey::Node(node), now);
        buckets.arrived_bytes.give_back(rate, bytes as u64);
    }

    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }

    fn sources(
        &self,
        node: NodeId,
        remote: Option<SocketAddr>,
    ) -> impl Iterator<Item = (LimitKey, Rates)> + use<> {
        let subnet = remote.map(|r| (LimitKey::Subnet(Subnet::of(r.ip())), self.subnet));
        [Some((LimitKey::Node(node), self.node)), subnet]
            .into_iter()
            .flatten()
    }

    fn entry(&mut self, source: LimitKey, now: Instant) -> &mut Buckets {
        if self.buckets.len() >= caps::BUCKETS && !self.buckets.contains_key(&source) {
            self.make_room(now);
        }
        self.buckets.entry(source).or_default()
    }

    /// Forgets what is full anyway. When nothing is, a quarter goes: whoever fills this map pays
    /// with that many proven identities, and loses its own debts no sooner than others theirs.
    fn make_room(&mut self, now: Instant) {
        self.buckets.retain(|_, b| !b.are_full(now));
        if self.buckets.len() >= caps::BUCKETS {
            let mut nth = 0;
            self.buckets.retain(|_, _| {
                nth += 1;
                nth % 4 != 0
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Rate = Rate::per_second(1 << 30, 1 << 20);

    fn limits() -> RateLimits {
        let rates = |burst| Rates {
            messages: Rate::per_second(burst, 1),
            records: WIDE,
            bytes: WIDE,
        };
        RateLimits::new(rates(2), rates(3))
    }

    fn node(n: u32) -> NodeId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        NodeId::new(id)
    }

    #[test]
    fn limits_a_node_and_its_subnet() {
        let mut limits = limits();
        let remote = Some("10.0.0.1:5".parse().unwrap());
        let neighbour = Some("10.0.0.77:5".parse().unwrap());
        let t = Instant::ZERO;
        assert!(limits.admit(t, node(1), remote).is_ok());
        assert!(limits.admit(t, node(1), remote).is_ok());
        assert!(limits.admit(t, node(1), remote).is_err());
        assert!(limits.admit(t, node(2), neighbour).is_ok());
        assert!(limits.admit(t, node(2), neighbour).is_ok(), "its minimum");
        assert!(limits.admit(t, node(2), neighbour).is_err());
        assert!(
            limits
                .admit(t, node(3), Some("10.0.1.1:5".parse().unwrap()))
                .is_ok()
        );
    }

    /// R18: what a neighbour has used up is not paid for again.
    #[test]
    fn whom_its_subnet_holds_back_has_spent_nothing() {
        let mut limits = limits();
        let remote = Some("10.0.0.1:5".parse().unwrap());
        let t = Instant::ZERO;
        for n in 2..5 {
            assert!(limits.admit(t, node(n), remote).is_ok());
        }
        assert!(limits.admit(t, node(1), remote).is_ok(), "its minimum");
        for _ in 0..5 {
            assert!(limits.admit(t, node(1), remote).is_err());
        }
        let elsewhere = Some("10.0.1.1:5".parse().unwrap());
        assert!(limits.admit(t, node(1), elsewhere).is_ok());
        assert!(limits.admit(t, node(1), elsewhere).is_err());
    }

    /// R54: so many IDs of a subnet are answered whatever the others do, each a tenth as often as one
    /// alone; of those that rest, the places are free.
    #[test]
    fn beyond_the_share_of_a_subnet_there_is_a_minimum_for_each() {
        let ten = Rate::per_second(100, 10);
        let rates = Rates {
            messages: ten,
            records: WIDE,
            bytes: WIDE,
        };
        let mut limits = RateLimits::new(rates, rates);
        let remote = Some("10.0.0.1:5".parse().unwrap());
        let t = Instant::ZERO;
        let answered = |limits: &mut RateLimits, n, now| {
            let all = (0..200).filter(|_| limits.admit(now, node(n), remote).is_ok());
            all.count()
        };
        assert_eq!(answered(&mut limits, 0, t), 100, "its own limit");
        for n in 1..=caps::MINIMUM as u32 {
            assert_eq!(answered(&mut limits, n, t), 10, "{n}");
        }
        assert_eq!(answered(&mut limits, 1_000, t), 0, "one too many");
        let rested = t + Duration::from_secs(10);
        assert_eq!(answered(&mut limits, 1_000, rested), 10, "places are free");
    }

    #[test]
    fn the_map_is_bounded() {
        let mut limits = limits();
        for n in 0..20_000 {
            limits.charge(
                Instant::ZERO,
                node(n),
                None,
                Cost {
                    messages: 2,
                    records: 0,
                    bytes: 0,
                },
            );
            assert!(limits.len() <= caps::BUCKETS);
        }
    }

    fn remote(address: &str) -> Option<SocketAddr> {
        Some(address.parse().unwrap())
    }

    fn records(records: u64) -> Cost {
        Cost {
            records,
            ..Cost::default()
        }
    }

    /// Limits that only records or bytes can reach: ten at once, one a second.
    fn narrow() -> RateLimits {
        let ten = Rate::per_second(10, 1);
        let rates = Rates {
            messages: WIDE,
            records: ten,
            bytes: ten,
        };
        RateLimits::new(rates, rates)
    }

    /// R18: what was sent is paid before the next request is answered.
    #[test]
    fn records_and_bytes_are_charged_and_waited_for() {
        let bytes = Cost {
            bytes: 12,
            ..Cost::default()
        };
        for cost in [records(12), bytes] {
            let mut limits = narrow();
            limits.charge(Instant::ZERO, node(1), None, cost);
            let wait = Duration::from_secs(3);
            assert_eq!(limits.admit(Instant::ZERO, node(1), None), Err(wait));
            let end = Instant::ZERO + wait;
            assert!(
                limits
                    .admit(end - Duration::from_nanos(1), node(1), None)
                    .is_err()
            );
            assert_eq!(limits.admit(end, node(1), None), Ok(()));
            assert_eq!(
                limits.admit(Instant::ZERO, node(2), None),
                Ok(()),
                "another node"
            );
        }
    }

    /// R18: messages pushed count as well as those that are answered.
    #[test]
    fn messages_charged_count_against_those_admitted() {
        let mut limits = limits();
        let two = Cost {
            messages: 2,
            ..Cost::default()
        };
        limits.charge(Instant::ZERO, node(1), None, two);
        let refused = limits.admit(Instant::ZERO, node(1), None);
        assert_eq!(refused, Err(Duration::from_secs(1)));
    }

    /// R18: who is refused pays nothing for it, and so gets its turn.
    #[test]
    fn what_is_refused_costs_nothing() {
        let mut limits = limits();
        for _ in 0..100 {
            let _ = limits.admit(Instant::ZERO, node(1), None);
        }
        let later = Instant::from_millis(1_000);
        assert_eq!(limits.admit(later, node(1), None), Ok(()));
    }

    /// R18: a bucket belongs to the node, whichever address it comes from.
    #[test]
    fn a_node_takes_its_debts_to_another_address() {
        let mut limits = narrow();
        limits.charge(Instant::ZERO, node(1), remote("10.0.0.1:5"), records(10));
        for other in [None, remote("10.0.0.1:6"), remote("192.0.2.1:5")] {
            assert!(limits.admit(Instant::ZERO, node(1), other).is_err());
        }
    }

    /// R18: a node ID costs nothing, so what an address prefix does is counted over all of them.
    #[test]
    fn a_subnet_of_ipv6_is_limited_whatever_the_ids() {
        let mut limits = limits();
        let t = Instant::ZERO;
        let answered = |limits: &mut RateLimits, n, at| {
            let all = (0..9).filter(|_| limits.admit(t, node(n), remote(at)).is_ok());
            all.count()
        };
        assert_eq!(answered(&mut limits, 1, "[2001:db8::1]:5"), 2);
        let neighbour = "[2001:db8::ffff:1]:5";
        assert_eq!(
            answered(&mut limits, 2, neighbour),
            2,
            "the last, and its minimum"
        );
        assert_eq!(answered(&mut limits, 3, neighbour), 1, "its minimum");
        assert_eq!(answered(&mut limits, 4, "[2001:db8:0:1::1]:5"), 2);
    }

    fn full_of_debts(limits: &mut RateLimits) {
        for n in 0..caps::BUCKETS as u32 {
            // Even ones are clear after a second, odd ones after five.
            let cost = records(if n % 2 == 0 { 1 } else { 5 });
            limits.charge(Instant::ZERO, node(n), None, cost);
        }
    }

    /// R22: a bucket that is full again is as good as a new one.
    #[test]
    fn beyond_the_cap_paid_debts_are_forgotten_first() {
        let mut limits = narrow();
        full_of_debts(&mut limits);
        limits.charge(
            Instant::from_millis(1_000),
            node(u32::MAX),
            None,
            records(1),
        );
        assert_eq!(limits.len(), caps::BUCKETS / 2 + 1);
        let kept = |n| limits.buckets.contains_key(&LimitKey::Node(node(n)));
        assert!(kept(1) && !kept(0) && kept(u32::MAX));
    }

    /// R22.
    #[test]
    fn beyond_the_cap_a_quarter_of_the_debts_goes_when_none_is_paid() {
        let mut limits = narrow();
        full_of_debts(&mut limits);
        limits.charge(Instant::from_millis(999), node(u32::MAX), None, records(1));
        assert_eq!(limits.len(), caps::BUCKETS / 4 * 3 + 1);
    }

    /// R22: who is in the map already makes nobody give way.
    #[test]
    fn a_known_source_needs_no_room() {
        let mut limits = narrow();
        full_of_debts(&mut limits);
        limits.charge(Instant::from_millis(1_000), node(0), None, records(1));
        assert_eq!(limits.len(), caps::BUCKETS);
    }
}
