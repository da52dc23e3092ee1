//! What a lost message must not cost: a whole quiet round of waiting.

use std::time::Duration;

use peer_exchange::wire::{Message, Request};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

const SOON: Duration = Duration::from_millis(250);

/// A node that has been at rest, with three links.
fn rested() -> (Rig, Vec<peer_exchange::LinkId>) {
    let mut rig = Rig::new(1, config(|_| {}));
    let links: Vec<_> = (5..8).map(|n| rig.link(n)).collect();
    rig.message(links[0], push(&(5..40).map(undialled).collect::<Vec<_>>()));
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

/// R40: what it has wanted of an asker may be lost on its way.
#[test]
fn who_has_wanted_something_does_not_rest_before_it_comes() {
    for unknown in [0, 3] {
        let (mut rig, links) = rested();
        assert_eq!(asks_within(&mut rig, SOON), 0);
        let theirs: Vec<_> = (900..900 + unknown).map(rec).collect();
        let asked = Request {
            shows: filter(3, &theirs),
            ..request(3)
        };
        let answer = rig.ask(links[1], asked);
        assert_eq!(answer.wants.is_empty(), unknown == 0);
        let asks = asks_within(&mut rig, SOON);
        assert_eq!(asks > 0, unknown > 0, "{unknown}");
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
    rig.message(link, answer(asked.id, &[rec(6)]));
    assert!(rig.knows(6), "a late answer is merged");
}
