//! Clusters in which some nodes are of a later version: their messages have fields of every wire
//! type that this version does not know, and among them go kinds and versions that it does not know
//! either (R23). Node by node, up and back down again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::{Event, Input};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Restart, Setup};

use crate::cluster::brisk;

const NODES: usize = 12;
/// Fields 1000 to 1003: a varint, bytes, 32 and 64 bits.
const UNKNOWN: [u8; 30] = [
    0xc0, 0x3e, 0x7f, 0xca, 0x3e, 5, b'l', b'a', b't', b'e', b'r', 0xd5, 0x3e, 1, 2, 3, 4, 0xd9,
    0x3e, 1, 2, 3, 4, 5, 6, 7, 8, 0xc0, 0x3e, 0,
];
/// Kind 11; and an envelope without a kind, with a field that is none.
const OTHERS: [&[u8]; 2] = [b"\x5a\x04late", b"\x08\x02"];

/// Which hosts are of the later version: a bit each.
type Newer = Arc<AtomicU64>;

/// Counts the hosts' complaints.
#[derive(Default)]
struct Blame {
    blamed: Vec<Event>,
    loops: usize,
}

impl Observer for Blame {
    fn event(&mut self, _now: Duration, _host: HostId, event: &Event) {
        match event {
            Event::Blamed { .. } | Event::Conflict { .. } | Event::DuplicateIdentity { .. } => {
                self.blamed.push(event.clone());
            }
            Event::LoopDetected { .. } => self.loops += 1,
            _ => {}
        }
    }
}

fn varint(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0;
    for (i, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return (value, i + 1);
        }
    }
    panic!("a length that does not end");
}

fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// This message as a later version writes it: more fields within and behind what is known.
fn later(message: &[u8]) -> Bytes {
    let (length, at) = varint(&message[1..]);
    let content = &message[1 + at..];
    assert_eq!(content.len(), length, "one kind");
    let mut out = message[..1].to_vec();
    put_varint(length + UNKNOWN.len(), &mut out);
    out.extend(content);
    out.extend(UNKNOWN);
    out.extend(UNKNOWN);
    assert!(out.len() <= 65_536);
    out.into()
}

fn ring(seed: u64) -> (Network<Blame>, Newer) {
    let setup = Setup {
        seed,
        faults: Faults::default(),
        config: brisk(),
    };
    let mut network = Network::with_observer(setup, Blame::default());
    for host in 0..NODES {
        network.add_host(&[HostId((host + 1) % NODES)]);
    }
    let newer = Newer::default();
    let which = Arc::clone(&newer);
    let mut count = 0;
    network.set_rewrite(move |from, _, bytes| {
        if which.load(Ordering::Relaxed) >> from.0 & 1 == 0 {
            return vec![bytes];
        }
        count += 1;
        let mut all = vec![later(&bytes)];
        // Not the first on its link, which is Hello in every version.
        let hello = bytes[0] == 2 << 3 | 2;
        if !hello && count % 3 == 0 {
            all.extend(OTHERS.map(Bytes::from_static));
        }
        all
    });
    network.start_all();
    (network, newer)
}

fn settle(network: &mut Network<Blame>) {
    let limit = network.now() + Duration::from_secs(120);
    let settled = network.run_until(limit, Network::converged);
    assert!(settled, "not all know all");
    assert_eq!(network.observer().blamed, []);
}

fn unknown(network: &Network<Blame>, host: usize) -> u64 {
    let node = network.node(HostId(host)).expect("it runs");
    node.stats().unknown_messages
}

/// One host after the other stops, and comes back as another version.
fn roll(network: &mut Network<Blame>, newer: &Newer, up: bool) {
    for host in 0..NODES {
        let node = network.node(HostId(host)).expect("it runs");
        let snapshot = node.snapshot(node.now());
        network.crash(HostId(host));
        let bit = 1 << host;
        match up {
            true => newer.fetch_or(bit, Ordering::Relaxed),
            false => newer.fetch_and(!bit, Ordering::Relaxed),
        };
        network.start(HostId(host), Restart::From(snapshot, Some(Duration::ZERO)));
        settle(network);
    }
}

#[test]
fn a_rolling_upgrade_and_its_way_back_disturb_nobody() {
    for seed in 1..=3 {
        let (mut network, newer) = ring(seed);
        settle(&mut network);
        roll(&mut network, &newer, true);
        network.run_for(Duration::from_secs(30));
        assert!(
            (0..NODES).all(|host| unknown(&network, host) > 0),
            "seed {seed}"
        );
        roll(&mut network, &newer, false);
        network.run_for(Duration::from_secs(30));
        settle(&mut network);
    }
}

#[test]
fn half_of_a_cluster_may_be_newer() {
    for seed in 1..=3 {
        let (mut network, newer) = ring(seed);
        newer.store(0x5555_5555, Ordering::Relaxed);
        settle(&mut network);
        network.run_for(Duration::from_secs(60));
        assert!(
            network.observer().loops >= NODES,
            "each is told of the ring"
        );
        // A change on an older node and one on a newer reach everybody.
        for host in [0, 1] {
            let address = format!("/ip4/10.9.9.{host}/tcp/7").parse().expect("one");
            network.input(HostId(host), Input::SetAddresses(vec![address]));
            settle(&mut network);
        }
        // Only the newer ones send what nobody knows, and all that hear it count it.
        assert!(
            (0..NODES).all(|host| unknown(&network, host) > 0),
            "seed {seed}"
        );
    }
}
