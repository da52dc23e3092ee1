//! The own sequence and content.

use super::*;
use crate::addr::Protocol;
use crate::node::testing::{at, cx, events};
use alloc::vec;
use core::net::SocketAddr;

fn address() -> Multiaddr {
    Multiaddr::tcp(SocketAddr::from(([192, 0, 2, 1], 4_000)))
}

fn sequence(version: u64, beat: u32) -> Sequence {
    Sequence { version, beat }
}

/// Announced under version 1.
fn announced(cx: &Cx) -> Own {
    let mut own = Own::new(vec![address()], Vec::new());
    publish(&mut own, cx);
    own
}

fn publish(own: &mut Own, cx: &Cx) -> Sequence {
    let (sequence, body) = own.next_version(cx).unwrap().unwrap();
    own.published(sequence, &body, cx);
    sequence
}

/// R1: content raises the version and starts its beats anew, a renewal raises the beat.
#[test]
fn content_raises_the_version_and_a_renewal_the_beat() {
    let cx = cx(at(0));
    let mut own = announced(&cx);
    assert_eq!(own.sequence(), sequence(1, 0));
    let beat = own.next_beat().unwrap();
    assert_eq!(beat, sequence(1, 1));
    own.renewed(beat);
    assert_eq!(own.next_beat(), Some(sequence(1, 2)));
    assert_eq!(publish(&mut own, &cx), sequence(2, 0));
}

/// R1: when the beats of a version are used up, a renewal takes the next version.
#[test]
fn there_is_no_beat_above_the_highest() {
    let mut own = announced(&cx(at(0)));
    own.renewed(sequence(1, u32::MAX));
    assert_eq!(own.next_beat(), None);
}

/// R1: a restart continues above the sequence of the snapshot, and never below its own.
#[test]
fn an_earlier_life_is_continued_above_its_sequence() {
    let cx = cx(at(0));
    let mut own = announced(&cx);
    own.resume(sequence(9, 4), Duration::ZERO);
    assert_eq!(publish(&mut own, &cx), sequence(10, 0));
    own.resume(sequence(3, 0), Duration::ZERO);
    assert_eq!(own.sequence(), sequence(10, 0));
}

/// R1: the same content again is no reason for a new version.
#[test]
fn only_other_content_is_a_change() {
    let cx = cx(at(0));
    let mut own = announced(&cx);
    assert_eq!(own.set_addresses(vec![address()], &cx), Ok(false));
    assert_eq!(own.set_metadata(vec![1], &cx), Ok(true));
    assert_eq!(own.set_metadata(vec![1], &cx), Ok(false));
    assert_eq!(own.set_addresses(Vec::new(), &cx), Ok(true));
    assert!(own.addresses().is_empty());
}

/// R23: what does not fit into a record is refused, and the old content stays.
#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let cx = cx(at(0));
    let mut own = announced(&cx);
    let many = vec![address(); contract::ADDRESSES + 1];
    let refused = own.set_addresses(many, &cx);
    assert_eq!(refused, Err(RecordError::TooManyAddresses));
    let long = vec![0; contract::METADATA_BYTES + 1];
    let refused = own.set_metadata(long, &cx);
    assert_eq!(refused, Err(RecordError::MetadataTooLong));
    let ports: Vec<_> = own.addresses().iter().map(Multiaddr::port).collect();
    assert_eq!(ports, [Some((Protocol::Tcp, 4_000))]);
    assert!(own.next_version(&cx).is_ok());
}

/// A node without addresses takes part and announces nothing; one that has announced some
/// withdraws them (R4).
#[test]
fn without_addresses_only_what_was_announced_is_withdrawn() {
    let cx = cx(at(0));
    let silent = Own::new(Vec::new(), Vec::new());
    assert_eq!(silent.next_version(&cx), Ok(None));
    let mut own = announced(&cx);
    own.set_addresses(Vec::new(), &cx).unwrap();
    let (sequence, body) = own.next_version(&cx).unwrap().unwrap();
    assert_eq!(sequence.version, 2);
    assert!(check_body(&body).unwrap().tombstone);
}

/// R5: the check that goes with the sequence tells contents of one version apart.
#[test]
fn the_check_follows_the_content() {
    let cx = cx(at(0));
    let mut own = announced(&cx);
    let before = own.check();
    own.set_metadata(vec![1], &cx).unwrap();
    assert_eq!(own.check(), before, "not announced yet");
    publish(&mut own, &cx);
    assert_ne!(own.check(), before);
}

/// R5: a record above the own one, or at its version with other content, is a challenge; an
/// older one and the node's own, which comes back from others, are none.
#[test]
fn a_higher_sequence_or_other_content_is_a_challenge() {
    let mut own = announced(&cx(at(0)));
    own.renewed(sequence(1, 5));
    assert!(own.is_challenged(sequence(2, 0), false));
    assert!(own.is_challenged(sequence(1, 6), true));
    assert!(own.is_challenged(sequence(1, 5), false));
    assert!(own.is_challenged(sequence(1, 0), false));
    assert!(!own.is_challenged(sequence(1, 5), true));
    assert!(!own.is_challenged(sequence(1, 4), true));
    assert!(!own.is_challenged(sequence(0, 9), false));
}

