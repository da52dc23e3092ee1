//! Room in the table.

use peer_exchange::wire;
use peer_exchange::{Config, Signing};
use peer_exchange_memory::HostId;

use crate::support::build::{Rec, body, push, rec};
use crate::world::{SECOND, World};

#[test]
fn eight_identities_and_a_small_table() {
    for signing in [Signing::Off, Signing::Require] {
        let mut world = World::new(
            29,
            8,
            Config::default().with_capacity(256).with_signing(signing),
        );
        println!("before: {}", world.known());
        let mut n = 0_u32;
        for second in 0..240 {
            for enemy in 29..37 {
                for to in 0..29 {
                    let invented: Vec<Rec> = (0..50)
                        .map(|_| {
                            n += 1;
                            let [a, b, c, _] = (n / 4).wrapping_mul(2_654_435_761).to_be_bytes();
                            rec(1_000_000 + n)
                                .body(body(&[format!("/ip4/{}.{b}.{c}.1/tcp/7000", 20 + a % 100)
                                    .parse()
                                    .unwrap()]))
                                .signed()
                        })
                        .collect();
                    world
                        .net
                        .say(HostId(enemy), HostId(to), wire::encode(push(&invented)));
                }
            }
            world.net.run_for(SECOND);
            if second % 60 == 59 {
                let per: Vec<usize> = (0..29)
                    .map(|i| {
                        (0..29)
                            .filter(|j| i != *j && world.node(i).peer(&world.id(*j)).is_some())
                            .count()
                    })
                    .collect();
                println!(
                    "{signing:?} {second}: known {} least {:?}, table {}, downs {} banned {}",
                    world.known(),
                    per.iter().min(),
                    world.node(0).peer_count(),
                    world.net.observer().downs.len(),
                    world.net.observer().banned.len()
                );
            }
        }
    }
}
