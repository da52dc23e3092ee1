//! Lives and leavers over hours of virtual time: nobody alive is lost, whatever is lost on the way.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{Decoded, Message, decode};
use peer_exchange::{Config, Event, Input};
use peer_exchange_memory::{HostId, Network, Observer, Restart};

use crate::cluster::{Graph, losing};

/// The shortest life there is.
const SHORT: Duration = Duration::from_secs(600);

/// Who was lost while it lived, and what was done against it.
#[derive(Default)]
struct Watch {
    lost: usize,
    /// Requests that name what is overdue, and records that answered it.
    missed: usize,
    repaired: usize,
}

impl Observer for Watch {
    fn event(&mut self, _: Duration, _: HostId, event: &Event) {
        let lost = matches!(event, Event::PeerExpired { .. } | Event::PeerEvicted { .. });
        self.lost += usize::from(lost);
    }

    fn sent(&mut self, _: Duration, _: HostId, _: HostId, bytes: &Bytes) {
        match decode(bytes.clone()) {
            Ok(Decoded::Message(Message::Request(m))) => {
                self.missed += usize::from(!m.overdue.is_empty());
            }
            Ok(Decoded::Message(Message::Response(m))) => self.repaired += m.renewed.len(),
            _ => {}
        }
    }
}

fn network(graph: &Graph, seed: u64, loss: f64, config: Config) -> Network<Watch> {
    graph.observed(seed, config, losing(loss), Watch::default())
}

/// Ring, star, and three random upstreams each.
fn graphs(nodes: usize) -> [Graph; 3] {
    let random = move |i: usize| (1..=3).map(move |k| (i * 7 + k * k * 11 + 1) % nodes);
    [
        Graph::ring(nodes),
        Graph::of(nodes, |i| if i == 0 { vec![] } else { vec![0] }),
        Graph::of(nodes, |i| random(i).filter(|u| *u != i).collect()),
    ]
}

fn of_life(lifetime: Duration) -> Config {
    // With beats a renewal that is lost is mended within a second (R31): here it is asked for.
    Config::default()
        .with_lifetime(lifetime)
        .with_detection(None)
}

/// R2: renewals that are lost are asked for.
#[test]
fn nobody_alive_is_lost_over_many_lives_where_a_tenth_is_lost() {
    for nodes in [30, 100] {
        for (seed, graph) in graphs(nodes).iter().enumerate() {
            let mut network = network(graph, seed as u64, 0.1, of_life(SHORT));
            network.start_all();
            network.run_for(8 * SHORT);
            let watch = network.observer();
            assert_eq!(watch.lost, 0, "graph {seed} of {nodes}");
            assert!(watch.missed > 0 && watch.repaired > 0, "none was missed");
            // Some renewal is always on its way.
            let hosts = (0..nodes).filter_map(|i| network.node(HostId(i)));
            assert!(hosts.into_iter().all(|n| n.peer_count() == nodes - 1));
        }
    }
}

/// R2: whatever the others have.
#[test]
fn one_short_life_among_days_is_safe() {
    for loss in [0.0, 0.1] {
        for (seed, graph) in graphs(30).iter().enumerate() {
            let mut network = network(graph, seed as u64, loss, Config::default());
            network.config_mut(HostId(7)).lifetime = SHORT;
            network.start_all();
            network.run_for(Duration::from_secs(6 * 3_600));
            let watch = network.observer();
            assert_eq!(watch.lost, 0, "graph {seed}, {loss}");
            assert!(network.converged());
            let beats = network.node(HostId(7)).map(|n| n.sequence().beat);
            assert!(beats.is_some_and(|n| n >= 36), "{beats:?}");
        }
    }
}

/// R2, N9: one that is gone is named until its end, at the quiet pace, and then no more.
#[test]
fn one_that_is_gone_is_asked_for_until_its_end_at_the_quiet_pace() {
    // Else it is down, and nobody asks for it.
    let config = Config::default().with_detection(None);
    let mut network = network(&Graph::ring(30), 1, 0.0, config);
    network.start_all();
    network.run_for(Duration::from_secs(3_600));
    network.crash(HostId(7));
    let day = Duration::from_secs(86_400);
    let before = network.messages();
    network.run_for(day / 8);
    let at_rest = network.messages() - before;
    network.run_for(day * 3 / 4 - Duration::from_secs(3_700));
    assert_eq!((network.observer().missed, network.observer().lost), (0, 0));
    let before = network.messages();
    network.run_for(day / 8);
    let (missed, lost) = (network.observer().missed, network.observer().lost);
    assert!(missed > 0);
    assert!(lost <= 29, "{lost}");
    let messages = network.messages() - before;
    assert!(
        messages <= at_rest * 11 / 10,
        "{messages}, {at_rest} at rest"
    );
    network.run_for(Duration::from_secs(3_600));
    assert_eq!(network.observer().lost, 29);
    let missed = network.observer().missed;
    network.run_for(Duration::from_secs(1_800));
    assert_eq!(network.observer().missed, missed);
    assert!(network.converged());
}

/// R55: fifty that stay, and ten a minute that come and leave, with room for 256.
#[test]
fn polite_leavers_push_nobody_out() {
    const STAY: usize = 50;
    const MINUTES: usize = 60;
    let hosts = STAY + 10 * MINUTES;
    let graph = Graph::of(hosts, |i| match i {
        0..STAY => vec![(i + 1) % STAY],
        _ => vec![i % STAY],
    });
    let config = Config::default().with_capacity(256);
    let mut network = network(&graph, 1, 0.0, config);
    for host in 0..STAY {
        network.start(HostId(host), Restart::Empty);
    }
    network.run_for(Duration::from_secs(30));
    let unknown = |network: &Network<Watch>| {
        let node = |host| network.node(HostId(host)).expect("it runs");
        let ids: Vec<_> = (0..STAY).map(|h| node(h).id()).collect();
        let lacks = |h: usize| ids.iter().filter(|id| node(h).peer(id).is_none()).count() - 1;
        (0..STAY).map(lacks).sum::<usize>()
    };
    for guest in STAY..hosts {
        network.start(HostId(guest), Restart::Empty);
        network.run_for(Duration::from_secs(4));
        network.input(HostId(guest), Input::Leave);
        network.run_for(Duration::from_secs(2));
        assert_eq!(unknown(&network), 0, "after {guest}");
    }
    assert_eq!(network.observer().lost, 0);
    let known = network.node(HostId(0)).map(|n| n.peer_count());
    assert_eq!(known, Some(STAY - 1));
}
