//! Words in another's name: leavings, addresses, accusations, cycles.

use std::time::Duration;

use peer_exchange::{Config, Signing};

use crate::support::build::{Rec, accused_by, accusing, body, rec, rumour};
use crate::world::{HONEST, SECOND, World};
use peer_exchange::wire::Accusation;

const VICTIM: usize = 17;

fn signed() -> Config {
    Config::default().with_signing(Signing::Require)
}

/// The highest version that is believed of a node at this one.
fn leaving(world: &World, victim: usize) -> Rec {
    Rec {
        node: world.id(victim),
        ..rec(0)
    }
    .version(world.node(victim).sequence().version + (1 << 32) - 1)
    .body(Vec::new())
}

/// For how long, in seconds and over all the others, the victims were missing.
fn missing(world: &mut World, victims: &[usize], seconds: u64, again: bool) -> u64 {
    let mut missing = 0;
    for tenth in 0..seconds * 10 {
        for victim in victims {
            let gone = world.missing_at(*victim);
            missing += gone as u64;
            if again && tenth % 10 == 0 {
                let lie = rumour([&leaving(world, *victim)]);
                world.say_to_all(&lie);
            }
        }
        world.net.run_for(Duration::from_millis(100));
    }
    missing / 10
}

#[test]
fn a_leaving_in_anothers_name() {
    for (name, config) in [("off", Config::default()), ("require", signed())] {
        let mut world = World::new(HONEST, 1, config);
        assert_eq!(world.known(), HONEST * (HONEST - 1));
        let lie = rumour([&leaving(&world, VICTIM)]);
        println!("told {}", world.say_to_all(&lie));
        let missing_s = missing(&mut world, &[VICTIM], 60, false);
        println!(
            "{name}: one leaving {missing_s} s, {:?}",
            world.net.observer().blamed
        );
        let mut world = World::new(HONEST, 1, signed());
        let all: Vec<usize> = (0..HONEST - 1).collect();
        let missing_s = missing(&mut world, &all, 60, true);
        println!("{name}: all leavings {missing_s} s");
    }
}

#[test]
fn an_address_in_anothers_name() {
    for (name, config) in [("off", Config::default()), ("require", signed())] {
        let mut world = World::new(HONEST, 1, config);
        let elsewhere = "/ip4/192.0.2.1/tcp/7000".parse().unwrap();
        let lie = Rec {
            node: world.id(VICTIM),
            ..rec(0)
        }
        .version(world.node(VICTIM).sequence().version + 1000)
        .body(body(&[elsewhere]));
        world.say_to_all(&rumour([&lie]));
        let mut wrong = 0;
        for _ in 0..600 {
            world.net.run_for(Duration::from_millis(100));
            for i in (0..HONEST).filter(|i| *i != VICTIM) {
                let peer = world.node(i).peer(&world.id(VICTIM));
                wrong += u64::from(peer.is_none_or(|p| {
                    p.addresses
                        .iter()
                        .any(|a| a.to_string().contains("192.0.2.1"))
                }));
            }
        }
        println!("{name}: wrong for {} s", wrong / 10);
    }
}

#[test]
fn accusing_healthy_nodes() {
    for (name, config) in [("off", Config::default()), ("require", signed())] {
        let mut world = World::new(HONEST, 1, config);
        for _ in 0..600 {
            for victim in 0..HONEST {
                let at = world.node(victim).sequence();
                let by = world.id(HONEST);
                let said = Accusation {
                    subject: world.id(victim),
                    at,
                    by,
                    signature: None,
                };
                let said = accused_by(said, by, "");
                world.say_to_all(&accusing(&[said]));
            }
            world.net.run_for(SECOND);
        }
        let stats: u64 = (0..HONEST)
            .map(|i| world.node(i).stats().accusations_counted)
            .sum();
        println!(
            "{name}: {} downs, counted {stats}, blamed {:?} banned {}",
            world.net.observer().downs.len(),
            world.net.observer().blamed,
            world.net.observer().banned.len()
        );
    }
}
