use super::*;
use crate::node::testing::{at, node};

const D: Duration = Duration::from_secs(24);

fn times() -> Times {
    Times::new(D)
}

fn watching(nodes: &[u32]) -> Watches {
    let mut watches = Watches::default();
    let wanted: Vec<_> = nodes.iter().map(|n| (node(*n), times())).collect();
    assert_eq!(
        watches.set(&wanted, Haste::None, at(100)).len(),
        nodes.len()
    );
    nodes.iter().for_each(|n| watches.tried(&node(*n)));
    watches
}

/// All that is due until then, with the seconds after the start of the watch.
fn run(watches: &mut Watches, until: u64) -> Vec<(u64, Step)> {
    let mut steps = Vec::new();
    while let Some(due) = watches.next_due().filter(|due| *due <= at(until)) {
        let second = due.saturating_since(at(100)).as_secs();
        let step = watches.pop_due(due).expect("it is due");
        steps.push((second, step));
    }
    steps
}

fn asks(steps: &[(u64, Step)]) -> Vec<u64> {
    let ask = |(at, step): &(u64, Step)| matches!(step, Step::Ask { .. }).then_some(*at);
    steps.iter().filter_map(ask).collect()
}

fn accusations(steps: &[(u64, Step)]) -> Vec<u64> {
    let accuse = |(at, step): &(u64, Step)| matches!(step, Step::Accuse { .. }).then_some(*at);
    steps.iter().filter_map(accuse).collect()
}

/// R32: doubt after T + D/24 of silence, then ten asks D/24 apart, then the accusation: 2.4 s of
/// the 3 s that are the default.
#[test]
fn a_node_that_falls_silent_is_asked_ten_times_and_accused() {
    let mut watches = watching(&[1]);
    watches.heard(&node(1), at(100));
    let steps = run(&mut watches, 119);
    assert_eq!(asks(&steps), (9..19).collect::<Vec<_>>());
    assert_eq!(accusations(&steps), [19]);
    let silent_since = at(109);
    let last = steps.last().map(|(_, step)| *step);
    let (node, joins) = (node(1), false);
    let accuse = Step::Accuse {
        node,
        silent_since,
        joins,
    };
    assert_eq!(last, Some(accuse));
}

/// R55: one that is looked at is asked at once, is to send no beats for it, and is let go once it answers.
#[test]
fn a_look_asks_at_once_and_ends_with_an_answer() {
    let mut watches = Watches::default();
    for n in [1, 2, 3] {
        watches.look_at(node(n), times(), Some(at(50)), at(100));
    }
    assert!(watches.contains(&node(1)) && !watches.wants_beats(&node(1)));
    watches.heard(&node(1), at(100));
    assert!(!watches.contains(&node(1)));
    let new = watches.set(&[(node(2), times())], Haste::None, at(100));
    assert_eq!(new, [node(2)], "it is to beat from now on");
    assert!(watches.wants_beats(&node(2)));
    let steps = run(&mut watches, 112);
    let of_third = |(_, step): &&(u64, Step)| match step {
        Step::Ask { node: n, .. } | Step::Accuse { node: n, .. } | Step::Release { node: n } => {
            *n == node(3)
        }
    };
    let steps: Vec<_> = steps.iter().filter(of_third).copied().collect();
    assert_eq!(asks(&steps)[0], 0);
    assert_eq!(accusations(&steps), [10]);
}

/// R28: whom nobody could try to reach, since too many were dialled in vain, it accuses only where
/// another does, for ten times D; whoever has spoken to others not even so.
#[test]
fn who_could_not_be_dialled_is_accused_only_with_others() {
    let joins = |steps: &[(u64, Step)]| {
        let joins = |(_, step): &(u64, Step)| match step {
            Step::Accuse { joins, .. } => Some(*joins),
            Step::Ask { .. } | Step::Release { .. } => None,
        };
        steps.iter().filter_map(joins).collect::<Vec<_>>()
    };
    let wanted = [1, 2, 3].map(|n| (node(n), times()));
    let mut watches = Watches::default();
    assert_eq!(watches.set(&wanted, Haste::None, at(100)).len(), 3);
    watches.is_one_too_many(&node(1));
    watches.tried(&node(2));
    watches.is_one_too_many(&node(2));
    watches.refuted(&node(3), at(100));
    watches.is_one_too_many(&node(3));
    assert_eq!(joins(&run(&mut watches, 125)), [true, false]);
    watches.is_one_too_many(&node(1));
    assert_eq!(joins(&run(&mut watches, 136)), [true]);
    run(&mut watches, 340);
    watches.is_one_too_many(&node(1));
    assert_eq!(joins(&run(&mut watches, 352)), [false]);
}

