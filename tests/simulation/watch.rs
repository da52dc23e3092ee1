//! Clusters in which everybody is watched, and what is seen of it: who was taken for down by whom,
//! when, and what each host has sent.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::{Config, Event, NodeId};
use peer_exchange_memory::{HostId, Network, Observer};

use crate::cluster::{Graph, losing};

pub(crate) const DETECTION: Duration = Duration::from_secs(3);
/// Until a cluster is at rest, and its nodes know each other for long enough to be believed.
pub(crate) const AT_REST: Duration = Duration::from_secs(90);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(crate) struct Watch {
    /// When a host took a node for down, the last time.
    pub(crate) downs: BTreeMap<(HostId, NodeId), Duration>,
    /// When it took one in that it did not know, or knew as down.
    pub(crate) ups: BTreeMap<(HostId, NodeId), Duration>,
    pub(crate) isolated: Vec<HostId>,
    /// Who has said that a transport is blocked, or is not any more.
    pub(crate) blocked: Vec<(HostId, bool)>,
    /// Bytes that each host has sent.
    pub(crate) sent: BTreeMap<HostId, u64>,
}

impl Watch {
    /// Forgets what was seen so far.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Observer for Watch {
    fn event(&mut self, now: Duration, host: HostId, event: &Event) {
        match event {
            Event::PeerDown { node } => {
                self.downs.insert((host, *node), now);
            }
            Event::PeerUp { node } => {
                self.ups.insert((host, *node), now);
            }
            Event::Isolated => self.isolated.push(host),
            Event::TransportBlocked { .. } => self.blocked.push((host, true)),
            Event::TransportOpen { .. } => self.blocked.push((host, false)),
            _ => {}
        }
    }

    fn sent(&mut self, _now: Duration, from: HostId, _to: HostId, bytes: &Bytes) {
        *self.sent.entry(from).or_default() += bytes.len() as u64;
    }
}

pub(crate) fn watchful() -> Config {
    Config::default().with_detection(Some(DETECTION))
}

/// Who is asked at first does not matter once a cluster is at rest.
pub(crate) fn at_rest(nodes: usize, seed: u64, loss: f64) -> Network<Watch> {
    at_rest_with(nodes, seed, loss, watchful())
}

pub(crate) fn at_rest_with(nodes: usize, seed: u64, loss: f64, config: Config) -> Network<Watch> {
    let graph = Graph::ring(nodes);
    let mut network = graph.observed(seed, config, losing(loss), Watch::default());
    network.start_all();
    network.run_for(AT_REST);
    assert_eq!(network.observer().downs, BTreeMap::new(), "nobody is down");
    network
}

/// How many of all others list this host.
pub(crate) fn listed(network: &Network<Watch>, host: HostId, seed: u64) -> usize {
    let id = host.node_id(seed);
    let hosts = (0..network.host_count()).map(HostId);
    let nodes = hosts.filter_map(|h| network.node(h));
    nodes.filter(|n| n.peer(&id).is_some()).count()
}

/// How long it takes until that holds.
pub(crate) fn time_until(
    network: &mut Network<Watch>,
    most: Duration,
    mut holds: impl FnMut(&Network<Watch>) -> bool,
) -> Duration {
    let start = network.now();
    while !holds(network) {
        let past = network.now() - start;
        assert!(past < most, "not after {past:?}");
        network.run_for(STEP);
    }
    network.now() - start
}

/// Of all that was measured: the median, the 99th percentile and the last.
pub(crate) fn spread(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort_unstable();
    let nth = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times.get(rank - 1).copied().unwrap_or_default()
    };
    [nth(50), nth(99), nth(100)]
}

pub(crate) fn delays(
    network: &Network<Watch>,
    since: Duration,
) -> impl Iterator<Item = Duration> + '_ {
    network.observer().downs.values().map(move |at| *at - since)
}
