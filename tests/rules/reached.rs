//! Where a node can be reached: what others see, who dials it there, and what it announces (R38).

use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::addr::Protocol;
use peer_exchange::wire::{DialBack, Hello, Message};
use peer_exchange::{
    CloseReason, Config, DialId, Event, Identity, Input, Instant, LinkId, Multiaddr, Node,
    OwnAddressState, Target,
};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, below, config};

const SEEN: &str = "192.0.2.1:40000";
const HERE: &str = "/ip4/192.0.2.1/tcp/7000";

/// A node that listens on port 7000 of every address, and is told of none.
fn listening(config: Config) -> Rig {
    let any = "/ip4/0.0.0.0/tcp/7000".parse().unwrap();
    let identity = Identity::new(id(1)).with_listening(vec![any]);
    Rig::of(Node::new(config, identity, SEED, Instant::ZERO).unwrap())
}

/// An incoming link from node `n`, which sees this one there.
fn seen_by(rig: &mut Rig, n: u32, seen: &str) -> LinkId {
    let link = rig.mute_link(n);
    let seen = Some(seen.parse().unwrap());
    rig.message(link, hello_seeing(n + 1, seen));
    link
}

/// What is about addresses of what was sent on this link.
fn asked(rig: &mut Rig, link: LinkId) -> Vec<DialBack> {
    let all = rig.take(link).into_iter();
    let about = all.filter_map(|m| match m {
        Message::DialBack(m) => Some(m),
        _ => None,
    });
    about.collect()
}

fn says(rig: &mut Rig, link: LinkId, at: &str, reached: bool) {
    let at = at.parse().unwrap();
    rig.message(link, Message::DialBack(DialBack::Tried { at, reached }));
}

/// Node `n` dials, and says what came of it.
fn reaches(rig: &mut Rig, (link, n): (LinkId, u32), at: &str) {
    let dialled = rig.mute_link(n);
    let orderly = true;
    rig.input(Input::LinkDown {
        link: dialled,
        orderly,
    });
    says(rig, link, at, true);
}

