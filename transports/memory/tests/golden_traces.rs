//! The whole behaviour of a cluster, as one number a run: 48 nodes over five shapes, without faults,
//! with faults, and with tables too small for the cluster, through a change, a leaving, a crash, two
//! restarts and a quiet hour.
//!
//! A change of structure leaves every number as it is. A change of behaviour on purpose replaces
//! them, in a commit that says why: the test prints the new table.
#![allow(missing_docs)]

use std::time::Duration;

use peer_exchange::{Config, Input, Multiaddr};
use peer_exchange_memory::{Faults, HostId, Network, Restart, Setup};

const NODES: usize = 48;

/// Kind of faults, and the trace's hash for each shape of [`SHAPES`].
type Golden = (&'static str, [u64; SHAPES.len()]);

const SHAPES: [&str; 5] = ["ring", "line", "star", "tree", "random"];

const GOLDEN: [Golden; 3] = [
    (
        "plain",
        [
            0xb2c2_147a_4df1_f502,
            0xd4cc_f0e1_2b02_9ed9,
            0x9ede_5ac8_3828_83a9,
            0xe317_0542_0cb5_706e,
            0x3fd6_d148_622b_580b,
        ],
    ),
    (
        "faults",
        [
            0x8b35_c8bb_d9f3_8bc7,
            0x428e_4076_c652_5d75,
            0xe875_bb0f_4057_ec2c,
            0x1128_c830_b9b1_d852,
            0xad06_6ce4_3f74_f0f0,
        ],
    ),
    (
        "capacity 16",
        [
            0x9a5b_a892_8d13_e581,
            0x805a_d58b_9780_9ab4,
            0x57bc_bcbb_4e26_e5b5,
            0x5523_d7c5_9e45_eceb,
            0x23df_cbff_4277_b3a1,
        ],
    ),
];

/// The upstreams of each node.
fn upstreams(shape: &str, node: usize) -> Vec<HostId> {
    let all = match shape {
        "ring" => vec![(node + 1) % NODES],
        "line" => vec![node + 1],
        "star" => vec![0],
        "tree" => vec![node.saturating_sub(1) / 2],
        _ => (1..=3)
            .map(|k| (node * 7 + k * 13 + k * k) % NODES)
            .collect(),
    };
    let asks = |other: &usize| *other < NODES && *other != node;
    all.into_iter().filter(asks).map(HostId).collect()
}

fn setup(kind: &str, shape: &str) -> Setup {
    let mut faults = Faults::default();
    if kind == "faults" {
        (faults.loss, faults.duplicate, faults.reorder) = (0.15, 0.1, 0.1);
    }
    let mut config = Config::default();
    config.capacity = if kind == "capacity 16" { 16 } else { 16_384 };
    config.max_links = if shape == "star" { 24 } else { 512 };
    Setup {
        seed: 7,
        faults,
        config,
    }
}

fn run(kind: &str, shape: &str) -> u64 {
    let seconds = Duration::from_secs;
    let mut net = Network::new(setup(kind, shape));
    for node in 0..NODES {
        net.add_host(&upstreams(shape, node));
    }
    net.start_all();
    net.run_for(seconds(30));
    let moved = Multiaddr::tcp(([10, 9, 9, 9], 7000).into());
    net.input(HostId(3), Input::SetAddresses(vec![moved]));
    net.run_for(seconds(5));
    net.input(HostId(4), Input::Leave);
    net.run_for(seconds(5));
    net.crash(HostId(5));
    net.run_for(seconds(20));
    net.start(HostId(5), Restart::Empty);
    let node = net.node(HostId(6)).expect("it runs");
    let snapshot = node.snapshot(node.now());
    net.crash(HostId(6));
    net.run_for(seconds(20));
    net.start(HostId(6), Restart::From(snapshot, Some(seconds(20))));
    net.input(HostId(7), Input::Discover);
    net.run_for(seconds(3600));
    net.trace_hash()
}

fn assert_golden(kind: &str) {
    let (_, golden) = GOLDEN
        .into_iter()
        .find(|(k, _)| *k == kind)
        .expect("a kind");
    let traces = SHAPES.map(|shape| run(kind, shape));
    let shown = |hashes: [u64; SHAPES.len()]| hashes.map(|h| format!("{h:#018x}")).join(", ");
    assert!(
        traces == golden,
        "behaviour has moved; if on purpose, these are the new traces of {SHAPES:?}, {kind}:\n{}\nwhere these were:\n{}",
        shown(traces),
        shown(golden),
    );
}

#[test]
fn the_traces_without_faults_are_what_they_were() {
    assert_golden("plain");
}

#[test]
fn the_traces_at_loss_duplication_and_reordering_are_what_they_were() {
    assert_golden("faults");
}

#[test]
fn the_traces_of_crowded_tables_are_what_they_were() {
    assert_golden("capacity 16");
}
