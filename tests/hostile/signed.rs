//! Signed records (R50): what a relay, a stranger to the key or another cluster can make of them.

use std::sync::Arc;

use peer_exchange::wire::{self, Hello, Message, SIGNED_ONLY, SIGNS};
use peer_exchange::{
    CloseReason, Config, Event, Identity, Input, Instant, LinkId, Mismatch, Node, PeerFault,
    Signing,
};
use peer_exchange_memory::MockSeal;

use crate::support::build::*;
use crate::support::rig::{Rig, SEED, config, identity, records_in};

fn sealed(n: u32) -> Identity {
    identity(n).with_seal(Arc::new(MockSeal::new(id(n))))
}

fn rig_with(n: u32, config: Config) -> Rig {
    Rig::of(Node::new(config, sealed(n), SEED, Instant::ZERO).unwrap())
}

/// Node 1 of a cluster that requires signatures.
fn rig() -> Rig {
    rig_with(1, Config::default().with_signing(Signing::Require))
}

/// An incoming link from node `n`, which signs.
fn member(rig: &mut Rig, n: u32) -> LinkId {
    let link = rig.mute_link(n);
    rig.message(link, hello_with(SIGNS, u64::from(n) + 1));
    link
}

/// Every record that was sent since the last call.
fn told(rig: &mut Rig) -> Vec<(peer_exchange::NodeId, bool)> {
    let sent = std::mem::take(&mut rig.sent);
    let records = sent.iter().filter_map(|(_, m)| records_in(m));
    records
        .flat_map(|page| page.iter().map(|r| (r.node, r.signature.is_some())))
        .collect()
}

/// What others make of a signed record of node 3.
fn altered() -> Vec<(&'static str, Rec)> {
    let good = || rec(3).version(5).beat(2).signed();
    let with = |change: fn(&mut Rec)| {
        let mut record = good();
        change(&mut record);
        record
    };
    vec![
        ("another body", with(|r| r.body = body_of(66))),
        ("a leaving", with(|r| r.body.clear())),
        ("a higher version", with(|r| r.sequence.version += 1)),
        ("a lower version", with(|r| r.sequence.version -= 1)),
        ("a higher beat", with(|r| r.sequence.beat += 1)),
        ("another node", with(|r| r.node = id(4))),
        (
            "a bit of the signature",
            with(|r| r.signature.as_mut().unwrap()[63] ^= 0x80),
        ),
        ("no signature", with(|r| r.signature = None)),
        ("another's key", rec(3).version(5).signed_by(id(9), "")),
        ("another cluster", rec(3).version(5).signed_in("staging")),
    ]
}

/// R50: nothing of it is stored or relayed, it is counted, and who relayed it is not blamed: it
/// may have been taken in by somebody else.
#[test]
fn whatever_a_relay_alters_is_refused_and_counted() {
    for (what, record) in altered() {
        let mut rig = rig();
        let (link, _other) = (member(&mut rig, 2), member(&mut rig, 7));
        told(&mut rig);
        for (i, carry) in [rumour([&record]), push(1, [&record])]
            .into_iter()
            .enumerate()
        {
            rig.message(link, carry);
            assert_eq!(rig.node.stats().records_unproven, 1 + i as u64, "{what}");
        }
        assert_eq!(rig.node.peer_count(), 0, "{what}");
        assert!(
            told(&mut rig).iter().all(|(node, _)| *node == id(1)),
            "{what}"
        );
        assert_eq!(
            rig.take_events(|e| matches!(e, Event::Blamed { .. })),
            [],
            "{what}"
        );
        assert!(rig.is_up(link), "{what}");
        rig.message(link, rumour([&rec(3).version(5).beat(2).signed()]));
        assert!(rig.knows(3), "the author is not locked out by {what}");
    }
}

/// R50: the same in the place of a record that is known.
#[test]
fn nothing_altered_replaces_what_is_known() {
    for (what, record) in altered() {
        let mut rig = rig();
        let link = member(&mut rig, 2);
        let known = rec(3).version(4).signed();
        rig.message(link, rumour([&known]));
        rig.take_events(|_| true);
        rig.message(link, rumour([&record]));
        let peer = rig.node.peer(&id(3)).expect(what);
        assert_eq!(
            (peer.sequence, peer.addresses),
            (seq(4, 0), vec![address(3)])
        );
        let told = rig.take_events(|e| !matches!(e, Event::Blamed { .. }));
        assert_eq!(told, [], "{what}");
        let stats = rig.node.stats();
        assert_eq!(stats.records_unproven, 1, "{what}");
        assert_eq!(stats.records_conflicting, 0, "{what}");
    }
}

