//! Who is there, who says that another is not, and what follows (R31 to R35).

use std::time::Duration;

use peer_exchange::wire::{Ask, Message};
use peer_exchange::{Config, Event, Input, LinkId, PeerState};

use crate::support::build::*;
use crate::support::rig::{Rig, config, watchful};

fn accused(subject: u32, by: u32) -> Message {
    accusing(&[accusation(subject, by)])
}

/// Node 1 knows these, and has a link with the first.
fn knowing(nodes: std::ops::Range<u32>, config: Config) -> (Rig, LinkId) {
    let mut rig = Rig::new(1, config);
    let link = rig.link(nodes.start);
    let records: Vec<_> = nodes.map(rec).collect();
    rig.message(link, rumour(&records));
    rig.take(link);
    rig.events.clear();
    (rig, link)
}

fn beats(rig: &mut Rig, link: LinkId) -> usize {
    let sent = rig.take(link);
    sent.iter()
        .filter(|m| matches!(m, Message::Beat(_)))
        .count()
}

/// R31: whoever asks is answered at once, and with its bit has a beat every third of D.
#[test]
fn whoever_watches_has_beats_until_it_wants_no_more() {
    let (mut rig, link) = knowing(2..4, watchful());
    let ask = |watch| {
        Message::Ask(Ask {
            watch,
            ..Ask::default()
        })
    };
    rig.message(link, ask(true));
    assert!(beats(&mut rig, link) >= 1, "it is there");
    let mut beaten = 0;
    for _ in 0..30 {
        rig.message(link, rumour(&[rec(2)]));
        rig.pass(Duration::from_millis(100));
        beaten += beats(&mut rig, link);
    }
    assert!((3..=4).contains(&beaten), "{beaten} in three seconds");
    rig.message(link, ask(false));
    assert_eq!(beats(&mut rig, link), 1);
    rig.pass_s(2);
    assert_eq!(beats(&mut rig, link), 0);
}

/// R31: of a table that fills a beat says nothing: it is another with each.
#[test]
fn a_beat_says_what_is_known_once_the_table_fills_no_more() {
    let (mut rig, link) = knowing(2..4, watchful());
    let asked = |rig: &mut Rig| {
        let ask = Ask {
            watch: true,
            ..Ask::default()
        };
        rig.message(link, Message::Ask(ask));
        let sent = rig.take(link).into_iter();
        let fingerprints = sent.filter_map(|m| match m {
            Message::Beat(beat) => Some(beat.fingerprint.is_some()),
            _ => None,
        });
        fingerprints.last()
    };
    assert_eq!(asked(&mut rig), Some(true));
    rig.message(link, push(&[rec(4)]));
    assert_eq!(asked(&mut rig), Some(false));
    rig.pass_s(1);
    rig.take(link);
    assert_eq!(asked(&mut rig), Some(true));
}

/// R33.
#[test]
fn whoever_is_accused_refutes_it_by_a_higher_beat() {
    let (mut rig, link) = knowing(2..4, watchful());
    assert_eq!(rig.node.sequence(), seq(1, 0));
    rig.message(link, accused(1, 3));
    assert_eq!(rig.node.sequence(), seq(1, 1));
    rig.message(link, accused(1, 3));
    assert_eq!(rig.node.sequence(), seq(1, 1), "that is an old one");
    assert_eq!(rig.node.stats().refutations, 1);
    let told = rig.take_updates(link);
    let told = told.iter().filter_map(|u| u.news.as_ref());
    let own = told.flat_map(|n| {
        n.records
            .iter()
            .map(|r| (r.node, r.sequence))
            .collect::<Vec<_>>()
    });
    assert_eq!(own.collect::<Vec<_>>(), [(id(1), seq(1, 1))]);
}

/// R32, R33, R35: two of those near it make a node down, and its own higher beat brings it back.
#[test]
fn two_near_ones_make_a_node_down_and_its_beat_brings_it_back() {
    let (mut rig, link) = knowing(2..7, watchful());
    rig.message(link, accused(5, 3));
    rig.pass_s(1);
    assert!(rig.knows(5), "one is not enough");
    rig.message(link, accused(5, 4));
    rig.pass(Duration::from_millis(299));
    assert!(rig.knows(5), "it may refute it");
    rig.pass(Duration::from_millis(2));
    let events = rig.take_events(|e| matches!(e, Event::PeerDown { .. }));
    assert_eq!(events, [Event::PeerDown { node: id(5) }]);
    assert!(!rig.knows(5));
    rig.message(link, rumour(&[rec(5)]));
    assert!(!rig.knows(5), "not by what others have");
    rig.message(link, rumour(&[rec(5).beat(1)]));
    assert!(rig.knows(5));
    let events = rig.take_events(|e| matches!(e, Event::PeerUp { .. }));
    assert_eq!(events, [Event::PeerUp { node: id(5) }]);
}

