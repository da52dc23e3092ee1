//! A full table (R22): what it is told, what it wants, and what it passes on without room for it.

use peer_exchange::limits::caps;
use peer_exchange::wire::{Message, Nodes, Request, Response, Shows};
use peer_exchange::{LinkId, NodeId};

use crate::support::build::*;
use crate::support::rig::{Rig, config, records_in};

const ROOM: usize = 64;
/// Node 1, ten links and the records that fill the table are of as many subnets.
const OTHERS: u32 = 1_000;

fn far(n: u32) -> Rec {
    rec(n * 256 + 9)
}

fn far_id(n: u32) -> NodeId {
    id(n * 256 + 9)
}

/// A node whose table is full and has had to choose, and its links.
fn crowded() -> (Rig, Vec<LinkId>) {
    let mut rig = Rig::new(1, config(|c| c.capacity = ROOM));
    let links: Vec<_> = (2..12).map(|n| rig.link(n)).collect();
    // By several, so that none has told too much.
    for (i, link) in links.iter().enumerate() {
        let first = OTHERS + 100 * i as u32;
        let records: Vec<_> = (first..first + 20).map(far).collect();
        rig.message(*link, push(&records));
    }
    rig.pass_answering(200);
    assert_eq!(rig.node.peer_count(), ROOM - 1);
    rig.sent.clear();
    rig.events.clear();
    (rig, links)
}

/// A request of a node that knows as many others.
fn full_asker(id: u32) -> Request {
    Request {
        count: 500,
        shows: Shows::Partial,
        ..request(id)
    }
}

fn named(nodes: &Nodes) -> Vec<[u8; 8]> {
    nodes.iter().map(|(prefix, _)| prefix).collect()
}

fn prefix(node: &NodeId) -> [u8; 8] {
    node.as_bytes()[..8].try_into().unwrap()
}

/// The beginnings of the nodes that are fetched when an answer names these.
fn wanted(
    rig: &mut Rig,
    link: LinkId,
    nodes: impl IntoIterator<Item = (NodeId, u64)>,
) -> Vec<Vec<u8>> {
    let asked = rig.asked(link);
    let nodes: Vec<_> = nodes.into_iter().collect();
    let answer = Response {
        count: 500,
        nodes: Nodes::of(nodes.into_iter()),
        ..Response::to(asked.id)
    };
    rig.message(link, Message::Response(answer));
    let mut fetch = rig.take_requests(link);
    fetch.retain(Request::is_fetch);
    let bytes = fetch.pop().map(|f| f.fetch).unwrap_or_default();
    bytes.chunks(8).map(<[u8]>::to_vec).collect()
}

#[test]
fn a_full_asker_is_told_nodes() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(&(100..300).map(rec).collect::<Vec<_>>()));
    let answer = rig.ask(link, full_asker(1));
    assert!(answer.records.is_empty() && !answer.nodes.is_empty());
    let answer = rig.ask(link, request(2));
    assert!(!answer.records.is_empty() && answer.nodes.is_empty());
}

#[test]
fn a_sample_has_a_bounded_size_and_the_own_record() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(5);
    rig.message(link, push(&(100..1_200).map(rec).collect::<Vec<_>>()));
    let first = rig.ask(link, full_asker(1)).nodes;
    // Some are drawn twice.
    assert!(
        (caps::SAMPLE * 3 / 4..=caps::SAMPLE).contains(&first.len()),
        "{}",
        first.len()
    );
    assert!(named(&first).contains(&prefix(&id(1))));
    let second = rig.ask(link, full_asker(2)).nodes;
    assert_ne!(first, second, "another sample each time");
}