/// R7, R50: of the sender's own record nobody else can be the author. Beyond 16 points it is banned.
#[test]
fn who_does_not_sign_its_own_record_is_blamed() {
    let mut rig = rig();
    let link = member(&mut rig, 3);
    let mut points = 0;
    while rig.is_up(link) {
        rig.message(link, rumour([&rec(3).version(5).signed_by(id(9), "")]));
        points += 1;
        assert!(points <= 17);
    }
    let blamed = rig.take_events(
        |e| matches!(e, Event::Blamed { node, fault: PeerFault::Unproven, .. } if *node == id(3)),
    );
    assert_eq!(blamed.len(), points);
    assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
}

/// R50: a signature stays good for ever; an old record is refused for its age, without a check.
#[test]
fn an_old_record_is_refused_by_its_sequence() {
    let mut rig = rig();
    let link = member(&mut rig, 2);
    let old = rec(3).version(4).signed();
    rig.message(link, rumour([&old]));
    rig.message(link, rumour([&rec(3).version(5).signed()]));
    let before = rig.node.stats();
    rig.message(link, rumour([&old]));
    let after = rig.node.stats();
    assert_eq!(after.signatures_checked, before.signatures_checked);
    assert_eq!(after.records_known, before.records_known + 1);
    assert_eq!(rig.node.peer(&id(3)).unwrap().sequence, seq(5, 0));
}

/// R50: otherwise a relay keeps the dead alive, one beat after the other.
#[test]
fn a_higher_beat_is_its_nodes_word_too() {
    let mut rig = rig();
    let link = member(&mut rig, 2);
    let record = rec(3).life(100).signed();
    rig.message(link, rumour([&record]));
    rig.message(link, rumour([&record.beat(1).life(1_700)]));
    assert_eq!(rig.node.stats().records_unproven, 1);
    assert_eq!(rig.node.peer(&id(3)).unwrap().sequence, seq(1, 0));
    let renewed = rec(3).beat(1).life(1_700).signed();
    rig.message(link, rumour([&renewed]));
    assert_eq!(rig.node.peer(&id(3)).unwrap().sequence, seq(1, 1));
    // Passed on, it has the signature of its beat.
    let answer = rig.ask(link, request(77));
    let page = records_in(&Message::Response(answer)).unwrap().clone();
    let passed = page.iter().find(|r| r.node == id(3)).unwrap();
    assert_eq!(passed.signature, renewed.signature.as_ref());
}

/// R50: what comes from many is checked once.
#[test]
fn a_record_is_checked_once() {
    let mut rig = rig();
    for n in 10..20 {
        let link = member(&mut rig, n);
        rig.message(link, push(1, [&rec(3).signed()]));
    }
    assert_eq!(rig.node.stats().signatures_checked, 1);
    assert!(rig.knows(3));
}

/// R5, R50: only the own key makes a record that counts as another life of the node.
#[test]
fn a_forged_record_of_the_node_itself_moves_nothing() {
    let mut rig = rig();
    let link = member(&mut rig, 2);
    let own = rig.node.sequence();
    for forged in [
        rec(1).version(9),
        rec(1).version(9).signed_by(id(2), ""),
        rec(1).version(1).body(body_of(66)).signed_by(id(2), ""),
    ] {
        rig.message(link, rumour([&forged]));
    }
    assert_eq!(rig.node.sequence(), own);
    assert_eq!(rig.node.stats().records_unproven, 3);
    rig.message(link, rumour([&rec(1).version(9).signed()]));
    assert_eq!(rig.node.sequence(), seq(10, 0), "a clone, or an older self");
}

/// R50: while a cluster changes over, both kinds are taken, and signatures cannot be stripped.
#[test]
fn accept_takes_unsigned_records_but_not_for_signed_ones() {
    let mut rig = rig_with(1, Config::default().with_signing(Signing::Accept));
    let link = rig.link(2);
    rig.message(link, rumour([&rec(3), &rec(4).signed()]));
    assert!(rig.knows(3) && rig.knows(4));
    rig.message(link, rumour([&rec(3).version(2), &rec(4).version(2)]));
    let version = |rig: &Rig, n| rig.node.peer(&id(n)).unwrap().sequence.version;
    assert_eq!((version(&rig, 3), version(&rig, 4)), (2, 1));
    assert_eq!(rig.node.stats().records_unproven, 1);
    rig.message(link, rumour([&rec(4).version(2).body(Vec::new())]));
    assert!(rig.knows(4), "nor by an unsigned leaving");
    rig.message(link, rumour([&rec(5).signed_by(id(9), "")]));
    assert!(!rig.knows(5), "what is signed has to be signed well");
    rig.message(link, rumour([&rec(3).version(3).signed()]));
    assert_eq!(version(&rig, 3), 3);
}

