//! What a partner says about waiting is honoured, and honest partners are not blamed.

use std::time::Duration;

use peer_exchange::wire::{Goodbye, GoodbyeReason, Message};

use crate::support::build::*;
use crate::support::rig::{Rig, below, config};

/// For a minute and more, node 2 is not asked anything.
fn leaves_alone(rig: &mut Rig, link: peer_exchange::LinkId) {
    rig.take(link);
    for second in 0..70 {
        rig.input(peer_exchange::Input::Discover);
        rig.pass_s(1);
        let asked = rig.take_requests(link);
        assert!(asked.is_empty(), "asked after {second} s: {asked:?}");
    }
}

#[test]
fn a_retry_after_is_honoured_on_a_link_that_has_held_for_long() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.pass_answering(40);
    let asked = rig.asked(link);
    rig.message(link, busy(asked.id, Duration::from_secs(90)));
    leaves_alone(&mut rig, link);
}

#[test]
fn a_retry_after_holds_for_fetches_too() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.take(link);
    rig.message(link, crate::forged::announce(1, 1));
    let fetch = rig.take_requests(link).into_iter().find(|r| r.is_fetch());
    rig.message(link, busy(fetch.unwrap().id, Duration::from_secs(90)));
    // Neither another fetch nor an exchange.
    rig.message(link, crate::forged::announce(2, 2));
    leaves_alone(&mut rig, link);
}

#[test]
fn a_goodbye_with_a_time_is_honoured_after_a_long_link() {
    let mut rig = Rig::new(1, below(9));
    let upstream = rig.upstream(9);
    rig.pass_answering(40);
    let goodbye = Goodbye {
        reason: GoodbyeReason::Shutdown,
        retry_after: Duration::from_secs(100),
    };
    rig.message(upstream, Message::Goodbye(goodbye));
    rig.dials.clear();
    rig.pass_s(60);
    assert!(rig.dials.is_empty(), "{:?}", rig.dials);
    rig.pass_s(60);
    assert!(!rig.dials.is_empty());
}

/// With nearly everybody dead, the one who lives is asked all the same.
#[test]
fn a_table_of_dead_peers_does_not_starve_the_live_link() {
    // A pace that leaves no time for the dead to be found out one by one.
    let mut rig = Rig::new(1, config(|c| c.burst = 0));
    let link = rig.link(2);
    let dead: Vec<_> = (1_000..2_000).map(rec).collect();
    rig.message(link, push(1, &dead));
    rig.take(link);
    let mut asked = 0;
    for step in 0..2_000 {
        if step % 20 == 0 {
            rig.input(peer_exchange::Input::Discover);
        }
        rig.pass(Duration::from_millis(10));
        rig.fail_dials();
        asked += answer_all(&mut rig, link);
    }
    let stats = rig.node.stats();
    // Five peers in a minute, at most (R28).
    assert_eq!(stats.dial_failures, 5, "nobody was dead: {stats:?}");
    assert!(asked >= 20, "asked {asked} times: {stats:?}");
}

/// Whoever swallows packets does not answer a dial, nor refuse it.
#[test]
fn a_dial_that_hangs_does_not_hold_up_the_round() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    let dead: Vec<_> = (1_000..1_200).map(rec).collect();
    rig.message(link, push(1, &dead));
    rig.take(link);
    let mut asked = 0;
    for _ in 0..6_000 {
        rig.pass(Duration::from_millis(10));
        asked += answer_all(&mut rig, link);
    }
    assert!(rig.node.stats().dials > 0);
    assert!(asked >= 5, "asked {asked} times in a minute");
}

/// Answers what was asked on this link, with nothing new, and counts it.
fn answer_all(rig: &mut Rig, link: peer_exchange::LinkId) -> usize {
    let requests = rig.take_requests(link);
    for request in &requests {
        rig.message(link, Message::Response(response(request.id)));
    }
    requests.len()
}
