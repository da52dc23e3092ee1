//! Who claims to see a node where it is not, and who wants others to dial (R38).

use std::collections::BTreeSet;

use peer_exchange::addr::Protocol;
use peer_exchange::wire::{DialBack, Message};
use peer_exchange::{DialId, Identity, Input, Instant, LinkId, Multiaddr, Node, Target};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, config};

const VICTIM: &str = "203.0.113.66:443";

fn linked(rig: &mut Rig, n: u32, seen: Option<&str>) -> LinkId {
    let link = rig.mute_link(n);
    let seen = seen.map(|at| at.parse().unwrap());
    rig.message(link, hello_seeing(n + 1, seen));
    link
}

/// Takes the dials that others have asked for, each of which fails.
fn backs(rig: &mut Rig) -> Vec<Multiaddr> {
    let mut at = Vec::new();
    let all: Vec<(DialId, Target)> = std::mem::take(&mut rig.dials);
    for (dial, target) in all {
        if let Target::Back { address, .. } = target {
            at.push(address);
        }
        rig.input(Input::DialFailed { dial });
    }
    at
}

fn ask(rig: &mut Rig, link: LinkId, port: u16) {
    let over = Protocol::Tcp;
    rig.message(link, Message::DialBack(DialBack::Ask { over, port }));
}

/// Nobody is a weapon: whatever is asked for, dials go to the asker's own address, a few of them.
#[test]
fn asking_again_and_again_leads_to_a_few_dials_of_the_asker() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = linked(&mut rig, 2, Some(VICTIM));
    let mut dialled = Vec::new();
    for n in 0..100 {
        ask(&mut rig, link, 1_000 + n);
        dialled.extend(backs(&mut rig));
    }
    assert_eq!(dialled.len(), 8);
    let remote = address(2).socket_addr().unwrap().ip();
    let all: BTreeSet<_> = dialled
        .iter()
        .map(|a| a.socket_addr().unwrap().ip())
        .collect();
    assert_eq!(all, BTreeSet::from([remote]));
    // Coming again is no way round it.
    let orderly = true;
    rig.input(Input::LinkDown { link, orderly });
    let link = linked(&mut rig, 2, None);
    ask(&mut rig, link, 1);
    assert_eq!(backs(&mut rig), []);
    assert!(rig.node.stats().dial_backs_refused > 90);
}

/// Many keys together get a bounded number, and none keeps this node from dialling others.
#[test]
fn many_askers_get_so_many_dials_together() {
    let mut rig = Rig::new(1, config(|_| {}));
    rig.checks = false;
    let links: Vec<_> = (2..200).map(|n| linked(&mut rig, n, None)).collect();
    let mut dialled = 0;
    for link in &links {
        for port in 1..9 {
            ask(&mut rig, *link, port);
        }
        dialled += backs(&mut rig).len();
    }
    assert_eq!(dialled, 32);
    rig.check();
}

/// Nothing is dialled where a link has no address, or one of this machine.
#[test]
fn nobody_is_dialled_where_nobody_may_be() {
    for remote in [
        None,
        Some("127.0.0.1:1"),
        Some("[::]:1"),
        Some("[fe80::1%2]:1"),
        Some("224.0.0.1:1"),
    ] {
        let mut rig = Rig::new(1, config(|_| {}));
        let link = rig.next_link();
        let (node, dial) = (id(2), None);
        let remote = remote.map(|at| at.parse().unwrap());
        rig.input(Input::LinkUp {
            link,
            node,
            remote,
            dial,
        });
        rig.message(link, hello_seeing(3, None));
        ask(&mut rig, link, 80);
        assert_eq!(backs(&mut rig), [], "{remote:?}");
    }
}

/// A node that nobody has told where it is, and a member that says: there, at my victim's.
#[test]
fn an_address_that_is_made_up_is_not_announced() {
    let any = "/ip4/0.0.0.0/tcp/443".parse().unwrap();
    let identity = Identity::new(id(1)).with_listening(vec![any]);
    let mut rig = Rig::of(Node::new(config(|_| {}), identity, SEED, Instant::ZERO).unwrap());
    let liar = linked(&mut rig, 9, Some(VICTIM));
    let at: Multiaddr = "/ip4/203.0.113.66/tcp/443".parse().unwrap();
    let tried = |reached| {
        let at = at.clone();
        Message::DialBack(DialBack::Tried { at, reached })
    };
    // It says that it has dialled, and has not.
    for _ in 0..20 {
        rig.message(liar, tried(true));
        rig.pass_answering(10);
    }
    assert_eq!(rig.node.addresses(), []);
    // It dials this node where that is, and says that it was there.
    for n in 2..6 {
        linked(&mut rig, n, Some("192.0.2.1:5"));
    }
    for _ in 0..20 {
        let link = rig.mute_link(9);
        rig.message(liar, tried(true));
        let orderly = true;
        rig.input(Input::LinkDown { link, orderly });
        rig.pass_answering(10);
    }
    assert_eq!(rig.node.addresses(), [], "one of many says so");
    assert_eq!(backs(&mut rig), [], "and nobody is dialled there");
}

/// What is configured stays, whatever members say of it, and a few lies change nothing.
#[test]
fn false_answers_do_not_take_an_address_away() {
    let mut rig = Rig::new(1, config(|_| {}));
    let liar = linked(&mut rig, 9, Some("10.0.0.1:1"));
    let honest: Vec<_> = (2..4)
        .map(|n| (n, linked(&mut rig, n, Some("10.0.0.1:1"))))
        .collect();
    let tried = |reached| {
        let at = address(1);
        Message::DialBack(DialBack::Tried { at, reached })
    };
    for _ in 0..200 {
        rig.message(liar, tried(false));
        rig.pass_answering(10);
        for (n, link) in &honest {
            let asked = rig.take(*link);
            if asked.iter().any(|m| matches!(m, Message::DialBack(_))) {
                let dialled = rig.mute_link(*n);
                rig.message(*link, tried(true));
                let orderly = true;
                rig.input(Input::LinkDown {
                    link: dialled,
                    orderly,
                });
            }
        }
    }
    assert_eq!(rig.node.addresses(), [address(1)]);
    let state = rig.node.own_addresses().next().unwrap().state;
    assert_ne!(state, peer_exchange::OwnAddressState::Unreachable);
}
