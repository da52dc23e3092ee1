//! Who is there, who says that another is not, and what follows (R31 to R35).

use std::time::Duration;

use peer_exchange::wire::{Accusation, Ask, Message, News, Update};
use peer_exchange::{Config, Event, LinkId, Position};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

fn watchful() -> Config {
    config(|c| c.detection = Some(Duration::from_secs(3)))
}

fn accusation(subject: u32, by: u32) -> Message {
    Message::Update(Update {
        news: Some(News {
            records: page([]),
            accusations: vec![Accusation {
                subject: id(subject),
                at: seq(1, 0),
                by: id(by),
            }],
            until: Position::new(0),
        }),
        ..Update::default()
    })
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
            accused: None,
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

/// R33.
#[test]
fn whoever_is_accused_refutes_it_by_a_higher_beat() {
    let (mut rig, link) = knowing(2..4, watchful());
    assert_eq!(rig.node.sequence(), seq(1, 0));
    rig.message(link, accusation(1, 3));
    assert_eq!(rig.node.sequence(), seq(1, 1));
    rig.message(link, accusation(1, 3));
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
    rig.message(link, accusation(5, 3));
    rig.pass_s(1);
    assert!(rig.knows(5), "one is not enough");
    rig.message(link, accusation(5, 4));
    rig.pass(Duration::from_millis(299));
    assert!(rig.knows(5), "it may refute it");
    rig.pass(Duration::from_millis(2));
    let events = rig.take_events(|e| matches!(e, Event::PeerDown { .. }));
    assert_eq!(events, [Event::PeerDown { node: id(5) }]);
    assert!(!rig.knows(5));
    rig.message(link, rumour(&[rec(5)]));
    assert!(!rig.knows(5), "not by what others have");
    let mut higher = rec(5);
    higher.sequence = seq(1, 1);
    rig.message(link, rumour(&[higher]));
    assert!(rig.knows(5));
    let events = rig.take_events(|e| matches!(e, Event::PeerUp { .. }));
    assert_eq!(events, [Event::PeerUp { node: id(5) }]);
}

/// R33: before the second accusation, a higher beat makes the first one void.
#[test]
fn a_refutation_voids_older_accusations() {
    let (mut rig, link) = knowing(2..7, watchful());
    rig.message(link, accusation(5, 3));
    let mut higher = rec(5);
    higher.sequence = seq(1, 1);
    rig.message(link, rumour(&[higher]));
    rig.take(link);
    rig.message(link, accusation(5, 4));
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
        rig.message(link, accusation(5, by));
        rig.message(link, accusation(1, by));
    }
    rig.pass_s(5);
    assert!(rig.knows(5));
    assert_eq!(rig.node.sequence(), seq(1, 0));
}
