//! What a node tells at its cap, and whom it keeps.

use peer_exchange::wire::Message;
use peer_exchange::{Event, Input};

use crate::support::build::*;
use crate::support::rig::{Rig, config, records_in};

#[test]
fn a_change_goes_to_the_successor_and_one_more_but_not_back() {
    let mut rig = Rig::new(1, config(|_| {}));
    let links: Vec<_> = (10..20).map(|n| rig.link(n)).collect();
    let records: Vec<_> = (10..20).map(rec).collect();
    rig.message(links[5], push(1, &records));
    rig.pass_answering(5);
    rig.sent.clear();
    rig.message(links[7], rumour(&[rec(500)]));
    let told: Vec<_> = rig
        .sent
        .iter()
        .filter(|(_, m)| matches!(m, Message::Update(_)))
        .filter(|(_, m)| records_in(m).is_some_and(|r| r.iter().any(|r| r.node == id(500))))
        .map(|(link, _)| *link)
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], links[0], "node 10 comes next in the ring");
    assert_ne!(told[1], links[7]);
    // Once: the second time it is known.
    rig.sent.clear();
    rig.message(links[3], rumour(&[rec(500)]));
    assert!(
        !rig.sent
            .iter()
            .any(|(_, m)| records_in(m).is_some_and(|r| !r.is_empty()))
    );
}

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
