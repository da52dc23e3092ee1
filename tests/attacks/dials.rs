//! IDs that nobody is behind: with a victim's addresses, and beside each node on the ring (R46, R53).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use peer_exchange::{Config, Defence, Input, RingKey, Signing};
use peer_exchange_memory::HostId;

use crate::support::build::{body, id, rec, rumour};
use crate::world::{HONEST, SECOND, World, without};

/// The invented ones begin here.
const INVENTED: u32 = 1_000_000;

fn both() -> [Config; 2] {
    [Signing::Off, Signing::Require].map(|signing| Config::default().with_signing(signing))
}

/// R53: one new ID a second, each with a victim's address and another port, makes 300 nodes dial the
/// victim once a second at most. [Without the budget 109 times, and those that nobody dialled any more
/// stayed up: 202 times.]
#[test]
fn a_victims_address_under_many_ids_is_hardly_dialled() {
    const SECONDS: u32 = 600;
    for config in both() {
        let mut world = World::new(HONEST, 1, config);
        let dials = dials_of_a_victim(&mut world, SECONDS);
        assert!(dials > 0, "nobody was told");
        assert!(dials * 300 <= HONEST * SECONDS as usize, "{dials}");
        // They are all gone again, and nobody else is.
        assert!(world.node(0).peer_count() <= HONEST + 16);
        assert_eq!(world.known(), HONEST * (HONEST - 1));
        assert!(world.net.observer().wronged.is_empty());
    }
}

#[test]
fn without_a_budget_each_node_dials_the_victim_all_the_time() {
    const SECONDS: u32 = 120;
    let mut world = World::new(HONEST, 1, without(Defence::Targets));
    let dials = dials_of_a_victim(&mut world, SECONDS);
    assert!(dials > 10 * HONEST, "{dials}");
}

/// Each second the enemy tells everybody of one more node with the victim's address.
fn dials_of_a_victim(world: &mut World, seconds: u32) -> usize {
    for n in 0..seconds {
        let victim = format!("/ip4/192.0.2.1/tcp/{}", 1_000 + n);
        let invented = rec(INVENTED + n).body(body(&[victim.parse().unwrap()]));
        world.say_to_all(&rumour([&invented.signed()]));
        world.net.run_for(SECOND);
    }
    let victim: IpAddr = [192, 0, 2, 1].into();
    let dials = world.net.observer().dials.get(&victim).map_or(0, Vec::len);
    println!("{dials} dials of {HONEST} nodes in {seconds} s");
    dials
}

/// Those of many IDs that stand next after each of these nodes, three for each.
fn beside(world: &World) -> Vec<u32> {
    let key = RingKey::new("");
    let tried = INVENTED..INVENTED + 100_000;
    let mut tried: Vec<_> = tried.map(|n| (key.position(&id(n)).get(), n)).collect();
    tried.sort_unstable();
    let mut chosen = BTreeSet::new();
    for host in 0..HONEST {
        let own = key.position(&world.id(host)).get();
        let at = tried.partition_point(|(place, _)| *place <= own);
        chosen.extend((0..3).map(|k| (at + k) % tried.len()));
    }
    chosen.into_iter().map(|at| tried[at].1).collect()
}

/// R46: whoever cannot be reached is passed by, however many stand before the next one that can.
#[test]
fn ids_beside_each_node_do_not_hold_up_what_changes() {
    for config in both() {
        let times = times_of_changes(config, 10);
        assert!(
            *times.last().unwrap() <= Duration::from_millis(1_500),
            "{times:?}"
        );
    }
}

/// Those that are invented stay up then, and stand where links are wanted.
#[test]
fn without_passing_by_whom_nobody_has_met_they_hold_it_up() {
    let times = times_of_changes(without(Defence::Passing).with_detection(None), 3);
    assert!(
        *times.last().unwrap() > Duration::from_millis(1_500),
        "{times:?}"
    );
}

/// While the enemy tells of nodes beside each of these.
fn times_of_changes(config: Config, rounds: u32) -> Vec<Duration> {
    let mut world = World::new(HONEST, 1, config);
    let beside = beside(&world);
    assert!(beside.len() > 2 * HONEST);
    let mut times = Vec::new();
    for round in 0..rounds {
        for n in &beside {
            let address = format!("/ip4/198.51.{}.{}/tcp/7000", n >> 8 & 0x7f, n & 0xff);
            let invented = rec(*n).version(1 + u64::from(round));
            let invented = invented.body(body(&[address.parse().unwrap()]));
            world.say_to_all(&rumour([&invented.signed()]));
        }
        world.net.run_for(Duration::from_millis(1_500));
        times.push(time_of_a_change(&mut world, round));
        world.net.run_for(5 * SECOND);
    }
    times.sort_unstable();
    println!("changes took {times:?}");
    times
}

/// Until all the others know it.
fn time_of_a_change(world: &mut World, round: u32) -> Duration {
    let host = 7 * round as usize % HONEST;
    let (node, moved) = (world.id(host), format!("/ip4/10.0.1.{round}/tcp/7000"));
    let addresses = vec![HostId(host).address(), moved.parse().unwrap()];
    world
        .net
        .input(HostId(host), Input::SetAddresses(addresses));
    let (start, sequence) = (world.net.now(), world.node(host).sequence());
    let done = world.net.run_until(start + 60 * SECOND, |net| {
        let mut others = (0..HONEST).filter(|i| *i != host);
        others.all(|i| {
            let peer = net.node(HostId(i)).and_then(|n| n.peer(&node));
            peer.is_some_and(|p| p.sequence >= sequence)
        })
    });
    assert!(done, "a minute was not enough");
    world.net.now() - start
}
