//! Accusations in a signed cluster (R32, R33, R50): whose word they are, and what a liar can do.

use std::sync::Arc;
use std::time::Duration;

use peer_exchange::wire::{Accusation, Message, SIGNS};
use peer_exchange::{Event, Input, Instant, LinkId, Node, NodeId, PeerFault, Position, Signing};
use peer_exchange_memory::MockSeal;

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, config, identity};

/// Node 1 knows nodes 2 to 9, which sign, and has a link with 2.
fn knowing(signing: Signing) -> (Rig, LinkId) {
    let config = config(|c| {
        c.signing = signing;
        c.detection = Some(Duration::from_secs(3));
    });
    let sealed = identity(1).with_seal(Arc::new(MockSeal::new(id(1))));
    let mut rig = Rig::of(Node::new(config, sealed, SEED, Instant::ZERO).unwrap());
    let link = member(&mut rig, 2);
    let records: Vec<_> = (2..10).map(|n| rec(n).signed()).collect();
    rig.message(link, rumour(&records));
    assert_eq!(rig.node.peer_count(), 8);
    rig.take(link);
    rig.events.clear();
    (rig, link)
}

/// An incoming link from node `n`, which signs.
fn member(rig: &mut Rig, n: u32) -> LinkId {
    let link = rig.mute_link(n);
    rig.message(link, hello_with(SIGNS, u64::from(n) + 1));
    link
}

fn signed(said: Accusation) -> Accusation {
    accused_by(said, said.by, "")
}

fn is_down(rig: &mut Rig, n: u32) -> bool {
    rig.pass(Duration::from_millis(301));
    let downs = rig.take_events(|e| matches!(e, Event::PeerDown { .. }));
    assert_eq!(downs.is_empty(), rig.knows(n));
    !downs.is_empty()
}

/// All accusations that were sent since the last call.
fn relayed(rig: &mut Rig) -> Vec<Accusation> {
    let sent = std::mem::take(&mut rig.sent).into_iter();
    let updates = sent.filter_map(|(_, m)| match m {
        Message::Update(update) => update.news,
        _ => None,
    });
    updates.flat_map(|news| news.accusations).collect()
}

/// What others make of what node 4 has signed, and node 3 too.
fn altered() -> Vec<(&'static str, Accusation)> {
    let good = signed(accusation(5, 4));
    let with = |change: &dyn Fn(&mut Accusation)| {
        let mut said = good;
        change(&mut said);
        said
    };
    vec![
        ("another subject", with(&|a| a.subject = id(6))),
        ("a higher version", with(&|a| a.at.version += 1)),
        ("a higher beat", with(&|a| a.at.beat += 1)),
        ("another accuser", with(&|a| a.by = id(7))),
        ("no signature", with(&|a| a.signature = None)),
        (
            "a bit of it",
            with(&|a| a.signature.as_mut().unwrap()[63] ^= 1),
        ),
        ("another key", accused_by(accusation(5, 4), id(2), "")),
        (
            "another cluster",
            accused_by(accusation(5, 4), id(4), "staging"),
        ),
        (
            "a signed record",
            with(&|a| a.signature = rec(5).signed_by(id(4), "").signature),
        ),
    ]
}

/// R50: it does not count, is not passed on, is counted; who relayed it is not blamed, and its
/// accuser is heard all the same.
#[test]
fn whatever_a_relay_alters_is_refused_and_counted() {
    for (what, said) in altered() {
        let (mut rig, link) = knowing(Signing::Require);
        let _other = member(&mut rig, 7);
        rig.message(link, accusing(&[signed(accusation(5, 3))]));
        relayed(&mut rig);
        for times in 1..=20 {
            rig.message(link, accusing(&[said]));
            assert_eq!(rig.node.stats().accusations_unproven, times, "{what}");
        }
        assert_eq!(relayed(&mut rig), [], "{what}");
        assert!(!is_down(&mut rig, 5), "{what}");
        let blamed = rig.take_events(|e| matches!(e, Event::Blamed { .. }));
        assert_eq!(blamed, [], "{what}");
        rig.message(link, accusing(&[signed(accusation(5, 4))]));
        assert!(is_down(&mut rig, 5), "{what}");
    }
}

