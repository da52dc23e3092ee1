//! Hints: peers that are gone, and how often they are dialled (R28).

use std::time::Duration;

use peer_exchange::{Config, Input, Instant, LinkId, Node, Target};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, below, config, identity};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: u64 = 86_400;

/// A node that was told of these records, and has nobody any more.
fn told(config: Config, records: &[Rec]) -> Rig {
    let mut rig = Rig::new(1, config);
    let link = rig.link(2);
    rig.message(link, push(records));
    let orderly = false;
    rig.input(Input::LinkDown { link, orderly });
    rig
}

/// When peers are dialled, all in vain, until then.
fn dials_in_vain(rig: &mut Rig, end: Instant) -> Vec<Instant> {
    let mut times = Vec::new();
    while rig.now < end {
        for (dial, target) in std::mem::take(&mut rig.dials) {
            if target.node().is_some() {
                times.push(rig.now);
            }
            rig.input(Input::DialFailed { dial });
        }
        rig.pass(Duration::from_millis(100));
    }
    times
}

fn most_in_a_minute(times: &[Instant]) -> usize {
    let within = |from: &Instant| {
        let end = *from + MINUTE;
        times.iter().filter(|at| *at >= from && **at < end).count()
    };
    times.iter().map(within).max().unwrap_or(0)
}

#[test]
fn expired_peers_are_tried_for_days_as_hints() {
    let records: Vec<_> = (100..200).map(|n| rec(n).life(30)).collect();
    let mut rig = told(config(|_| {}), &records);
    let end = rig.now + MINUTE;
    dials_in_vain(&mut rig, end);
    assert_eq!((rig.node.peer_count(), rig.node.stats().hints), (0, 100));
    // Hours later one of them answers.
    let end = rig.now + 60 * MINUTE;
    dials_in_vain(&mut rig, end);
    while rig.dials.is_empty() {
        rig.pass_s(1);
        assert!(rig.now.saturating_since(end) < Duration::from_secs(6));
    }
    let (dial, target) = rig.dials.remove(0);
    let Target::Peer { node, addresses } = target else {
        panic!()
    };
    assert_eq!(addresses.len(), 1);
    let link = rig.land(dial, node, 1);
    assert_eq!(rig.take_requests(link).len(), 1, "asked at once");
    assert_eq!(rig.node.stats().hints, 99);
}

/// Whatever happened before: a table of the dead, and hints.
#[test]
fn at_dead_addresses_there_are_twenty_dials_a_minute() {
    let dead: Vec<_> = (100..600).map(rec).collect();
    let gone: Vec<_> = (600..900).map(|n| rec(n).life(30)).collect();
    for records in [&dead, &gone, &[&dead[..], &gone[..]].concat()] {
        let mut rig = told(config(|_| {}), records);
        // It tries again and again to be of use.
        rig.input(Input::Discover);
        let start = rig.now;
        let times = dials_in_vain(&mut rig, start + 20 * MINUTE);
        let most = most_in_a_minute(&times);
        assert!((5..=20).contains(&most), "{most} of {}", records.len());
        let later = rig.now - 10 * MINUTE;
        let lasting = times.iter().filter(|at| **at > later).count();
        assert!((40..=200).contains(&lasting), "{lasting}: it goes on");
    }
}

#[test]
fn a_hint_whose_dial_hangs_does_not_keep_the_node_awake() {
    let mut rig = told(config(|_| {}), &[rec(7).life(5)]);
    // The dial is never reported: `pass` fails when the node is woken in vain.
    rig.pass_s(600);
    assert_eq!(rig.node.stats().hints, 1);
    assert!(!rig.dials.is_empty());
}

/// A new key at the address of an old one: that is gone for good.
#[test]
fn a_new_identity_retires_what_claimed_its_address() {
    let by_its_own_record: fn(&mut Rig) = |rig| {
        let link = LinkId::new(1_000);
        rig.input(Input::LinkUp {
            link,
            node: id(50),
            remote: Some(([10, 0, 0, 100], 40_000).into()),
            dial: None,
        });
        rig.message(link, hello(51));
        rig.message(link, push(&[rec(50).body(body_of(100))]));
    };
    let by_being_dialled: fn(&mut Rig) = |rig| {
        rig.dials.clear();
        let at = |t: &Target| t.addresses()[0] == address(100);
        let dial = loop {
            rig.pass_s(1);
            if let Some((dial, _)) = rig.dials.iter().find(|(_, t)| at(t)) {
                break *dial;
            }
        };
        rig.input(Input::LinkUp {
            link: LinkId::new(1_000),
            node: id(50),
            remote: Some(([10, 0, 0, 100], 5_001).into()),
            dial: Some(dial),
        });
    };
    for shows_up in [by_its_own_record, by_being_dialled] {
        let records = [100, 101].map(|n| rec(n).life(30));
        let mut rig = told(config(|_| {}), &records);
        rig.pass_s(40);
        assert_eq!(rig.node.stats().hints, 2);
        shows_up(&mut rig);
        assert_eq!(rig.node.stats().hints, 1, "the other one stays");
    }
    // Whoever claims the address from elsewhere retires nobody.
    let mut rig = told(config(|_| {}), &[rec(100).life(30)]);
    rig.pass_s(40);
    let link = rig.link(50);
    rig.message(link, push(&[rec(50).body(body_of(100))]));
    assert_eq!(rig.node.stats().hints, 1);
}

fn restored(rig: &Rig, config: Config, days: Option<u64>) -> Rig {
    let snapshot = rig.node.snapshot(rig.now);
    let elapsed = days.map(|days| Duration::from_secs(days * DAY));
    let node = Node::restore(config, identity(1), SEED, Instant::ZERO, &snapshot, elapsed);
    Rig::of(node.unwrap())
}

/// A hint ends after seven days, those of a restart included, and keeps its value.
#[test]
fn a_restart_keeps_hints_and_their_ends() {
    let mut rig = told(config(|_| {}), &[rec(100).life(30), rec(101).life(30)]);
    rig.pass_s(40);
    let hints = |days| restored(&rig, config(|_| {}), days).node.stats().hints;
    assert_eq!(hints(Some(0)), 2);
    assert_eq!(hints(Some(6)), 2);
    assert_eq!(hints(Some(7)), 0);
    assert_eq!(hints(None), 2);
    let again = restored(&rig, config(|_| {}), Some(0));
    let all = |rig: &Rig| rig.node.snapshot(rig.now).len();
    assert_eq!(all(&again), all(&rig), "with all that belongs to them");
}

#[test]
fn a_first_dial_goes_to_upstreams_before_hints() {
    let mut rig = told(config(|_| {}), &[rec(100).life(30)]);
    rig.pass_s(40);
    let mut alone = restored(&rig, config(|_| {}), Some(0));
    alone.pass_s(1);
    assert!(
        matches!(alone.dials[0].1, Target::Peer { .. }),
        "{:?}",
        alone.dials
    );
    let mut rig = restored(&rig, below(9), Some(0));
    rig.pass(Duration::from_millis(3_900));
    let upstream = |(_, t): &(_, Target)| matches!(t, Target::Upstream(_));
    assert!(
        !rig.dials.is_empty() && rig.dials.iter().all(upstream),
        "{:?}",
        rig.dials
    );
    rig.pass_s(1);
    assert!(!rig.dials.iter().all(upstream));
}
