//! Configuration of a node.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::contract;
use crate::defence::{Defence, Disarmed};
use crate::id::NodeId;
use crate::limits::bucket::Rate;
use crate::limits::caps;
use crate::limits::rates::Rates;
use crate::seal::{Seal, SharedSeal, Signing};

/// What a node is told. [`Config::default`] suits a cluster of up to 16,000 nodes;
/// [`Node::new`](crate::Node::new) checks every value and names the one that is out of range.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    unpredictable_function_pointer_comparisons,
    reason = "a configuration equals its clone, whose policy has the same address"
)]
#[non_exhaustive]
pub struct Config {
    /// The upstreams: addresses that are asked, each on its own node. At most 1,024. What the graph
    /// of upstreams looks like does not matter, cycles included.
    pub upstreams: Vec<Multiaddr>,
    /// Records in the table, the own one included: 2 to 1,048,576. Default 16,384. Together they may
    /// take 512 bytes a place; most take a tenth of that, with a signature a fifth.
    pub capacity: usize,
    /// Links that stay open: 4 to 65,536. Default 512. Half of them may be standing ones (R46).
    /// One beyond it is answered once and told
    /// that the node is full.
    pub max_links: usize,
    /// Lifetime of the own record: 10 min to a week, whole seconds. Default 24 h. It is renewed in
    /// the last quarter of it; it is what remains when everything else fails.
    pub lifetime: Duration,
    /// Between rounds of asking while there is news, at most: 10 ms to 10 s. Default 200 ms.
    pub round: Duration,
    /// Between rounds while there is none, at most: `round` to 1 h. Default 60 s.
    pub quiet_round: Duration,
    /// Exchanges that may follow one another without a pause while there is news: 0 to 1,000.
    /// Default 40.
    pub burst: u32,
    /// How often a request may be forwarded: 0 to 64. Default 16.
    pub hop_limit: u8,
    /// After this long a request has failed: 100 ms to 60 s. Default 3 s. A node turns to
    /// another partner much earlier, after four round trips.
    pub request_timeout: Duration,
    /// The first round starts within this time, unless an upstream is there before: 0 to 60 s.
    /// Default 50 ms.
    pub start_jitter: Duration,
    /// Backoff after a first failure: 10 ms to 60 s. Default 500 ms.
    pub backoff_base: Duration,
    /// Longest backoff: `backoff_base` to 1 h. Default 5 min.
    pub backoff_cap: Duration,
    /// A link that this node has dialled closes when unused for so long: 1 s to 1 h. Default
    /// 90 s. Upstreams and standing links (R46) stay.
    pub link_idle: Duration,
    /// After about this long without a sign of life a node is down for all: 3 to 60 s. Default
    /// 3 s. `None`: no node watches another, and who crashes stays known until its record ends. The
    /// same on all nodes.
    pub detection: Option<Duration>,
    /// A cycle, or another lasting condition, is reported once in this time: 1 s to 1 day.
    /// Default 10 min.
    pub report_interval: Duration,
    /// Loopback addresses are dialled and reported too: for tests and demonstrations on one
    /// machine. Default: no.
    pub local: bool,
    /// Says which addresses of a peer may be used; stricter than what R7 excludes anyway. It
    /// filters use, never what is stored and relayed.
    pub address_policy: Option<fn(&NodeId, &Multiaddr) -> bool>,
    /// Messages a second that one node may send, with a burst of ten seconds' worth: 1 to
    /// 100,000. Default 50.
    pub messages_per_second: u32,
    /// Bytes a second sent to and taken from one node, with a burst of one minute's worth: 1,024
    /// to 1 GiB. Default 256 KiB.
    pub bytes_per_second: u32,
    /// The name of the cluster, the same on all of its nodes: at most 64 bytes. Default: empty. A
    /// node with another name is refused at its first message. The places of the nodes on the ring
    /// follow from it (R30).
    pub cluster: String,
    /// Whether records are signed, likewise the same on all nodes. Default: [`Signing::Off`], where
    /// a node ID may be any 32 bytes. Else the identity needs a [`Seal`].
    pub signing: Signing,
    /// For tests: defences that are off.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub disarmed: Disarmed,
}

