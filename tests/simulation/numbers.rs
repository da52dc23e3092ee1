//! N1, N3, N4: how fast and at what cost, on 256 nodes of the default configuration.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::Message;
use peer_exchange::{Config, Input};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Setup};

use crate::band;
use crate::cluster::{Graph, Upstream};
use crate::step;
use crate::world::World;

const NODES: usize = 256;
const LATENCY: Duration = Duration::from_millis(1);

/// Each graph with its name.
fn topologies() -> [(&'static str, Graph); 5] {
    [
        ("ring", Graph::ring(NODES)),
        (
            "line",
            Graph::of(NODES, |i| i.checked_sub(1).into_iter().collect()),
        ),
        (
            "star",
            Graph::of(NODES, |i| if i == 0 { vec![] } else { vec![0] }),
        ),
        (
            "tree",
            Graph::of(NODES, |i| {
                i.checked_sub(1).map(|i| i / 2).into_iter().collect()
            }),
        ),
        (
            "three each",
            Graph::of(NODES, |i| {
                (1..4).map(|k| (i * 7 + k * 31) % NODES).collect()
            }),
        ),
    ]
}

/// (⌈log2 N⌉ + 4) × 200 ms.
fn bound() -> Duration {
    Duration::from_millis(200) * (NODES.next_power_of_two().ilog2() + 4)
}

fn cold<O: Observer>(graph: &Graph, seed: u64, faults: Faults, observer: O) -> Network<O> {
    let setup = Setup {
        seed,
        faults,
        config: Config::default(),
    };
    let mut network = Network::with_observer(setup, observer);
    for upstreams in &graph.upstreams {
        let host = |u: &Upstream| match u {
            Upstream::Host(i) => Some(HostId(*i)),
            _ => None,
        };
        let hosts: Vec<_> = upstreams.iter().filter_map(host).collect();
        network.add_host(&hosts);
    }
    network.start_all();
    network
}

#[test]
fn n1_everybody_knows_everybody_in_time() {
    for (name, graph) in topologies() {
        let mut network = cold(&graph, 1, Faults::default(), peer_exchange_memory::Quiet);
        assert!(network.run_until(bound(), Network::converged), "{name}");
    }
}

#[test]
fn n1_likewise_at_a_loss_of_a_tenth() {
    let faults = Faults {
        loss: 0.1,
        ..Faults::default()
    };
    for (name, graph) in topologies() {
        let mut network = cold(&graph, 2, faults, peer_exchange_memory::Quiet);
        let in_time = network.run_until(bound() * 3 / 2, Network::converged);
        assert!(in_time, "{name}");
        assert!(network.fault_counts().lost > 0);
    }
}

#[test]
fn it_converges_under_loss_copies_and_disorder() {
    let faults = Faults {
        loss: 0.2,
        duplicate: 0.1,
        reorder: 0.3,
        ..Faults::default()
    };
    band::seeds("it_converges_under_loss_copies_and_disorder", 2, |seed| {
        let graph = Graph::ring(NODES);
        let mut network = cold(&graph, seed, faults, peer_exchange_memory::Quiet);
        let done = network.run_until(Duration::from_secs(60), Network::converged);
        assert!(done, "{} pairs", network.known_pairs());
        let counts = network.fault_counts();
        assert!(counts.lost.min(counts.duplicated).min(counts.reordered) > 0);
    });
}

/// Encoded sizes of the two halves of unchanged exchanges.
#[derive(Default)]
struct Sizes {
    requests: Vec<usize>,
    responses: Vec<usize>,
    others: usize,
}

impl Observer for Sizes {
    fn sent(&mut self, _: Duration, _: HostId, _: HostId, bytes: &Bytes) {
        match World::decode(bytes) {
            Message::Request(m) if m.push.is_none() && !m.is_fetch() => {
                self.requests.push(bytes.len());
            }
            Message::Response(m) if m.delta.is_none() && m.busy.is_none() => {
                self.responses.push(bytes.len());
            }
            _ => self.others += 1,
        }
    }
}

#[test]
fn n3_an_unchanged_exchange_is_small() {
    let graph = Graph::ring(NODES);
    let mut network = cold(&graph, 3, Faults::default(), Sizes::default());
    network.run_for(Duration::from_secs(240));
    assert!(network.converged());
    // Long after the news, and before the first renewal.
    *network.observer_mut() = Sizes::default();
    network.run_for(Duration::from_secs(240));
    let Sizes {
        requests,
        responses,
        ..
    } = network.observer();
    assert!(requests.len() > NODES, "{}", requests.len());
    // A few are under way at the beginning and at the end.
    assert!(requests.len().abs_diff(responses.len()) < 5);
    let most = |sizes: &[usize]| sizes.iter().copied().max();
    assert!(most(requests) <= Some(64), "{:?}", most(requests));
    assert!(most(responses) <= Some(24), "{:?}", most(responses));
    // With whom it has been before, it is 24 bytes: here nearly everybody is new to everybody.
    let brief = requests.iter().filter(|size| **size <= 24).count();
    assert!(brief > 0, "none of {}", requests.len());
}

/// N3: between those who know each other an unchanged exchange is at most 24 bytes each way.
#[test]
fn n3_at_rest_it_is_24_bytes_each_way() {
    let mut network = cold(&Graph::ring(3), 3, Faults::default(), Sizes::default());
    network.run_for(Duration::from_secs(240));
    assert!(network.converged());
    *network.observer_mut() = Sizes::default();
    network.run_for(Duration::from_secs(240));
    let Sizes {
        requests,
        responses,
        ..
    } = network.observer();
    assert!(requests.len() > 6, "{}", requests.len());
    let sizes: Vec<_> = requests.iter().chain(responses).collect();
    assert!(sizes.iter().all(|size| **size <= 24), "{sizes:?}");
}

/// Messages that carry a record.
#[derive(Default)]
struct Carriers(usize);

impl Observer for Carriers {
    fn sent(&mut self, _: Duration, _: HostId, _: HostId, bytes: &Bytes) {
        let carries = step::records(&World::decode(bytes)).next().is_some();
        self.0 += usize::from(carries);
    }
}

#[test]
fn n4_one_change_is_everywhere_at_once_and_cheap() {
    let graph = Graph::ring(NODES);
    let mut network = cold(&graph, 4, Faults::default(), Carriers::default());
    network.run_for(Duration::from_secs(300));
    assert!(network.converged());
    *network.observer_mut() = Carriers::default();
    network.input(HostId(17), Input::SetMetadata(b"zone=2".to_vec()));
    assert!(!network.converged());
    let at = network.now();
    let hops = NODES.ilog2() + 2;
    let done = network.run_until(at + hops * LATENCY, Network::converged);
    assert!(done, "not within {hops} latencies");
    network.run_for(Duration::from_secs(3));
    let most = NODES * 13 / 10;
    let carried = network.observer().0;
    assert!(carried <= most, "{carried} > {most}");
}