/// R32: the second, fourth and sixth ask go over a fresh dial as well.
#[test]
fn three_of_the_asks_go_over_a_fresh_dial() {
    let mut watches = watching(&[1]);
    watches.heard(&node(1), at(100));
    let fresh = |(_, step): &(u64, Step)| match step {
        Step::Ask { fresh, .. } => *fresh,
        _ => None,
    };
    let steps = run(&mut watches, 119);
    let which: Vec<_> = steps.iter().map(fresh).collect();
    let expected = [None, Some(0), None, Some(1), None, Some(2), None];
    assert_eq!(which[..7], expected);
    assert!(which[7..].iter().all(Option::is_none));
}

/// R32: whom it has never heard it accuses once it has watched it for D.
#[test]
fn a_node_never_heard_is_given_the_whole_detection_time() {
    let mut watches = watching(&[1]);
    let steps = run(&mut watches, 140);
    assert_eq!(asks(&steps)[0], 14);
    assert_eq!(accusations(&steps), [24], "then it is dialled again");
}

/// R30.
#[test]
fn who_beats_in_time_is_never_asked() {
    let mut watches = watching(&[1]);
    for beat in 0..50 {
        watches.heard(&node(1), at(100 + 8 * beat));
        assert_eq!(run(&mut watches, 100 + 8 * beat + 8), []);
    }
}

/// R32: two thirds of short stalls end here.
#[test]
fn an_answer_ends_the_doubt() {
    let mut watches = watching(&[1]);
    watches.heard(&node(1), at(100));
    assert_eq!(asks(&run(&mut watches, 117)).len(), 9);
    watches.heard(&node(1), at(118));
    assert_eq!(asks(&run(&mut watches, 126)), []);
    assert_eq!(asks(&run(&mut watches, 127)), [27]);
}

/// R32: an accused node is asked on, ten times as rarely, and accused again while it is silent, twice
/// each time.
#[test]
fn an_accused_node_is_asked_on() {
    let mut watches = watching(&[1]);
    watches.heard(&node(1), at(100));
    assert_eq!(accusations(&run(&mut watches, 119)), [19]);
    watches.accused(&node(1), Sequence::default());
    let steps = run(&mut watches, 140);
    assert_eq!(accusations(&steps), [21, 29, 31, 39]);
    assert_eq!(asks(&steps), [29, 39]);
}

/// R32: a lost link, or the accusation of another, is a reason to look at once.
#[test]
fn a_doubt_from_elsewhere_asks_at_once() {
    let mut watches = watching(&[1]);
    watches.heard(&node(1), at(100));
    watches.doubt(&node(1), at(101));
    watches.doubt(&node(2), at(101));
    let steps = run(&mut watches, 111);
    assert_eq!(asks(&steps), (1..11).collect::<Vec<_>>());
    assert_eq!(accusations(&steps), [11]);
}

/// R33: the subject has spoken, if not to this node.
#[test]
fn a_refuted_node_is_watched_anew() {
    let mut watches = watching(&[1]);
    watches.heard(&node(1), at(100));
    run(&mut watches, 119);
    watches.accused(&node(1), Sequence::default());
    assert!(watches.accusation(&node(1)).is_some());
    watches.refuted(&node(1), at(119));
    assert!(watches.accusation(&node(1)).is_none());
    assert_eq!(asks(&run(&mut watches, 128)), [28]);
}

/// R34: who has stood still blames nobody.
#[test]
fn after_a_stop_all_watches_start_again() {
    let mut watches = watching(&[1, 2]);
    watches.heard(&node(1), at(100));
    watches.doubt(&node(2), at(100));
    watches.start_anew(at(1_000));
    assert_eq!(watches.next_due(), Some(at(1_009)));
}