#[test]
fn of_nodes_that_are_named_a_full_table_wants_those_it_would_keep() {
    let (mut rig, links) = crowded();
    let link = links[3];
    let kept: Vec<NodeId> = rig.node.peers().map(|p| p.node).collect();
    // Those that come next round the ring stay whatever their rank, which a name does not tell.
    let distance = |n: &NodeId| {
        let key = peer_exchange::RingKey::new("");
        key.position(n).get().wrapping_sub(place(1).get())
    };
    let mut next: Vec<u64> = kept.iter().map(distance).collect();
    next.sort_unstable();
    let offered = (20_000..20_200).filter(|n| distance(&far_id(*n)) > next[7]);
    let offered: Vec<u32> = offered.collect();
    let wanted = wanted(&mut rig, link, offered.iter().map(|n| (far_id(*n), 1)));
    assert!(
        !wanted.is_empty() && wanted.len() < offered.len() / 2,
        "{}",
        wanted.len()
    );
    // Each of them is taken in, and none of the others would have been.
    let fetched: Vec<_> = offered
        .iter()
        .filter(|n| wanted.contains(&far_id(**n).as_bytes()[..8].to_vec()))
        .collect();
    let stays = |rig: &Rig, n: u32| rig.node.peer(&far_id(n)).is_some();
    for n in &offered {
        if !fetched.contains(&n) {
            rig.message(link, push(&[far(*n)]));
            assert!(!stays(&rig, *n), "{n} would have been kept");
        }
    }
    assert_eq!(rig.node.peers().map(|p| p.node).collect::<Vec<_>>(), kept);
}

#[test]
fn of_known_nodes_a_newer_version_is_wanted() {
    let (mut rig, links) = crowded();
    let link = links[3];
    let known: Vec<NodeId> = rig
        .node
        .peers()
        .map(|p| p.node)
        .filter(|n| *n > id(OTHERS))
        .collect();
    // The lowest byte of the version is compared round the clock: 129 may be 1 less 128.
    let versions = [1, 2, 0, 100, 128, 200];
    let wanted = wanted(&mut rig, link, known.iter().copied().zip(versions));
    let expected: Vec<_> = [1, 3, 4]
        .map(|i: usize| known[i].as_bytes()[..8].to_vec())
        .into();
    let sorted = |mut list: Vec<Vec<u8>>| {
        list.sort();
        list
    };
    assert_eq!(sorted(wanted), sorted(expected));
}

/// Those of these that find no room.
fn without_room(rig: &mut Rig, link: LinkId, some: std::ops::Range<u32>) -> Vec<u32> {
    let refused = some.filter(|n| {
        rig.message(link, push([&far(*n)]));
        rig.node.peer(&far_id(*n)).is_none()
    });
    refused.collect()
}

/// R46: others have room for it, or know whoever has.
#[test]
fn news_without_room_goes_on_like_other_news() {
    let (mut rig, links) = crowded();
    let refused = without_room(&mut rig, links[2], 30_000..30_100);
    let about = far(refused[0]).version(2);
    rig.sent.clear();
    rig.message(links[2], news(place(1), [&about]));
    let told: Vec<_> = rig
        .sent
        .iter()
        .filter(|(_, m)| records_in(m).is_some())
        .collect();
    assert!(!told.is_empty());
    let record = |m: &Message| {
        let record = records_in(m).unwrap().iter().next().unwrap();
        (record.node, record.sequence.version, record.remaining_s)
    };
    let expected = (about.node, 2, about.remaining_s - 1);
    assert!(told.iter().all(|(_, m)| record(m) == expected), "R2");
    rig.sent.clear();
    for link in &links {
        rig.message(*link, news(place(1), [&about]));
    }
    let again = rig.sent.iter().any(|(_, m)| records_in(m).is_some());
    assert!(!again, "once");
    assert!(rig.node.peer(&about.node).is_none());
}

