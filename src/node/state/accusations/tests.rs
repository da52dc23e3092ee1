use super::*;
use crate::node::testing::{at, node};

const HOLD: Duration = Duration::from_secs(1);
/// After the loss of many.
const TAKES: Takes = Takes {
    quorum: 2,
    again: true,
    hold: HOLD,
};

fn sequence(version: u64, beat: u32) -> Sequence {
    Sequence { version, beat }
}

fn accusation(subject: u32, by: u32) -> Accusation {
    Accusation {
        subject: node(subject),
        at: sequence(1, 0),
        by: node(by),
        signature: None,
    }
}

/// An accusation that counts.
fn accuse(accusations: &mut Accusations, subject: u32, by: u32, second: u64) -> Outcome {
    accusations.accuse(&accusation(subject, by), true, TAKES, at(second))
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
    let outcome = accusations.accuse(
        &accusation(1, 10),
        true,
        Takes { quorum: 1, ..TAKES },
        at(100),
    );
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

/// R39: in a long row of the dead nobody joins whoever stands before it.
#[test]
fn what_one_says_again_after_it_has_lapsed_is_as_good_as_two() {
    let lapsed = || {
        let mut accusations = Accusations::default();
        accuse(&mut accusations, 1, 10, 100);
        assert_eq!(verdicts(&mut accusations, 110), [Verdict::Lapsed(node(1))]);
        accusations
    };
    let again = |mut accusations: Accusations, by, second| {
        let outcome = accuse(&mut accusations, 1, by, second);
        matches!(outcome, Outcome::Condemned { .. })
    };
    assert!(again(lapsed(), 10, 139));
    assert!(!again(lapsed(), 10, 140), "it is too long ago");
    assert!(!again(lapsed(), 11, 111), "another alone");
    let mut refuted = lapsed();
    refuted.refuted(&node(1), sequence(1, 1));
    let said = Accusation {
        at: sequence(1, 1),
        ..accusation(1, 10)
    };
    let outcome = refuted.accuse(&said, true, TAKES, at(111));
    assert_eq!(outcome, Outcome::Suspect, "it has spoken meanwhile");
    let takes = Takes {
        again: false,
        ..TAKES
    };
    let outcome = lapsed().accuse(&accusation(1, 10), true, takes, at(111));
    assert_eq!(outcome, Outcome::Suspect, "few are lost");
    let mut far = lapsed();
    far.accuse(&accusation(1, 10), false, TAKES, at(111));
    let outcome = far.reconsider(&node(1), |_| true, TAKES, at(112));
    assert!(matches!(outcome, Outcome::Condemned { .. }), "near now");
}

/// R33: the subject speaks in the hold, and nothing has happened.
#[test]
fn a_refutation_voids_what_was_said_before() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    accuse(&mut accusations, 1, 11, 100);
    assert_eq!(
        accusations.refuted(&node(1), sequence(1, 0)),
        None,
        "no newer"
    );
    assert_eq!(accusations.refuted(&node(1), sequence(1, 1)), Some(2));
    assert_eq!(verdicts(&mut accusations, 200), []);
    assert_eq!(accusations.against(&node(1)), None);
}

/// R33: what is said of an older life of the subject says nothing of this one, and what is said of
/// this one does not add to the older.
#[test]
fn accusations_of_different_sequences_do_not_add_up() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    let newer = Accusation {
        at: sequence(1, 1),
        ..accusation(1, 11)
    };
    let outcome = accusations.accuse(&newer, true, TAKES, at(101));
    assert_eq!(outcome, Outcome::Suspect);
}

/// R33: whoever says that it knows a higher sequence, where there is none, makes nobody forget what
/// others have said; nor whoever says so of many.
#[test]
fn a_liar_at_a_higher_sequence_resets_nothing() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    for beat in 1..20 {
        let lie = Accusation {
            at: sequence(1, beat),
            ..accusation(1, 66)
        };
        accusations.accuse(&lie, true, TAKES, at(100));
        assert_eq!(accusations.len(), 2, "of each accuser the latest");
    }
    let outcome = accuse(&mut accusations, 1, 11, 101);
    assert_eq!(outcome, Outcome::Condemned { until: at(102) });
    assert_eq!(accusations.suspects(), 1);
    assert_eq!(verdicts(&mut accusations, 102), [Verdict::Down(node(1))]);
    let (sequence_of, by) = accusations.against(&node(1)).expect("it is accused");
    assert_eq!((sequence_of, by.len()), (sequence(1, 0), 2));
}

