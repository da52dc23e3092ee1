//! Backoff (R17).

use std::time::Duration;

use peer_exchange::{CloseReason, Event, Input, Instant};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

/// Times at which an upstream is dialled in vain until `end`.
fn dial_times(rig: &mut Rig, end: Instant) -> Vec<Instant> {
    let mut times = Vec::new();
    while rig.now < end {
        for (dial, _) in std::mem::take(&mut rig.dials) {
            times.push(rig.now);
            rig.input(Input::DialFailed { dial });
        }
        rig.pass(Duration::from_millis(20));
    }
    times
}

#[test]
fn an_upstream_that_fails_is_tried_less_and_less_often_but_for_ever() {
    let mut rig = Rig::new(1, below(9));
    let times = dial_times(&mut rig, Instant::from_millis(7_200_000));
    let gaps: Vec<_> = times
        .windows(2)
        .map(|t| t[1].saturating_since(t[0]))
        .collect();
    assert!(gaps[0] <= Duration::from_millis(520));
    let longest = gaps.iter().max().unwrap();
    assert!((Duration::from_secs(60)..=Duration::from_secs(301)).contains(longest));
    let last = times.last().unwrap();
    assert!(Instant::from_millis(7_200_000).saturating_since(*last) <= Duration::from_secs(301));
    let down = rig.take_events(|e| matches!(e, Event::UpstreamDown { .. }));
    assert_eq!(down.len(), times.len());
}

/// Many upstreams that are all away are no reason to dial without end (R19): 96 dials in a burst,
/// then two a second.
#[test]
fn dials_are_budgeted() {
    let many = config(|c| c.upstreams = (2..600).map(address).collect());
    let mut rig = Rig::new(1, many);
    dial_times(&mut rig, Instant::from_millis(10_000));
    let dials = rig.node.stats().dials;
    assert!((96..=96 + 20 + 1).contains(&dials), "{dials}");
}

/// After eight failures the upstream comes up for so long, and its link breaks. How many times is
/// it dialled in the three seconds after?
fn dials_after_a_link_of(seconds: u64) -> usize {
    let mut rig = Rig::new(1, below(9));
    let mut failures = 0;
    while failures < 9 {
        rig.pass(Duration::from_millis(20));
        for (dial, _) in std::mem::take(&mut rig.dials) {
            failures += 1;
            rig.input(Input::DialFailed { dial });
        }
    }
    while rig.dials.is_empty() {
        rig.pass_s(1);
    }
    let (dial, _) = rig.dials.remove(0);
    let link = rig.land(dial, id(9), 1);
    rig.pass_answering(seconds);
    assert_eq!(
        rig.node.upstreams().next().unwrap().failures,
        if seconds < 30 { 9 } else { 0 }
    );
    // To see where the upstream leads (R37).
    while !rig.dials.is_empty() {
        rig.fail_dials();
    }
    rig.input(Input::LinkDown {
        link,
        orderly: false,
    });
    let end = rig.now + Duration::from_secs(3);
    dial_times(&mut rig, end).len()
}

#[test]
fn only_a_link_that_has_held_for_30_s_resets_it() {
    assert_eq!(dials_after_a_link_of(5), 0);
    assert!(dials_after_a_link_of(50) >= 2);
}

#[test]
fn an_orderly_close_is_no_failure() {
    let mut rig = Rig::new(1, below(9));
    let mut first = None;
    for n in 0..20 {
        while rig.dials.is_empty() {
            rig.pass(Duration::from_millis(100));
        }
        if n == 1 {
            first = Some(rig.now);
        }
        let (dial, _) = rig.dials.remove(0);
        let link = rig.land(dial, id(9), 1);
        rig.input(Input::LinkDown {
            link,
            orderly: true,
        });
        assert_eq!(rig.node.upstreams().next().unwrap().failures, 0);
    }
    // An upstream that restarts is found again at once; one whose links never hold, every 16 s.
    assert!(first <= Some(Instant::from_millis(1_000)), "{first:?}");
    assert!(
        rig.now <= Instant::from_millis(20 * 16_000),
        "{:?}",
        rig.now
    );
}

/// R17: four are patience, five are an end.
#[test]
fn a_link_is_given_up_after_five_requests_without_an_answer() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    let mut steps = 0;
    for unanswered in 1..=5 {
        while rig.node.stats().timeouts < unanswered {
            rig.pass(Duration::from_millis(100));
            steps += 1;
            assert!(steps < 6_000, "no request in ten minutes");
        }
        assert_eq!(rig.node.stats().timeouts, unanswered);
        assert_eq!(rig.is_up(link), unanswered < 5, "{unanswered}");
    }
    assert_eq!(rig.take_requests(link).len(), 5);
    assert_eq!(rig.why_closed(link), Some(CloseReason::Unresponsive));
    let gone = |e: &Event| matches!(e, Event::PeerUnreachable { node, .. } if *node == id(2));
    assert_eq!(rig.take_events(gone).len(), 1);
}
