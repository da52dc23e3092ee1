//! Which addresses are used (R7), and that what was authored is relayed whatever is used of it.

use peer_exchange::wire::Message;
use peer_exchange::{Config, Input, Multiaddr, NodeId, Target};

use crate::support::build::*;
use crate::support::rig::{Rig, config, records_in};

fn mixed() -> Vec<Multiaddr> {
    [
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/0.0.0.0/tcp/1",
        "/ip4/224.0.0.1/tcp/1",
        "/ip4/169.254.1.1/tcp/1",
        "/ip4/255.255.255.255/tcp/1",
        "/ip4/10.0.0.7/tcp/0",
        "/ip6/::1/tcp/1",
        "/ip6/fe80::1/tcp/1",
        "/ip6/ff02::1/tcp/1",
        "/ip6/::ffff:127.0.0.1/tcp/1",
        "/dns/localhost/tcp/1",
        "/ip4/10.0.0.7/tcp/5001",
    ]
    .map(|t| t.parse().unwrap())
    .to_vec()
}

fn used(config: Config, addresses: &[Multiaddr]) -> Vec<String> {
    let mut rig = Rig::new(1, config);
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(7).body(body(addresses))]));
    let view = rig.node.peer(&id(7)).unwrap();
    view.addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn what_leads_nowhere_is_not_reported() {
    let kept = used(Config::default(), &mixed());
    assert_eq!(kept, ["/ip4/10.0.0.7/tcp/5001"]);
    let local = used(config(|c| c.local = true), &mixed());
    let loopback = [
        "/ip4/127.0.0.1/tcp/1",
        "/ip6/::1/tcp/1",
        "/dns/localhost/tcp/1",
    ];
    assert!(
        loopback.iter().all(|t| local.iter().any(|l| l == t)),
        "{local:?}"
    );
    assert_eq!(local.len(), 5);
}

#[test]
fn what_leads_nowhere_is_relayed_as_it_was_authored() {
    let mut rig = Rig::new(9, config(|_| {}));
    let (teller, asker) = (rig.link(2), rig.link(3));
    rig.message(teller, push(1, &[rec(7).body(body(&mixed()))]));
    let message = Message::Response(rig.ask(asker, request(1)));
    let records = records_in(&message).unwrap();
    let relayed = records.iter().find(|r| r.node == id(7)).unwrap();
    assert_eq!(relayed.body, body(&mixed()));
}

fn only_port_5001(_: &NodeId, address: &Multiaddr) -> bool {
    address.port().is_some_and(|(_, port)| port == 5001)
}

fn not_node_7(node: &NodeId, _: &Multiaddr) -> bool {
    *node != id(7)
}

#[test]
fn the_policy_hook_is_stricter() {
    let policy = config(|c| c.address_policy = Some(only_port_5001));
    let two = ["/ip4/10.0.0.7/tcp/5001", "/ip4/10.0.0.7/tcp/22"];
    let kept = used(policy, &two.map(|t| t.parse().unwrap()));
    assert_eq!(kept, ["/ip4/10.0.0.7/tcp/5001"]);
}

/// Dials of node 7 in `seconds`, each of which fails.
fn dials_of_7(rig: &mut Rig, seconds: u64) -> usize {
    let mut dials = 0;
    for _ in 0..seconds {
        for (dial, target) in std::mem::take(&mut rig.dials) {
            dials += usize::from(matches!(target, Target::Peer { node, .. } if node == id(7)));
            rig.input(Input::DialFailed { dial });
        }
        rig.pass_answering(1);
    }
    dials
}

#[test]
fn a_peer_that_the_policy_excludes_is_never_dialled_not_even_as_a_hint() {
    for (policy, dialled) in [(None, true), (Some(not_node_7 as fn(&_, &_) -> _), false)] {
        let mut rig = Rig::new(1, config(|c| c.address_policy = policy));
        let link = rig.link(2);
        rig.message(link, push(1, &[rec(7).life(60)]));
        let before = dials_of_7(&mut rig, 70);
        assert!(!rig.knows(7));
        let after = dials_of_7(&mut rig, 600);
        assert_eq!((before > 0, after > 0), (dialled, dialled));
    }
}