macro_rules! setters {
    ($($with:ident, $field:ident: $type:ty;)*) => {
        /// One after the other: `Config::default().with_capacity(256).with_local(true)`.
        impl Config {
            $(
                #[doc = concat!("With this [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $with(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

setters! {
        with_upstreams, upstreams: Vec<Multiaddr>;
        with_capacity, capacity: usize;
        with_max_links, max_links: usize;
        with_lifetime, lifetime: Duration;
        with_round, round: Duration;
        with_quiet_round, quiet_round: Duration;
        with_burst, burst: u32;
        with_hop_limit, hop_limit: u8;
        with_request_timeout, request_timeout: Duration;
        with_start_jitter, start_jitter: Duration;
        with_backoff_base, backoff_base: Duration;
        with_backoff_cap, backoff_cap: Duration;
        with_link_idle, link_idle: Duration;
        with_detection, detection: Option<Duration>;
        with_report_interval, report_interval: Duration;
        with_local, local: bool;
        with_address_policy, address_policy: Option<fn(&NodeId, &Multiaddr) -> bool>;
        with_messages_per_second, messages_per_second: u32;
        with_bytes_per_second, bytes_per_second: u32;
        with_cluster, cluster: String;
        with_signing, signing: Signing;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            capacity: 16_384,
            max_links: 512,
            lifetime: contract::DEFAULT_LIFETIME,
            round: Duration::from_millis(200),
            quiet_round: Duration::from_secs(60),
            burst: 40,
            hop_limit: 16,
            request_timeout: Duration::from_secs(3),
            start_jitter: Duration::from_millis(50),
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(300),
            link_idle: Duration::from_secs(90),
            detection: Some(Duration::from_secs(3)),
            report_interval: Duration::from_secs(600),
            local: false,
            address_policy: None,
            messages_per_second: 50,
            bytes_per_second: 256 * 1024,
            cluster: String::new(),
            signing: Signing::Off,
            #[cfg(feature = "testing")]
            disarmed: Disarmed::NOTHING,
        }
    }
}

/// A value out of its range. Nothing was created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is out of range: {range}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The field of [`Config`] or [`Identity`].
    pub field: &'static str,
    /// What it may be.
    pub range: &'static str,
}

/// Who the node is: a node ID, where it can be dialled, and what else others are to know.
///
/// ```
/// # use peer_exchange::{Identity, Multiaddr, NodeId};
/// let identity = Identity::new(NodeId::new([7; 32]))
///     .with_addresses(vec![Multiaddr::tcp(([10, 0, 0, 7], 7000).into())])
///     .with_metadata(b"zone=a");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Its node ID, which its transports prove.
    pub node: NodeId,
    /// Where others can dial it, most preferred first, at most 16. With none, here and by
    /// [`listening`](Self::listening), the node takes part but is not announced.
    pub addresses: Vec<Multiaddr>,
    /// Sockets that listen at every address of this machine, such as `/ip4/0.0.0.0/tcp/7000`: of an
    /// address only its family, protocol and port count. Where others see this node, one of them
    /// dials it there, and if that leads to it, the address is announced like those above (R38).
    pub listening: Vec<Multiaddr>,
    /// Opaque to the protocol, at most 256 bytes.
    pub metadata: Vec<u8>,
    pub(crate) seal: Option<SharedSeal>,
}

