//! Room in the table (R22, R53, R55).

use peer_exchange::limits::caps;
use peer_exchange::wire;
use peer_exchange::{Config, Multiaddr, Signing};
use peer_exchange_memory::HostId;

use crate::support::build::{Rec, body, bytes_field, push, rec};
use crate::world::{SECOND, World};

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

/// R53: whoever has been known for a minute is not pushed out by whom nobody has met. [Without that,
/// 723 of the 812 pairs are left.]
#[test]
fn inventions_push_out_nobody_who_has_been_known() {
    for signing in [Signing::Off, Signing::Require] {
        let mut world = World::new(HONEST, ENEMIES, small(signing));
        let all = HONEST * (HONEST - 1);
        assert_eq!(world.known(), all);
        flood_of_ids(&mut world, 10, &|n| {
            rec(1_000_000 + n).body(body(&[anywhere(n)]))
        });
        assert!(
            world.node(0).peer_count() > CAPACITY / 2,
            "nothing was taken"
        );
        assert_eq!(world.known(), all);
        let wronged = &world.net.observer().wronged;
        assert!(wronged.is_empty(), "{wronged:?}");
    }
}

/// R55: records of nearly a kilobyte, twice what the cap has for each place, fill no more than the cap.
#[test]
fn the_largest_records_find_no_more_room_than_the_cap() {
    let mut world = World::new(HONEST, ENEMIES, small(Signing::Off));
    let largest = |n: u32| {
        let label = "a".repeat(60);
        let name = |i| format!("/dns/{label}.{label}.{label}.{n}-{i}.example/tcp/7000");
        let addresses: Vec<_> = (0..3).map(|i| name(i).parse().unwrap()).collect();
        let mut body = body(&addresses);
        bytes_field(2, &[7; 256], &mut body);
        rec(1_000_000 + n).body(body)
    };
    flood_of_ids(&mut world, 20, &largest);
    for host in 0..HONEST {
        let sizes = world.node(host).sizes();
        let (_, bytes, cap) = sizes
            .into_iter()
            .find(|(what, ..)| *what == "live bytes")
            .unwrap();
        assert_eq!(cap, caps::table_bytes(CAPACITY));
        assert!((cap / 2..=cap).contains(&bytes), "{bytes} of {cap}");
    }
    assert_eq!(world.known(), HONEST * (HONEST - 1));
}