/// R33, R50: once it is refuted, its signature is as good as ever, and says nothing.
#[test]
fn what_is_refuted_says_nothing_when_it_comes_again() {
    let (mut rig, link) = knowing(Signing::Require);
    let old = [3, 4, 6].map(|by| signed(accusation(5, by)));
    rig.message(link, accusing(&old[..1]));
    rig.message(link, rumour([&rec(5).beat(1).signed()]));
    let before = rig.node.stats();
    relayed(&mut rig);
    rig.message(link, accusing(&old));
    assert_eq!(relayed(&mut rig), []);
    assert!(!is_down(&mut rig, 5));
    let after = rig.node.stats();
    assert_eq!(after.accusations_stale, before.accusations_stale + 3);
    assert_eq!(after.signatures_checked, before.signatures_checked);
}

/// R33, R50: only who can have accused it makes this node raise its beat.
#[test]
fn a_forged_accusation_of_the_node_itself_moves_nothing() {
    let (mut rig, link) = knowing(Signing::Require);
    let stranger = accused_by(accusation(1, 4), id(9), "");
    rig.message(link, accusing(&[accusation(1, 3), stranger]));
    assert_eq!(rig.node.sequence(), seq(1, 0));
    assert_eq!(rig.node.stats().accusations_unproven, 2);
    rig.message(link, accusing(&[signed(accusation(1, 3))]));
    assert_eq!(rig.node.sequence(), seq(1, 1));
    rig.message(link, accusing(&[signed(accusation(1, 3))]));
    assert_eq!(rig.node.sequence(), seq(1, 1));
    assert_eq!(rig.node.stats().accusations_stale, 1);
}

/// R50: of the sender's own accusation nobody else can be the author.
#[test]
fn who_does_not_sign_its_own_accusation_is_blamed() {
    let (mut rig, link) = knowing(Signing::Require);
    rig.message(link, accusing(&[accusation(5, 2)]));
    let blamed = rig.take_events(|e| matches!(e, Event::Blamed { .. }));
    let [Event::Blamed { node, fault, .. }] = blamed.as_slice() else {
        panic!("{blamed:?}");
    };
    assert_eq!((node, fault), (&id(2), &PeerFault::Unproven));
}

/// R50: checked once, whoever tells it, and passed on as it was signed.
#[test]
fn an_accusation_is_checked_once_and_keeps_its_signature() {
    let (mut rig, link) = knowing(Signing::Require);
    let others: Vec<_> = (6..9).map(|n| member(&mut rig, n)).collect();
    let said = signed(accusation(5, 4));
    let before = rig.node.stats().signatures_checked;
    relayed(&mut rig);
    rig.message(link, accusing_until(place(3), &[said]));
    for link in others {
        rig.message(link, accusing(&[said]));
        let bad = accused_by(accusation(5, 4), id(9), "");
        rig.message(link, accusing(&[bad]));
    }
    assert_eq!(rig.node.stats().signatures_checked, before + 1);
    let passed = relayed(&mut rig);
    assert!(!passed.is_empty());
    assert!(passed.iter().all(|a| *a == said), "{passed:?}");
}

/// R32, R50: whoever sends the record of a node that is down is told who has accused it, in their
/// own words.
#[test]
fn who_is_told_of_a_down_is_told_the_signatures() {
    let (mut rig, link) = knowing(Signing::Require);
    let said = [3, 4].map(|by| signed(accusation(5, by)));
    rig.message(link, accusing(&said));
    assert!(is_down(&mut rig, 5));
    relayed(&mut rig);
    rig.message(link, rumour([&rec(5).signed()]));
    let mut told = relayed(&mut rig);
    told.sort_unstable_by_key(|a| a.by);
    assert_eq!(told, said);

    let (mut other, link) = knowing(Signing::Require);
    let to_it_alone = Position::new(place(1).get().wrapping_add(1));
    other.message(link, accusing_until(to_it_alone, &told));
    assert!(is_down(&mut other, 5));
}

/// R32, R50: what the node itself says is signed as the contract has it.
#[test]
fn an_accusation_of_ones_own_is_signed() {
    let (mut rig, link) = knowing(Signing::Require);
    let silent = (3..10).map(|n| member(&mut rig, n)).collect::<Vec<_>>();
    for link in silent {
        rig.input(Input::LinkDown {
            link,
            orderly: false,
        });
    }
    let mut own = Vec::new();
    for _ in 0..30 {
        rig.pass(Duration::from_millis(100));
        rig.message(link, rumour([&rec(2).signed()]));
        own.extend(relayed(&mut rig));
    }
    assert!(!own.is_empty());
    for said in own {
        let plain = Accusation {
            signature: None,
            ..said
        };
        assert_eq!(said, signed(plain));
    }
    assert!(rig.node.stats().accusations > 0);
}

