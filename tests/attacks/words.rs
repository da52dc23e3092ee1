//! Words in another's name, and words against others: leavings, addresses, accusations, cycles (R33, R47,
//! R50, R52).

use std::collections::BTreeSet;
use std::time::Duration;

use peer_exchange::wire::Accusation;
use peer_exchange::{Config, Defence, Multiaddr, NodeId, Signing};
use peer_exchange_memory::HostId;

use crate::support::build::{Rec, accused_by, accusing, body, bytes_field, id, rec, rumour};
use crate::world::{HONEST, SECOND, World, without};

const VICTIM: usize = 17;

fn signed() -> Config {
    Config::default().with_signing(Signing::Require)
}

/// What this node would say, had it said it: believed as far as its version goes (R51), and not its own.
fn in_its_name(world: &World, victim: usize, body: Vec<u8>) -> Rec {
    let version = world.node(victim).sequence().version + (1 << 32) - 1;
    let forged = Rec {
        node: world.id(victim),
        ..rec(0)
    };
    let signed = forged
        .version(version)
        .body(body)
        .signed_by(world.id(HONEST), "");
    match world.signing {
        Signing::Off => Rec {
            signature: None,
            ..signed
        },
        _ => signed,
    }
}

/// What the others have of the victims.
#[derive(Debug, Default, PartialEq)]
struct Harm {
    /// Milliseconds, summed over the others, in which a victim was missing or elsewhere.
    wrong_ms: u64,
    /// Nodes that were told.
    told: usize,
}

/// Tells everybody lies about these, and again each second if so.
fn lie(world: &mut World, victims: &[usize], (seconds, again): (u64, bool), body: &[u8]) -> Harm {
    let ids: Vec<NodeId> = victims.iter().map(|v| world.id(*v)).collect();
    const STEP_MS: u64 = 1;
    let mut harm = Harm::default();
    let start = world.net.now();
    let mut next = start;
    while world.net.now() < start + SECOND * seconds as u32 {
        if world.net.now() >= next {
            for victim in victims {
                let lie = rumour([&in_its_name(world, *victim, body.to_vec())]);
                harm.told += world.say_to_all(&lie);
            }
            next += if again { SECOND } else { SECOND * 1_000_000 };
        }
        world.net.run_for(Duration::from_millis(STEP_MS));
        let wrong = |(host, id): (usize, &NodeId)| {
            let own = HostId(host).node_id(crate::world::SEED) == *id;
            let at = world.host_of(id).address();
            let peer = world.node(host).peer(id);
            !own && peer.is_none_or(|p| !p.addresses.contains(&at))
        };
        let all = (0..HONEST).flat_map(|host| ids.iter().map(move |id| (host, id)));
        harm.wrong_ms += STEP_MS * all.filter(|pair| wrong(*pair)).count() as u64;
    }
    harm
}

fn elsewhere() -> Vec<u8> {
    let nowhere: Multiaddr = "/ip4/192.0.2.1/tcp/7000".parse().unwrap();
    body(&[nowhere])
}

/// R50: where records are signed, nobody speaks for another: not with the highest version that is
/// believed, not for all at once, and not again and again.
#[test]
fn nobody_leaves_or_moves_by_the_word_of_another() {
    for body in [Vec::new(), elsewhere()] {
        let mut world = World::new(HONEST, 1, signed());
        let one = lie(&mut world, &[VICTIM], (10, false), &body);
        assert!(one.told >= HONEST / 2, "{one:?}");
        assert_eq!(one.wrong_ms, 0);
        let all: Vec<usize> = (0..HONEST).collect();
        let all = lie(&mut world, &all, (10, true), &body);
        assert!(all.told > 10 * HONEST, "{all:?}");
        assert_eq!(all.wrong_ms, 0);
    }
}

/// All are lied about each second, for five; in which part of the time they were missing or elsewhere.
fn lies_about_all(world: &mut World, body: &[u8]) -> f64 {
    const SECONDS: usize = 5;
    let all: Vec<usize> = (0..HONEST).collect();
    let harm = lie(world, &all, (SECONDS as u64, true), body);
    println!("{harm:?} of all, in {SECONDS} s");
    assert!(harm.told > 10 * HONEST);
    harm.wrong_ms as f64 / (HONEST * (HONEST - 1) * SECONDS * 1_000) as f64
}

/// R52: where records are not signed whoever hears the victim itself believes nobody else; the others
/// believe a lie until the victim hears of it, and of whom they have believed one they believe no other.
#[test]
fn without_signatures_a_lie_lasts_until_its_victim_hears_of_it() {
    for body in [Vec::new(), elsewhere()] {
        let mut world = World::new(HONEST, 1, Config::default());
        let one = lie(&mut world, &[VICTIM], (10, false), &body);
        println!("unsigned, one: {one:?}");
        assert!(one.wrong_ms > 0, "there is nothing that signatures cure");
        assert!(one.wrong_ms < 40 * 40, "{one:?}");
        let share = lies_about_all(&mut world, &body);
        assert!(share < 0.01, "{share}");
    }
}

