//! What a record costs in a page (R45), beside the plain columns that pages were at first: the table of
//! docs/costs.md.
//!
//! `cargo test -p peer-exchange --test wire page_sizes -- --nocapture`

use peer_exchange::NodeId;
use peer_exchange::wire::{self, Message};

use crate::support::build::*;

/// An address drawn from a network, as a body.
type Place = fn(u64) -> Vec<u8>;

/// Where the nodes are.
const PLACES: [(&str, Place); 4] = [
    ("one /16", |r| ip4([10, 244, r as u8, (r >> 8) as u8])),
    ("10/8", |r| {
        ip4([10, (r >> 16) as u8, r as u8, (r >> 8) as u8])
    }),
    ("IPv6, one /48", |r| ip6(0x2001_0db8_00aa_0000 | r >> 48, r)),
    ("IPv6, one /64", |r| ip6(0x2001_0db8_00aa_0001, r)),
];

fn ip4(octets: [u8; 4]) -> Vec<u8> {
    [&[0x0a, 8, 4][..], &octets, &[6, 0x1b, 0x58]].concat()
}

fn ip6(network: u64, host: u64) -> Vec<u8> {
    let halves = [network, host].map(u64::to_be_bytes).concat();
    [&[0x0a, 20, 0x29][..], &halves, &[6, 0x1b, 0x58]].concat()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// So many nodes that started together, each below so many of the others.
fn cluster(n: usize, upstreams: usize, place: Place) -> Vec<Rec> {
    let mut random = Random(n as u64);
    let mut node = || {
        let mut id = [0; 32];
        for part in id.chunks_exact_mut(8) {
            part.copy_from_slice(&random.next().to_be_bytes());
        }
        let body = place(random.next());
        Rec {
            signature: None,
            node: NodeId::new(id),
            sequence: seq(1, 0),
            remaining_s: 1_799 - random.next() as u32 % 4,
            body,
        }
    };
    let mut records: Vec<Rec> = (0..n).map(|_| node()).collect();
    let ids: Vec<NodeId> = records.iter().map(|r| r.node).collect();
    for record in records.iter_mut().filter(|_| upstreams > 0) {
        let any = (0..upstreams).map(|_| ids[random.next() as usize % n]);
        let named: Vec<u8> = any.flat_map(|id| id.as_bytes()[..8].to_vec()).collect();
        bytes_field(5, &named, &mut record.body);
    }
    records
}

/// The columns: IDs, bodies, two bytes of remaining lifetime, and what all have in common once.
fn plain(records: &[Rec]) -> usize {
    let each = |r: &Rec| 32 + 2 + r.body.len();
    records.iter().map(each).sum::<usize>() + 24
}

fn packed(records: &[Rec]) -> usize {
    wire::encode(Message::Update(wire::Update {
        delta: Some(delta(0, 0, records)),
        ..Default::default()
    }))
    .len()
}

#[test]
fn a_record_of_a_large_page_costs_34_bytes() {
    let mut costs = Vec::new();
    for (name, place) in PLACES {
        for n in [10, 100, 1_024] {
            for upstreams in [0, 1, 3] {
                let records = cluster(n, upstreams, place);
                let [before, after] =
                    [plain(&records), packed(&records)].map(|bytes| bytes as f64 / n as f64);
                println!("{name:14} {n:5} {upstreams} {before:5.1} {after:5.1}");
                costs.push((name, n, upstreams, after));
            }
        }
    }
    let cost_with = |place, n, upstreams| {
        let found = costs
            .iter()
            .find(|c| (c.0, c.1, c.2) == (place, n, upstreams));
        found.expect("it was measured").3
    };
    let cost = |place, n| cost_with(place, n, 0);
    assert!(cost_with("one /16", 1_024, 1) < 35.0);
    assert!(cost_with("one /16", 1_024, 3) < 37.8);
    assert!(cost("one /16", 1_024) < 33.5);
    assert!(cost("one /16", 100) < 34.5);
    assert!(cost("one /16", 10) < 38.0);
    assert!(cost("10/8", 1_024) < 34.5);
    assert!(cost("IPv6, one /48", 1_024) < 41.8);
    assert!(cost("IPv6, one /64", 1_024) < 39.8);
}
