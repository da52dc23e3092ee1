//! Clusters of two, three and four, where a majority is one node or there is none (R32): who takes
//! whom for down, exactly, and who says that it hears nobody.

use std::collections::BTreeSet;
use std::time::Duration;

use peer_exchange_memory::{HostId, Network, Restart};

use crate::watch::{SECOND, Watch, at_rest, time_until};

const RUNS: [(u64, f64); 4] = [(1, 0.0), (2, 0.0), (3, 0.05), (4, 0.05)];
/// Whatever is decided is decided by then.
const DECIDED: Duration = Duration::from_secs(20);

/// What a host makes of it: whom it takes for down; and whether it hears nobody.
type Makes<'a> = (&'a [usize], bool);

fn assert_makes(network: &Network<Watch>, seed: u64, host: usize, makes: Makes<'_>, told: &str) {
    let (downs, isolated) = makes;
    let expected: BTreeSet<_> = downs.iter().map(|h| HostId(*h).node_id(seed)).collect();
    let all = network.observer().downs.keys();
    let of_host = all.filter(|(by, _)| by.0 == host).map(|(_, node)| *node);
    assert_eq!(of_host.collect::<BTreeSet<_>>(), expected, "{told}: {host}");
    let node = network.node(HostId(host)).expect("it runs");
    for down in &expected {
        assert!(node.peer(down).is_none(), "{told}: {host} lists {down:?}");
    }
    assert_eq!(node.is_isolated(), isolated, "{told}: {host}");
}

/// Cut into these parts, host by host: what each makes of it. All are one again, a moment after.
#[test]
fn who_is_cut_off_from_whom() {
    let cases: [(&[u8], &[Makes<'_>]); 7] = [
        // Of two, each takes the other for down, and there is nobody that it could hear.
        (&[0, 1], &[(&[1], false), (&[0], false)]),
        // Of three, two decide; the third, whom nobody supports, decides nothing.
        (&[0, 0, 1], &[(&[2], false), (&[2], false), (&[], true)]),
        // Three on their own decide nothing.
        (&[0, 1, 2], &[(&[], true), (&[], true), (&[], true)]),
        // Of four, three do.
        (
            &[0, 0, 0, 1],
            &[(&[3], false), (&[3], false), (&[3], false), (&[], true)],
        ),
        // Halves have each other as down: each is a cluster that goes on.
        (
            &[0, 0, 1, 1],
            &[
                (&[2, 3], false),
                (&[2, 3], false),
                (&[0, 1], false),
                (&[0, 1], false),
            ],
        ),
        (
            &[0, 0, 1, 2],
            &[(&[2, 3], false), (&[2, 3], false), (&[], true), (&[], true)],
        ),
        (
            &[0, 1, 2, 3],
            &[(&[], true), (&[], true), (&[], true), (&[], true)],
        ),
    ];
    let mut slowest = Duration::ZERO;
    for (parts, makes) in cases {
        for (seed, loss) in RUNS {
            let told = format!("{parts:?}, seed {seed}, loss {loss}");
            let mut network = at_rest(parts.len(), seed, loss);
            let of = parts.to_vec();
            network.set_cuts(move |way| of[way.from.0] != of[way.to.0]);
            network.run_for(DECIDED);
            for (host, makes) in makes.iter().enumerate() {
                assert_makes(&network, seed, host, *makes, &told);
            }
            network.heal();
            let healed = time_until(&mut network, 60 * SECOND, |n| {
                let nodes = (0..parts.len()).filter_map(|h| n.node(HostId(h)));
                n.converged() && nodes.into_iter().all(|n| !n.is_isolated())
            });
            eprintln!("{told}: healed after {healed:.1?}");
            slowest = slowest.max(healed);
        }
    }
    eprintln!("the slowest: {slowest:.1?}");
}

/// These lose their power, at once: what each of the others makes of it.
#[test]
fn who_is_dead() {
    let cases: [(usize, &[usize], Makes<'_>); 6] = [
        (2, &[1], (&[1], false)),
        (3, &[2], (&[2], false)),
        // Whoever is left alone cannot tell the death of all others from its own being cut off.
        (3, &[1, 2], (&[], true)),
        (4, &[3], (&[3], false)),
        (4, &[2, 3], (&[2, 3], false)),
        (4, &[1, 2, 3], (&[], true)),
    ];
    for (nodes, dead, makes) in cases {
        for (seed, loss) in RUNS {
            let told = format!("{dead:?} of {nodes}, seed {seed}, loss {loss}");
            let mut network = at_rest(nodes, seed, loss);
            for host in dead {
                network.power_off(HostId(*host));
            }
            network.run_for(DECIDED);
            for host in (0..nodes).filter(|host| !dead.contains(host)) {
                assert_makes(&network, seed, host, makes, &told);
            }
            for host in dead {
                network.start(HostId(*host), Restart::Empty);
            }
            let back = time_until(&mut network, 60 * SECOND, Network::converged);
            eprintln!("{told}: back after {back:.1?}");
        }
    }
}
