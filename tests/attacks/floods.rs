//! More than anybody asked for.

use bytes::Bytes;
use peer_exchange::wire::{self, Message};
use peer_exchange::{Config, RequestId};
use peer_exchange_memory::HostId;

use crate::support::build::{answer, hello, rec, request, rumour};
use crate::world::{HONEST, SECOND, World};

fn flood(name: &str, bytes: &dyn Fn(u32) -> Bytes) {
    let mut world = World::new(4, 1, Config::default());
    let (enemy, mut said) = (world.enemy(), 0);
    let cpu = std::time::Instant::now();
    let start = world.net.now();
    'all: for n in 0..200_000_u32 {
        if !world.net.say(enemy, HostId(0), bytes(n)) {
            break 'all;
        }
        said += 1;
        if n % 1_000 == 999 {
            world.net.run_for(SECOND / 10);
        }
    }
    world.net.run_for(SECOND);
    println!(
        "{name}: {said} said in {:?}, wall {:?}, blamed {:?}, banned {}",
        world.net.now() - start,
        cpu.elapsed(),
        world.net.observer().blamed,
        world.net.observer().banned.len()
    );
}

#[test]
fn floods() {
    flood("hello", &|_| wire::encode(hello(7)));
    flood("unknown", &|_| {
        Bytes::from_static(&[0xfa, 0x7f, 0x03, 1, 2, 3])
    });
    let many: Vec<_> = (0..500).map(|n| rec(10_000 + n)).collect();
    let update = wire::encode(rumour(&many));
    flood("updates", &move |_| update.clone());
    flood("late", &|n| {
        wire::encode(answer(RequestId::new(n), [&rec(5)]))
    });
    flood("requests", &|n| wire::encode(Message::Request(request(n))));
}

#[test]
fn thirty_identities_in_a_subnet() {
    let mut world = World::new(2, 31, Config::default());
    // Host 0 is asked by the 30 enemies as much as they can; what does host 1 get?
    let (mut n, mut busy) = (0, 0);
    for _ in 0..600 {
        for enemy in 3..33 {
            for _ in 0..40 {
                n += 1;
                world.net.say(
                    HostId(enemy),
                    HostId(0),
                    wire::encode(Message::Request(request(n))),
                );
            }
        }
        world.net.run_for(SECOND / 10);
        n += 1;
        let before = world.node(0).stats().requests_throttled;
        let _ = before;
        let asked = world.net.say(
            HostId(2),
            HostId(0),
            wire::encode(Message::Request(request(n))),
        );
        busy += u64::from(!asked);
    }
    let s = world.node(0).stats();
    println!(
        "answered {} throttled {} of {n}; no link {busy} banned {} blamed {:?}",
        s.requests_answered,
        s.requests_throttled,
        world.net.observer().banned.len(),
        world.net.observer().blamed
    );
    let _ = HONEST;
}