/// R5: the version that is taken is the next above the challenger's, and above the own one.
#[test]
fn a_recovery_goes_above_both_sequences() {
    let mut cx = cx(at(100));
    let mut own = announced(&cx);
    assert!(own.recover(sequence(7, 3), &mut cx));
    assert_eq!(publish(&mut own, &cx), sequence(8, 0));
    assert!(own.recover(sequence(8, 0), &mut cx));
    assert_eq!(publish(&mut own, &cx), sequence(9, 0));
    assert!(own.recover(sequence(2, 0), &mut cx));
    assert_eq!(publish(&mut own, &cx), sequence(10, 0));
    assert_eq!(cx.stats.recoveries, 3);
}

/// R5: a node without addresses withdraws the record of an earlier life.
#[test]
fn a_node_without_addresses_withdraws_what_an_earlier_life_announced() {
    let mut cx = cx(at(100));
    let mut own = Own::new(Vec::new(), Vec::new());
    assert!(own.recover(sequence(7, 0), &mut cx));
    let (sequence, body) = own.next_version(&cx).unwrap().unwrap();
    assert_eq!(sequence.version, 8);
    assert!(check_body(&body).unwrap().tombstone);
}

/// R6.
#[test]
fn three_recoveries_at_once_and_then_one_in_ten_minutes() {
    let mut cx = cx(at(1_000));
    let ten_minutes = Duration::from_secs(600);
    let mut own = announced(&cx);
    let mut recoveries = |cx: &mut Cx| {
        let challenges = (0..10).map(|i| own.recover(sequence(100 + i, 0), cx));
        challenges.filter(|recovered| *recovered).count()
    };
    assert_eq!(recoveries(&mut cx), 3);
    cx.now = at(1_000) + ten_minutes - Duration::from_millis(1);
    assert_eq!(recoveries(&mut cx), 0);
    for period in 1..4 {
        cx.now = at(1_000) + ten_minutes * period;
        assert_eq!(recoveries(&mut cx), 1, "period {period}");
    }
}

/// R6: what is above the rate waits for its timer; only the highest of it is to be exceeded.
#[test]
fn the_highest_of_what_waits_is_pending_until_it_is_allowed() {
    let mut cx = cx(at(1_000));
    let mut own = announced(&cx);
    for version in [2, 3, 4, 90, 70] {
        own.recover(sequence(version, 0), &mut cx);
    }
    let due = at(1_600);
    assert!(cx.timers.is_set(Timer::Recover));
    assert_eq!(cx.timers.next(), Some(due));
    assert_eq!(own.take_pending(), Some(sequence(90, 0)));
    assert_eq!(own.take_pending(), None);
}

/// R6: what has been exceeded meanwhile is no reason for one more version.
#[test]
fn what_is_exceeded_meanwhile_is_not_pending() {
    let mut cx = cx(at(1_000));
    let mut own = announced(&cx);
    for version in [2, 3, 4, 5] {
        own.recover(sequence(version, 0), &mut cx);
    }
    own.published(sequence(6, 0), &[], &cx);
    assert_eq!(own.take_pending(), None);
}

/// R6: a step that is allowed answers all that has waited below it.
#[test]
fn a_recovery_leaves_nothing_pending() {
    let mut cx = cx(at(1_000));
    let mut own = announced(&cx);
    for version in [2, 3, 4, 5] {
        own.recover(sequence(version, 0), &mut cx);
    }
    cx.now = at(1_600);
    assert!(own.recover(sequence(5, 0), &mut cx));
    assert_eq!(own.take_pending(), None);
}

/// R6: what goes on is reported once in an interval, however often it happens.
#[test]
fn a_duplicate_is_reported_once_in_an_interval() {
    let mut cx = cx(at(1_000));
    let interval = cx.config.report_interval;
    let mut own = announced(&cx);
    let last = Duration::from_millis(1);
    for (after, reports) in [
        (Duration::ZERO, 1),
        (Duration::ZERO, 0),
        (interval - last, 0),
        (interval, 1),
        (interval * 2 - last, 0),
    ] {
        cx.now = at(1_000) + after;
        for _ in 0..5 {
            own.recover(sequence(9, 0), &mut cx);
        }
        assert_eq!(events(&mut cx).len(), reports, "after {after:?}");
    }
}

/// R6: the first three steps are those of a node that has lost its state, and not reported.
#[test]
fn a_challenge_above_the_rate_is_reported() {
    let mut cx = cx(at(1_000));
    let mut own = announced(&cx);
    for version in 2..5 {
        assert!(own.recover(sequence(version, 0), &mut cx));
        own.recovered(&mut cx);
    }
    assert_eq!(events(&mut cx), []);
    assert!(!own.recover(sequence(5, 0), &mut cx));
    assert_eq!(events(&mut cx), [Event::DuplicateIdentity { at: None }]);
}

/// R6: two nodes of one key that each keep to the rate are found by how long it goes on.
#[test]
fn steps_that_go_on_within_the_rate_are_reported() {
    let mut cx = cx(at(1_000));
    let mut own = announced(&cx);
    for step in 0..4 {
        cx.now = at(1_000 + 600 * step);
        own.recovered(&mut cx);
        assert_eq!(events(&mut cx).len(), usize::from(step == 3), "step {step}");
    }
}

/// R6: steps with twenty minutes between them are not one conflict that goes on.
#[test]
fn steps_far_apart_are_not_reported() {
    let mut cx = cx(at(1_000));
    let mut own = announced(&cx);
    for step in 0..8 {
        cx.now = at(1_000 + 1_200 * step);
        own.recovered(&mut cx);
    }
    assert_eq!(events(&mut cx), []);
}
