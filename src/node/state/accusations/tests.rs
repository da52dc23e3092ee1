use super::*;
use crate::node::testing::{at, node};

const HOLD: Duration = Duration::from_secs(1);
const QUORUM: usize = 2;

fn sequence(version: u64, beat: u32) -> Sequence {
    Sequence { version, beat }
}

fn claim(subject: u32, by: u32) -> Claim {
    Claim {
        subject: node(subject),
        at: sequence(1, 0),
        by: node(by),
    }
}

/// An accusation that counts.
fn accuse(accusations: &mut Accusations, subject: u32, by: u32, second: u64) -> Outcome {
    accusations.accuse(claim(subject, by), true, QUORUM, HOLD, at(second))
}

fn verdicts(accusations: &mut Accusations, second: u64) -> Vec<Verdict> {
    core::iter::from_fn(|| accusations.pop_due(at(second))).collect()
}

/// R32: the first makes the subject suspect, the second down, after a hold.
#[test]
fn two_accusers_make_a_node_down_after_the_hold() {
    let mut accusations = Accusations::default();
    assert_eq!(accuse(&mut accusations, 1, 10, 100), Outcome::Suspect);
    let until = at(103);
    let outcome = accuse(&mut accusations, 1, 11, 102);
    assert_eq!(outcome, Outcome::Condemned { until });
    assert_eq!(verdicts(&mut accusations, 102), []);
    assert_eq!(verdicts(&mut accusations, 103), [Verdict::Down(node(1))]);
    assert_eq!(verdicts(&mut accusations, 999), [], "once");
}

/// R32: one accuser cannot be two.
#[test]
fn the_same_accuser_counts_once() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    assert_eq!(accuse(&mut accusations, 1, 10, 101), Outcome::Ignored);
    assert_eq!(verdicts(&mut accusations, 105), []);
}

/// R32: where two live, one accusation is enough.
#[test]
fn with_a_quorum_of_one_the_first_is_enough() {
    let mut accusations = Accusations::default();
    let outcome = accusations.accuse(claim(1, 10), true, 1, HOLD, at(100));
    assert!(matches!(outcome, Outcome::Condemned { .. }));
}

/// R32: after ten seconds a lone accusation is void.
#[test]
fn a_lone_accusation_lapses() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    assert_eq!(verdicts(&mut accusations, 109), []);
    assert_eq!(verdicts(&mut accusations, 110), [Verdict::Lapsed(node(1))]);
    assert_eq!(accuse(&mut accusations, 1, 11, 111), Outcome::Suspect);
}

/// R33: the subject speaks in the hold, and nothing has happened.
#[test]
fn a_refutation_voids_what_was_said_before() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    accuse(&mut accusations, 1, 11, 100);
    assert!(!accusations.refuted(&node(1), sequence(1, 0)), "no newer");
    assert!(accusations.refuted(&node(1), sequence(1, 1)));
    assert_eq!(verdicts(&mut accusations, 200), []);
    assert_eq!(accusations.against(&node(1)), None);
}

/// R33: what is said of an older life of the subject says nothing of this one, and what is said of
/// this one does not add to the older.
#[test]
fn accusations_of_different_sequences_do_not_add_up() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    let newer = Claim {
        at: sequence(1, 1),
        ..claim(1, 11)
    };
    let outcome = accusations.accuse(newer, true, QUORUM, HOLD, at(101));
    assert_eq!(outcome, Outcome::Suspect);
    assert_eq!(accuse(&mut accusations, 1, 12, 102), Outcome::Ignored);
}

/// R39: an accusation from too far away is kept, and counts once those between are accused.
#[test]
fn an_accusation_from_afar_counts_once_those_between_are_accused() {
    let mut accusations = Accusations::default();
    let afar = accusations.accuse(claim(1, 30), false, QUORUM, HOLD, at(100));
    assert_eq!(afar, Outcome::Kept);
    assert_eq!(accusations.open().collect::<Vec<_>>(), [&node(1)]);
    accuse(&mut accusations, 1, 10, 101);
    let nobody = accusations.reconsider(&node(1), |_| false, QUORUM, HOLD, at(102));
    assert_eq!(nobody, Outcome::Ignored);
    let now = accusations.reconsider(&node(1), |by| *by == node(30), QUORUM, HOLD, at(102));
    assert_eq!(now, Outcome::Condemned { until: at(103) });
    assert_eq!(accusations.open().count(), 0);
}

/// R39: what never counted is no suspicion that could lapse.
#[test]
fn an_accusation_that_never_counted_ends_in_silence() {
    let mut accusations = Accusations::default();
    accusations.accuse(claim(1, 30), false, QUORUM, HOLD, at(100));
    assert_eq!(verdicts(&mut accusations, 110), []);
    assert_eq!(accusations.len(), 0);
}

/// R32: eight in a minute of each accuser.
#[test]
fn an_accuser_is_heard_eight_times_a_minute() {
    let mut accusations = Accusations::default();
    let admitted = |accusations: &mut Accusations, second| {
        (0..20)
            .filter(|_| accusations.admit(&node(10), at(second)))
            .count()
    };
    assert_eq!(admitted(&mut accusations, 100), 8);
    assert_eq!(admitted(&mut accusations, 159), 0);
    assert!(accusations.admit(&node(11), at(159)), "another");
    assert_eq!(admitted(&mut accusations, 160), 8);
}

/// R22.
#[test]
fn subjects_accusers_and_rates_are_bounded() {
    let mut accusations = Accusations::default();
    for n in 0..caps::CASES as u32 + 10 {
        accuse(&mut accusations, n, 1_000_000, 100);
    }
    assert_eq!(accusations.len(), caps::CASES);
    for by in 0..100 {
        accuse(&mut accusations, 1, by, 100);
        accusations.accuse(claim(2, by), false, QUORUM, HOLD, at(100));
    }
    let (_, by) = accusations.against(&node(1)).expect("a case");
    assert_eq!(by.len(), caps::ACCUSERS);
    for n in 0..2 * caps::ACCUSER_RATES as u32 {
        accusations.admit(&node(n), at(100));
    }
    assert!(accusations.rates.len() <= caps::ACCUSER_RATES);
}
