//! Tables flooded from one subnet or by one relay (R22).

use peer_exchange::{Event, Input, LinkId, Multiaddr};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

const CAPACITY: usize = 64;

fn rig() -> Rig {
    let mut rig = Rig::new(1, config(|c| c.capacity = CAPACITY));
    rig.checks = false;
    rig
}

fn tell(rig: &mut Rig, link: LinkId, records: &[Rec]) {
    for page in records.chunks(500) {
        rig.message(link, push(page));
        rig.check();
    }
}

/// Twenty nodes, each in a subnet of its own.
fn honest() -> Vec<Rec> {
    (0..20).map(|n| rec(0x00c0_0001 + n * 256)).collect()
}

fn known(rig: &Rig, records: &[Rec]) -> usize {
    let here = |r: &&Rec| rig.node.peer(&r.node).is_some();
    records.iter().filter(here).count()
}

#[test]
fn one_subnet_cannot_keep_the_others_out() {
    let mut rig = rig();
    let liar = rig.link(2);
    // Ten thousand IDs, all with addresses in one /24.
    let flood: Vec<_> = (0..10_000)
        .map(|n| rec(100_000 + n).body(body_of(0x0011_2200 + n % 256)))
        .collect();
    tell(&mut rig, liar, &flood[..5_000]);
    let teller = rig.link(3);
    tell(&mut rig, teller, &honest());
    assert_eq!(known(&rig, &honest()), 20);
    // Nor push them out afterwards.
    tell(&mut rig, liar, &flood[5_000..]);
    assert_eq!(known(&rig, &honest()), 20);
}

/// R53: not by another address before those in the subnet, nor by a name.
#[test]
fn every_address_of_a_record_counts() {
    let victim = |n: u32| address(0x0011_2200 + n % 256);
    let elsewhere = |n: u32| address(0x0020_0001 + n * 256);
    let name = || "/dns/host.example/tcp/1".parse().unwrap();
    let floods: [&dyn Fn(u32) -> Vec<Multiaddr>; 2] = [&|n| vec![elsewhere(n), victim(n)], &|n| {
        vec![elsewhere(n), name()]
    }];
    for of in floods {
        let mut rig = rig();
        // As much from each of two, so that none is over the quota of a relay.
        let others: Vec<_> = (0..64).map(|n| rec(0x0030_0001 + n * 256)).collect();
        for (n, some) in others.chunks(32).enumerate() {
            let teller = rig.link(2 + n as u32);
            tell(&mut rig, teller, some);
        }
        let flood: Vec<_> = (0..2_000)
            .map(|n| rec(100_000 + n).body(body(&of(n))))
            .collect();
        for (n, some) in flood.chunks(1_000).enumerate() {
            let liar = rig.link(4 + n as u32);
            tell(&mut rig, liar, some);
        }
        let kept = known(&rig, &flood);
        // And those that stood next round the ring when they came, which stay (R46). [Of first
        // addresses alone, 52.]
        assert!(kept <= CAPACITY / 8 + 16, "{kept} of {CAPACITY}");
    }
}

#[test]
fn one_relay_cannot_keep_the_others_out() {
    let mut rig = rig();
    let liar = rig.link(2);
    let flood: Vec<_> = (0..5_000).map(|n| rec(0x0020_0001 + n * 256)).collect();
    tell(&mut rig, liar, &flood);
    assert_eq!(rig.node.stats().records, CAPACITY as u64);
    let teller = rig.link(3);
    tell(&mut rig, teller, &honest());
    assert_eq!(known(&rig, &honest()), 20);
    tell(&mut rig, liar, &flood);
    assert_eq!(known(&rig, &honest()), 20);
}

#[test]
fn a_full_table_keeps_itself_its_upstreams_and_its_links() {
    let mut rig = Rig::new(
        1,
        config(|c| {
            c.capacity = CAPACITY;
            c.upstreams = vec![address(9)];
        }),
    );
    rig.checks = false;
    let upstream = rig.upstream(9);
    let linked: Vec<_> = (0..10).map(|n| rec(0x00d0_0001 + n * 256)).collect();
    for n in 0..10 {
        rig.link(0x00d0_0001 + n * 256);
    }
    tell(&mut rig, upstream, &[rec(9)]);
    tell(&mut rig, upstream, &linked);
    // Three liars, so that no quota of a relay stands in the way.
    for (i, n) in [0x0030_0001, 0x0040_0001, 0x0050_0001]
        .into_iter()
        .enumerate()
    {
        let liar = rig.link(3 + i as u32);
        let flood: Vec<_> = (0..1_500).map(|k| rec(n + k * 256)).collect();
        tell(&mut rig, liar, &flood);
    }
    assert!(rig.knows(9));
    assert_eq!(known(&rig, &linked), 10);
    assert!(rig.node.sequence().version >= 1);
    assert_eq!(rig.node.stats().records, CAPACITY as u64);
}

#[test]
fn a_full_table_settles() {
    // What is told again and again moves less and less (R22: 0.2 of a record, not 142).
    let mut rig = rig();
    let flood: Vec<_> = (0..2_000).map(|n| rec(0x0020_0001 + n * 256)).collect();
    let tellers = [2, 3, 4].map(|n| rig.link(n));
    for round in 0..5 {
        for link in tellers {
            tell(&mut rig, link, &flood);
        }
        let evicted = rig.take_events(|e| matches!(e, Event::PeerEvicted { .. }));
        // The second round finishes what the order of the first had left open, and the third what
        // came next round the ring for a while, and kept its place until the next look (R46).
        assert!(
            round < 3 || evicted.is_empty(),
            "round {round}: {}",
            evicted.len()
        );
        rig.pass_s(1);
    }
}

#[test]
fn tombstones_and_certificates_have_their_caps() {
    let mut rig = Rig::new(1, config(|c| c.capacity = 4_096));
    rig.checks = false;
    let liar = rig.link(2);
    for batch in 0..12 {
        let page: Vec<_> = (0..1_000)
            .map(|n| rec(100_000 + batch * 1_000 + n).life(3).body(Vec::new()))
            .collect();
        rig.message(liar, rumour(&page));
        rig.pass_answering(4);
        rig.check();
    }
    assert!(
        rig.node.stats().certificates > 4_000,
        "{:?}",
        rig.node.stats()
    );
    assert_eq!(rig.node.peer_count(), 0);
    rig.input(Input::Discover);
    // 17/16 of the life that the tombstones had.
    rig.pass_s(91_800 + 91_800 / 16);
    assert_eq!(rig.node.stats().certificates, 0);
}
