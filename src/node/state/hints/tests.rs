//! Which hints are kept, and which is dialled next.

use super::*;
use crate::node::testing::{at, cx, node};

const DAY: Duration = Duration::from_secs(86_400);

fn socket(n: u32) -> SocketAddr {
    let [_, a, b, c] = n.to_be_bytes();
    ([10, a, b, c], 7000).into()
}

fn addresses(n: u32) -> Vec<Multiaddr> {
    [Multiaddr::tcp(socket(n))].into()
}

fn known(seconds: u64) -> Worth {
    Worth {
        known: Duration::from_secs(seconds),
        ..Worth::default()
    }
}

fn down(seconds: u64) -> Worth {
    Worth {
        down: true,
        ..known(seconds)
    }
}

/// Hints of the nodes of these numbers, each of that worth, at the time 0.
fn hints(all: &[(u32, Worth)]) -> (Hints, Cx) {
    let mut cx = cx(at(0));
    let mut hints = Hints::new(&cx);
    for (n, worth) in all {
        assert!(hints.add(&mut cx, node(*n), u64::from(*n), addresses(*n), *worth));
    }
    (hints, cx)
}

/// The next one to be dialled, at its time, in vain.
fn dial(hints: &mut Hints, cx: &mut Cx) -> NodeId {
    cx.now = hints.next_due(|_| false).unwrap().max(cx.now);
    let (node, _) = hints.take_due(cx, 0, |_| false).unwrap();
    hints.failed(&node);
    node
}

fn kept(hints: &Hints) -> Vec<NodeId> {
    hints.iter(at(0)).map(|(n, _, _)| *n).collect()
}

#[test]
fn a_peer_is_kept_once_and_only_with_addresses() {
    let (mut hints, mut cx) = hints(&[(2, known(5))]);
    assert!(!hints.add(&mut cx, node(1), 1, Vec::new(), known(5)));
    assert!(!hints.add(&mut cx, node(2), 2, addresses(3), known(9)));
    let all: Vec<_> = hints
        .iter(at(0))
        .map(|(n, a, _)| (*n, a.to_vec()))
        .collect();
    assert_eq!(all, [(node(2), addresses(2))]);
}

/// R28, R22: a flood of brief ones pushes out nobody who was known for long.
#[test]
fn beyond_the_cap_the_least_valuable_goes() {
    let (mut hints, mut cx) = hints(&[(1, known(600)), (2, known(700))]);
    for n in 10..10 + 2 * caps::HINTS as u32 {
        hints.add(&mut cx, node(n), 0, addresses(n), known(30));
    }
    assert_eq!(hints.len(), caps::HINTS);
    assert_eq!(kept(&hints)[..2], [node(1), node(2)]);
    assert!(!hints.add(&mut cx, node(3), 3, addresses(3), known(1)));
    assert!(hints.add(&mut cx, node(3), 3, addresses(3), known(600)));
    assert_eq!(hints.len(), caps::HINTS);
}

/// R28: one every four seconds in all, whatever there is, and outside any backoff.
#[test]
fn one_is_dialled_every_four_seconds() {
    let all: Vec<_> = (1..200).map(|n| (n, known(60))).collect();
    for all in [&all[..], &all[..1]] {
        let (mut hints, mut cx) = hints(all);
        let mut dials = 0;
        while cx.now < at(3_600) {
            dial(&mut hints, &mut cx);
            assert!(hints.take_due(&mut cx, 0, |_| false).is_none());
            dials += 1;
        }
        assert!((815..=901).contains(&dials), "{dials}");
    }
}

/// R28: one success is news for everybody, so that all together need not dial more often.
#[test]
fn in_a_large_cluster_each_dials_less_often() {
    for (others, seconds) in [(0, 4), (199, 4), (200, 8), (1_000, 40), (1_000_000, 60)] {
        let (mut hints, mut cx) = hints(&[(1, known(9))]);
        cx.now = at(100);
        assert!(hints.take_due(&mut cx, others, |_| false).is_some());
        let wait = hints.next_due(|_| false).unwrap() - cx.now;
        let least = Duration::from_secs(seconds);
        assert!(
            wait >= least && wait <= least * 11 / 10,
            "{others}: {wait:?}"
        );
    }
}

/// R28: the most valuable, the newest that is down, the next round the ring, in turn.
#[test]
fn they_have_turns_by_value_by_age_and_by_place() {
    let (mut hints, mut cx) = hints(&[
        (1, known(10)),
        (2, known(10)),
        (3, down(10)),
        (4, down(20)),
        (5, known(90_000)),
    ]);
    let first: Vec<_> = (0..6).map(|_| dial(&mut hints, &mut cx)).collect();
    let expected = [5, 4, 1, 5, 3, 2].map(node);
    assert_eq!(first, expected);
    // Those that are down have been tried of late: nobody is favoured but by value.
    let second: Vec<_> = (0..6).map(|_| dial(&mut hints, &mut cx)).collect();
    assert_eq!(second, [5, 5, 3, 5, 5, 4].map(node));
    assert_eq!(
        (dial(&mut hints, &mut cx), dial(&mut hints, &mut cx)),
        (node(5), node(5))
    );
    assert_eq!(dial(&mut hints, &mut cx), node(5));
    dial(&mut hints, &mut cx);
    dial(&mut hints, &mut cx);
    assert_eq!(dial(&mut hints, &mut cx), node(1), "round again");
}

