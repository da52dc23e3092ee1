//! Crashes, partitions and pauses: who is dead is down for all in seconds, nobody alive is (N10 to
//! N12).

use std::collections::BTreeMap;
use std::time::Duration;

use peer_exchange::{Config, Event, NodeId};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Restart, Setup};

use crate::cluster::{Graph, Upstream};

const DETECTION: Duration = Duration::from_secs(3);
/// Until a cluster is at rest, and its nodes know each other for long enough to be believed.
const AT_REST: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(20);

/// Who was taken for down by whom, and when.
#[derive(Default)]
struct Watch {
    downs: BTreeMap<(HostId, NodeId), Duration>,
    isolated: Vec<HostId>,
}

impl Observer for Watch {
    fn event(&mut self, now: Duration, host: HostId, event: &Event) {
        match event {
            Event::PeerDown { node } => {
                self.downs.insert((host, *node), now);
            }
            Event::Isolated => self.isolated.push(host),
            _ => {}
        }
    }
}

/// Who is asked at first does not matter once a cluster is at rest.
fn at_rest(nodes: usize, seed: u64, loss: f64) -> Network<Watch> {
    let faults = Faults {
        loss,
        ..Faults::default()
    };
    let config = Config::default().with_detection(Some(DETECTION));
    let setup = Setup {
        seed,
        faults,
        config,
    };
    let mut network = Network::with_observer(setup, Watch::default());
    for upstreams in &Graph::ring(nodes).upstreams {
        let hosts = upstreams.iter().map(|u| match u {
            Upstream::Host(host) => HostId(*host),
            other => panic!("{other:?}"),
        });
        network.add_host(&hosts.collect::<Vec<_>>());
    }
    network.start_all();
    network.run_for(AT_REST);
    assert!(network.converged(), "{nodes} {seed}");
    assert_eq!(network.observer().downs, BTreeMap::new(), "nobody is down");
    network
}

/// How many of all others list this host.
fn listed(network: &Network<Watch>, host: HostId, seed: u64) -> usize {
    let id = host.node_id(seed);
    let hosts = (0..network.host_count()).map(HostId);
    let nodes = hosts.filter_map(|h| network.node(h));
    nodes.filter(|n| n.peer(&id).is_some()).count()
}

/// How long it takes until that holds.
fn time_until(
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

const CASES: [(usize, f64); 4] = [(30, 0.0), (30, 0.05), (100, 0.0), (100, 0.05)];

/// R32, R33, N10: from the host of a process that crashes comes the end of its links.
#[test]
fn a_crash_is_known_to_all_within_the_detection_time() {
    for (nodes, loss) in CASES {
        for seed in 0..4 {
            let mut network = at_rest(nodes, seed, loss);
            let victim = HostId(7);
            let crashed = network.now();
            network.crash(victim);
            let most = Duration::from_millis(3_500);
            let took = time_until(&mut network, most, |n| listed(n, victim, seed) == 0);
            eprintln!("{nodes} {loss} {seed}: down {took:?}");
            network.run_for(Duration::from_secs(20));
            let downs = &network.observer().downs;
            assert_eq!(downs.len(), nodes - 1, "nobody else is down");
            assert!(downs.keys().all(|(_, down)| *down == victim.node_id(seed)));
            assert!(downs.values().all(|at| *at - crashed <= most));

            network.start(victim, Restart::Empty);
            let took = time_until(&mut network, Duration::from_secs(20), |n| {
                listed(n, victim, seed) == nodes - 1
            });
            eprintln!("{nodes} {loss} {seed}: up {took:?}");
        }
    }
}