fn announced(rig: &Rig) -> Vec<String> {
    rig.node
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The first dials of this kind.
fn take_back(rig: &mut Rig) -> Option<(DialId, Target)> {
    let is_back = |(_, t): &(DialId, Target)| matches!(t, Target::Back { .. });
    let at = rig.dials.iter().position(is_back)?;
    Some(rig.dials.remove(at))
}

#[test]
fn a_hello_says_where_the_other_end_is_seen() {
    let seen = |rig: &mut Rig, remote: Option<SocketAddr>| {
        let (link, node) = (rig.next_link(), id(50));
        let dial = None;
        rig.input(Input::LinkUp {
            link,
            node,
            remote,
            dial,
        });
        match &rig.take(link)[..] {
            [Message::Hello(Hello { seen, .. }), ..] => *seen,
            other => panic!("{other:?}"),
        }
    };
    let mut rig = Rig::new(1, config(|_| {}));
    let there = "10.1.2.3:4567".parse().unwrap();
    assert_eq!(seen(&mut rig, Some(there)), Some(there));
    let mapped = "[::ffff:10.1.2.3]:4567".parse().unwrap();
    assert_eq!(seen(&mut rig, Some(mapped)), Some(there), "one form");
    let loopback = "127.0.0.1:1".parse().unwrap();
    for nowhere in [None, Some(loopback), Some("[fe80::1%3]:1".parse().unwrap())] {
        assert_eq!(seen(&mut rig, nowhere), None, "{nowhere:?}");
    }
    let mut local = Rig::new(1, config(|c| c.local = true));
    assert_eq!(seen(&mut local, Some(loopback)), Some(loopback));
}

/// Dialled where its link comes from, over what it asks for, at the port that it says; and told.
#[test]
fn whoever_asks_is_dialled_at_the_address_of_its_link() {
    for (over, at) in [
        (Protocol::Tcp, "/ip4/10.0.0.2/tcp/7000"),
        (Protocol::Quic, "/ip4/10.0.0.2/udp/7000/quic-v1"),
    ] {
        let at: Multiaddr = at.parse().unwrap();
        // It is there; another is; nobody is; this node itself is.
        for (found, reached) in [
            (Some(2), true),
            (Some(3), false),
            (None, false),
            (Some(1), false),
        ] {
            let mut rig = Rig::new(1, config(|_| {}));
            let link = rig.mute_link(2);
            rig.message(link, hello_seeing(3, None));
            let port = 7_000;
            rig.message(link, Message::DialBack(DialBack::Ask { over, port }));
            let (dial, target) = take_back(&mut rig).expect("it is dialled");
            let (node, address) = (id(2), at.clone());
            assert_eq!(target, Target::Back { node, address });
            rig.take(link);
            match found {
                Some(n) => {
                    let (link, node) = (rig.next_link(), id(n));
                    let (remote, dial) = (at.socket_addr(), Some(dial));
                    rig.input(Input::LinkUp {
                        link,
                        node,
                        remote,
                        dial,
                    });
                    assert_eq!(rig.why_closed(link), Some(CloseReason::DialBack));
                    assert_eq!(rig.take(link), [], "not a word on it");
                }
                None => rig.input(Input::DialRefused { dial }),
            }
            let at = at.clone();
            assert_eq!(asked(&mut rig, link), [DialBack::Tried { at, reached }]);
            assert!(rig.is_up(link), "the link stays");
        }
    }
}

#[test]
fn what_others_see_is_announced_once_they_have_found_it() {
    let mut rig = listening(below(9));
    rig.pass(Duration::from_millis(50));
    assert_eq!(announced(&rig), Vec::<String>::new());
    let (dial, _) = rig.dials.remove(0);
    let link = rig.next_link();
    let (node, remote, dial) = (id(9), address(9).socket_addr(), Some(dial));
    rig.input(Input::LinkUp {
        link,
        node,
        remote,
        dial,
    });
    rig.message(link, hello_seeing(10, Some(SEEN.parse().unwrap())));
    let (over, port) = (Protocol::Tcp, 7_000);
    assert_eq!(asked(&mut rig, link), [DialBack::Ask { over, port }]);
    assert_eq!(announced(&rig), Vec::<String>::new());
    reaches(&mut rig, (link, 9), HERE);
    assert_eq!(announced(&rig), [HERE]);
    assert_eq!(rig.node.sequence(), seq(1, 0));
    let view = rig.node.own_addresses().next().unwrap();
    assert_eq!(view.state, OwnAddressState::Proven);
    assert_eq!((view.configured, view.advertised), (false, true));
    assert_eq!((view.reached_by, view.missed_by), (vec![id(9)], vec![]));
    let found = |e: &Event| matches!(e, Event::OwnAddressReached { .. });
    assert_eq!(rig.take_events(found).len(), 1);
}

/// What has come in proves nothing: a node behind a NAT is linked and cannot be dialled.
#[test]
fn where_no_dial_succeeds_nothing_is_announced() {
    let mut rig = listening(config(|_| {}));
    let link = seen_by(&mut rig, 2, SEEN);
    for _ in 0..100 {
        for ask in asked(&mut rig, link) {
            assert!(matches!(ask, DialBack::Ask { .. }), "{ask:?}");
            says(&mut rig, link, HERE, false);
        }
        rig.pass_answering(10);
    }
    assert_eq!(announced(&rig), Vec::<String>::new());
    let view = rig.node.own_addresses().next().unwrap();
    assert_eq!(view.state, OwnAddressState::Unreachable);
    assert_eq!(view.missed_by, [id(2)]);
    let told = |e: &Event| matches!(e, Event::OwnAddressUnreachable { .. });
    assert_eq!(rig.take_events(told).len(), 1, "once");
}

/// One of two interfaces that is firewalled, say: the node learns of it, and the other comes first.
#[test]
fn an_address_that_nobody_reaches_is_told_and_goes_last() {
    let [dead, good] = ["/ip4/198.51.100.7/tcp/7000", HERE];
    let both = [dead, good].map(|a| a.parse().unwrap()).to_vec();
    let identity = Identity::new(id(1)).with_addresses(both);
    let mut rig = Rig::of(Node::new(config(|_| {}), identity, SEED, Instant::ZERO).unwrap());
    let links = [2, 3, 4].map(|n| (seen_by(&mut rig, n, SEEN), n));
    let mut tried = 0;
    for _ in 0..60 {
        rig.pass_answering(10);
        for (link, n) in links {
            for ask in asked(&mut rig, link) {
                match ask {
                    DialBack::Ask { .. } => reaches(&mut rig, (link, n), good),
                    DialBack::Listed => {
                        tried += 1;
                        says(&mut rig, link, dead, false);
                    }
                    DialBack::Tried { .. } => panic!("nobody has asked"),
                }
            }
        }
    }
    assert!((2..=9).contains(&tried), "{tried}");
    assert_eq!(announced(&rig), [good, dead]);
    let told = |e: &Event| matches!(e, Event::OwnAddressUnreachable { .. });
    let address = dead.parse().unwrap();
    assert_eq!(
        rig.take_events(told),
        [Event::OwnAddressUnreachable { address }]
    );
    let states: Vec<_> = rig.node.own_addresses().map(|a| a.state).collect();
    assert_eq!(
        states,
        [OwnAddressState::Unreachable, OwnAddressState::Proven]
    );
}

/// Whoever wants it tries one of the others that a record lists, once in a while.
#[test]
fn what_a_record_lists_is_tried_for_its_node() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.mute_link(2);
    rig.message(link, hello_seeing(3, None));
    let listed = [
        address(2),
        address(77),
        "/ip4/10.0.0.77/udp/5001/quic-v1".parse().unwrap(),
        "/dns/localhost/tcp/1".parse().unwrap(),
    ];
    rig.message(link, push(&[rec(2).body(body(&listed))]));
    for _ in 0..10 {
        rig.message(link, Message::DialBack(DialBack::Listed));
    }
    let (dial, target) = take_back(&mut rig).expect("the other one");
    let (node, address) = (id(2), address(77));
    assert_eq!(target, Target::Back { node, address });
    let more = std::iter::from_fn(|| take_back(&mut rig)).count();
    assert_eq!(more, 1, "over the other transport, and none again (R53)");
    rig.take(link);
    rig.input(Input::DialFailed { dial });
    let (at, reached) = (crate::support::build::address(77), false);
    assert_eq!(asked(&mut rig, link), [DialBack::Tried { at, reached }]);
    assert!(rig.node.peer(&id(2)).unwrap().reachable, "it is linked");
}

/// A host whose first address is dead is dialled where it was found the last time.
#[test]
fn where_a_peer_was_found_is_dialled_first() {
    let mut rig = Rig::new(1, config(|_| {}));
    let teller = rig.link(2);
    let listed = [address(77), address(7)];
    rig.message(teller, push(&[rec(7).body(body(&listed))]));
    let dialled = |rig: &mut Rig| {
        for _ in 0..600 {
            let of_7 = |(_, t): &(DialId, Target)| t.node() == Some(id(7));
            if let Some(at) = rig.dials.iter().position(of_7) {
                return rig.dials.remove(at);
            }
            rig.pass_answering(1);
        }
        panic!("it is not dialled");
    };
    let (dial, target) = dialled(&mut rig);
    assert_eq!(target.addresses(), listed, "as its node prefers");
    let link = rig.next_link();
    let (node, remote, dial) = (id(7), address(7).socket_addr(), Some(dial));
    rig.input(Input::LinkUp {
        link,
        node,
        remote,
        dial,
    });
    rig.message(link, hello(8));
    let orderly = false;
    rig.input(Input::LinkDown { link, orderly });
    let (_, target) = dialled(&mut rig);
    assert_eq!(target.addresses(), [address(7), address(77)]);
}
