//! Wall clocks beside the clocks of the nodes (R34): suspended machines whose own clock stood still, and
//! clocks that are set.

use std::collections::BTreeMap;
use std::time::Duration;

use peer_exchange::{Config, Input};
use peer_exchange_memory::{HostId, Network};

use crate::watch::{SECOND, Watch, at_rest_with, listed, time_until, watchful};

const HOUR: Duration = Duration::from_secs(3_600);
/// Where the wall clock of every host begins.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);
const HOST: HostId = HostId(7);

/// Records that live as briefly as they may.
fn brief() -> Config {
    let mut config = watchful();
    config.lifetime = 600 * SECOND;
    config
}

/// The wall clock of this host says so.
fn read(network: &mut Network<Watch>, wall: Duration) {
    let since_origin = wall;
    network.input(HOST, Input::WallTime { since_origin });
}

fn known(network: &Network<Watch>) -> usize {
    network.node(HOST).map_or(0, |node| node.peer_count())
}

/// R34: one of 100 whose clock is set an hour to either side kills nobody, whether lives are a day or
/// ten minutes: what it misses then it hears again within seconds.
#[test]
fn a_wall_clock_that_is_set_by_an_hour_kills_nobody() {
    for (config, forgets) in [(watchful(), false), (brief(), true)] {
        for (seed, loss) in [(1, 0.0), (2, 0.05)] {
            let mut network = at_rest_with(100, seed, loss, config.clone());
            let now = EPOCH + network.now();
            read(&mut network, now);
            read(&mut network, now + HOUR);
            assert_eq!(known(&network), if forgets { 0 } else { 99 });
            time_until(&mut network, 10 * SECOND, |n| known(n) == 99);
            for behind in [0, 1, 2, 0] {
                network.run_for(20 * SECOND);
                let now = EPOCH + network.now();
                read(&mut network, now - behind * HOUR);
            }
            network.run_for(60 * SECOND);
            assert!(network.converged());
            assert_eq!(network.observer().downs, BTreeMap::new());
            assert_eq!(listed(&network, HOST, seed), 99);
        }
    }
}

/// R34: a machine that was suspended for longer than lives are, with its clock, raises no dead: the
/// wall clock tells it.
#[test]
fn a_machine_whose_clock_stood_still_raises_no_dead() {
    for (seed, loss) in [(1, 0.0), (2, 0.05)] {
        let mut network = at_rest_with(30, seed, loss, brief());
        let now = EPOCH + network.now();
        read(&mut network, now);
        let (dead, id) = (HostId(11), HostId(11).node_id(seed));
        network.suspend(HOST, 1_200 * SECOND);
        network.power_off(dead);
        // It is told before anything else.
        network.run_for(1_199 * SECOND);
        network.observer_mut().clear();
        assert_eq!(known(&network), 29, "it does not know, by itself");
        let now = EPOCH + network.now();
        read(&mut network, now);
        assert_eq!(known(&network), 0);
        time_until(&mut network, 30 * SECOND, |n| known(n) == 28);
        network.run_for(60 * SECOND);
        assert_eq!(listed(&network, dead, seed), 0);
        let raised = network
            .observer()
            .ups
            .keys()
            .filter(|(_, node)| *node == id);
        assert_eq!(raised.count(), 0);
        assert_eq!(listed(&network, HOST, seed), 28);
    }
}