/// R50: for those who check them, while a cluster changes over; here they mean nothing.
#[test]
fn off_carries_signatures_and_believes_none() {
    let mut rig = Rig::new(1, config(|_| {}));
    let (link, _other) = (rig.link(2), rig.link(7));
    told(&mut rig);
    rig.message(link, rumour([&rec(3).signed_by(id(9), "nonsense")]));
    assert!(rig.knows(3));
    assert!(told(&mut rig).contains(&(id(3), true)));
    assert_eq!(rig.node.stats().signatures_checked, 0);
    rig.message(link, rumour([&rec(3).version(2)]));
    assert!(told(&mut rig).contains(&(id(3), false)), "it signs no more");
    let known = rig.node.peer(&id(3)).unwrap();
    assert_eq!((known.sequence.version, known.signed), (2, false));
}

/// `n` signed records from node 100 on.
fn many(n: u32) -> Vec<Rec> {
    (100..100 + n).map(|n| undialled(n).signed()).collect()
}

/// R50: one input costs 64 checks at most; meanwhile others are answered, and the order of the
/// link is kept.
#[test]
fn a_large_page_is_checked_in_turns() {
    let mut rig = rig();
    let (big, small) = (member(&mut rig, 2), member(&mut rig, 3));
    let records = many(400);
    rig.message(big, push(1, &records));
    rig.message(
        big,
        rumour([&undialled(100).version(2).body(Vec::new()).signed()]),
    );
    let checked = rig.node.stats().signatures_checked;
    assert!((32..=128).contains(&checked), "two inputs: {checked}");
    assert_eq!(
        rig.node.peer_count(),
        0,
        "nothing is taken before all is checked"
    );
    // What is sent is an input each when it has left: not here.
    rig.credits = false;
    let answer = rig.ask(small, request(5));
    assert!(answer.busy.is_none());
    let (mut checked, mut inputs) = (rig.node.stats().signatures_checked, 0);
    while rig.node.peer_count() == 0 {
        assert_eq!(rig.wake, Some(rig.now), "it goes on at once");
        rig.input(Input::Wake);
        let now = rig.node.stats().signatures_checked;
        // What the last of them sends is an input each, when it has left.
        assert!(
            rig.node.peer_count() > 0 || now - checked <= 64,
            "{now} {checked}"
        );
        (checked, inputs) = (now, inputs + 1);
    }
    assert!(inputs >= 3, "{inputs}");
    rig.pass_s(1);
    assert_eq!(rig.node.stats().signatures_checked, 401);
    assert!(!rig.knows(100), "its leaving came after it");
    assert_eq!(rig.node.peer_count(), 399);
}

/// R22, R50: what comes behind a page that is being checked waits up to a bound; beyond it is lost,
/// and counted.
#[test]
fn what_waits_behind_a_page_is_bounded() {
    let mut rig = rig();
    let link = member(&mut rig, 2);
    let pages: Vec<_> = many(2_000).chunks(400).map(|c| push(1, c)).collect();
    for page in &pages {
        rig.message(link, page.clone());
    }
    let lost = rig.node.stats().unchecked_dropped;
    assert!((1..=2).contains(&lost), "{lost}");
    rig.pass_s(1);
    assert_eq!(rig.node.peer_count() as u64, 400 * (5 - lost));
    rig.message(link, pages[4].clone());
    rig.pass_s(1);
    assert_eq!(
        rig.node.peer_count() as u64,
        400 * (6 - lost),
        "the link goes on"
    );
}

/// R4, R50: a leaver says goodbye and is gone; its leaving is taken though a page waits.
#[test]
fn a_leaving_behind_a_page_outlives_its_link() {
    let mut rig = rig();
    let link = member(&mut rig, 2);
    rig.message(link, rumour([&rec(2).signed()]));
    rig.message(link, push(1, &many(400)));
    rig.message(link, rumour([&rec(2).version(2).body(Vec::new()).signed()]));
    assert!(rig.knows(2));
    rig.input(Input::LinkDown {
        link,
        orderly: true,
    });
    assert!(!rig.knows(2));
    assert_eq!(rig.node.peer_count(), 0, "the page is lost with its link");
    rig.pass_s(1);
}

