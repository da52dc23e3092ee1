//! R46: one change, down the tree, where the ring is whole and where it is not.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::Message;
use peer_exchange::{Config, Input, NodeId, UpstreamState};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Setup};

use crate::checkers::Checkers;
use crate::cluster::{Graph, brisk};
use crate::world::World;

const NODES: usize = 64;
const WHO: HostId = HostId(17);

/// A ring of the brisk configuration, changed, that has come to rest.
fn calm(seed: u64, faults: Faults, change: impl FnOnce(&mut Config)) -> Network<Checkers> {
    let mut config = brisk();
    change(&mut config);
    let mut network = Graph::ring(NODES).network(seed, config, faults);
    network.start_all();
    network.run_for(Duration::from_secs(20));
    network
}

fn change(network: &mut Network<Checkers>, what: &[u8]) {
    network.input(WHO, Input::SetMetadata(what.to_vec()));
}

/// How many of the others have the newest record of whoever has changed.
fn knowing<O: Observer>(network: &Network<O>) -> usize {
    let Some(author) = network.node(WHO) else {
        return 0;
    };
    let (id, sequence) = (author.id(), author.sequence());
    let others = (0..network.host_count()).map(HostId);
    let nodes = others.filter_map(|host| network.node(host));
    let known = nodes.filter_map(|node| node.peer(&id));
    known.filter(|peer| peer.sequence >= sequence).count()
}

fn until_all_know(network: &mut Network<Checkers>, all: usize, limit: Duration) -> Duration {
    let start = network.now();
    network.run_until(start + limit, |n| knowing(n) >= all);
    assert_eq!(knowing(network), all, "not within {limit:?}");
    network.now() - start
}

/// News about one node: in how many messages.
struct Told(NodeId, usize);

impl Observer for Told {
    fn sent(&mut self, _: Duration, _: HostId, _: HostId, bytes: &Bytes) {
        if let Message::Update(update) = World::decode(bytes) {
            let records = update.news.iter().flat_map(|n| n.records.iter());
            self.1 += records.filter(|r| r.node == self.0).count();
        }
    }
}

/// One node of a cluster at rest changes: each other node is told once, within log2 N + 2 hops.
fn each_is_told_once(graph: &Graph, rest: Duration) -> Network<Told> {
    let nodes = graph.len();
    let nobody = Told(NodeId::new([0; 32]), 0);
    let mut network = graph.observed(5, Config::default(), Faults::default(), nobody);
    network.start_all();
    network.run_for(rest);
    assert!(network.converged(), "{nodes}");
    let who = HostId(nodes / 2);
    let id = network.node(who).unwrap().id();
    *network.observer_mut() = Told(id, 0);
    network.input(who, Input::SetMetadata(b"new".to_vec()));
    let hops = nodes.next_power_of_two().trailing_zeros() + 2;
    let limit = network.now() + hops * Faults::default().latency;
    assert!(network.run_until(limit, Network::converged), "{nodes}");
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.observer().1, nodes - 1, "messages");
    network
}

/// N4.
#[test]
fn n4_in_a_whole_ring_each_is_told_once() {
    for nodes in [3, 9, 64, 200] {
        each_is_told_once(&Graph::ring(nodes), Duration::from_secs(20));
    }
}

/// N4, R44: everybody has everybody for an upstream. Once all have met, most are only listed.
#[test]
fn n4_in_a_full_mesh_a_change_takes_as_long_as_in_a_ring() {
    for nodes in [30, 100] {
        let mesh = Graph::of(nodes, |i| (0..nodes).filter(|o| *o != i).collect());
        let mut network = each_is_told_once(&mesh, Duration::from_secs(5));
        network.run_for(Duration::from_secs(9));
        let states = (0..nodes).flat_map(|i| network.node(HostId(i)).unwrap().upstreams());
        let listed = states.filter(|u| u.state == UpstreamState::Listed).count();
        assert!(listed > nodes * nodes / 2, "{listed}");
    }
}

