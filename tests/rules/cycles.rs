//! Cycles of upstreams, from what records say of them (R13, R47).

use std::time::Duration;

use peer_exchange::wire::Records;
use peer_exchange::{Event, Input, NodeId};

use crate::support::build::*;
use crate::support::rig::{Rig, below, records_in};

/// A record of `node` that names these upstreams.
fn asks(node: u32, version: u64, upstreams: &[u32]) -> Rec {
    rec(node).version(version).asking(upstreams)
}

fn found(rig: &mut Rig) -> Vec<Vec<NodeId>> {
    let events = rig.take_events(|e| matches!(e, Event::LoopDetected { .. }));
    let path = |event| match event {
        Event::LoopDetected { path } => path,
        other => panic!("{other:?}"),
    };
    events.into_iter().map(path).collect()
}

/// Node 50, below node 9, which is linked.
fn rig() -> (Rig, peer_exchange::LinkId) {
    let mut rig = Rig::new(50, below(9));
    let upstream = rig.upstream(9);
    rig.pass_answering(3);
    (rig, upstream)
}

/// In a small table at once, in a larger one after a second without news of upstreams.
#[test]
fn a_cycle_is_found_when_it_is_calm() {
    for others in [0, 70] {
        let (mut rig, upstream) = rig();
        let others: Vec<_> = (100..100 + others).map(rec).collect();
        rig.message(upstream, rumour(&others));
        rig.message(upstream, rumour(&[asks(9, 1, &[2]), asks(2, 1, &[50])]));
        let at_once = found(&mut rig);
        assert_eq!(at_once.is_empty(), !others.is_empty());
        rig.pass_answering(2);
        let later = found(&mut rig);
        assert_eq!([at_once, later].concat(), [[id(2), id(50), id(9)]]);
    }
}

#[test]
fn a_cycle_is_shown_as_long_as_it_is_there() {
    let (mut rig, upstream) = rig();
    rig.message(upstream, rumour(&[asks(9, 1, &[2]), asks(2, 1, &[50])]));
    assert_eq!(found(&mut rig).len(), 1);
    let loops: Vec<_> = rig.node.loops().map(|l| (l.path, l.present)).collect();
    assert_eq!(loops, [(vec![id(2), id(50), id(9)], true)]);
}

#[test]
fn a_cycle_is_reported_once_in_an_interval_as_long_as_it_is_there() {
    let (mut rig, upstream) = rig();
    rig.message(upstream, rumour(&[asks(9, 1, &[50])]));
    rig.pass_answering(2);
    assert_eq!(found(&mut rig).len(), 1);
    // Others come and go meanwhile.
    rig.message(upstream, rumour(&[asks(7, 1, &[9])]));
    rig.pass_answering(590);
    assert_eq!(found(&mut rig).len(), 0);
    rig.pass_answering(20);
    assert_eq!(found(&mut rig).len(), 1);
    assert!(rig.node.stats().loops >= 3, "counted at each look");
    rig.message(upstream, rumour(&[asks(9, 2, &[])]));
    rig.pass_answering(2);
    assert!(rig.node.loops().all(|l| !l.present), "it is no more");
    rig.pass_answering(1_300);
    assert_eq!(found(&mut rig).len(), 0);
}

/// R47: whoever makes up an edge convinces nobody who is not on the cycle.
#[test]
fn a_cycle_of_others_is_none() {
    let (mut rig, upstream) = rig();
    let others = [asks(9, 1, &[2]), asks(2, 1, &[9]), asks(3, 1, &[50])];
    rig.message(upstream, rumour(&others));
    rig.pass_answering(20);
    assert_eq!(found(&mut rig), Vec::<Vec<NodeId>>::new());
}

/// The own record as it has gone out on this link last.
fn own_body(rig: &mut Rig, link: peer_exchange::LinkId) -> Option<Vec<u8>> {
    let sent = rig.take(link);
    let records = sent.iter().filter_map(records_in).flat_map(Records::iter);
    let own = records.filter(|record| record.node == id(50));
    own.map(|record| record.body.to_vec()).last()
}

fn names(body: &[u8], nodes: &[u32]) -> bool {
    let mut field = vec![0x2a, 8 * nodes.len() as u8];
    nodes
        .iter()
        .for_each(|n| field.extend(&id(*n).as_bytes()[..8]));
    body.ends_with(&field)
}

/// R47: the first record says who the upstream is.
#[test]
fn the_first_record_waits_for_the_upstream() {
    let mut rig = Rig::new(50, below(9));
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.node.sequence(), seq(0, 0), "it waits");
    let upstream = rig.upstream(9);
    assert_eq!(rig.node.sequence(), seq(1, 0));
    let body = own_body(&mut rig, upstream).expect("it goes to the upstream");
    assert!(names(&body, &[9]));
}

#[test]
fn the_first_record_waits_for_600_ms_at_most() {
    let mut rig = Rig::new(50, below(9));
    rig.pass(Duration::from_millis(590));
    assert_eq!(rig.node.sequence(), seq(0, 0));
    rig.pass(Duration::from_millis(20));
    assert_eq!(rig.node.sequence(), seq(1, 0));
    // An upstream that is not there is waited for no longer than its dial takes.
    let mut rig = Rig::new(50, below(9));
    rig.pass(Duration::from_millis(100));
    rig.fail_dials();
    assert_eq!(rig.node.sequence(), seq(1, 0));
}

/// R4: whoever leaves at once takes back what an earlier life has announced.
#[test]
fn whoever_leaves_while_its_first_record_waits_is_gone() {
    let mut rig = Rig::new(50, below(9));
    let peer = rig.link(2);
    rig.input(Input::Leave);
    let body = own_body(&mut rig, peer);
    assert_eq!(body, Some(Vec::new()), "a tombstone");
}

#[test]
fn another_upstream_is_named_once_in_ten_minutes() {
    let (mut rig, mut link) = rig();
    let before = rig.node.sequence().version;
    let mut next = 9;
    let mut versions = Vec::new();
    for _ in 0..3 {
        next += 1;
        rig.dials.clear();
        rig.input(Input::SetUpstreams(vec![address(next)]));
        while rig.dials.is_empty() {
            rig.pass(Duration::from_millis(1));
        }
        link = rig.upstream(next);
        rig.pass_answering(10);
        versions.push(rig.node.sequence().version - before);
    }
    assert_eq!(versions, [1, 1, 1], "the first at once");
    rig.pass_answering(601);
    assert_eq!(rig.node.sequence().version - before, 2);
    let body = own_body(&mut rig, link);
    assert!(body.is_some_and(|body| names(&body, &[next])), "the last");
}
