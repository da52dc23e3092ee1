//! More than anybody asked for: it is charged before it is decoded, and whoever goes on is refused
//! (R54).

use std::time::Instant;

use bytes::Bytes;
use peer_exchange::wire::{self, Beat, Message};
use peer_exchange::{Config, Defence, RequestId};
use peer_exchange_memory::HostId;

use crate::support::build::{Rec, answer, hello, rec, request, rumour};
use crate::world::{SECOND, World, without};

/// Messages that a node takes of one other in ten seconds and a burst, at most: four times fifty a
/// second.
const MOST: u32 = 4_000;

/// The message of each number.
type Flood<'a> = &'a dyn Fn(u32) -> Bytes;

/// Sends ten thousand a second until the link is closed, or so many; how many that were, and how long
/// the node was busy with them.
fn flood(config: Config, most: u32, bytes: Flood<'_>) -> (u32, World) {
    let mut world = World::new(4, 1, config);
    let (enemy, start, began) = (world.enemy(), world.net.now(), Instant::now());
    let mut said = 0;
    while said < most && world.net.say(enemy, HostId(0), bytes(said)) {
        said += 1;
        if said % 1_000 == 0 {
            world.net.run_for(SECOND / 10);
        }
    }
    let (virtually, really) = (world.net.now() - start, began.elapsed());
    println!("{said} said in {virtually:?}, which took {really:?}");
    assert!(virtually <= 10 * SECOND);
    assert!(world.net.observer().wronged.is_empty());
    (said, world)
}

/// Whatever comes, of each kind.
fn floods(of_each: impl Fn(&str, Flood<'_>)) {
    let many: Vec<Rec> = (0..500).map(|n| rec(10_000 + n)).collect();
    let update = wire::encode(rumour(&many));
    let floods: [(&str, Flood<'_>); 6] = [
        ("hello", &|_| wire::encode(hello(7))),
        ("unknown kind", &|_| {
            Bytes::from_static(&[0xfa, 0x7f, 3, 1, 2, 3])
        }),
        ("beat", &|_| {
            wire::encode(Message::Beat(Beat { fingerprint: None }))
        }),
        ("update", &|_| update.clone()),
        ("answer", &|n| {
            wire::encode(answer(RequestId::new(n), [&rec(5)]))
        }),
        ("request", &|n| wire::encode(Message::Request(request(n)))),
    ];
    for (kind, bytes) in floods {
        of_each(kind, bytes);
    }
}

#[test]
fn a_flood_of_any_kind_ends_the_link() {
    floods(|kind, bytes| {
        let (said, mut world) = flood(Config::default(), 2 * MOST, bytes);
        let enemy = world.enemy();
        for _ in 0..598 {
            world.net.run_for(SECOND);
            let again = world.net.say(enemy, HostId(0), bytes(said));
            assert!(!again, "{kind}: it is refused for ten minutes");
        }
        let seen = world.net.observer();
        assert!(said <= MOST, "{kind}: the link is still up");
        assert_eq!(seen.banned.len(), 1, "{kind}");
        println!("{kind}: blamed {:?}", seen.blamed);
    });
}

/// A second Hello, answers that nobody asked for, and requests that come sooner than they may, end it even
/// so (R14, R18).
#[test]
fn without_charging_what_comes_a_flood_goes_on() {
    floods(|kind, bytes| {
        if !["hello", "answer", "request"].contains(&kind) {
            let (said, world) = flood(without(Defence::Arrivals), 2 * MOST, bytes);
            assert_eq!(said, 2 * MOST, "{kind}");
            assert!(world.net.observer().banned.is_empty(), "{kind}");
        }
    });
}

/// Pages of 500 records as answers to what was never asked: of half a million none is taken. (Those to
/// requests that have ended are taken four times: `tests/rules/exchanges.rs`.)
#[test]
fn records_that_nobody_asked_for_are_not_taken() {
    let page = |n: u32| -> Vec<Rec> { (0..500).map(|i| rec(1_000_000 + 500 * n + i)).collect() };
    let (said, world) = flood(Config::default(), MOST, &|n| {
        wire::encode(answer(RequestId::new(n), &page(n)))
    });
    assert!(said <= 1_000, "{said} pages");
    assert_eq!(world.node(0).peer_count(), 4, "with the enemy");
}
