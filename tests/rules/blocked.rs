//! Transports that are blocked on the way (R32).

use std::time::Duration;

use peer_exchange::addr::Protocol;
use peer_exchange::{DialId, Event, Input, LinkId, Multiaddr, Target};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

fn both(n: u32) -> [Multiaddr; 2] {
    let socket = address(n).socket_addr().unwrap();
    [Multiaddr::quic(socket), Multiaddr::tcp(socket)]
}

/// Node 1 knows nodes 2 to 5, which listen over both, and is linked with node 2, which it has found
/// over TCP, and not over QUIC.
fn half_heard() -> Rig {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(9);
    let records: Vec<_> = (2..6).map(|n| rec(n).body(body(&both(n)))).collect();
    rig.message(link, push(4, &records));
    rig.pass_s(1);
    let (dial, target) = dial_of(&mut rig, 2);
    let addresses = target.addresses();
    let (at, silent) = (addresses[1].clone(), vec![addresses[0].clone()]);
    rig.input(Input::Reached { dial, at, silent });
    rig.land(dial, id(2), 3);
    rig.dials.clear();
    rig
}

fn dial_of(rig: &mut Rig, n: u32) -> (DialId, Target) {
    let at = rig.dials.iter().position(|(_, t)| t.node() == Some(id(n)));
    rig.dials.remove(at.expect("it is dialled"))
}

/// The next dial of node 2 over QUIC alone.
fn probe(rig: &mut Rig) -> DialId {
    let is_probe =
        |(_, t): &(DialId, Target)| t.node() == Some(id(2)) && t.addresses() == &both(2)[..1];
    for _ in 0..70 {
        if let Some(at) = rig.dials.iter().position(is_probe) {
            return rig.dials.remove(at).0;
        }
        rig.fail_dials();
        rig.pass_answering(1);
    }
    panic!("it is not tried");
}

fn said(rig: &mut Rig) -> Vec<Event> {
    rig.take_events(|e| {
        matches!(
            e,
            Event::TransportBlocked { .. } | Event::TransportOpen { .. }
        )
    })
}

/// R32: it is looked into, said once, and taken back once it answers again.
#[test]
fn what_is_blocked_is_said_once_and_taken_back() {
    let mut rig = half_heard();
    assert_eq!(said(&mut rig), [], "it may only have been slow");
    let (protocol, node) = (Protocol::Quic, id(2));
    for times in 0..5 {
        let dial = probe(&mut rig);
        rig.input(Input::DialFailed { dial });
        let expected = match times {
            0 => vec![Event::TransportBlocked { protocol, node }],
            _ => vec![],
        };
        assert_eq!(said(&mut rig), expected);
        assert_eq!(rig.node.stats().transports_blocked, 1);
    }
    let unreachable =
        |e: &Event| matches!(e, Event::PeerUnreachable { node, .. } if *node == id(2));
    assert_eq!(rig.take_events(unreachable), [], "it is not unreachable");
    let dial = probe(&mut rig);
    rig.land(dial, id(2), 3);
    assert_eq!(said(&mut rig), [Event::TransportOpen { protocol }]);
    assert_eq!(rig.node.stats().transports_blocked, 0);
    rig.pass(Duration::from_secs(180));
    assert_eq!(said(&mut rig), []);
}

/// R32: a handshake that lost a packet says nothing.
#[test]
fn what_answers_when_tried_alone_was_never_blocked() {
    let mut rig = half_heard();
    let dial = probe(&mut rig);
    rig.land(dial, id(2), 3);
    assert_eq!(said(&mut rig), []);
}

/// R32: of a node that is gone nothing follows for its transports.
#[test]
fn who_is_gone_is_not_blocked() {
    let mut rig = half_heard();
    let dial = probe(&mut rig);
    let links: Vec<LinkId> = rig
        .node
        .links()
        .filter(|l| l.node == id(2))
        .map(|l| l.link)
        .collect();
    for link in links {
        let orderly = false;
        rig.input(Input::LinkDown { link, orderly });
    }
    rig.input(Input::DialFailed { dial });
    assert_eq!(said(&mut rig), []);
}
