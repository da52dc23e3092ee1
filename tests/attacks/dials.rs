//! Own IDs with a victim's addresses, and beside each node's.

use std::time::Duration;

use peer_exchange::{Config, Input, RingKey, Signing};
use peer_exchange_memory::HostId;

use crate::support::build::{Rec, body, id, rec, rumour};
use crate::world::{HONEST, SECOND, World};

#[test]
fn ids_with_a_victims_addresses() {
    for (name, config) in [
        ("off", Config::default()),
        ("require", Config::default().with_signing(Signing::Require)),
    ] {
        let mut world = World::new(HONEST, 1, config);
        let seconds = 600;
        for n in 0..seconds {
            let victim = format!("/ip4/192.0.2.1/tcp/{}", 1000 + n).parse().unwrap();
            let invented = rec(1_000_000 + n).body(body(&[victim])).signed();
            world.say_to_all(&rumour([&invented]));
            world.net.run_for(SECOND);
        }
        let seen = world.net.observer();
        let dials: usize = seen
            .dials
            .get(&"192.0.2.1".parse().unwrap())
            .map_or(0, Vec::len);
        println!(
            "{name}: {dials} dials in {seconds} s from {HONEST}: {:.2} a second from 300; table {} downs {}",
            dials as f64 / f64::from(seconds) * 300.0 / HONEST as f64,
            world.node(0).peer_count(),
            world.net.observer().downs.len()
        );
    }
}

#[test]
fn ids_beside_each_nodes() {
    for (name, config) in [
        ("off", Config::default()),
        ("require", Config::default().with_signing(Signing::Require)),
    ] {
        for lies in [false, true] {
            let mut world = World::new(HONEST, 1, config.clone());
            let key = RingKey::new("");
            // The nearest after each of 40,000.
            let mut tried: Vec<_> = (0..200_000).map(|n| (key.position(&id(n)), n)).collect();
            tried.sort_by_key(|(p, _)| p.get());
            let mut times = Vec::new();
            for round in 0..20_u32 {
                if lies {
                    for host in 0..HONEST {
                        let own = key.position(&world.id(host)).get();
                        let at = tried.partition_point(|(p, _)| p.get() <= own);
                        for k in 0..3 {
                            let (_, n) = tried[(at + k) % tried.len()];
                            let address = format!("/ip4/198.51.{}.{}/tcp/7000", 100 + k, host)
                                .parse()
                                .unwrap();
                            let invented: Rec = rec(n)
                                .version(1 + u64::from(round))
                                .body(body(&[address]))
                                .signed();
                            world.say_to_all(&rumour([&invented]));
                        }
                    }
                }
                world.net.run_for(Duration::from_millis(1_500));
                // A change of one node.
                let host = (7 * round as usize) % HONEST;
                let to = format!("/ip4/10.0.1.{round}/tcp/7000").parse().unwrap();
                let moved = HostId(host).address();
                world
                    .net
                    .input(HostId(host), Input::SetAddresses(vec![moved, to]));
                let start = world.net.now();
                let version = world.node(host).sequence().version;
                let of = world.id(host);
                let _ = of;
                let done = world.net.run_until(start + Duration::from_secs(60), |net| {
                    (0..HONEST).all(|i| {
                        net.node(HostId(i))
                            .unwrap()
                            .peer(&of)
                            .is_some_and(|p| p.sequence.version >= version)
                            || i == host
                    })
                });
                times.push((world.net.now() - start).as_secs_f64());
                assert!(done || true);
                world.net.run_for(SECOND * 5);
            }
            times.sort_by(f64::total_cmp);
            println!(
                "{name} lies {lies}: mean {:.3} s, most {:.3}, median {:.3}, table {} downs {}",
                times.iter().sum::<f64>() / 20.0,
                times[19],
                times[10],
                world.node(0).peer_count(),
                world.net.observer().downs.len()
            );
        }
    }
}
