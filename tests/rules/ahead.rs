//! A full table looks along its upstreams, beyond its capacity (R47).

use std::time::Duration;

use peer_exchange::limits::caps;
use peer_exchange::wire::{Message, Request, Response};
use peer_exchange::{Event, LinkId, NodeId};

use crate::support::build::*;
use crate::support::rig::{Rig, below};

const ROOM: usize = 64;
const UPSTREAM: u32 = 9;
/// The nodes on the way from the upstream to node 1.
const WAY: std::ops::Range<u32> = 50_000..50_020;

/// They are of as many subnets.
fn far(n: u32) -> u32 {
    n * 256 + 9
}

/// Whoever asks the next one on the way, the last of them node 1.
fn on_way(n: u32) -> Rec {
    let next = if n + 1 == WAY.end { 1 } else { far(n + 1) };
    rec(far(n)).asking(&[next])
}

/// Node 1, whose table is full and has had to choose, and its upstream, which asks the first on the way.
fn crowded() -> (Rig, LinkId) {
    watching(None)
}

/// The same; others are watched, or not.
fn watching(detection: Option<Duration>) -> (Rig, LinkId) {
    let mut config = below(UPSTREAM);
    config.capacity = ROOM;
    config.detection = detection;
    let mut rig = Rig::new(1, config);
    let upstream = rig.upstream(UPSTREAM);
    for i in 0..10 {
        let link = rig.link(20 + i);
        let first = 1_000 + 100 * i;
        let records: Vec<_> = (first..first + 20).map(|n| rec(far(n))).collect();
        rig.message(link, push(&records));
    }
    rig.pass_answering(60);
    let says = rec(UPSTREAM).version(2).asking(&[far(WAY.start)]);
    rig.message(upstream, push([&says]));
    assert!(rig.node.is_crowded());
    assert_eq!(rig.node.peer_count(), ROOM - 1);
    (rig, upstream)
}

