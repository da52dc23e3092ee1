//! Signed clusters (R50): a liar in the midst, and the way from unsigned to signed.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{
    self, Content, Decoded, Delta, Message, Records, RecordsBuilder, WireRecord,
};
use peer_exchange::{Config, Signing};
use peer_exchange_memory::{Faults, HostId, Network, Quiet, Restart, Setup};

use crate::cluster::{Graph, brisk};

const HOSTS: usize = 12;
const LIAR: usize = 5;
const SEED: u64 = 1;

/// Every record but its own with another address; the signature stays.
fn falsified(records: &Records) -> Records {
    let own = HostId(LIAR).node_id(SEED);
    let mut page = RecordsBuilder::default();
    for record in records.iter() {
        let mut body = record.body.to_vec();
        if let Some(last) = body.last_mut().filter(|_| record.node != own) {
            *last ^= 1;
        }
        let record = WireRecord {
            body: &body,
            ..record
        };
        assert!(page.push(record, usize::MAX));
    }
    page.finish()
}

fn falsify(bytes: Bytes) -> Bytes {
    let Ok(Decoded::Message(mut message)) = wire::decode(bytes) else {
        panic!("no message");
    };
    let delta = match &mut message {
        Message::Request(m) => m.push.as_mut(),
        Message::Response(m) => m.delta.as_mut(),
        Message::Update(m) => m.delta.as_mut(),
        _ => None,
    };
    if let Some(Delta {
        content: Content::Records(records),
        ..
    }) = delta
    {
        *records = falsified(records);
    }
    wire::encode(message)
}

/// A relay that alters every record which it passes on is believed in nothing, and keeps nobody from
/// the truth: not in a ring where it is the only upstream of its neighbour.
#[test]
fn r50_a_liar_is_believed_in_nothing() {
    let config = brisk().with_signing(Signing::Require);
    let mut network = Graph::ring(HOSTS).network(SEED, config, Faults::default());
    network.set_rewrite(|from, _, bytes| {
        let lies = from == HostId(LIAR);
        vec![if lies { falsify(bytes) } else { bytes }]
    });
    network.start_all();
    network.run_for(Duration::from_secs(60));
    let hosts = || (0..HOSTS).filter(|h| *h != LIAR);
    let mut unproven = 0;
    for host in hosts() {
        let node = network.node(HostId(host)).unwrap();
        unproven += node.stats().records_unproven;
        for peer in node.peers() {
            let of = network.host_of(&peer.node).expect("a host's");
            assert_eq!(peer.addresses, [of.address()], "{host} about {of:?}");
        }
        let known = node
            .peers()
            .filter(|p| network.host_of(&p.node) != Some(HostId(LIAR)));
        assert_eq!(known.count(), HOSTS - 2, "{host}");
    }
    assert!(unproven > 0, "it has not lied");
}

/// Node by node from `Off` over `Accept` to `Require`, and nobody is lost for good on the way.
#[test]
fn r50_a_cluster_changes_over_without_a_pause() {
    let setup = Setup {
        seed: 3,
        faults: Faults::default(),
        config: brisk(),
    };
    let mut network: Network<Quiet> = Network::new(setup);
    for host in 0..HOSTS {
        network.add_host(&[HostId((host + 1) % HOSTS)]);
    }
    network.start_all();
    for signing in [
        Signing::Off,
        Signing::Accept,
        Signing::Require,
        Signing::Accept,
    ] {
        for host in (0..HOSTS).map(HostId) {
            let config: &mut Config = network.config_mut(host);
            if config.signing != signing {
                config.signing = signing;
                network.crash(host);
                network.start(host, Restart::Empty);
            }
            network.run_for(Duration::from_secs(1));
        }
        let limit = network.now() + Duration::from_secs(60);
        let all_signed = |n: &Network<Quiet>| {
            let nodes = (0..HOSTS).filter_map(|h| n.node(HostId(h)));
            nodes
                .flat_map(|n| n.peers())
                .all(|p| p.signed == (signing != Signing::Off))
        };
        let settled = network.run_until(limit, |n| n.converged() && all_signed(n));
        assert!(settled, "{signing:?}");
    }
}