/// R52: of a node that speaks over a link only that node is believed; what others say of it counts
/// when it has been silent for T + D/24, and else it is asked to refute it.
#[test]
fn of_one_that_speaks_over_a_link_nobody_else_is_believed() {
    for speaks in [false, true] {
        let (mut rig, link) = knowing(2..7, watchful());
        let other = rig.link(3);
        rig.message(link, rumour(&[rec(6)]));
        rig.message(other, accused(2, 4));
        rig.message(other, accused(2, 5));
        rig.pass_s(1);
        assert!(rig.knows(2), "it was heard a second ago");
        if speaks {
            rig.take(link);
            rig.message(link, rumour(&[rec(6)]));
        }
        rig.pass(Duration::from_millis(300));
        assert_eq!(rig.knows(2), speaks);
        if speaks {
            let told = rig.take(link);
            let asked = |m: &Message| {
                matches!(
                    m,
                    Message::Ask(Ask {
                        accused: Some(_),
                        ..
                    })
                )
            };
            assert!(told.iter().any(asked), "{told:?}");
            rig.pass_s(5);
            assert!(rig.knows(2), "what was said is forgotten");
        }
    }
}

/// R33: before the second accusation, a higher beat makes the first one void.
#[test]
fn a_refutation_voids_older_accusations() {
    let (mut rig, link) = knowing(2..7, watchful());
    rig.message(link, accused(5, 3));
    rig.message(link, rumour(&[rec(5).beat(1)]));
    rig.take(link);
    rig.message(link, accused(5, 4));
    let told = rig.take_updates(link);
    let told = told.iter().filter_map(|u| u.news.as_ref());
    let newer: usize = told
        .map(|n| n.records.iter().filter(|r| r.node == id(5)).count())
        .sum();
    assert_eq!(newer, 1, "whoever is behind is told");
    rig.pass_s(1);
    assert!(rig.knows(5));
}

/// R32: where nobody watches, nobody is heard who accuses.
#[test]
fn without_a_detection_time_accusations_mean_nothing() {
    let (mut rig, link) = knowing(2..7, config(|c| c.detection = None));
    for by in [3, 4, 6] {
        rig.message(link, accused(5, by));
        rig.message(link, accused(1, by));
    }
    rig.pass_s(5);
    assert!(rig.knows(5));
    assert_eq!(rig.node.sequence(), seq(1, 0));
}

/// R32, R35: the state, since when and by whose word, and what was known of the node.
#[test]
fn states_are_seen_with_since_when_and_by_whose_word() {
    let (mut rig, link) = knowing(2..7, watchful());
    let seen = |rig: &Rig| rig.node.member(&id(5)).unwrap();
    let up = seen(&rig);
    assert_eq!((up.state, up.accused_by.len()), (PeerState::Up, 0));
    rig.pass_s(5);
    rig.message(link, accused(5, 3));
    let (suspect, first) = (seen(&rig), rig.node.now());
    assert_eq!(suspect.state, PeerState::Suspect);
    assert_eq!(
        (suspect.since, &suspect.accused_by[..]),
        (first, &[id(3)][..])
    );
    assert!(rig.knows(5), "it takes part");
    rig.message(link, accused(5, 4));
    rig.pass_s(1);
    let down = seen(&rig);
    assert_eq!(down.state, PeerState::Down);
    assert!(down.since > first && down.since <= rig.node.now());
    let mut by = down.accused_by.clone();
    by.sort_unstable();
    assert_eq!(by, [id(3), id(4)]);
    assert_eq!(
        (&down.addresses, &down.metadata),
        (&up.addresses, &up.metadata)
    );
    let stats = rig.node.stats();
    assert_eq!(
        (stats.peers_up, stats.peers_suspect, stats.peers_down),
        (4, 0, 1)
    );
    assert_eq!((stats.accusations_counted, stats.accusations_false), (2, 0));
    assert_eq!(stats.downs, 1);
    assert!(rig.node.peers().all(|p| p.node != id(5)), "it is of no use");
    let mut left = rec(6).version(2).body(Vec::new());
    left.remaining_s = 3_800;
    rig.message(link, rumour(&[left]));
    let left = rig.node.member(&id(6)).unwrap();
    assert_eq!(left.state, PeerState::Left);
    assert!(
        left.since >= up.since + Duration::from_secs(5),
        "not since it was known"
    );
    assert_eq!(rig.node.stats().peers_left, 1);
}

/// R33: accusations of somebody who then speaks were false.
#[test]
fn accusations_that_are_refuted_are_counted() {
    let (mut rig, link) = knowing(2..7, watchful());
    rig.message(link, accused(5, 3));
    rig.message(link, rumour(&[rec(5).beat(1)]));
    let stats = rig.node.stats();
    assert_eq!((stats.accusations_counted, stats.accusations_false), (1, 1));
    assert_eq!(rig.node.member(&id(5)).unwrap().state, PeerState::Up);
}