/// Answers everything that is asked for so long; a fetch from what `knows` has. Returned are the fetches.
fn answering(
    rig: &mut Rig,
    upstream: LinkId,
    time: Duration,
    knows: impl Fn(u32) -> Option<Rec>,
) -> Vec<Request> {
    let mut fetches = Vec::new();
    let until = rig.now + time;
    while rig.now < until {
        let asked = std::mem::take(&mut rig.sent).into_iter();
        let asked = asked.filter_map(|(link, message)| match message {
            Message::Request(request) => Some((link, request)),
            _ => None,
        });
        for (link, request) in asked.collect::<Vec<_>>() {
            let mut answer = response(request.id);
            if request.is_fetch() && link == upstream {
                let begins = |n: &u32| {
                    let id = id(far(*n));
                    request
                        .fetch
                        .chunks(8)
                        .any(|p| id.as_bytes().starts_with(p))
                };
                let found: Vec<_> = WAY.filter(begins).filter_map(&knows).collect();
                answer.records = page(&found);
                fetches.push(request);
            }
            rig.message(link, Message::Response(answer));
        }
        rig.pass(Duration::from_millis(20));
    }
    fetches
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn beyond(rig: &Rig) -> usize {
    let sizes = rig.node.sizes().into_iter();
    sizes
        .filter(|(what, ..)| *what == "beyond")
        .map(|(_, n, _)| n)
        .sum()
}

fn cycles(rig: &Rig) -> Vec<Vec<NodeId>> {
    let loops = rig.node.loops().filter(|l| l.present);
    loops.map(|l| l.path).collect()
}

#[test]
fn a_cycle_is_found_beyond_the_table() {
    let (mut rig, upstream) = crowded();
    answering(&mut rig, upstream, MINUTE, |n| Some(on_way(n)));
    let way = WAY.map(|n| id(far(n)));
    let mut expected: Vec<_> = [id(1), id(UPSTREAM)].into_iter().chain(way).collect();
    let smallest = expected.iter().min().copied();
    let at = expected.iter().position(|id| Some(*id) == smallest);
    expected.rotate_left(at.unwrap());
    assert_eq!(cycles(&rig), [expected]);
    assert_eq!(rig.node.peer_count(), ROOM - 1, "no more than fit");
    assert!(beyond(&rig) > 4, "{}", beyond(&rig));
    // The same edges are on the map.
    let map = rig.node.topology();
    let asks = |n: u32| {
        map.iter()
            .find(|a| a.node == id(far(n)))
            .map(|a| a.upstreams.len())
    };
    assert!(WAY.map(asks).all(|asks| asks == Some(1)));
}

/// An upstream is asked for what lies ahead of it: it keeps that for itself.
#[test]
fn what_is_kept_is_told_to_whoever_asks_for_it() {
    let (mut rig, upstream) = crowded();
    answering(&mut rig, upstream, MINUTE, |n| Some(on_way(n)));
    let asker = rig.link(60);
    let mut request = request(9);
    request.fetch = WAY
        .flat_map(|n| id(far(n)).as_bytes()[..8].to_vec())
        .collect();
    let told = rig.ask(asker, request).records;
    assert_eq!(told.len(), WAY.len());
}

#[test]
fn what_does_not_come_is_asked_for_ever_more_rarely() {
    let (mut rig, upstream) = crowded();
    let first = answering(&mut rig, upstream, MINUTE, |_| None).len();
    assert!((3..=13).contains(&first), "{first} in the first minute");
    answering(&mut rig, upstream, 30 * MINUTE, |_| None);
    let later = answering(&mut rig, upstream, 60 * MINUTE, |_| None).len();
    assert!((1..=7).contains(&later), "{later} in an hour");
    // It is there after all.
    answering(&mut rig, upstream, 15 * MINUTE, |n| Some(on_way(n)));
    assert_eq!(cycles(&rig).len(), 1);
}

/// R32: as for any other it takes two; a higher sequence refutes them.
#[test]
fn a_cycle_is_none_when_one_of_it_is_down() {
    let (mut rig, upstream) = watching(Some(3 * SECOND));
    answering(&mut rig, upstream, MINUTE, |n| Some(on_way(n)));
    let is_beyond = |n: &u32| rig.node.peer(&id(far(*n))).is_none();
    let some: Vec<u32> = WAY.filter(is_beyond).collect();
    let (silent, refutes) = (some[0], some[1]);
    let accuse =
        |rig: &mut Rig, n: u32, by| rig.message(upstream, accusing(&[accusation(far(n), by)]));
    let alive = |n: u32| (n != silent).then(|| on_way(n));
    accuse(&mut rig, silent, 700);
    accuse(&mut rig, silent, 700);
    answering(&mut rig, upstream, MINUTE, alive);
    assert_eq!(cycles(&rig).len(), 1, "one alone");
    accuse(&mut rig, refutes, 700);
    rig.message(upstream, news(place(1), [&on_way(refutes).version(2)]));
    accuse(&mut rig, refutes, 701);
    answering(&mut rig, upstream, MINUTE, alive);
    assert_eq!(cycles(&rig).len(), 1, "refuted");
    accuse(&mut rig, silent, 701);
    answering(&mut rig, upstream, MINUTE, alive);
    assert_eq!(cycles(&rig).len(), 0);
}

/// R4, R47: what its node says counts beyond the table, too.
#[test]
fn a_change_is_heard_of_beyond_the_table() {
    let (mut rig, upstream) = crowded();
    answering(&mut rig, upstream, MINUTE, |n| Some(on_way(n)));
    let is_beyond = |n: &u32| rig.node.peer(&id(far(*n))).is_none();
    let changed = WAY.rev().find(is_beyond).unwrap();
    let asks_none = rec(far(changed)).version(2);
    rig.message(upstream, news(place(1), [&asks_none]));
    answering(&mut rig, upstream, MINUTE, |_| None);
    assert_eq!(cycles(&rig).len(), 0);
    let asks_again = on_way(changed).version(3);
    rig.message(upstream, news(place(1), [&asks_again]));
    answering(&mut rig, upstream, MINUTE, |n| Some(on_way(n)));
    assert_eq!(cycles(&rig).len(), 1);
    let gone = rec(far(changed)).version(4).body(Vec::new());
    rig.message(upstream, news(place(1), [&gone]));
    answering(&mut rig, upstream, MINUTE, |n| {
        (n != changed).then(|| on_way(n))
    });
    assert_eq!(cycles(&rig).len(), 0);
}

/// R22: however much an upstream makes up.
#[test]
fn what_is_kept_is_limited() {
    let (mut rig, upstream) = crowded();
    // Each asks eight, who are as many more on the way.
    let tree = |n: u32| rec(n).asking(&(8 * n..8 * n + 8).collect::<Vec<_>>());
    let says = rec(UPSTREAM).version(3).asking(&[1_000_000]);
    rig.message(upstream, push([&says]));
    let mut known = std::collections::BTreeMap::new();
    let mut level = vec![1_000_000_u32];
    for _ in 0..4 {
        known.extend(level.iter().map(|n| (id(*n), tree(*n))));
        level = level.iter().flat_map(|n| 8 * n..8 * n + 8).collect();
    }
    let until = rig.now + MINUTE;
    while rig.now < until {
        for request in rig.take_requests(upstream) {
            let asked = |p: &[u8]| {
                known
                    .values()
                    .find(move |r| r.node.as_bytes().starts_with(p))
            };
            let found: Vec<_> = request.fetch.chunks(8).filter_map(asked).collect();
            let mut answer = Response::to(request.id);
            answer.records = page(found);
            rig.message(upstream, Message::Response(answer));
        }
        rig.pass(Duration::from_millis(20));
        assert!(beyond(&rig) <= caps::BEYOND);
    }
    assert!(beyond(&rig) > caps::BEYOND / 2, "{}", beyond(&rig));
    let told = rig.take_events(|e| matches!(e, Event::LoopDetected { .. }));
    assert_eq!(told.len(), 0);
}
