//! R47: each cycle of upstreams is named at each of its nodes, and nothing else is.

use std::collections::BTreeSet;
use std::time::Duration;

use peer_exchange::{Config, NodeId};
use peer_exchange_memory::{HostId, Network, Quiet};

use crate::band;
use crate::cluster::{Graph, losing};
use crate::shapes::{self, Dice};

/// The longest that are looked for.
const LONGEST: usize = 64;

fn network(graph: &Graph, seed: u64, capacity: usize, loss: f64) -> Network<Quiet> {
    let mut config = Config::default();
    config.capacity = capacity;
    let mut network = graph.observed(seed, config, losing(loss), Quiet);
    network.start_all();
    network
}

/// The cycles that a host names now, as hosts, itself first.
fn named(network: &Network<Quiet>, host: usize) -> BTreeSet<Vec<usize>> {
    let node = network.node(HostId(host)).expect("it runs");
    let present = node.loops().filter(|l| l.present);
    let cycles = present.map(|found| {
        let of = |id: &NodeId| network.host_of(id).expect("a host").0;
        let mut path: Vec<usize> = found.path.iter().map(of).collect();
        let at = path.iter().position(|h| *h == host);
        path.rotate_left(at.expect("it is on it"));
        path
    });
    cycles.collect()
}

/// How many cycles are named; each is one, and for each upstream that leads back there is one of the
/// shortest.
fn check(graph: &Graph, network: &Network<Quiet>) -> usize {
    let mut count = 0;
    for host in 0..graph.len() {
        let named = named(network, host);
        for cycle in &named {
            let next = |i: usize| cycle[(i + 1) % cycle.len()];
            let mut edges = (0..cycle.len()).map(|i| (cycle[i], next(i)));
            let all = edges.all(|(from, to)| shapes::asked(graph, from).any(|n| n == to));
            assert!(all, "{host} names a cycle that is none: {cycle:?}");
        }
        for upstream in shapes::asked(graph, host) {
            let back = shapes::steps(graph, upstream, host);
            let Some(len) = back.map(|s| s + 1).filter(|len| *len <= LONGEST) else {
                continue;
            };
            let is_it = |c: &&Vec<usize>| c.len() == len && c[1] == upstream;
            assert!(
                named.iter().any(|c| is_it(&c)),
                "{host} of {} does not name its cycle of {len} by {upstream}",
                graph.len()
            );
        }
        count += named.len();
    }
    count
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_cycle_is_named_at_each_of_its_nodes() {
    band::seeds("every_cycle_is_named", 16, |seed| {
        let mut dice = Dice(seed);
        let shape = (seed % 2 == 1).then_some(seed as usize / 2);
        let graph = match shape {
            None => shapes::random(&mut dice),
            Some(shape) => shapes::shaped(&mut dice, shape),
        };
        let mut network = network(&graph, seed, 1_000, 0.0);
        network.run_for(MINUTE / 3);
        let count = check(&graph, &network);
        // Spines, sites, a ring with shortcuts, a full mesh of a few: there are some.
        let has_cycles = shape.is_some_and(|s| [2, 3, 6, 7].contains(&(s % shapes::SHAPES)));
        assert!(count > 0 || !has_cycles);
    });
}

/// With tables of 64, among as many as twice and three times that.
#[test]
fn every_cycle_is_named_beyond_tables_that_are_full() {
    let lens = [2, 3, 17, 40, 64];
    band::seeds("beyond_tables", lens.len() as u64, |seed| {
        let len = lens[seed as usize % lens.len()];
        let graph = shapes::ring_and_more(&mut Dice(seed), len, 150);
        let mut network = network(&graph, seed, 64, 0.0);
        network.run_for(2 * MINUTE);
        assert!(check(&graph, &network) >= len);
    });
}

#[test]
fn every_cycle_is_named_in_graphs_with_tables_that_are_full() {
    band::seeds("graphs_with_tables", 4, |seed| {
        let graph = shapes::shaped(&mut Dice(seed), 3 + seed as usize);
        let mut network = network(&graph, seed, 64, 0.02);
        network.run_for(3 * MINUTE);
        check(&graph, &network);
    });
}

/// Where one node stops, its cycle is none; it is one again when the node is back.
#[test]
fn a_cycle_is_none_while_one_of_it_is_down() {
    for capacity in [1_000, 64] {
        let graph = shapes::ring_and_more(&mut Dice(1), 20, 120);
        let mut network = network(&graph, 1, capacity, 0.0);
        network.run_for(MINUTE);
        let naming = |network: &Network<Quiet>| {
            let name = |h: &usize| !named(network, *h).is_empty();
            (0..20).filter(|h| *h != 7).filter(name).count()
        };
        assert_eq!(naming(&network), 19, "{capacity}");
        network.power_off(HostId(7));
        network.run_for(MINUTE);
        assert_eq!(naming(&network), 0, "{capacity}");
        network.start(HostId(7), peer_exchange_memory::Restart::Empty);
        network.run_for(2 * MINUTE);
        assert_eq!(naming(&network), 19, "{capacity}");
    }
}
