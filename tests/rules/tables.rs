//! What a node tells at its cap, and whom it keeps.

use peer_exchange::{Event, Input};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

#[test]
fn a_full_table_says_that_it_is_partial() {
    let mut rig = Rig::new(0x7f00_0001, config(|c| c.capacity = 16));
    let (link, asker) = (rig.link(2), rig.link(3));
    rig.message(
        link,
        push(1, &(0..14).map(|n| rec(n * 256 + 9)).collect::<Vec<_>>()),
    );
    assert!(!rig.ask(asker, request(1)).digest.partial);
    rig.message(
        link,
        push(1, &(14..16).map(|n| rec(n * 256 + 9)).collect::<Vec<_>>()),
    );
    assert!(rig.ask(asker, request(2)).digest.partial);
}

#[test]
fn an_evicted_peer_is_reported() {
    let mut rig = Rig::new(1, config(|c| c.capacity = 16));
    let link = rig.link(2);
    rig.message(
        link,
        push(1, &(0..200).map(|n| rec(n * 256 + 9)).collect::<Vec<_>>()),
    );
    let up = |e: &Event| matches!(e, Event::PeerUp { .. });
    let count = rig.events.iter().filter(|e| up(e)).count();
    let evicted = rig.take_events(|e| matches!(e, Event::PeerEvicted { .. }));
    assert_eq!(count - evicted.len(), rig.node.peer_count());
    rig.input(Input::Wake);
}
