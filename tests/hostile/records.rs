//! Records: about the receiver itself, with absurd lifetimes, at the maximum sequence.

use std::time::Duration;

use peer_exchange::wire::{Message, RefusalsBuilder, Update};
use peer_exchange::{CloseReason, Event, Input, PeerFault, RecordError};

use crate::support::build::*;
use crate::support::pair::{Pair, stranger};
use crate::support::rig::{Rig, config};

fn rig(n: u32) -> Rig {
    Rig::new(n, config(|_| {}))
}

#[test]
fn an_older_record_about_the_receiver_changes_nothing() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.input(Input::SetMetadata(b"two".to_vec()));
    assert_eq!(rig.node.sequence(), seq(2, 0));
    rig.message(link, rumour(&[rec(1).body(body_of(77))]));
    assert_eq!(rig.node.sequence(), seq(2, 0));
    assert_eq!(rig.node.peer_count(), 0, "never its own peer");
}

#[test]
fn a_lifetime_of_a_century_is_cut_or_refused() {
    let mut rig = rig(1);
    let link = rig.link(2);
    let century = 100 * 365 * 86_400;
    rig.message(link, rumour(&[rec(3).life(century)]));
    let left = rig.node.peer(&id(3)).unwrap().lifetime_left;
    assert!(left <= Duration::from_secs(86_400), "{left:?}");
    let mut long = body_of(4);
    varint_field(3, u64::from(century), &mut long);
    rig.message(link, rumour(&[rec(4).body(long)]));
    assert!(!rig.knows(4));
    // Told again and again, it still ends with its day.
    for _ in 0..25 {
        rig.pass_s(3_600);
        rig.message(link, rumour(&[rec(3).life(century)]));
    }
    assert!(!rig.knows(3));
}

#[test]
fn a_tombstone_of_a_century_ends_too() {
    let mut rig = rig(1);
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(3)]));
    let left = rec(3).version(2).body(Vec::new()).life(u32::MAX);
    rig.message(link, rumour(&[left]));
    assert!(!rig.knows(3));
    rig.pass_s(91_801);
    assert_eq!(rig.node.stats().records, 1, "the tombstone has gone");
}

#[test]
fn a_page_is_taken_whole_before_its_sender_is_banned() {
    // R18: in each page a good record comes after a bad one of the sender's own, until that is not
    // forgiven any more.
    let mut rig = rig(1);
    let link = rig.link(2);
    let mut nonsense = Vec::new();
    bytes_field(1, &[0xff; 300], &mut nonsense);
    let mut last = 0;
    for n in 1..=40 {
        if rig.why_closed(link).is_some() {
            break;
        }
        let bad = rec(2).version(n).body(nonsense.clone());
        last = 100 + n as u32;
        rig.message(link, rumour(&[bad, rec(last)]));
    }
    assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
    assert!(rig.knows(last));
}

/// Node 2 is alive, linked to node 1, and somebody tells node 1 `forged` about it. In the end
/// node 2 is known again as it is.
fn is_accepted_again_after(forged: &Rec, change: impl FnOnce(&mut Rig)) -> Pair {
    let mut pair = Pair::new(rig(1), rig(2));
    pair.pass(Duration::from_secs(5));
    assert!(pair.agree());
    let liar = stranger(&mut pair.a, 3);
    pair.a.message(liar, rumour([forged]));
    pair.a.input(Input::LinkDown {
        link: liar,
        orderly: true,
    });
    pair.pass(Duration::from_secs(60));
    change(&mut pair.b);
    pair.pass(Duration::from_secs(60));
    assert!(pair.agree(), "{:?}", pair.a.node.peer(&id(2)));
    let addresses = pair.a.node.peer(&id(2)).unwrap().addresses;
    assert_ne!(addresses, [address(66)], "the forgery is gone");
    pair
}

