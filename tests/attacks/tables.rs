//! Room in the table (R22, R53, R55).

use peer_exchange::limits::caps;
use peer_exchange::wire;
use peer_exchange::{Config, Defence, Multiaddr, Signing};
use peer_exchange_memory::HostId;

use crate::support::build::{Rec, body, bytes_field, push, rec};
use crate::world::{SECOND, World, without};

const HONEST: usize = 29;
const ENEMIES: usize = 8;
const CAPACITY: usize = 256;

/// Anywhere in the world, and never twice in one network.
fn anywhere(n: u32) -> Multiaddr {
    let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
    let address = format!("/ip4/{}.{b}.{c}.{d}/tcp/7000", 20 + a % 100);
    address.parse().unwrap()
}

/// Each of the enemies tells each of the others ten new ones a second.
fn flood_of_ids(world: &mut World, seconds: u32, invented: &dyn Fn(u32) -> Rec) {
    let mut n = 0;
    for _ in 0..seconds {
        for enemy in HONEST..HONEST + ENEMIES {
            for to in 0..HONEST {
                n += 10;
                let all: Vec<Rec> = (n..n + 10).map(|n| invented(n).signed()).collect();
                world
                    .net
                    .say(HostId(enemy), HostId(to), wire::encode(push(&all)));
            }
        }
        world.net.run_for(SECOND);
    }
}

fn small(signing: Signing) -> Config {
    Config::default()
        .with_capacity(CAPACITY)
        .with_signing(signing)
}

const PAIRS: usize = HONEST * (HONEST - 1);

/// The pairs of honest ones that are left after ten seconds of it.
fn flooded(config: Config) -> (usize, World) {
    let mut world = World::new(HONEST, ENEMIES, config);
    assert_eq!(world.known(), PAIRS);
    flood_of_ids(&mut world, 10, &|n| {
        rec(1_000_000 + n).body(body(&[anywhere(n)]))
    });
    let taken = world.node(0).peer_count();
    assert!(taken > CAPACITY / 2, "{taken} were taken");
    println!("{} of {PAIRS} pairs are known", world.known());
    (world.known(), world)
}

/// R53: whoever has been known for a minute is not pushed out by whom nobody has met.
#[test]
fn inventions_push_out_nobody_who_has_been_known() {
    for signing in [Signing::Off, Signing::Require] {
        let (known, world) = flooded(small(signing));
        assert_eq!(known, PAIRS);
        let wronged = &world.net.observer().wronged;
        assert!(wronged.is_empty(), "{wronged:?}");
    }
}

#[test]
fn without_places_of_their_own_they_are() {
    let (known, _) = flooded(without(Defence::Met).with_capacity(CAPACITY));
    assert!(known < PAIRS * 9 / 10, "{known}");
}

/// The bytes of each node's table after twenty seconds of the largest records.
fn largest_records(config: Config) -> (Vec<usize>, World) {
    let mut world = World::new(HONEST, ENEMIES, config);
    let largest = |n: u32| {
        let label = "a".repeat(60);
        let name = |i| format!("/dns/{label}.{label}.{label}.{n}-{i}.example/tcp/7000");
        let addresses: Vec<_> = (0..3).map(|i| name(i).parse().unwrap()).collect();
        let mut body = body(&addresses);
        bytes_field(2, &[7; 256], &mut body);
        rec(1_000_000 + n).body(body)
    };
    flood_of_ids(&mut world, 20, &largest);
    let bytes = |host| {
        let mut sizes = world.node(host).sizes().into_iter();
        sizes.find(|(what, ..)| *what == "live bytes").unwrap().1
    };
    let bytes: Vec<usize> = (0..HONEST).map(bytes).collect();
    println!("at most {:?} bytes", bytes.iter().max());
    (bytes, world)
}

/// R55: records of nearly a kilobyte, twice what the cap has for each place, fill no more than the cap.
#[test]
fn the_largest_records_find_no_more_room_than_the_cap() {
    let (bytes, world) = largest_records(small(Signing::Off));
    let cap = caps::table_bytes(CAPACITY);
    assert!(
        bytes.iter().all(|b| (cap / 2..=cap).contains(b)),
        "{bytes:?}"
    );
    assert_eq!(world.known(), PAIRS);
}

#[test]
fn without_the_cap_they_find_more() {
    let config = without(Defence::Bytes).with_capacity(CAPACITY);
    let (bytes, _) = largest_records(config);
    let cap = caps::table_bytes(CAPACITY);
    assert!(bytes.iter().any(|b| *b > cap * 5 / 4), "{bytes:?}");
}
