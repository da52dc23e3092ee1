//! More than anybody asked for: it is charged before it is decoded, and whoever goes on is refused
//! (R54).

use bytes::Bytes;
use peer_exchange::wire::{self, Beat, Message};
use peer_exchange::{Config, RequestId};
use peer_exchange_memory::HostId;

use crate::support::build::{Rec, answer, hello, rec, request, rumour};
use crate::world::{SECOND, World};

/// Messages that a node takes of one other in ten seconds and a burst, at most: four times fifty a
/// second.
const MOST: u32 = 4_000;

/// Sends ten thousand a second until the link is closed; how many that were.
fn flood(bytes: &dyn Fn(u32) -> Bytes) -> (u32, World) {
    let mut world = World::new(4, 1, Config::default());
    let (enemy, start) = (world.enemy(), world.net.now());
    let mut said = 0;
    while world.net.say(enemy, HostId(0), bytes(said)) {
        said += 1;
        assert!(said <= MOST, "the link is still up");
        if said % 1_000 == 0 {
            world.net.run_for(SECOND / 10);
        }
    }
    assert!(world.net.now() - start <= 10 * SECOND);
    assert_eq!(world.net.observer().banned.len(), 1);
    assert!(world.net.observer().wronged.is_empty());
    (said, world)
}

#[test]
fn a_flood_of_any_kind_ends_the_link() {
    let many: Vec<Rec> = (0..500).map(|n| rec(10_000 + n)).collect();
    let update = wire::encode(rumour(&many));
    let floods: [(&str, &dyn Fn(u32) -> Bytes); 6] = [
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
        let (said, world) = flood(bytes);
        println!(
            "{kind}: {said} said, blamed {:?}",
            world.net.observer().blamed
        );
    }
}

/// Pages of 500 records as answers to what was never asked: of half a million none is taken. (Those to
/// requests that have ended are taken four times: `tests/rules/exchanges.rs`.)
#[test]
fn records_that_nobody_asked_for_are_not_taken() {
    let page = |n: u32| -> Vec<Rec> { (0..500).map(|i| rec(1_000_000 + 500 * n + i)).collect() };
    let (said, world) = flood(&|n| wire::encode(answer(RequestId::new(n), &page(n))));
    assert!(said <= 1_000, "{said} pages");
    assert_eq!(world.node(0).peer_count(), 4, "with the enemy");
}