/// R22, R33: many liars, each at a sequence of its own, push out none that more support.
#[test]
fn of_many_sequences_those_stay_that_most_support() {
    let mut accusations = Accusations::default();
    accuse(&mut accusations, 1, 10, 100);
    for liar in 60..80 {
        let lie = Accusation {
            at: sequence(1, liar),
            ..accusation(1, liar)
        };
        accusations.accuse(&lie, true, TAKES, at(100));
        assert!(accusations.len() <= caps::CASES_OF_ONE);
    }
    let outcome = accuse(&mut accusations, 1, 11, 101);
    assert_eq!(outcome, Outcome::Condemned { until: at(102) });
}

/// R39: an accusation from too far away is kept, and counts once those between are accused.
#[test]
fn an_accusation_from_afar_counts_once_those_between_are_accused() {
    let mut accusations = Accusations::default();
    let afar = accusations.accuse(&accusation(1, 30), false, TAKES, at(100));
    assert_eq!(afar, Outcome::Kept);
    assert_eq!(accusations.open(), [node(1)]);
    accuse(&mut accusations, 1, 10, 101);
    let nobody = accusations.reconsider(&node(1), |_| false, TAKES, at(102));
    assert_eq!(nobody, Outcome::Ignored);
    let now = accusations.reconsider(&node(1), |by| *by == node(30), TAKES, at(102));
    assert_eq!(now, Outcome::Condemned { until: at(103) });
    assert_eq!(accusations.open(), []);
}

/// R39: what never counted is no suspicion that could lapse.
#[test]
fn an_accusation_that_never_counted_ends_in_silence() {
    let mut accusations = Accusations::default();
    accusations.accuse(&accusation(1, 30), false, TAKES, at(100));
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

/// R32, R50: what is looked at before it is known whose word it is takes nothing of what its accuser
/// may say.
#[test]
fn to_look_whether_there_is_room_takes_none() {
    let mut accusations = Accusations::default();
    assert!((0..20).all(|_| accusations.may_admit(&node(10), at(100))));
    (0..8).for_each(|_| assert!(accusations.admit(&node(10), at(100))));
    assert!(!accusations.may_admit(&node(10), at(159)));
    assert!(accusations.may_admit(&node(10), at(160)));
}

/// R50: of one that is known, the signature that was checked is the one that goes on.
#[test]
fn a_known_accusation_keeps_its_first_signature() {
    let mut accusations = Accusations::default();
    let signed = |by, byte| Accusation {
        signature: Some([byte; 64]),
        ..accusation(1, by)
    };
    assert_eq!(accusations.known(&signed(10, 7)), None);
    accusations.accuse(&signed(10, 7), true, TAKES, at(100));
    accusations.accuse(&signed(30, 8), false, TAKES, at(100));
    assert_eq!(accusations.known(&signed(10, 9)), Some(signed(10, 7)));
    assert_eq!(accusations.known(&accusation(1, 30)), Some(signed(30, 8)));
    let newer = Accusation {
        at: sequence(1, 1),
        ..signed(10, 7)
    };
    assert_eq!(accusations.known(&newer), None);
    assert!(accusations.has_no_place_for(&signed(10, 7)), "it counts");
    assert!(!accusations.has_no_place_for(&signed(30, 8)), "not yet");
    assert!(!accusations.has_no_place_for(&newer));
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
        accusations.accuse(&accusation(2, by), false, TAKES, at(100));
    }
    let (_, by) = accusations.against(&node(1)).expect("a case");
    assert_eq!(by.len(), caps::ACCUSERS);
    for n in 0..2 * caps::ACCUSER_RATES as u32 {
        accusations.admit(&node(n), at(100));
    }
    assert!(accusations.rates.len() <= caps::ACCUSER_RATES);
}
