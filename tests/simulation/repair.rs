//! R31, N4: what is lost on its way, a change or a renewal, is mended within seconds.

use std::time::Duration;

use peer_exchange::{Config, Input};
use peer_exchange_memory::{HostId, Network, Quiet};

use crate::cluster::{Graph, losing};

const STEP: Duration = Duration::from_millis(20);
const LOSS: f64 = 0.1;

/// A ring that is at rest.
fn at_rest(nodes: usize, seed: u64, lifetime: u64) -> Network<Quiet> {
    let config = Config::default().with_lifetime(Duration::from_secs(lifetime));
    let mut network = Graph::ring(nodes).observed(seed, config, losing(LOSS), Quiet);
    network.start_all();
    network.run_for(Duration::from_secs(60));
    assert!(network.converged());
    network
}

/// How many know less of this host than it says of itself.
fn behind(network: &Network<Quiet>, host: HostId) -> usize {
    let node = network.node(host).expect("it runs");
    let (id, now) = (node.id(), node.sequence());
    let all = (0..network.host_count()).filter_map(|h| network.node(HostId(h)));
    let others = all.filter(|n| n.id() != id);
    others
        .filter(|n| n.peer(&id).is_none_or(|p| p.sequence < now))
        .count()
}

/// Until all know what this host has just said.
fn until_all_know(network: &mut Network<Quiet>, host: HostId) -> Duration {
    let start = network.now();
    while behind(network, host) > 0 {
        let past = network.now() - start;
        assert!(past < Duration::from_secs(60), "not after {past:?}");
        network.run_for(STEP);
    }
    network.now() - start
}

/// The median, the 95th percentile and the last.
fn spread(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort_unstable();
    let nth = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    [nth(50), nth(95), nth(100)]
}

fn changes(nodes: usize, times: usize) -> [Duration; 3] {
    let mut network = at_rest(nodes, 3, 86_400);
    let took = (0..times).map(|i| {
        let host = HostId(i * nodes / times);
        network.input(host, Input::SetMetadata(vec![i as u8]));
        let took = until_all_know(&mut network, host);
        network.run_for(Duration::from_secs(5));
        took
    });
    spread(took.collect())
}

/// Each record is renewed in the last quarter of its ten minutes.
fn renewals(nodes: usize, most: usize) -> [Duration; 3] {
    let mut network = at_rest(nodes, 4, 600);
    let hosts: Vec<_> = (0..most).map(|i| HostId(i * nodes / most)).collect();
    let beat = |n: &Network<Quiet>, h: HostId| n.node(h).expect("it runs").sequence();
    let mut waiting: Vec<_> = hosts.iter().map(|h| (*h, beat(&network, *h))).collect();
    let (mut open, mut took) = (Vec::new(), Vec::new());
    while !(waiting.is_empty() && open.is_empty()) {
        network.run_for(STEP);
        let now = network.now();
        assert!(now < Duration::from_secs(700), "{open:?} {waiting:?}");
        waiting.retain(|(host, before)| {
            let same = beat(&network, *host) == *before;
            if !same {
                open.push((*host, now));
            }
            same
        });
        open.retain(|(host, since)| {
            let all_know = behind(&network, *host) == 0;
            if all_know {
                took.push(now - *since);
            }
            !all_know
        });
    }
    assert!(took.len() == most);
    spread(took)
}

/// R1, R31: of ten messages one is lost, and all know within seconds.
#[test]
fn a_change_that_is_lost_is_mended() {
    let times = changes(100, 30);
    eprintln!("changes, 100 nodes: {times:?}");
    assert!(times[1] <= Duration::from_secs(3), "{times:?}");
}

/// R1, R31: a renewal is a change of the set like another.
#[test]
fn a_renewal_that_is_lost_is_mended() {
    let times = renewals(100, 50);
    eprintln!("renewals, 100 nodes: {times:?}");
    assert!(times[1] <= Duration::from_secs(3), "{times:?}");
}

/// The numbers of docs/costs.md.
#[test]
#[ignore = "minutes"]
fn the_same_of_a_thousand() {
    eprintln!("changes, 1,024 nodes: {:?}", changes(1_024, 20));
    eprintln!("renewals, 1,024 nodes: {:?}", renewals(1_024, 20));
}

/// What it costs that tables differ while a renewal is on its way: each of a hundred nodes renews its
/// record every nine minutes, as 14,000 would with lives of a day.
#[test]
#[ignore = "minutes"]
fn what_renewals_cost() {
    for lifetime in [86_400, 600] {
        let mut network = at_rest(100, 4, lifetime);
        let (before, seconds) = (network.bytes(), 1_200);
        network.run_for(Duration::from_secs(seconds));
        let each = 2.0 * (network.bytes() - before) as f64 / seconds as f64 / 100.0;
        eprintln!("lives of {lifetime} s: {each:.0} bytes a second and node");
    }
}