#[test]
fn whoever_believes_everybody_about_everybody_is_wrong_much_of_the_time() {
    for body in [Vec::new(), elsewhere()] {
        let mut world = World::new(HONEST, 1, without(Defence::FirstHand));
        let share = lies_about_all(&mut world, &body);
        assert!(share > 0.1, "{share}");
    }
}

/// Whom the accusers say that they have not heard, at its newest sequence.
fn accusations(world: &World, by: &[usize]) -> Vec<Accusation> {
    let said = |victim: usize, by: usize| {
        let by = world.id(by);
        let said = Accusation {
            subject: world.id(victim),
            at: world.node(victim).sequence(),
            by,
            signature: None,
        };
        match world.signing {
            Signing::Off => said,
            _ => accused_by(said, by, ""),
        }
    };
    let pairs = (0..HONEST).flat_map(|victim| by.iter().map(move |by| (victim, *by)));
    pairs.map(|(victim, by)| said(victim, by)).collect()
}

/// How many accusations were counted in each of five minutes in which one member accuses everybody.
fn counted_by_minute(config: Config) -> (Vec<u64>, World) {
    let mut world = World::new(HONEST, 1, config);
    let counted = |world: &World| -> u64 {
        let stats = (0..HONEST).map(|host| world.node(host).stats());
        stats.map(|s| s.accusations_counted).sum()
    };
    let mut by_minute = Vec::new();
    for _ in 0..5 {
        let before = counted(&world);
        for _ in 0..60 {
            for said in accusations(&world, &[HONEST]).chunks(8) {
                world.say_to_all(&accusing(said));
            }
            world.net.run_for(SECOND);
        }
        by_minute.push(counted(&world) - before);
    }
    println!("{:?}: counted by minute {by_minute:?}", world.signing);
    assert!(by_minute[0] > 0, "nobody listened");
    (by_minute, world)
}

/// R33: a member that accuses everybody makes nobody be down, and is believed ever less: in its fifth
/// minute it counts less often than in its first.
#[test]
fn whoever_accuses_the_healthy_is_believed_no_more() {
    for config in [Config::default(), signed()] {
        let (by_minute, world) = counted_by_minute(config);
        let honest: BTreeSet<NodeId> = (0..HONEST).map(|host| world.id(host)).collect();
        let downs = &world.net.observer().downs;
        assert!(!downs.iter().any(|(.., node)| honest.contains(node)));
        assert!(by_minute[4] <= by_minute[0] / 4, "{by_minute:?}");
    }
}

#[test]
fn whoever_keeps_its_voice_is_believed_for_ever() {
    let (by_minute, _) = counted_by_minute(without(Defence::Voice));
    assert!(by_minute[4] > by_minute[0] / 4, "{by_minute:?}");
}

/// The first bytes of an ID, as records name upstreams.
fn prefix(id: &NodeId) -> Vec<u8> {
    id.as_ref()[..8].to_vec()
}

fn asking(body: &[u8], upstreams: &[Vec<u8>]) -> Vec<u8> {
    let mut body = body.to_vec();
    bytes_field(5, &upstreams.concat(), &mut body);
    body
}

/// R47: invented edges of others, and own ones, make nobody report a cycle on which it is not.
#[test]
fn invented_edges_convince_nobody() {
    let mut world = World::new(HONEST, 1, signed());
    let before = world.net.observer().loops;
    for n in 0..120_u32 {
        // Invented nodes name each of the others.
        let all: Vec<Rec> = (0..8)
            .map(|k| {
                let host = (n as usize + k) % HONEST;
                let names = [host, (host + 7) % HONEST].map(|host| prefix(&world.id(host)));
                let body = asking(&elsewhere(), &names);
                rec(1_000 + n * 8 + k as u32).body(body).signed()
            })
            .collect();
        world.say_to_all(&rumour(&all));
        world.net.run_for(SECOND / 2);
    }
    assert_eq!(world.net.observer().loops, before);
    let first = world.node(0).peer(&id(1_952));
    assert!(first.is_some(), "the last of them was not taken");
}

/// Each of the nodes is told that the next one, whom it asks, asks it. Cycles that were reported.
fn invented_answers(config: Config) -> usize {
    let mut world = World::new(HONEST, 1, config);
    let before = world.net.observer().loops;
    for host in 0..HONEST {
        let next = (host + 1) % HONEST;
        let there = body(&[world.host_of(&world.id(next)).address()]);
        let body = asking(&there, &[prefix(&world.id(host))]);
        let edge = in_its_name(&world, next, body);
        world.say(host, rumour([&edge]));
    }
    world.net.run_for(20 * SECOND);
    world.net.observer().loops - before
}

/// R47, R50: in the name of one's own upstream they do, unless its signature is missed.
#[test]
fn invented_edges_of_ones_upstream_convince_where_they_are_not_signed() {
    assert_eq!(invented_answers(signed()), 0);
    assert!(invented_answers(Config::default()) > 0);
}