/// R32, R50: forgeries in the name of another take nothing of what it may say in a minute.
#[test]
fn forgeries_do_not_silence_whom_they_name() {
    let (mut rig, link) = knowing(Signing::Require);
    for n in 0..200 {
        let forged = accused_by(accusation(5, 3 + n % 2), id(9), "");
        rig.message(link, accusing(&[forged]));
    }
    assert_eq!(rig.node.stats().accusations_unproven, 200);
    let said = [3, 4].map(|by| signed(accusation(5, by)));
    rig.message(link, accusing(&said));
    assert!(is_down(&mut rig, 5));
}

/// R50: one message costs 64 checks at most, and what is beyond them is lost; what is over the limit
/// of its accuser, or by nobody, costs none.
#[test]
fn what_accusations_cost_is_bounded() {
    let (mut rig, link) = knowing(Signing::Require);
    let subjects: Vec<_> = (100..200).map(|n| undialled(n).signed()).collect();
    rig.message(link, push(1, &subjects));
    rig.pass_s(1);
    let at = |n, by| signed(accusation(n, by));
    let of_one: Vec<_> = (100..164).map(|n| at(n, 3)).collect();
    let before = rig.node.stats();
    rig.message(link, accusing(&of_one));
    let after = rig.node.stats();
    assert_eq!(after.signatures_checked - before.signatures_checked, 8);
    assert_eq!(after.accusations_dropped - before.accusations_dropped, 56);

    let by_nobody: Vec<_> = (100..164).map(|n| at(n, 1_000 + n)).collect();
    rig.message(link, accusing(&by_nobody));
    assert_eq!(
        rig.node.stats().signatures_checked,
        after.signatures_checked
    );

    // Half of what an input may take is kept for pages that wait.
    rig.credits = false;
    let records: Vec<_> = (300..700).map(|n| undialled(n).signed()).collect();
    let other = member(&mut rig, 7);
    rig.message(other, push(1, &records));
    let by_many: Vec<_> = (100..164).map(|n| at(n, n + 1)).collect();
    let before = rig.node.stats();
    rig.message(link, accusing(&by_many));
    let after = rig.node.stats();
    assert_eq!(after.accusations_dropped - before.accusations_dropped, 32);
    assert!(after.signatures_checked - before.signatures_checked <= 64);
}

/// R50: while a cluster changes over, those who do not sign are heard, and nobody accuses in the name
/// of one who does.
#[test]
fn accept_takes_unsigned_ones_of_those_who_do_not_sign() {
    let (mut rig, link) = knowing(Signing::Accept);
    let _other = member(&mut rig, 7);
    let unsigned: Vec<_> = (10..12).map(rec).collect();
    rig.message(link, rumour(&unsigned));
    rig.message(link, accusing(&[accusation(5, 3), accusation(5, 4)]));
    assert_eq!(rig.node.stats().accusations_unproven, 2);
    assert!(!is_down(&mut rig, 5));
    rig.message(link, accusing(&[accusation(5, 1)]));
    assert_eq!(rig.node.stats().accusations_unproven, 3, "its own name");
    relayed(&mut rig);
    rig.message(link, accusing(&[accusation(5, 10), accusation(5, 11)]));
    assert_eq!(rig.node.stats().accusations_unproven, 3);
    let of: Vec<NodeId> = relayed(&mut rig).iter().map(|a| a.by).collect();
    assert!(of.contains(&id(10)) && of.contains(&id(11)), "{of:?}");
}

/// R50: where signatures mean nothing none is carried.
#[test]
fn off_carries_no_signature() {
    let (mut rig, link) = knowing(Signing::Off);
    let _other = member(&mut rig, 7);
    relayed(&mut rig);
    rig.message(link, accusing(&[accused_by(accusation(5, 4), id(9), "x")]));
    let passed = relayed(&mut rig);
    assert!(!passed.is_empty());
    assert!(passed.iter().all(|a| *a == accusation(5, 4)), "{passed:?}");
    assert_eq!(rig.node.stats().signatures_checked, 0);
}