/// R34: told once, and taken back once.
#[test]
fn isolation_begins_and_ends_with_an_event() {
    let (mut rig, link) = knowing(2..4, watchful());
    let told =
        |rig: &mut Rig| rig.take_events(|e| matches!(e, Event::Isolated | Event::IsolationOver));
    rig.pass_s(4);
    assert_eq!(told(&mut rig), [Event::Isolated]);
    assert!(rig.node.is_isolated());
    rig.message(link, rumour(&[rec(2)]));
    assert_eq!(told(&mut rig), [Event::IsolationOver]);
    assert!(!rig.node.is_isolated());
}

/// R35: what this node has seen of the way to another is a fact of its own.
#[test]
fn a_lost_link_is_seen_beside_the_state() {
    let (mut rig, link) = knowing(2..4, watchful());
    let way = |rig: &Rig| {
        let peer = rig.node.member(&id(2)).unwrap();
        (peer.state, peer.linked, peer.link_lost)
    };
    assert_eq!(way(&rig), (PeerState::Up, true, false));
    rig.input(Input::LinkDown {
        link,
        orderly: false,
    });
    assert_eq!(way(&rig), (PeerState::Up, false, true));
    rig.link(2);
    assert_eq!(way(&rig), (PeerState::Up, true, false));
}

fn asks(rig: &mut Rig, link: LinkId) -> Vec<Ask> {
    let ask = |m| match m {
        Message::Ask(ask) => Some(ask),
        _ => None,
    };
    rig.take(link).into_iter().filter_map(ask).collect()
}

/// R30: of those before it, the nearest that do not watch it yet; and whoever is asked watches.
#[test]
fn whoever_is_watched_by_too_few_invites_those_before_it() {
    let (mut rig, link) = knowing(2..3, watchful());
    rig.answers = true;
    let invited = |asks: Vec<Ask>| asks.into_iter().filter(|ask| ask.invite).count();
    rig.pass(Duration::from_millis(3_200));
    assert_eq!(invited(asks(&mut rig, link)), 1, "nobody watches it");
    let ask = Ask {
        watch: true,
        invite: true,
        ..Ask::default()
    };
    rig.message(link, Message::Ask(ask));
    rig.take(link);
    for _ in 0..60 {
        rig.message(link, rumour(&[rec(2)]));
        rig.pass_s(1);
        assert_eq!(invited(asks(&mut rig, link)), 0, "the only other one does");
    }
}

/// R30: after how long a silence the node is asked whether it is there.
#[test]
fn of_two_detection_times_the_larger_counts() {
    for (named, asked_ms) in [(3_000, 1_125), (6_000, 2_250)] {
        let mut rig = Rig::new(1, watchful());
        let link = rig.link(2);
        let mut record = rec(2);
        if named != 3_000 {
            varint_field(4, named, &mut record.body);
        }
        rig.message(link, rumour(&[record.clone()]));
        rig.message(link, rumour(&[record]));
        rig.take(link);
        rig.pass(Duration::from_millis(asked_ms - 20));
        let doubts = |asks: Vec<Ask>| asks.into_iter().filter(|ask| !ask.invite).count();
        assert_eq!(doubts(asks(&mut rig, link)), 0, "{named}");
        rig.pass(Duration::from_millis(40));
        assert_eq!(doubts(asks(&mut rig, link)), 1, "{named}");
    }
}

/// R32: the process is gone, and its host says so.
#[test]
fn a_refused_dial_accuses_whom_a_dial_has_reached_before() {
    for refused in [true, false] {
        let (mut rig, other) = knowing(2..4, watchful());
        rig.pass_s(1);
        let Some((dial, _)) = rig
            .dials
            .iter()
            .find(|(_, t)| t.node() == Some(id(3)))
            .cloned()
        else {
            panic!("its ring is dialled");
        };
        let link = rig.land(dial, id(3), 9);
        rig.message(link, rumour(&[rec(3)]));
        rig.dials.clear();
        rig.input(Input::LinkDown {
            link,
            orderly: false,
        });
        rig.pass(Duration::from_millis(130));
        let Some((dial, _)) = rig
            .dials
            .iter()
            .find(|(_, t)| t.node() == Some(id(3)))
            .cloned()
        else {
            panic!("it is dialled afresh");
        };
        rig.message(other, rumour(&[rec(2)]));
        assert_eq!(rig.node.stats().accusations, 0);
        let input = match refused {
            true => Input::DialRefused { dial },
            false => Input::DialFailed { dial },
        };
        rig.input(input);
        assert_eq!(rig.node.stats().accusations, u64::from(refused));
    }
}