/// Lost messages are made good by exchanges.
#[test]
fn r46_what_is_lost_comes_with_the_next_exchange() {
    let faults = Faults {
        loss: 0.1,
        duplicate: 0.05,
        reorder: 0.1,
        ..Faults::default()
    };
    let mut network = calm(3, faults, |_| {});
    for what in [b"a", b"b", b"c"] {
        change(&mut network, what);
        network.run_for(50 * faults.latency);
        assert!(knowing(&network) > NODES / 4, "{}", knowing(&network));
        until_all_know(&mut network, NODES - 1, Duration::from_secs(20));
    }
    assert!(network.fault_counts().lost > 0);
}

/// Tables that have room for a part of the cluster only: the news comes to nearly all who know its
/// author, at once.
#[test]
fn r46_news_finds_its_way_where_tables_are_small() {
    for (room, least) in [(16, 0.8), (32, 0.95)] {
        let mut config = brisk();
        config.capacity = room;
        let setup = Setup {
            seed: 4,
            faults: Faults::default(),
            config,
        };
        let mut network = Network::with_observer(setup, Told(NodeId::new([0; 32]), 0));
        for i in 0..NODES {
            network.add_host(&[HostId((i + 1) % NODES)]);
        }
        network.start_all();
        network.run_for(Duration::from_secs(40));
        let id = network.node(WHO).unwrap().id();
        let hosts = || (0..NODES).map(HostId);
        let who_has = |n: &Network<Told>| {
            let has = |host: &HostId| n.node(*host).is_some_and(|n| n.peer(&id).is_some());
            hosts().filter(has).count()
        };
        let all = who_has(&network);
        assert!(all > 3, "{all}");
        network.input(WHO, Input::SetMetadata(b"new".to_vec()));
        network.run_for(40 * Faults::default().latency);
        let share = knowing(&network) as f64 / who_has(&network) as f64;
        assert!(share >= least, "{room}: {share}");
    }
}

/// With four links a node, two of them standing.
#[test]
fn r46_with_few_links_news_comes_to_all() {
    // Nor is there room to watch others.
    let mut network = calm(6, Faults::default(), |c| {
        c.max_links = 4;
        c.detection = None;
    });
    change(&mut network, b"new");
    let took = until_all_know(&mut network, NODES - 1, Duration::from_secs(20));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Who has just crashed cannot pass on what it is sent: its part hears of it by exchanges.
#[test]
fn r46_a_receiver_that_has_crashed_costs_no_more_than_an_exchange() {
    let mut network = calm(7, Faults::default(), |_| {});
    for crashed in [3, 20, 40] {
        network.crash(HostId(crashed));
    }
    change(&mut network, b"new");
    until_all_know(&mut network, NODES - 4, Duration::from_secs(10));
}

/// Two halves come together, each with a ring of its own until then.
#[test]
fn r46_rings_that_meet_become_one() {
    let mut network = calm(8, Faults::default(), |_| {});
    network.partition(|host| host.0 % 2 == 0);
    network.run_for(Duration::from_secs(60));
    network.heal();
    network.run_for(Duration::from_secs(60));
    assert!(network.converged());
    change(&mut network, b"new");
    let took = until_all_know(&mut network, NODES - 1, Duration::from_secs(1));
    assert!(took <= 10 * Faults::default().latency, "{took:?}");
}

/// R22: a hub that has no room for most of those who ask it at once turns them away with some
/// records, and all find each other.
#[test]
fn a_star_larger_than_its_hubs_links_converges() {
    let mut config = Config::default().with_detection(None);
    config.max_links = 16;
    // All are linked before anybody is answered.
    config.start_jitter = Duration::ZERO;
    let star = Graph::of(100, |host| if host == 0 { vec![] } else { vec![0] });
    let mut network = star.network(9, config, Faults::default());
    network.start_all();
    assert!(network.run_until(Duration::from_secs(20), Network::converged));
    let hub = network.node(HostId(0)).unwrap();
    assert!(hub.links().count() <= 32);
}
