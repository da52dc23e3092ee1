//! Where records are not signed: who is believed about whom (R52).

use std::time::Duration;

use peer_exchange::wire::{Ask, Message};
use peer_exchange::{LinkId, PeerState, Sequence};

use crate::support::build::*;
use crate::support::rig::{Rig, watchful};

/// Node 1, linked with nodes 2 and 3, knows these and node 4.
fn knowing() -> (Rig, LinkId, LinkId) {
    let mut rig = Rig::new(1, watchful());
    let (link, other) = (rig.link(2), rig.link(3));
    rig.message(link, rumour(&[rec(2), rec(4)]));
    rig.message(other, rumour(&[rec(3)]));
    rig.sent.clear();
    (rig, link, other)
}

fn moved(n: u32, version: u64) -> Rec {
    let elsewhere = body(&[address(n + 1_000)]);
    rec(n).version(version).body(elsewhere)
}

fn left(n: u32, version: u64) -> Rec {
    rec(n).version(version).body(Vec::new())
}

/// Which version the node is known by, and whether where it was.
fn known(rig: &Rig, n: u32) -> Option<(u64, bool)> {
    let peer = rig.node.peer(&id(n))?;
    Some((peer.sequence.version, peer.addresses.contains(&address(n))))
}

fn claimed(rig: &mut Rig, link: LinkId) -> Vec<Sequence> {
    let sent = rig.take(link).into_iter();
    let claim = |m| match m {
        Message::Ask(ask) => ask.claimed,
        _ => None,
    };
    sent.filter_map(claim).collect()
}

#[test]
fn of_one_that_is_linked_a_change_is_its_own_word() {
    for lie in [moved, left] {
        let (mut rig, link, other) = knowing();
        rig.message(other, rumour(&[lie(2, 5)]));
        assert_eq!(known(&rig, 2), Some((1, true)));
        assert_eq!(claimed(&mut rig, link), [seq(5, 0)], "it is asked");
        rig.message(other, rumour(&[lie(2, 6)]));
        assert_eq!(claimed(&mut rig, link), [], "once a second");
        assert_eq!(rig.node.stats().records_hearsay, 2);
        // Its own word is taken.
        rig.message(link, rumour(&[moved(2, 7)]));
        assert_eq!(known(&rig, 2), Some((7, false)));
        rig.message(link, rumour(&[left(2, 8)]));
        assert!(!rig.knows(2));
    }
}

/// A higher version of the same says nothing else.
#[test]
fn what_is_no_change_is_taken_from_anybody() {
    let (mut rig, link, other) = knowing();
    rig.message(other, rumour(&[rec(2).version(5)]));
    assert_eq!(known(&rig, 2), Some((5, true)));
    rig.message(other, rumour(&[rec(2).version(5).beat(1)]));
    assert_eq!(rig.node.peer(&id(2)).unwrap().sequence, seq(5, 1));
    assert_eq!(claimed(&mut rig, link), []);
}

#[test]
fn whoever_is_silent_is_believed_no_more_than_others() {
    let (mut rig, link, other) = knowing();
    for _ in 0..3 {
        rig.pass(Duration::from_millis(400));
        rig.message(other, rumour(&[rec(3)]));
    }
    rig.message(other, rumour(&[moved(2, 5)]));
    assert_eq!(known(&rig, 2), Some((5, false)));
    assert_eq!(
        claimed(&mut rig, link),
        [],
        "a change would cost two messages more a link"
    );
}

/// What this node says of itself when others say this of it.
fn asks(rig: &mut Rig, link: LinkId, at: Sequence) -> Option<Sequence> {
    let ask = Ask {
        claimed: Some(at),
        ..Ask::default()
    };
    rig.take(link);
    rig.message(link, Message::Ask(ask));
    let told = rig.take_updates(link).into_iter().filter_map(|u| u.news);
    let mut own = Vec::new();
    for news in told {
        let records = news.records.iter().filter(|r| r.node == id(1));
        own.extend(records.map(|r| r.sequence));
    }
    own.into_iter().max()
}

/// R33: as often as accusations are refuted; R6's recoveries are for other things.
#[test]
fn who_is_asked_says_its_record_above_what_others_say() {
    let (mut rig, link, _) = knowing();
    let own = rig.node.sequence();
    assert_eq!(asks(&mut rig, link, own), Some(own), "it was lost");
    assert_eq!(asks(&mut rig, link, seq(0, 1)), Some(own), "long ago");
    let mut contradicted = 0;
    for n in 1..40 {
        let lie = seq(n * 10, 0);
        contradicted += u64::from(asks(&mut rig, link, lie) > Some(lie));
    }
    assert_eq!((contradicted, rig.node.stats().recoveries), (16, 0));
    // Not beyond what is believed (R51).
    rig.pass_answering(60);
    let own = rig.node.sequence();
    assert_eq!(asks(&mut rig, link, seq(1 << 62, 0)), Some(own));
}

/// Of one that is not linked others are believed; once it has contradicted them only what has stood.
#[test]
fn who_has_contradicted_others_is_believed_more_than_they() {
    for lie in [moved, left] {
        let (mut rig, link, other) = knowing();
        rig.message(other, rumour(&[lie(4, 5)]));
        assert_ne!(known(&rig, 4), Some((1, true)));
        rig.message(link, rumour(&[rec(4).version(6)]));
        assert_eq!(known(&rig, 4), Some((6, true)));
        for n in 0..50 {
            rig.message(other, rumour(&[lie(4, 7 + n)]));
            rig.message(link, rumour(&[rec(2)]));
            rig.pass(Duration::from_millis(100));
            assert_eq!(known(&rig, 4), Some((6, true)));
        }
        rig.pass(Duration::from_millis(1_000));
        rig.message(other, rumour(&[lie(4, 56)]));
        assert_ne!(known(&rig, 4), Some((6, true)), "nobody has said otherwise");
        let member = rig.node.member(&id(4)).expect("it was known");
        assert!([PeerState::Up, PeerState::Left].contains(&member.state));
    }
}