impl Identity {
    /// This node, not announced until it has addresses.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self {
            node,
            addresses: Vec::new(),
            listening: Vec::new(),
            metadata: Vec::new(),
            seal: None,
        }
    }

    /// With these addresses.
    #[must_use]
    pub fn with_addresses(mut self, addresses: Vec<Multiaddr>) -> Self {
        self.addresses = addresses;
        self
    }

    /// With these sockets.
    #[must_use]
    pub fn with_listening(mut self, listening: Vec<Multiaddr>) -> Self {
        self.listening = listening;
        self
    }

    /// With this metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// With what signs its records and checks those of others (R50). Not used where
    /// [`Config::signing`] is [`Signing::Off`].
    #[must_use]
    pub fn with_seal(mut self, seal: Arc<dyn Seal>) -> Self {
        self.seal = Some(SharedSeal::new(seal));
        self
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Config {
    /// Whether every value is in its range, as [`Node::new`](crate::Node::new) checks.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let minute = SECOND * 60;
        let checks = [
            (
                "cluster",
                "at most 64 bytes",
                self.cluster.len() <= contract::CLUSTER_BYTES,
            ),
            (
                "upstreams",
                "at most 1,024",
                self.upstreams.len() <= caps::UPSTREAMS,
            ),
            (
                "capacity",
                "2 to 1,048,576",
                (2..=caps::CAPACITY).contains(&self.capacity),
            ),
            (
                "max_links",
                "4 to 65,536",
                (4..=caps::LINKS).contains(&self.max_links),
            ),
            (
                "lifetime",
                "10 min to 7 days, in whole seconds",
                (contract::SHORTEST_LIFETIME..=contract::LIFETIME).contains(&self.lifetime)
                    && self.lifetime.subsec_nanos() == 0,
            ),
            (
                "round",
                "10 ms to 10 s",
                (ms(10)..=SECOND * 10).contains(&self.round),
            ),
            (
                "quiet_round",
                "`round` to 1 h",
                (self.round..=HOUR).contains(&self.quiet_round),
            ),
            ("burst", "0 to 1,000", self.burst <= 1_000),
            (
                "hop_limit",
                "0 to 64",
                usize::from(self.hop_limit) <= contract::HOPS,
            ),
            (
                "request_timeout",
                "100 ms to 60 s",
                (ms(100)..=minute).contains(&self.request_timeout),
            ),
            ("start_jitter", "0 to 60 s", self.start_jitter <= minute),
            (
                "backoff_base",
                "10 ms to 60 s",
                (ms(10)..=minute).contains(&self.backoff_base),
            ),
            (
                "backoff_cap",
                "`backoff_base` to 1 h",
                (self.backoff_base..=HOUR).contains(&self.backoff_cap),
            ),
            (
                "link_idle",
                "1 s to 1 h",
                (SECOND..=HOUR).contains(&self.link_idle),
            ),
            (
                "detection",
                "3 to 60 s",
                self.detection
                    .is_none_or(|d| (SECOND * 3..=minute).contains(&d)),
            ),
            (
                "report_interval",
                "1 s to 1 day",
                (SECOND..=DAY).contains(&self.report_interval),
            ),
            (
                "messages_per_second",
                "1 to 100,000",
                (1..=100_000).contains(&self.messages_per_second),
            ),
            (
                "bytes_per_second",
                "1,024 to 1,073,741,824",
                (1024..=1 << 30).contains(&self.bytes_per_second),
            ),
        ];
        match checks.into_iter().find(|(_, _, ok)| !ok) {
            Some((field, range, _)) => Err(ConfigError { field, range }),
            None => Ok(()),
        }
    }

    /// What a test has taken away.
    pub(crate) const fn disarmed(&self) -> Disarmed {
        #[cfg(feature = "testing")]
        return self.disarmed;
        #[cfg(not(feature = "testing"))]
        Disarmed::NOTHING
    }

    pub(crate) const fn defends(&self, defence: Defence) -> bool {
        !self.disarmed().has(defence)
    }

    /// The rates of one node ID (R18).
    pub(crate) fn node_rates(&self) -> Rates {
        let messages = u64::from(self.messages_per_second);
        let bytes = u64::from(self.bytes_per_second);
        Rates {
            messages: Rate::per_second(messages * 10, messages),
            records: Rate::per_second(2 * self.capacity as u64 + 1_000, 1_000),
            bytes: Rate::per_second(bytes * 60, bytes),
        }
    }

    /// The rates of one subnet: a cold star of a full table's size from one subnet is legitimate.
    pub(crate) fn subnet_rates(&self) -> Rates {
        let Rates {
            messages,
            records,
            bytes,
        } = self.node_rates();
        let wider = |rate: Rate| Rate {
            burst: rate.burst.saturating_mul(8).max(4 * self.capacity as u64),
            per_token: rate.per_token / 8,
        };
        Rates {
            messages: wider(messages),
            records: wider(records),
            bytes: wider(bytes),
        }
    }

    /// Whether this address of a peer may be dialled and reported.
    pub(crate) fn allows(&self, node: &NodeId, address: &Multiaddr) -> bool {
        self.address_policy
            .is_none_or(|policy| policy(node, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_range() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn names_what_is_out_of_range() {
        let config = Config {
            hop_limit: 65,
            ..Config::default()
        };
        assert_eq!(config.check().map_err(|e| e.field), Err("hop_limit"));
        let config = Config {
            lifetime: Duration::from_millis(600_500),
            ..Config::default()
        };
        assert_eq!(config.check().map_err(|e| e.field), Err("lifetime"));
    }
}
