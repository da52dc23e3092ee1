//! The loss of many at once (R39): who is gone is down for all that are left, nobody else is, and
//! what that costs (N10, N12).

use std::collections::BTreeSet;
use std::time::Duration;

use peer_exchange_memory::{HostId, Network};

use crate::watch::{SECOND, Watch, at_rest, spread};

/// How hosts are lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Loss {
    /// Their power fails: nothing answers in their place.
    Power,
    /// The cluster is cut in two; they are one part.
    Cut,
}

/// What came of it.
#[derive(Debug)]
struct Outcome {
    /// Until each that is left knew of each that is gone: the median, p99, the last.
    survivors: [Duration; 3],
    /// Where a part was cut off, the same for that.
    lost: [Duration; 3],
    /// Pairs that did not know in time.
    missing: usize,
    /// Pairs on one side, of which one took the other for down.
    wrong: usize,
    /// Bytes that the busiest node has sent.
    busiest: u64,
}

/// Loses so many of so many hosts, every one of them at random, and looks for so long.
fn lose(
    network: &mut Network<Watch>,
    seed: u64,
    lost: usize,
    how: Loss,
    time: Duration,
) -> Outcome {
    let nodes = network.host_count();
    let mut random = peer_exchange_memory::Random::new(seed);
    let mut gone = BTreeSet::new();
    while gone.len() < lost {
        gone.insert(HostId(random.below(nodes)));
    }
    network.observer_mut().clear();
    let start = network.now();
    match how {
        Loss::Power => gone.iter().for_each(|host| network.power_off(*host)),
        Loss::Cut => network.partition(|host| gone.contains(&host)),
    }
    network.run_for(time);
    let watch = network.observer();
    let side = |host: &HostId| gone.contains(host);
    let (mut times, mut wrong) = ([Vec::new(), Vec::new()], 0);
    for ((by, down), at) in &watch.downs {
        let down = network.host_of(down).expect("a host");
        if side(by) == side(&down) {
            wrong += 1;
        } else {
            times[usize::from(side(by))].push(*at - start);
        }
    }
    if std::env::var("EACH").is_ok() {
        for host in gone.iter().filter(|_| how == Loss::Cut) {
            let of = watch.downs.iter().filter(|((by, _), _)| by == host);
            let [p50, p99, last] = spread(of.map(|(_, at)| *at - start).collect());
            let alone = watch.isolated.contains(host);
            eprintln!("{host:?} {p50:?} {p99:?} {last:?} isolated {alone}");
        }
    }
    let sides = if how == Loss::Cut { 2 } else { 1 };
    let missing = sides * lost * (nodes - lost) - times[0].len() - times[1].len();
    let [survivors, lost] = times.map(spread);
    Outcome {
        survivors,
        lost,
        missing,
        wrong,
        busiest: watch.sent.values().copied().max().unwrap_or_default(),
    }
}

/// The measurements of N10 and N12 with 1,000 nodes: `cargo test --release --test simulation mass --
/// --ignored --nocapture`.
#[test]
#[ignore = "minutes: a measurement"]
fn a_thousand_nodes_lose_many_at_once() {
    let number =
        |name, default| std::env::var(name).map_or(default, |n| n.parse().expect("a number"));
    let (nodes, seed) = (number("NODES", 1_000), number("SEED", 1));
    let loss = number("LOSS", 0) as f64 / 100.0;
    let cases = [
        (30, Loss::Power),
        (50, Loss::Power),
        (50, Loss::Cut),
        (10, Loss::Cut),
    ];
    let only = std::env::var("ONLY").unwrap_or_default();
    for (percent, how) in cases {
        if !format!("{percent} {how:?}").contains(&only) {
            continue;
        }
        let mut network = at_rest(nodes, seed as u64, loss);
        let outcome = lose(&mut network, 3, nodes * percent / 100, how, 60 * SECOND);
        eprintln!("{nodes} nodes, {percent} % {how:?}, loss {loss}: {outcome:?}");
    }
}

/// R39, N10, N12: whoever loses a third, half, or nine tenths of all knows it in seconds.
#[test]
fn the_loss_of_many_is_known_in_seconds() {
    for (lost, how) in [(33, Loss::Power), (50, Loss::Cut), (10, Loss::Cut)] {
        for (seed, loss) in [(1, 0.0), (2, 0.05)] {
            let mut network = at_rest(100, seed, loss);
            let outcome = lose(&mut network, seed, lost, how, 30 * SECOND);
            let told = format!("{lost} {how:?} {loss}: {outcome:?}");
            let [survivors, lost] = [outcome.survivors, outcome.lost].map(|[_, p99, _]| p99);
            assert!(survivors <= 6 * SECOND && lost <= 8 * SECOND, "{told}");
            assert!(outcome.busiest < 500_000, "{told}");
            assert_eq!((outcome.missing, outcome.wrong), (0, 0), "{told}");
        }
    }
}
