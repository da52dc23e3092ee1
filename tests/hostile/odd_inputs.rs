//! Inputs in odd orders, time that jumps, a transport that never reports.

use std::time::Duration;

use peer_exchange::wire::Message;
use peer_exchange::{
    CloseReason, Config, DialId, Effect, Input, Instant, LinkId, Node, UsageError, limits::caps,
};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, config, identity};

fn rig() -> Rig {
    Rig::new(1, config(|_| {}))
}

#[test]
fn inputs_about_unknown_links_and_dials_are_ignored() {
    let mut rig = rig();
    let nobody = LinkId::new(999);
    rig.input(Input::Sent { link: nobody });
    rig.input(Input::LinkDown {
        link: nobody,
        orderly: false,
    });
    rig.input(Input::DialFailed {
        dial: DialId::new(999),
    });
    rig.raw(nobody, peer_exchange::wire::encode(rumour(&[rec(3)])));
    assert!(!rig.knows(3));
    assert_eq!(rig.node.stats().messages_received, 0);
}

#[test]
fn a_link_number_cannot_be_used_twice() {
    let mut rig = rig();
    let link = rig.link(2);
    let again = Input::LinkUp {
        link,
        node: id(3),
        remote: None,
        dial: None,
    };
    assert_eq!(rig.try_input(again), Err(UsageError::LinkInUse));
    assert!(rig.node.links().all(|l| l.node == id(2)));
}

#[test]
fn a_dial_nobody_made_does_not_lift_the_cap_on_links() {
    let mut rig = Rig::new(1, config(|c| c.max_links = 4));
    for n in 0..200 {
        let link = rig.next_link();
        rig.input(Input::LinkUp {
            link,
            node: id(100 + n),
            remote: None,
            dial: Some(DialId::new(10_000 + u64::from(n))),
        });
    }
    assert!(rig.node.links().count() <= 8);
}

#[test]
fn many_upstreams_and_few_links_stay_within_the_caps() {
    let mut rig = Rig::new(
        1,
        config(|c| {
            c.max_links = 4;
            c.upstreams = (100..164).map(address).collect();
        }),
    );
    for n in 0..8 {
        rig.link(500 + n);
    }
    for second in 0..30 {
        for (i, (dial, _)) in std::mem::take(&mut rig.dials).into_iter().enumerate() {
            rig.land(dial, id(1_000 + second * 100 + i as u32), 1);
        }
        rig.pass_s(1);
    }
}

#[test]
fn an_upstream_configured_twice_is_one() {
    let twice = config(|c| c.upstreams = vec![address(9), address(9)]);
    let mut rig = Rig::new(1, twice);
    assert_eq!(rig.node.upstreams().count(), 1);
    rig.pass_s(1);
    assert_eq!(rig.dials.len(), 1);
}

#[test]
fn after_leave_nothing_happens_any_more() {
    let mut rig = rig();
    let link = rig.link(2);
    rig.asked(link);
    rig.input(Input::Leave);
    assert_eq!(rig.why_closed(link), Some(CloseReason::Leaving));
    rig.sent.clear();
    rig.input(Input::Sent { link });
    rig.input(Input::LinkDown {
        link,
        orderly: true,
    });
    rig.input(Input::Message {
        link,
        bytes: peer_exchange::wire::encode(Message::Request(request(1))),
    });
    let late = rig.next_link();
    rig.input(Input::LinkUp {
        link: late,
        node: id(3),
        remote: None,
        dial: None,
    });
    assert_eq!(rig.why_closed(late), Some(CloseReason::Leaving));
    for input in [Input::Leave, Input::Shutdown, Input::Discover] {
        assert_eq!(rig.try_input(input), Err(UsageError::Left));
    }
    assert!(rig.sent.is_empty());
    assert_eq!(rig.wake, None);
}

#[test]
fn time_never_runs_backwards() {
    let mut rig = rig();
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(3)]));
    rig.pass_answering(100);
    let left = rig.node.peer(&id(3)).unwrap().lifetime_left;
    rig.now = Instant::from_millis(5);
    rig.message(link, rumour(&[rec(4)]));
    assert_eq!(rig.node.now(), Instant::from_millis(100_000));
    assert_eq!(rig.node.peer(&id(3)).unwrap().lifetime_left, left);
    let fresh = rig.node.peer(&id(4)).unwrap().lifetime_left;
    assert_eq!(fresh, Duration::from_secs(86_399));
}

#[test]
fn a_jump_of_years_and_the_end_of_time_are_survived() {
    let mut rig = rig();
    let link = rig.link(2);
    rig.message(link, push(&[rec(3), rec(4)]));
    for years in [1, 30, 135] {
        rig.now = Instant::from_duration(Duration::from_secs(years * 31_556_952));
        rig.input(Input::Wake);
        assert!(!rig.knows(3));
        rig.message(link, push(&[rec(5).version(years)]));
        assert!(rig.knows(5));
    }
    for _ in 0..3 {
        rig.now = Instant::from_duration(Duration::MAX);
        rig.input(Input::Wake);
        rig.message(link, rumour(&[rec(6)]));
    }
}

#[test]
fn a_transport_that_never_reports_gets_eight_messages_a_link() {
    let mut rig = rig();
    rig.credits = false;
    let (a, b) = (rig.link(2), rig.link(3));
    rig.checks = false;
    for n in 0..300 {
        rig.message(b, rumour(&[rec(1_000 + n)]));
        rig.message(a, Message::Request(request(n)));
        rig.pass(Duration::from_millis(100));
    }
    rig.check();
    for link in [a, b] {
        let outstanding = rig.take(link).len();
        assert!(outstanding <= caps::IN_FLIGHT, "{outstanding}");
    }
    assert!(rig.node.stats().pushes_skipped > 0);
}

#[test]
fn credits_nobody_owes_do_not_add_up() {
    let mut rig = rig();
    rig.credits = false;
    let link = rig.link(2);
    (0..1_000).for_each(|_| rig.input(Input::Sent { link }));
    rig.take(link);
    for n in 0..50 {
        rig.message(link, Message::Request(request(n)));
    }
    assert!(rig.take(link).len() <= caps::IN_FLIGHT);
}

#[test]
fn input_is_refused_while_effects_pile_up() {
    let mut node = Node::new(Config::default(), identity(1), SEED, Instant::ZERO).unwrap();
    let mut refused = 0;
    for n in 0..100_000 {
        let up = Input::LinkUp {
            link: LinkId::new(n),
            node: id(n as u32 + 10),
            remote: None,
            dial: None,
        };
        refused += u32::from(node.handle(Instant::ZERO, up) == Err(UsageError::NotPolled));
    }
    assert!(refused > 30_000);
    while !matches!(node.poll(), Effect::WaitUntil(_)) {}
    assert_eq!(node.handle(Instant::ZERO, Input::Wake), Ok(()));
}