/// R30: the ring moves when a node joins or dies; the watch lasts ten beats longer.
#[test]
fn who_is_not_to_be_watched_any_more_is_released_later() {
    let mut watches = watching(&[1, 2]);
    let only_two = [(node(2), times())];
    assert_eq!(watches.set(&only_two, Haste::None, at(100)), []);
    for second in 100..180 {
        watches.heard(&node(1), at(second));
        watches.heard(&node(2), at(second));
        assert_eq!(watches.pop_due(at(second)), None);
    }
    let step = watches.pop_due(at(180));
    assert_eq!(step, Some(Step::Release { node: node(1) }));
    assert!(!watches.contains(&node(1)) && watches.contains(&node(2)));
}

/// R30: it is wanted again before it was released.
#[test]
fn who_is_wanted_again_stays() {
    let mut watches = watching(&[1, 2]);
    watches.set(&[(node(2), times())], Haste::None, at(100));
    let both = [(node(1), times()), (node(2), times())];
    assert_eq!(
        watches.set(&both, Haste::None, at(110)),
        [],
        "none of them is new"
    );
    for second in 110..200 {
        watches.heard(&node(1), at(second));
        watches.heard(&node(2), at(second));
        assert_eq!(watches.pop_due(at(second)), None);
    }
}

/// R39: who is accused, or has left seven asks unanswered, is lost; where many are, three.
#[test]
fn the_lost_are_counted() {
    let mut watches = watching(&[1, 2, 3]);
    (1..=3).for_each(|n| watches.heard(&node(n), at(100)));
    assert_eq!(watches.lost(false), (3, 0));
    watches.doubt(&node(1), at(100));
    run(&mut watches, 105);
    assert_eq!(watches.lost(false), (3, 0));
    assert_eq!(watches.lost(true), (3, 1), "sooner, where many are lost");
    run(&mut watches, 106);
    assert_eq!(watches.lost(false), (3, 1));
    watches.accused(&node(2), Sequence::default());
    watches.set(
        &[(node(1), times()), (node(2), times())],
        Haste::None,
        at(106),
    );
    assert_eq!(
        watches.lost(false),
        (2, 2),
        "who only lingers does not count"
    );
}

/// R32: who has left is no loss.
#[test]
fn a_forgotten_node_is_not_asked() {
    let mut watches = watching(&[1]);
    watches.forget(&node(1));
    assert_eq!((watches.len(), watches.next_due()), (0, None));
}

/// R32, R39: once one is lost, whoever was never heard is asked sooner; once many are, at once.
#[test]
fn the_more_are_lost_the_less_time_they_have_to_be_heard_first() {
    let mut watches = watching(&[1, 2]);
    watches.heard(&node(1), at(100));
    let wanted = [1, 2, 3].map(|n| (node(n), times()));
    assert_eq!(watches.set(&wanted, Haste::Some, at(101)), [node(3)]);
    watches.tried(&node(3));
    assert_eq!(
        watches.next_due(),
        Some(at(106)),
        "a quarter of D after the start"
    );
    assert_eq!(watches.set(&wanted, Haste::Most, at(101)), []);
    assert_eq!(
        watches.set(&wanted, Haste::None, at(101)),
        [],
        "no longer again"
    );
    let steps = run(&mut watches, 111);
    let of = |n: u32| {
        let about = |(at, step): &(u64, Step)| match step {
            Step::Accuse { node: accused, .. } if *accused == node(n) => Some(*at),
            _ => None,
        };
        steps.iter().find_map(about)
    };
    assert_eq!([1, 2, 3].map(of), [None, Some(10), Some(11)]);
}

/// R32: the silence of a node says nothing if there was no link, nor a dial of it.
#[test]
fn whom_nobody_has_tried_to_reach_is_not_accused() {
    let mut watches = Watches::default();
    watches.set(&[(node(1), times())], Haste::None, at(100));
    let steps = run(&mut watches, 160);
    assert_eq!(accusations(&steps), []);
    let dials = |(_, step): &(u64, Step)| matches!(step, Step::Ask { fresh: Some(_), .. });
    assert!(
        steps.iter().filter(|s| dials(s)).count() > 4,
        "it is tried again"
    );
    watches.set_reached(&node(1), Some(7));
    assert_eq!(watches.reached(&node(1)), Some(7));
    assert!(!accusations(&run(&mut watches, 180)).is_empty());
}
