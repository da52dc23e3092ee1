//! Snapshot and restore (R29).

use std::time::Duration;

use peer_exchange::wire::{Beat, Message};
use peer_exchange::{Config, Input, Instant, Node, PeerState, Sequence, SnapshotError, StartError};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, below, config, identity, records_in, watchful};

fn restored_with(
    config: Config,
    snapshot: &[u8],
    elapsed: Option<Duration>,
) -> Result<Rig, StartError> {
    let node = Node::restore(config, identity(1), SEED, Instant::ZERO, snapshot, elapsed);
    node.map(Rig::of)
}

fn restored(snapshot: &[u8], elapsed: Option<Duration>) -> Result<Rig, StartError> {
    restored_with(Config::default(), snapshot, elapsed)
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

/// A node with metadata at version 2 goes on from its snapshot, in this cluster and so much later, with
/// this metadata: the sequence of its first record.
fn goes_on(metadata: &[u8], elapsed: Option<Duration>, cluster: &str) -> Sequence {
    let config = config(|c| c.cluster = cluster.into());
    let mut rig = Rig::new(1, config.clone());
    rig.input(Input::SetMetadata(b"a".to_vec()));
    rig.input(Input::SetMetadata(metadata.to_vec()));
    let snapshot = rig.node.snapshot(rig.now);
    let mut identity = identity(1);
    identity.metadata = b"a".to_vec();
    let node = Node::restore(config, identity, SEED, Instant::ZERO, &snapshot, elapsed);
    node.unwrap().sequence()
}

/// R29: whoever says what it said before needs no new version, and nobody has to hear of it.
#[test]
fn a_record_that_says_the_same_is_the_same() {
    const HALF: u64 = 12 * 3_600;
    let of = goes_on(b"a", S(0), "c");
    assert_eq!(of, goes_on(b"a", S(HALF - 5), "c"));
    assert_eq!(of, seq(2, 0));
    assert_eq!(
        goes_on(b"b", S(0), "c"),
        seq(4, 0),
        "it says something else"
    );
    assert_eq!(goes_on(b"a", S(HALF + 5), "c"), seq(3, 0), "it ends soon");
    assert_eq!(goes_on(b"a", None, "c"), seq(3, 0), "nobody knows when");
}

/// It has named its upstream, node 9, and starts again.
fn below_nine() -> Rig {
    let mut rig = Rig::new(1, below(9));
    rig.upstream(9);
    assert_eq!(rig.node.sequence(), seq(1, 0));
    let snapshot = rig.node.snapshot(rig.now);
    restored_with(below(9), &snapshot, S(1)).unwrap()
}

/// R29, R47: where nobody answers at an upstream yet, what was known of it stands for ten minutes.
#[test]
fn an_upstream_that_is_not_met_yet_is_named_as_before() {
    let mut rig = below_nine();
    rig.pass(Duration::from_secs(1));
    rig.fail_dials();
    rig.pass_answering(590);
    assert_eq!(rig.node.sequence(), seq(1, 0));
    rig.pass_answering(20);
    assert_eq!(rig.node.sequence(), seq(2, 0));
    let mut rig = below_nine();
    rig.pass(Duration::from_secs(1));
    rig.upstream(9);
    rig.pass_answering(1_000);
    assert_eq!(rig.node.sequence(), seq(1, 0), "it is there again");
    let mut rig = below_nine();
    rig.pass(Duration::from_secs(1));
    rig.upstream(8);
    rig.pass_answering(2);
    assert_eq!(rig.node.sequence(), seq(2, 0), "another one is there");
}

/// R5: others know another record of that sequence, or a newer one.
#[test]
fn a_record_of_an_earlier_life_that_others_do_not_know_is_exceeded() {
    for (known, next) in [
        (rec(1), 2),
        (rec(1).version(7), 8),
        (rec(1).body(own_body(below_nine())), 1),
    ] {
        let mut rig = below_nine();
        let peer = rig.link(2);
        rig.message(peer, rumour(&[known]));
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.node.sequence(), seq(next, 0));
    }
}

fn own_body(mut rig: Rig) -> Vec<u8> {
    rig.pass(Duration::from_secs(1));
    let link = rig.link(2);
    let answer = rig.ask(link, request(2));
    let records = records_in(&Message::Response(answer))
        .cloned()
        .unwrap_or_default();
    let own = records.iter().find(|record| record.node == id(1));
    own.expect("its own record").body.to_vec()
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

/// R29, R35: what is down stays so, with those by whose word, and is no hint to believe in.
#[test]
fn what_was_down_is_down_still() {
    let mut rig = Rig::new(1, watchful());
    let link = rig.link(2);
    let known: Vec<_> = (2..7).map(rec).collect();
    rig.message(link, rumour(&known));
    rig.message(link, accusing(&[accusation(5, 3)]));
    rig.message(link, accusing(&[accusation(5, 4)]));
    rig.pass_s(1);
    let down = rig.node.member(&id(5)).unwrap();
    assert_eq!(down.state, PeerState::Down);
    let snapshot = rig.node.snapshot(rig.now);

    let mut rig = restored(&snapshot, S(100)).unwrap();
    let again = rig.node.member(&id(5)).unwrap();
    assert_eq!(again.state, PeerState::Down);
    assert_eq!(again.accused_by, down.accused_by);
    assert_eq!(again.addresses, down.addresses);
    assert!(again.lifetime_left < down.lifetime_left - Duration::from_secs(100));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(5)]));
    assert!(!rig.knows(5), "not by what others have");
    rig.message(link, rumour(&[rec(5).beat(1)]));
    assert!(rig.knows(5));

    let ended = restored(&snapshot, S(86_400)).unwrap();
    assert_eq!(ended.node.member(&id(5)), None);
    assert!(ended.node.stats().certificates > 0, "it stays dead");
    let unsure = restored(&snapshot, None).unwrap();
    assert_eq!(unsure.node.members().count(), 0);
}

/// When node 1 accuses somebody, in tenths of a second: it hears node 2, and nobody else.
fn first_accusation(mut rig: Rig) -> u32 {
    rig.answers = true;
    let link = rig.link(2);
    for tenth in 0..300 {
        rig.message(link, Message::Beat(Beat { fingerprint: None }));
        rig.pass(Duration::from_millis(100));
        rig.fail_dials();
        if rig.node.stats().accusations > 0 {
            return tenth;
        }
    }
    panic!("it accuses nobody");
}

/// R29, R32: others may still be starting, whoever has told of them.
#[test]
fn nobody_that_was_not_heard_is_accused_in_the_first_ten_seconds() {
    let mut rig = Rig::new(1, watchful());
    let link = rig.link(2);
    let known: Vec<_> = (2..30).map(rec).collect();
    rig.message(link, rumour(&known));
    let snapshot = rig.node.snapshot(rig.now);
    let restored = restored_with(watchful(), &snapshot, S(1)).unwrap();
    for rig in [rig, restored] {
        let first = first_accusation(rig);
        assert!((99..150).contains(&first), "after {first} tenths");
    }
}
