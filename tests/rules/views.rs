//! What an embedder can read: who told what and when, what was counted by kind and by reason.

use std::time::Duration;

use peer_exchange::wire::{DecodeError, Message, PageError};
use peer_exchange::{
    CloseReason, Event, Input, Instant, Kind, LearnedFrom, Node, PeerFault, PeerView,
};

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, below, config, identity};

fn peer(rig: &Rig, n: u32) -> PeerView {
    let one = rig.node.peer(&id(n)).expect("it is known");
    let of_all = rig.node.peers().find(|p| p.node == id(n));
    assert_eq!(of_all.as_ref(), Some(&one), "both views say the same");
    one
}

#[test]
fn a_peer_says_who_told_it() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(2), rec(3)]));
    assert_eq!(peer(&rig, 2).learned_from, LearnedFrom::Itself);
    assert_eq!(peer(&rig, 3).learned_from, LearnedFrom::Relay(id(2)));
    // The link may go; the next version comes from elsewhere.
    rig.input(Input::LinkDown {
        link,
        orderly: true,
    });
    assert_eq!(peer(&rig, 3).learned_from, LearnedFrom::Relay(id(2)));
    let other = rig.link(4);
    rig.message(other, rumour(&[rec(3).version(2)]));
    assert_eq!(peer(&rig, 3).learned_from, LearnedFrom::Relay(id(4)));
}

#[test]
fn a_restored_peer_says_so() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(3)]));
    let (now, snapshot) = (Instant::from_millis(77_500), rig.node.snapshot(rig.now));
    let elapsed = Some(Duration::from_secs(1));
    let node = Node::restore(config(|_| {}), identity(1), SEED, now, &snapshot, elapsed);
    let rig = Rig::of(node.unwrap());
    assert_eq!(peer(&rig, 3).learned_from, LearnedFrom::Snapshot);
    assert_eq!(peer(&rig, 3).first_seen, Instant::from_millis(77_000));
}

/// However long ago it was there, and however many have come since.
#[test]
fn who_has_told_is_known_as_long_as_what_it_told() {
    let mut rig = Rig::new(1, config(|_| {}));
    rig.checks = false;
    let link = rig.link(2);
    rig.message(link, rumour(&[rec(3)]));
    rig.input(Input::LinkDown {
        link,
        orderly: true,
    });
    for n in 100..2_000 {
        rig.pass(Duration::from_millis(1));
        let link = rig.link(n);
        rig.input(Input::LinkDown {
            link,
            orderly: true,
        });
    }
    assert_eq!(peer(&rig, 3).learned_from, LearnedFrom::Relay(id(2)));
}

#[test]
fn a_peer_is_known_since_its_first_record() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.pass(Duration::from_millis(3_500));
    rig.message(link, rumour(&[rec(3)]));
    let first = Instant::from_millis(3_000);
    assert_eq!(peer(&rig, 3).first_seen, first);
    rig.pass_answering(60);
    rig.message(link, rumour(&[rec(3).version(2)]));
    rig.message(link, rumour(&[rec(3).version(2).beat(1)]));
    assert_eq!(peer(&rig, 3).first_seen, first);
    // Who leaves and comes back is known anew.
    rig.message(link, rumour(&[rec(3).version(3).body(Vec::new())]));
    rig.message(link, rumour(&[rec(3).version(4)]));
    assert_eq!(peer(&rig, 3).first_seen, Instant::from_millis(63_000));
}

#[test]
fn traffic_is_counted_by_kind() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.ask(link, request(1));
    rig.message(link, rumour(&[rec(3)]));
    rig.raw(link, vec![0xff; 70]);
    let stats = rig.node.stats();
    let received = |kind: Kind| stats.received_of(kind).messages;
    let expected = [1, 1, 0, 1, 0, 0, 0, 0, 1];
    let received: Vec<_> = Kind::ALL.iter().copied().map(received).collect();
    assert_eq!(received, expected);
    assert_eq!(stats.received_of(Kind::Other).bytes, 70);
    assert_eq!(stats.sent_of(Kind::Response).messages, 1);
    let traffic = |kinds: &mut dyn Iterator<Item = (Kind, peer_exchange::Traffic)>| -> Vec<_> {
        kinds.map(|(_, traffic)| traffic).collect()
    };
    let sent = traffic(&mut stats.sent());
    let received = traffic(&mut stats.received());
    for (total, bytes, kinds) in [
        (stats.messages_sent, stats.bytes_sent, sent),
        (stats.messages_received, stats.bytes_received, received),
    ] {
        assert_eq!(kinds.iter().map(|t| t.messages).sum::<u64>(), total);
        assert_eq!(kinds.iter().map(|t| t.bytes).sum::<u64>(), bytes);
    }
    let names: Vec<_> = stats.sent().map(|(kind, _)| kind.name()).collect();
    assert_eq!(names[..3], ["hello", "request", "response"]);
}

#[test]
fn faults_are_counted_by_reason() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.raw(link, vec![0xff; 70]);
    rig.message(
        link,
        Message::Response(response(peer_exchange::RequestId::new(9))),
    );
    rig.message(
        link,
        Message::Response(response(peer_exchange::RequestId::new(9))),
    );
    let counted: Vec<_> = rig.node.stats().faults().filter(|(_, n)| *n > 0).collect();
    assert_eq!(counted, [("malformed", 1), ("unsolicited", 2)]);
}

#[test]
fn every_fault_has_its_place_among_the_reasons() {
    let decode = [
        DecodeError::TooLong(1),
        DecodeError::NodeId(""),
        DecodeError::Columns(""),
        DecodeError::Page(PageError::Truncated),
        DecodeError::Path,
        DecodeError::Shows,
        DecodeError::Accusations,
        DecodeError::Address,
    ];
    let mut faults = vec![
        PeerFault::PathNotItsOwn,
        PeerFault::Unsolicited,
        PeerFault::OwnRecord(peer_exchange::RecordError::NoVersion),
        PeerFault::Unproven,
        PeerFault::IgnoredRetryAfter,
        PeerFault::Flood,
        PeerFault::SecondHello,
    ];
    faults.extend(decode.map(PeerFault::Message));
    let mut reasons: Vec<_> = faults.iter().map(PeerFault::reason).collect();
    reasons.push("malformed");
    let mut all = PeerFault::REASONS.to_vec();
    reasons.sort_unstable();
    all.sort_unstable();
    assert_eq!(reasons, all);
}

#[test]
fn who_backs_off_is_counted() {
    let mut rig = Rig::new(1, below(9));
    rig.pass(Duration::from_millis(50));
    assert_eq!(rig.node.stats().backing_off, 0);
    rig.fail_dials();
    let stats = rig.node.stats();
    assert_eq!((stats.backoffs, stats.backing_off), (1, 1));
    rig.pass_s(1);
    let link = rig.upstream(9);
    let asked = rig.asked(link);
    rig.message(link, busy(asked.id, Duration::from_secs(30)));
    let stats = rig.node.stats();
    assert_eq!((stats.deferred, stats.backing_off), (1, 1));
    assert_eq!(rig.why_closed(link), None::<CloseReason>);
    let deferred = rig.take_events(|e| matches!(e, Event::Deferred { .. }));
    assert_eq!(deferred.len(), 1);
}