/// R50: who signs nothing, and who is of a cluster of another name, is told so and left alone.
#[test]
fn clusters_that_differ_part_at_the_hello() {
    let signing = |signing| Config::default().with_signing(signing);
    let named = |name: &str| Config::default().with_cluster(name.into());
    let hello = |features, cluster| Hello {
        min_version: 1,
        max_version: 1,
        features,
        epoch: 1,
        cluster,
        seen: None,
    };
    let staging = {
        let mut rig = rig_with(1, named("staging"));
        let link = rig.mute_link(2);
        let hellos = rig.take(link);
        let Message::Hello(hello) = &hellos[0] else {
            panic!("{hellos:?}");
        };
        hello.cluster
    };
    assert_ne!(staging, 0);
    let cases = [
        (
            signing(Signing::Require),
            hello(0, 0),
            Some(Mismatch::Signing),
        ),
        (signing(Signing::Require), hello(SIGNS, 0), None),
        (signing(Signing::Accept), hello(0, 0), None),
        (
            signing(Signing::Accept),
            hello(SIGNS | SIGNED_ONLY, 0),
            None,
        ),
        (signing(Signing::Off), hello(SIGNS, 0), None),
        (
            signing(Signing::Off),
            hello(SIGNS | SIGNED_ONLY, 0),
            Some(Mismatch::Signing),
        ),
        (named("staging"), hello(0, staging), None),
        (named("staging"), hello(0, 0), Some(Mismatch::Name)),
        (named("production"), hello(0, staging), Some(Mismatch::Name)),
    ];
    for (config, hello, expected) in cases {
        let case = format!("{:?} {:?} meets {hello:?}", config.signing, config.cluster);
        let mut rig = rig_with(1, config);
        let link = rig.mute_link(2);
        rig.message(link, Message::Hello(hello));
        let parted = rig.take_events(|e| matches!(e, Event::OtherCluster { .. }));
        let node = id(2);
        let told = expected.map(|what| Event::OtherCluster { node, what });
        assert_eq!(parted, told.into_iter().collect::<Vec<_>>(), "{case}");
        let closed = expected.map(|_| CloseReason::OtherCluster);
        assert_eq!(rig.why_closed(link), closed, "{case}");
        let reason = wire::GoodbyeReason::OtherCluster;
        let said = rig
            .take(link)
            .iter()
            .any(|m| matches!(m, Message::Goodbye(g) if g.reason == reason));
        assert_eq!(said, expected.is_some(), "{case}");
    }
}

/// R50: there is nothing to sign with.
#[test]
fn a_node_that_is_to_sign_needs_a_seal() {
    let config = Config::default().with_signing(Signing::Require);
    let refused = Node::new(config, identity(1), SEED, Instant::ZERO).unwrap_err();
    assert!(
        refused.to_string().starts_with("signing is out of range"),
        "{refused}"
    );
    let long = Config::default().with_cluster("x".repeat(65));
    assert_eq!(long.check().unwrap_err().field, "cluster");
}

/// R29, R50: records of an earlier life were checked when they came. Those that were not, or not
/// in this cluster's name, are dial hints.
#[test]
fn of_a_snapshot_only_what_was_signed_in_this_cluster_is_taken() {
    let config = |signing, name: &str| {
        let named = Config::default().with_cluster(name.into());
        named.with_signing(signing)
    };
    let snapshot = |signing| {
        let mut rig = rig_with(1, config(signing, ""));
        let link = member(&mut rig, 2);
        rig.message(link, rumour([&rec(3).signed()]));
        assert!(rig.knows(3));
        rig.node.snapshot(rig.now)
    };
    let restored = |bytes: &[u8], config| {
        let (now, elapsed) = (Instant::ZERO, Some(std::time::Duration::from_secs(1)));
        let node = Node::restore(config, sealed(1), SEED, now, bytes, elapsed).unwrap();
        (node.peer_count(), node.stats().hints)
    };
    let (signed, unsigned) = (snapshot(Signing::Require), snapshot(Signing::Off));
    let require = |name| config(Signing::Require, name);
    assert_eq!(restored(&signed, require("")), (1, 0));
    assert_eq!(restored(&unsigned, require("")), (0, 1));
    assert_eq!(restored(&signed, require("staging")), (0, 1));
    assert_eq!(restored(&unsigned, config(Signing::Accept, "")), (1, 0));
}

/// R46, R50: who has no room for a record passes it on all the same, but not before it is checked.
#[test]
fn a_full_table_passes_on_only_what_is_proven() {
    let mut rig = rig_with(
        1,
        config(|c| {
            c.capacity = 8;
            c.signing = Signing::Require;
        }),
    );
    let (link, _other) = (member(&mut rig, 2), member(&mut rig, 7));
    rig.message(link, push(1, &many(200)));
    rig.pass_s(5);
    told(&mut rig);
    let forged: Vec<_> = (1_000..1_100)
        .map(|n| rec(n).signed_by(id(9), ""))
        .collect();
    let good: Vec<_> = (2_000..2_100).map(|n| rec(n).signed()).collect();
    for record in forged.iter().chain(&good) {
        rig.message(link, rumour([record]));
    }
    let told = told(&mut rig);
    let of = |list: &[Rec]| {
        list.iter()
            .filter(|r| told.contains(&(r.node, true)))
            .count()
    };
    assert_eq!((of(&forged), rig.node.stats().records_unproven), (0, 100));
    assert!(of(&good) > 30, "{}", of(&good));
}
