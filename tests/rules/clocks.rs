//! Time that only the wall clock has seen (R34).

use std::time::Duration;

use peer_exchange::wire::Message;
use peer_exchange::{Event, Input, LinkId};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

const HOUR: u64 = 3_600;

/// Node 1 knows nodes 2, with a link, and 3 to 5, and its wall clock.
fn knowing(wall: u64) -> (Rig, LinkId) {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    read(&mut rig, wall);
    let records = [
        rec(2),
        rec(3),
        rec(4).life(2 * HOUR as u32),
        rec(5).life(HOUR as u32),
    ];
    rig.message(link, push(4, &records));
    rig.events.clear();
    (rig, link)
}

/// The wall clock says this.
fn read(rig: &mut Rig, seconds: u64) {
    let since_origin = Duration::from_secs(seconds);
    rig.input(Input::WallTime { since_origin });
}

fn left(rig: &Rig, n: u32) -> Option<u64> {
    let peer = rig.node.peer(&id(n))?;
    Some(peer.lifetime_left.as_secs().div_ceil(60))
}

/// R34: time that only the wall clock has seen has passed for every life; nothing else is late.
#[test]
fn lives_age_by_what_only_the_wall_clock_has_seen() {
    let (mut rig, _) = knowing(1_000);
    let beat = rig.node.sequence().beat;
    rig.pass_s(60);
    read(&mut rig, 1_060);
    assert_eq!(left(&rig, 4), Some(119));
    read(&mut rig, 1_060 + HOUR);
    assert_eq!((left(&rig, 4), left(&rig, 5)), (Some(59), None));
    let expired = rig.take_events(|e| matches!(e, Event::PeerExpired { .. }));
    assert_eq!(expired, [Event::PeerExpired { node: id(5) }]);
    assert_eq!(
        rig.node.sequence().beat,
        beat + 1,
        "others may have missed it"
    );
    assert_eq!(rig.node.stats().time_lost_ms, HOUR * 1_000);
    read(&mut rig, 1_060 + HOUR);
    assert_eq!(left(&rig, 4), Some(59), "once");
}

/// R34: what was a step of the clock and no sleep kills nobody: whoever lives comes again as it was.
#[test]
fn a_clock_that_was_set_ahead_refuses_nobody() {
    let (mut rig, link) = knowing(0);
    read(&mut rig, 1_800_000_000);
    assert_eq!(rig.node.peer_count(), 0);
    rig.message(link, rumour([&rec(3), &rec(5).life(HOUR as u32)]));
    assert_eq!(left(&rig, 5), Some(60));
    assert_eq!(rig.node.stats().records_refused, 0);
    assert!(rig.knows(3));
}

/// R34: what refuses the dead does not end any earlier for it.
#[test]
fn the_dead_are_refused_as_long_as_ever() {
    let (mut rig, link) = knowing(0);
    rig.message(link, rumour([&rec(3).version(2).body(body(&[]))]));
    rig.pass_s(HOUR);
    assert!(!rig.knows(5), "its life is over");
    read(&mut rig, 100 * HOUR);
    rig.message(link, rumour([&rec(3), &rec(5).life(HOUR as u32)]));
    assert!(!rig.knows(3) && !rig.knows(5));
}

/// R34: a clock that is set back, and on again, has seen nothing.
#[test]
fn a_clock_that_is_set_back_and_forth_ages_nobody() {
    let (mut rig, _) = knowing(100 * HOUR);
    for hours in [99, 100, 99, 1, 100] {
        read(&mut rig, hours * HOUR);
    }
    assert_eq!((left(&rig, 4), left(&rig, 5)), (Some(120), Some(60)));
    assert_eq!(rig.node.stats().time_lost_ms, 0);
}

/// R34: who is told is told again by others at once.
#[test]
fn others_are_asked_for_all_that_they_know() {
    let (mut rig, link) = knowing(0);
    rig.pass_answering(120);
    rig.take(link);
    read(&mut rig, 3 * HOUR);
    let asked = |m: &Message| matches!(m, Message::Request(_));
    assert!(rig.take(link).iter().any(asked));
}
