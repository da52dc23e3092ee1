//! Events tell the whole story: whoever counts ups against ends has the peers that the node has.

use std::collections::BTreeSet;
use std::time::Duration;

use peer_exchange::{Event, Input, Instant, Node, NodeId};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, config, identity};

/// The peers by the events alone.
fn told(events: &[Event]) -> BTreeSet<NodeId> {
    let mut peers = BTreeSet::new();
    for event in events {
        match event {
            Event::PeerUp { node } => assert!(peers.insert(*node), "{node:?} was up already"),
            Event::PeerChanged { node } => assert!(peers.contains(node), "{node:?} was not up"),
            Event::PeerLeft { node }
            | Event::PeerExpired { node }
            | Event::PeerEvicted { node } => assert!(peers.remove(node), "{node:?} was not up"),
            _ => {}
        }
    }
    peers
}

fn agrees(rig: &Rig) {
    let known: BTreeSet<_> = rig.node.peers().map(|p| p.node).collect();
    assert_eq!(told(&rig.events), known);
}

#[test]
fn a_peer_that_left_and_comes_back_is_up_again() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(3)]));
    rig.message(link, rumour(&[rec(3).version(2).body(Vec::new())]));
    agrees(&rig);
    rig.message(link, rumour(&[rec(3).version(3)]));
    assert!(rig.knows(3));
    agrees(&rig);
}

#[test]
fn a_peer_known_first_by_its_tombstone_comes_up() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(3).body(Vec::new())]));
    rig.message(link, rumour(&[rec(3).version(2)]));
    assert!(rig.knows(3));
    agrees(&rig);
}

#[test]
fn a_peer_evicted_for_the_own_record_is_reported_at_once() {
    let mut unannounced = identity(1);
    unannounced.addresses.clear();
    let config = config(|c| c.capacity = 4);
    let mut rig = Rig::of(Node::new(config, unannounced, SEED, Instant::ZERO).unwrap());
    let link = rig.link(2);
    let records: Vec<_> = (3..7).map(rec).collect();
    rig.message(link, rumour(&records));
    agrees(&rig);
    rig.input(Input::SetAddresses(vec![address(1)]));
    agrees(&rig);
}

#[test]
fn a_snapshot_larger_than_the_table_reports_what_is_kept() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    // Each from a subnet of its own, so that no quota applies.
    let records: Vec<_> = (3..40).map(|n| rec(n << 8)).collect();
    rig.message(link, rumour(&records));
    let (small, now) = (config(|c| c.capacity = 8), rig.now);
    let snapshot = rig.node.snapshot(now);
    let elapsed = Some(Duration::from_secs(1));
    let node = Node::restore(small, identity(1), SEED, now, &snapshot, elapsed);
    agrees(&Rig::of(node.unwrap()));
}

/// R1.
#[test]
fn two_contents_under_one_version_are_a_conflict_and_the_first_stays() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(7)]));
    for other in [rec(7), rec(7).beat(3)] {
        rig.message(link, rumour(&[other.body(body_of(66))]));
    }
    let view = rig.node.peer(&id(7)).unwrap();
    assert_eq!(
        (view.addresses, view.sequence),
        (vec![address(7)], seq(1, 0))
    );
    assert_eq!(rig.node.stats().records_conflicting, 2);
    let conflict = Event::Conflict {
        node: id(7),
        version: 1,
    };
    assert!(rig.events.contains(&conflict));
}