/// R46: who comes next round the ring has a place, whatever its rank, and an asker is told who comes
/// next after it.
#[test]
fn who_comes_next_stays_and_is_told() {
    let (mut rig, links) = crowded();
    let distance = |from: u32, n: u32| place(n).get().wrapping_sub(place(from).get());
    let mut some: Vec<u32> = (40_000..41_000).map(|n| n * 256 + 9).collect();
    some.sort_by_key(|n| distance(1, *n));
    some.reverse();
    for part in some.chunks(50) {
        let page: Vec<_> = part.iter().map(|n| rec(*n)).collect();
        rig.message(links[2], push(&page));
    }
    some.reverse();
    for n in &some[..8] {
        assert!(rig.knows(*n), "{n}");
    }
    let known: Vec<NodeId> = rig.node.peers().map(|p| p.node).chain([id(1)]).collect();
    // One whose link has not been closed since nobody needed it.
    let at = (3..links.len()).find(|at| rig.is_up(links[*at])).unwrap();
    let (asker, link) = (2 + at as u32, links[at]);
    rig.take(link);
    rig.message(link, Message::Request(full_asker(9)));
    let updates = rig.take_updates(link).into_iter();
    let news: Vec<_> = updates.filter_map(|u| Some(u.news?.records)).collect();
    let told: Vec<_> = news.iter().flat_map(|r| r.iter()).map(|r| r.node).collect();
    let key = peer_exchange::RingKey::new("");
    let from = place(asker).get();
    let others = known.iter().filter(|n| **n != id(asker));
    let next = others.min_by_key(|n| key.position(n).get().wrapping_sub(from));
    assert_eq!(told, [*next.unwrap()]);
}

/// R22, R46.
#[test]
fn what_goes_on_without_room_is_limited() {
    let (mut rig, links) = crowded();
    let refused = without_room(&mut rig, links[2], 40_000..41_000);
    let mut passed = 0;
    for n in &refused {
        rig.sent.clear();
        rig.message(links[(n % 10) as usize], news(place(1), [&far(*n)]));
        let has =
            |m: &Message| records_in(m).is_some_and(|r| r.iter().any(|r| r.node == far_id(*n)));
        let told = rig.sent.iter().any(|(_, m)| has(m));
        // Whether there is room is a matter of who tells, too.
        passed += usize::from(told && rig.node.peer(&far_id(*n)).is_none());
    }
    assert!(refused.len() > 300, "{}", refused.len());
    assert_eq!(passed, 256);
    rig.pass_answering(10);
    assert_eq!(rig.node.peer_count(), ROOM - 1);
}

#[test]
fn a_leaver_for_whom_there_was_no_room_stays_dead() {
    let (mut rig, links) = crowded();
    let refused = (30_000..30_100).find(|n| {
        rig.message(links[2], push([&far(*n)]));
        rig.node.peer(&far_id(*n)).is_none()
    });
    let n = refused.expect("most find no room");
    let before = rig.node.stats().certificates;
    rig.message(
        links[2],
        rumour([&far(n).version(2).body(Vec::new()).life(3_824)]),
    );
    assert_eq!(rig.node.stats().certificates, before + 1);
    let refusals = rig.node.stats().records_refused;
    rig.message(links[4], push([&far(n)]));
    assert_eq!(rig.node.stats().records_refused, refusals + 1);
}

#[test]
fn a_bad_record_does_not_go_on() {
    let (mut rig, links) = crowded();
    rig.sent.clear();
    for n in 50_000..50_040 {
        let bad = far(n).body(vec![0xff; 40]);
        rig.message(links[1], rumour([&bad]));
    }
    assert!(rig.sent.iter().all(|(_, m)| records_in(m).is_none()));
}

/// A better choice is nothing to hurry for, and much news is.
#[test]
fn a_few_that_take_the_place_of_others_are_no_news() {
    let (mut rig, links) = crowded();
    let calm = rig.node.pace();
    let better: Vec<_> = (60_000..60_400).map(far).collect();
    let mut few = 0;
    for record in &better {
        rig.message(
            links[(record.node.as_bytes()[2] % 10) as usize],
            push([record]),
        );
        few += usize::from(rig.node.peer(&record.node).is_some());
        assert_eq!(rig.node.pace(), calm);
    }
    assert!(few > 10, "{few} were better");
}

#[test]
fn the_own_record_goes_along_with_a_first_request() {
    let (mut rig, _) = crowded();
    let link = rig.link(700);
    let asked = rig.asked(link);
    assert_eq!(asked.shows, Shows::Partial);
    let pushed: Vec<_> = asked.records.iter().map(|r| r.node).collect();
    assert_eq!(pushed, [id(1)]);
}
