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
    let renew = |n: u32| {
        let mut batch = peer_exchange::wire::RenewalsBuilder::default();
        batch.push(peer_exchange::wire::Renewal {
            prefix: n.to_be_bytes(),
            sequence: seq(1, 1),
            remaining_s: 100,
            check: 1,
        });
        Message::Update(peer_exchange::wire::Update {
            renewals: batch.finish(),
            ..Default::default()
        })
    };
    rig.take(link);
    rig.message(link, renew(77));
    let fetch = rig.take_requests(link).into_iter().find(|r| r.is_fetch());
    rig.message(link, busy(fetch.unwrap().id, Duration::from_secs(90)));
    // Neither another fetch nor an exchange.
    rig.message(link, renew(78));
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
