//! What a lost message must not cost: a whole quiet round of waiting.

use std::time::Duration;

use peer_exchange::wire::{Content, Digest, Message, Request, Update};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

const SOON: Duration = Duration::from_millis(250);

/// A node that has been at rest, with three links.
fn rested() -> (Rig, Vec<peer_exchange::LinkId>) {
    let mut rig = Rig::new(1, config(|_| {}));
    let links: Vec<_> = (5..8).map(|n| rig.link(n)).collect();
    rig.message(
        links[0],
        push(1, &(5..40).map(undialled).collect::<Vec<_>>()),
    );
    rig.pass_answering(600);
    rig.take_events(|_| true);
    rig.sent.clear();
    (rig, links)
}

fn asks_within(rig: &mut Rig, time: Duration) -> usize {
    rig.sent.clear();
    rig.pass(time);
    let requests = rig.sent.iter();
    requests
        .filter(|(_, m)| matches!(m, Message::Request(r) if !r.is_fetch()))
        .count()
}

/// Shows a table of so many records.
fn shows(id: u64, count: u32, partial: bool) -> Request {
    Request {
        digest: Digest {
            version: 90,
            count,
            fingerprint: 77,
            partial,
        },
        ..request(id)
    }
}

#[test]
fn who_was_shown_a_larger_table_does_not_rest() {
    for (count, partial, asks) in [(90, false, true), (20, false, false), (90, true, false)] {
        let (mut rig, links) = rested();
        assert_eq!(asks_within(&mut rig, SOON), 0);
        // The other half of this exchange is lost.
        rig.ask(links[1], shows(3, count, partial));
        assert_eq!(asks_within(&mut rig, SOON) > 0, asks, "{count} {partial}");
    }
}

#[test]
fn a_second_request_that_crosses_is_answered() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    let asked = rig.asked(link);
    rig.take(link);
    // A copy of the first is none.
    for id in [77, 77] {
        rig.message(link, Message::Request(request(id)));
        assert!(rig.take_responses(link).is_empty());
    }
    // This node's own request, then, has not arrived.
    rig.message(link, Message::Request(request(78)));
    assert_eq!(rig.take_responses(link).len(), 1);
    assert_eq!(rig.node.stats().requests_crossed, 2);
    rig.message(link, answer(asked.id, 3, &[rec(6)]));
    assert!(rig.knows(6), "a late answer is merged");
}

/// An announcement of 200 records that nobody here knows.
fn announcement() -> Message {
    let mut other = Rig::new(7, config(|_| {}));
    let link = other.link(1);
    let records: Vec<_> = (300..500).map(rec).collect();
    other.message(link, push(1, &records));
    let delta = other.ask(link, shows(3, 100, false)).delta;
    let content = delta.as_ref().map(|d| &d.content);
    assert!(matches!(content, Some(Content::Announced(_))));
    Message::Update(Update {
        delta,
        ..Update::default()
    })
}

#[test]
fn after_a_fetch_in_vain_another_is_asked_soon_but_not_for_ever() {
    let (mut rig, links) = rested();
    let mut soon = 0;
    for _ in 0..12 {
        rig.message(links[2], announcement());
        assert!(rig.take_requests(links[2]).iter().any(Request::is_fetch));
        // It is lost; and so is whatever else is asked in that time.
        rig.pass(Duration::from_millis(40));
        soon += usize::from(asks_within(&mut rig, SOON) > 0);
        rig.pass_answering(600);
    }
    assert_eq!(soon, 8);
}