/// R51: refused and counted, whoever tells it, and the subject is not misled by it either.
#[test]
fn a_version_far_above_the_known_one_is_refused_and_no_relay_is_blamed() {
    let mut rig = rig(1);
    let (relay, subject) = (rig.link(3), rig.link(2));
    let forged = |version| rec(2).version(version).body(body_of(66));
    let tombstone = forged(u64::MAX).body(Vec::new());
    let forgeries = [1 << 63, u64::MAX, (1 << 40) + 1].map(forged);
    for forged in forgeries.iter().chain([&tombstone]) {
        rig.message(relay, rumour([forged]));
    }
    assert!(!rig.knows(2));
    rig.message(subject, rumour(&[rec(2)]));
    for forged in forgeries.iter().chain([&tombstone]) {
        rig.message(relay, rumour([forged]));
    }
    assert_eq!(rig.node.peer(&id(2)).unwrap().sequence, seq(1, 0));
    assert_eq!(rig.node.stats().records_bad, 8);
    let blamed = |e: &Event| matches!(e, Event::Blamed { .. });
    assert!(!rig.events.iter().any(blamed), "{:?}", rig.events);
    // Of itself, a node may not say it.
    rig.message(subject, rumour(&[rec(2).version(1 << 41)]));
    let fault = PeerFault::OwnRecord(RecordError::VersionTooHigh);
    let is_it = |e: &Event| matches!(e, Event::Blamed { node, fault: f, .. } if *node == id(2) && *f == fault);
    assert!(rig.events.iter().any(is_it), "{:?}", rig.events);
}

/// R51: a node that followed such a claim would be believed by nobody.
#[test]
fn a_node_does_not_follow_a_claim_that_nobody_believes() {
    let mut rig = rig(1);
    let link = rig.link(2);
    let mut refusals = RefusalsBuilder::default();
    refusals.push(&id(1), seq(u64::MAX, 0));
    refusals.push(&id(1), seq((1 << 40) + 1, 0));
    let refused = Update {
        refusals: refusals.finish(),
        ..Update::default()
    };
    rig.message(link, Message::Update(refused));
    for version in [(1 << 40) + 1, 1 << 63, u64::MAX] {
        let forged = rec(1).version(version).body(body_of(66));
        rig.message(link, rumour([&forged]));
    }
    assert_eq!(rig.node.sequence(), seq(1, 0));
    assert_eq!(rig.node.stats().recoveries, 0);
    assert_eq!(rig.node.stats().records_bad, 3);
}

/// R51: what is believed is exceeded, and whoever believed it believes that too.
#[test]
fn the_highest_that_is_believed_leaves_the_node_its_voice() {
    let forged = rec(2).version(1 << 40).body(body_of(66));
    let pair = is_accepted_again_after(&forged, |victim| {
        victim.input(Input::SetAddresses(vec![address(88)]));
    });
    let addresses = pair.a.node.peer(&id(2)).unwrap().addresses;
    assert_eq!(addresses, [address(88)]);
    let dead = rec(2).version(1 << 40).body(Vec::new()).life(u32::MAX);
    is_accepted_again_after(&dead, |_| {});
}

#[test]
fn a_forged_beat_costs_one_version() {
    let pair = is_accepted_again_after(&rec(2).beat(u32::MAX).life(1), |_| {});
    assert!(pair.b.node.sequence().version <= 3);
}

#[test]
fn a_forgery_again_and_again_costs_three_versions_and_one_a_period() {
    let mut rig = rig(1);
    let liar = rig.link(2);
    let period = Duration::from_secs(600);
    let forge = |rig: &mut Rig| {
        let version = rig.node.sequence().version + 1;
        rig.message(liar, rumour(&[rec(1).version(version).body(body_of(66))]));
    };
    for _ in 0..50 {
        forge(&mut rig);
    }
    assert_eq!(rig.node.stats().recoveries, 3);
    for _ in 0..12 {
        rig.pass(period);
        forge(&mut rig);
    }
    let recoveries = rig.node.stats().recoveries;
    assert!((4..=16).contains(&recoveries), "{recoveries}");
}
