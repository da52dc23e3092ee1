//! The harness itself, with a system so simple that every number is known: each node tells its
//! upstream of itself, once, in ten bytes.

use std::time::Duration;

use peers::cluster::{Cluster, Topology};
use peers::harness::{Conditions, Counts, Harness, LATENCY, Out, System};

struct Toy {
    upstreams: Vec<Option<usize>>,
    known: Vec<usize>,
    told: Vec<Vec<usize>>,
}

impl System for Toy {
    type Payload = usize;
    type Timer = usize;

    const NAME: &'static str = "toy";
    const STEADY: Duration = Duration::from_secs(60);

    fn new(cluster: &Cluster) -> Self {
        Self {
            upstreams: cluster.upstreams.clone(),
            known: vec![0; cluster.size()],
            told: vec![Vec::new(); cluster.size()],
        }
    }

    fn start(&mut self, node: usize, out: &mut Out<Self>) {
        if let Some(upstream) = self.upstreams[node] {
            out.send(node, upstream, 10, 0);
            out.send(node, upstream, 10, 1);
        }
    }

    fn message(&mut self, node: usize, _: usize, nth: usize, _: &mut Out<Self>) {
        self.known[node] += usize::from(nth == 0);
        self.told[node].push(nth);
    }

    fn timer(&mut self, node: usize, known: usize, _: &mut Out<Self>) {
        self.known[node] = known;
    }

    fn change(&mut self, node: usize, out: &mut Out<Self>) {
        (0..self.known.len()).for_each(|other| out.send(node, other, 1, 7));
    }

    fn known(&self, node: usize) -> usize {
        self.known[node]
    }

    fn knows_change(&self, node: usize, _: usize) -> bool {
        self.told[node].contains(&7)
    }
}

fn harness(topology: Topology, size: usize, loss: f64, streams: bool) -> Harness<Toy> {
    let conditions = Conditions {
        loss,
        streams,
        ..Conditions::default()
    };
    Harness::new(&Cluster::new(topology, size, 1), conditions)
}

#[test]
fn counts_messages_bytes_time_and_pairs() {
    let mut two = harness(Topology::Ring, 2, 0.0, false);
    assert!(two.run(Duration::from_secs(1), Harness::converged));
    assert_eq!(two.now(), LATENCY);
    assert_eq!((two.counts().messages, two.counts().bytes), (4, 40));

    let mut star = harness(Topology::Star, 5, 0.0, false);
    assert!(!star.run(Duration::from_secs(1), Harness::converged));
    assert_eq!(star.now(), Duration::from_secs(1));
    // The first knows four, the others nobody.
    assert!((star.share() - 4.0 / 20.0).abs() < 1e-9);
}

#[test]
fn a_warm_up_loses_and_counts_nothing() {
    let conditions = Conditions {
        loss: 0.5,
        warm_up: LATENCY * 2,
        ..Conditions::default()
    };
    let warm = Harness::<Toy>::new(&Cluster::new(Topology::Star, 500, 1), conditions);
    assert_eq!((warm.now(), warm.system.known[0]), (LATENCY * 2, 499));
    assert_eq!(warm.counts(), Counts::default());
}

#[test]
fn a_change_is_known_when_every_node_has_it() {
    let mut ring = harness(Topology::Ring, 4, 0.0, false);
    ring.run(Duration::from_secs(1), |_| false);
    ring.change(2);
    assert!(!ring.change_known());
    assert!(ring.run(Duration::from_secs(1), Harness::change_known));
    assert_eq!(ring.now(), Duration::from_secs(1) + LATENCY);
}

#[test]
fn what_is_lost_is_gone_or_comes_later_in_order() {
    let mut lossy = harness(Topology::Star, 500, 0.1, false);
    lossy.run(Duration::from_secs(1), |_| false);
    let (counts, told) = (lossy.counts(), lossy.system.told[0].len() as u64);
    assert_eq!(counts.messages, 998);
    assert_eq!(told, 998 - counts.lost);
    assert!((50..150).contains(&counts.lost), "{counts:?}");

    let mut streams = harness(Topology::Line, 500, 0.1, true);
    streams.run(Duration::from_secs(1), |_| false);
    let counts = streams.counts();
    assert_eq!(counts.messages, 998 + counts.lost);
    assert_eq!(counts.bytes, 10 * counts.messages);
    let in_order = streams.system.told[..499]
        .iter()
        .all(|told| *told == [0, 1]);
    assert!(in_order, "a stream has lost or swapped messages");
}
