//! Snapshot and restore (R29).

use std::time::Duration;

use peer_exchange::{Config, Input, Instant, Node, SnapshotError, StartError};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, config, identity};

fn restored(snapshot: &[u8], elapsed: Option<Duration>) -> Result<Rig, StartError> {
    let node = Node::restore(
        Config::default(),
        identity(1),
        SEED,
        Instant::ZERO,
        snapshot,
        elapsed,
    );
    node.map(Rig::of)
}

/// A node that knows two peers, one that has left, and one that has expired.
fn snapshot() -> Vec<u8> {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    let list = [
        rec(7),
        rec(8).life(600),
        rec(9).version(3).body(Vec::new()).life(3_800),
        rec(10).life(10),
    ];
    rig.message(link, push(1, &list));
    rig.input(Input::SetMetadata(b"a".to_vec()));
    rig.pass_answering(20);
    rig.node.snapshot(rig.now)
}

const S: fn(u64) -> Option<Duration> = |s| Some(Duration::from_secs(s));

#[test]
fn what_was_known_is_known_again_with_the_time_that_has_passed() {
    let rig = restored(&snapshot(), S(100)).unwrap();
    let left = |n: u32| rig.node.peer(&id(n)).map(|p| p.lifetime_left.as_secs());
    assert_eq!(rig.node.sequence(), seq(3, 0), "above its earlier life");
    assert!((86_270..=86_279).contains(&left(7).unwrap()));
    assert!((470..=480).contains(&left(8).unwrap()));
    assert!(!rig.knows(9) && !rig.knows(10));
    assert_eq!(
        (rig.node.stats().certificates, rig.node.stats().hints),
        (1, 1)
    );
}

#[test]
fn what_has_left_or_expired_stays_dead() {
    let mut rig = restored(&snapshot(), S(700)).unwrap();
    let link = rig.link(2);
    assert!(!rig.knows(8), "expired meanwhile");
    rig.message(link, rumour(&[rec(8), rec(9).version(2), rec(10)]));
    assert!(!rig.knows(8) && !rig.knows(9) && !rig.knows(10));
    assert_eq!(rig.node.stats().hints, 2);
    rig.message(link, rumour(&[rec(8).version(2)]));
    assert!(rig.knows(8));
}

#[test]
fn without_the_time_there_are_hints_only() {
    let mut rig = restored(&snapshot(), None).unwrap();
    assert_eq!(rig.node.peer_count(), 0);
    assert_eq!(rig.node.stats().records, 1);
    assert_eq!(rig.node.stats().hints, 3);
    rig.pass_s(5);
    assert!(!rig.dials.is_empty(), "which are dialled");
}

#[test]
fn any_time_may_have_passed() {
    for elapsed in [S(0), S(u64::MAX), Some(Duration::MAX)] {
        let rig = restored(&snapshot(), elapsed).unwrap();
        rig.check();
        assert_eq!(rig.knows(7), elapsed == S(0));
    }
}

#[test]
fn other_bytes_are_refused() {
    let whole = snapshot();
    let error = |bytes: &[u8]| restored(bytes, S(1)).err();
    let other = Node::restore(
        Config::default(),
        identity(2),
        SEED,
        Instant::ZERO,
        &whole,
        S(1),
    );
    let other_node = Some(StartError::Snapshot(SnapshotError::OtherNode));
    assert_eq!(other.err(), other_node);
    assert_eq!(
        error(&[]),
        Some(StartError::Snapshot(SnapshotError::Version(0)))
    );
    assert_eq!(
        error(&[8, 2]),
        Some(StartError::Snapshot(SnapshotError::Version(2)))
    );
    assert_eq!(error(&[8, 1]), other_node);
    for cut in 0..whole.len() {
        if let Ok(rig) = restored(&whole[..cut], S(1)) {
            rig.check();
        }
    }
}

#[test]
fn a_snapshot_is_as_of_its_own_time_and_not_of_the_last_input() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, push(1, &[rec(7), rec(8).life(60)]));
    // Nobody wakes the node for a hundred seconds.
    let later = rig.now + Duration::from_secs(100);
    let mut rig = restored(&rig.node.snapshot(later), S(0)).unwrap();
    let left = rig.node.peer(&id(7)).unwrap().lifetime_left;
    assert!(left <= Duration::from_secs(86_299), "{left:?}");
    assert!(!rig.knows(8), "its life ended before the snapshot");
    let stats = rig.node.stats();
    assert_eq!((stats.certificates, stats.hints), (1, 1));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(8)]));
    assert!(!rig.knows(8), "what has expired stays dead (R3)");
}

#[test]
fn a_snapshot_of_an_earlier_time_is_as_of_the_last_input() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, push(1, &[rec(7)]));
    rig.pass_s(100);
    let earlier = rig.node.snapshot(Instant::ZERO);
    assert_eq!(earlier, rig.node.snapshot(rig.now));
}