/// R28: within an hour each has had its turn, whatever the values.
#[test]
fn nobody_is_left_out() {
    let all: Vec<_> = (1..=300).map(|n| (n, known(u64::from(n)))).collect();
    let (mut hints, mut cx) = hints(&all);
    let mut dialled = alloc::collections::BTreeSet::new();
    while cx.now < at(3_600) {
        dialled.insert(dial(&mut hints, &mut cx));
    }
    assert_eq!(dialled.len(), 300);
}

/// R28: whoever was known for an hour is worth more after a week of failures than who came by.
#[test]
fn value_falls_slowly() {
    let hint = |worth, failures| {
        let (mut hints, _) = hints(&[(1, known(worth))]);
        for _ in 0..failures {
            hints.failed(&node(1));
        }
        hints.hints[&node(1)].value()
    };
    assert!(hint(3_600, 1) < hint(3_600, 0));
    assert!(hint(3_600, 1_000) > hint(60, 0));
    let linked = Worth {
        linked: Duration::from_secs(60),
        ..known(60)
    };
    let (hints, _) = hints(&[(1, linked), (2, known(60))]);
    assert!(hints.hints[&node(1)].value() > hints.hints[&node(2)].value());
}

/// R28: seven days, and thirty for what an upstream has led to.
#[test]
fn a_hint_ends() {
    let upstream = Worth {
        upstream: true,
        ..known(1)
    };
    let (mut hints, _) = hints(&[(1, known(90_000)), (2, upstream)]);
    let second = Duration::from_secs(1);
    hints.expire(at(0) + 7 * DAY - second);
    assert_eq!(hints.len(), 2);
    hints.expire(at(0) + 7 * DAY);
    assert_eq!(kept(&hints), [node(2)]);
    hints.expire(at(0) + 30 * DAY - second);
    assert_eq!(hints.len(), 1);
    hints.expire(at(0) + 30 * DAY);
    assert_eq!((hints.len(), hints.next_due(|_| false)), (0, None));
}

/// R28: another key at an address, and what else claimed it is gone.
#[test]
fn a_new_key_at_an_address_retires_the_others() {
    let (mut hints, mut cx) = hints(&[(1, known(9)), (2, known(9)), (3, known(9))]);
    let both = [addresses(1), addresses(7)].concat();
    hints.add(&mut cx, node(4), 4, both, known(9));
    hints.retire(&node(9), socket(1));
    assert_eq!(kept(&hints), [2, 3, 4].map(node));
    assert_eq!(
        hints.hints[&node(4)].addresses,
        addresses(7),
        "it may be elsewhere"
    );
    hints.retire(&node(2), socket(2));
    assert_eq!(kept(&hints), [2, 3, 4].map(node), "its own");
}

#[test]
fn the_busy_are_passed_over() {
    let (mut hints, mut cx) = hints(&[(1, known(90)), (2, known(9))]);
    cx.now = at(10);
    let first = |n: &NodeId| *n == node(1);
    assert_eq!(
        hints.take_due(&mut cx, 0, first),
        Some((node(2), addresses(2)))
    );
    assert_eq!(hints.next_due(|_| true), None);
    cx.now = at(20);
    assert_eq!(hints.take_due(&mut cx, 0, |_| true), None);
    assert!(
        hints.take_due(&mut cx, 0, |_| false).is_some(),
        "nothing was lost"
    );
}

/// R28: who is configured comes before who is remembered.
#[test]
fn with_upstreams_the_first_dial_waits() {
    let mut cx = cx(at(100));
    let mut alone = Hints::new(&cx);
    cx.config.upstreams = addresses(1);
    let mut below = Hints::new(&cx);
    let kept = Kept {
        worth: 9,
        failures: 2,
        left: DAY,
    };
    for hints in [&mut alone, &mut below] {
        assert!(hints.restore(cx.now, node(1), 1, addresses(1), kept));
        assert!(!hints.restore(
            cx.now,
            node(2),
            1,
            addresses(1),
            Kept {
                left: Duration::ZERO,
                ..kept
            }
        ));
        let all: Vec<_> = hints.iter(cx.now).map(|(_, _, kept)| kept).collect();
        assert_eq!(all, [kept]);
    }
    let wait = |hints: &Hints| hints.next_due(|_| false).unwrap() - cx.now;
    assert!(wait(&alone) <= cx.config.start_jitter);
    assert_eq!(wait(&below), PAUSE);
}
