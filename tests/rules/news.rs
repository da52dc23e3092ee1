//! News goes down one tree over the ring (R46).

use std::time::Duration;

use peer_exchange::wire::{Message, News};
use peer_exchange::{CloseReason, Input, LinkId, NodeId, Position};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

/// Node 1, linked with these others, which it knows and which are in the order of the ring.
struct Ring {
    rig: Rig,
    order: Vec<u32>,
    links: Vec<LinkId>,
}

fn in_order(others: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut order: Vec<_> = others.into_iter().collect();
    let distance = |n: &u32| place(*n).get().wrapping_sub(place(1).get());
    order.sort_by_key(distance);
    order
}

impl Ring {
    fn of(others: u32) -> Self {
        Self::linked(others, |_| true)
    }

    /// Those that `linked` says, by their rank from 1 on, are linked.
    fn linked(others: u32, linked: impl Fn(usize) -> bool) -> Self {
        Self::heard(others, linked, None)
    }

    /// With this detection time; without, nobody has to hear the own word (R52).
    fn heard(others: u32, linked: impl Fn(usize) -> bool, detection: Option<Duration>) -> Self {
        let order = in_order(10..10 + others);
        let mut rig = Rig::new(1, config(|c| c.detection = detection));
        let teller = rig.link(5_000);
        let records: Vec<_> = order.iter().map(|n| rec(*n)).collect();
        rig.message(teller, push(&records));
        let mut links = Vec::new();
        for (i, n) in order.iter().enumerate() {
            links.push(if linked(i + 1) {
                rig.link(*n)
            } else {
                LinkId::new(u64::MAX)
            });
        }
        let link = teller;
        rig.input(Input::LinkDown {
            link,
            orderly: true,
        });
        rig.sent.clear();
        Self { rig, order, links }
    }

    /// Where the node of this rank stands; 0 is node 1 itself.
    fn at(&self, rank: usize) -> Position {
        if rank == 0 {
            place(1)
        } else {
            place(self.order[rank - 1])
        }
    }

    fn id(&self, rank: usize) -> NodeId {
        id(self.order[rank - 1])
    }

    /// The news that was sent since the last time: to whom, and until where, by rank.
    fn told(&mut self) -> Vec<(usize, usize)> {
        let sent = news_of(&mut self.rig);
        let rank = |link: LinkId| 1 + self.links.iter().position(|l| *l == link).unwrap();
        let end = |p: Position| (0..=self.order.len()).find(|r| self.at(*r) == p).unwrap();
        sent.iter().map(|(l, n)| (rank(*l), end(n.until))).collect()
    }

    /// News about node 900 in this version, to be passed on until this rank.
    fn hears(&mut self, version: u64, until: usize) {
        let about = rec(900).version(version);
        let last = *self.links.last().unwrap();
        let until = self.at(until);
        self.rig.message(last, news(until, &[about]));
    }
}

fn news_of(rig: &mut Rig) -> Vec<(LinkId, News)> {
    let sent = std::mem::take(&mut rig.sent).into_iter();
    let news = sent.filter_map(|(link, m)| match m {
        Message::Update(u) => Some((link, u.news?)),
        _ => None,
    });
    news.collect()
}

/// R46.
#[test]
fn a_change_goes_to_the_ranks_each_with_its_part_of_the_ring() {
    let mut ring = Ring::of(20);
    ring.rig.input(Input::SetMetadata(b"a".to_vec()));
    let all = [(1, 2), (2, 4), (4, 8), (8, 16), (16, 0)];
    assert_eq!(ring.told(), all);
    // Few are all told.
    let mut ring = Ring::of(5);
    ring.rig.input(Input::SetMetadata(b"a".to_vec()));
    assert_eq!(ring.told(), [(1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]);
}

/// R52: without signatures those that have heard a node of late believe nobody else about it.
#[test]
fn a_change_goes_to_those_first_that_would_believe_nobody_else() {
    let detection = Some(Duration::from_secs(3));
    let mut ring = Ring::heard(20, |rank| [1, 2, 5, 11].contains(&rank), detection);
    ring.rig.input(Input::SetMetadata(b"a".to_vec()));
    assert_eq!(ring.told(), [(1, 2), (2, 5), (5, 11), (11, 0)]);
}

/// R46.
#[test]
fn news_goes_on_to_the_part_that_it_came_for() {
    let mut ring = Ring::of(20);
    ring.hears(1, 7);
    assert_eq!(ring.told(), [(1, 2), (2, 4), (4, 7)]);
    ring.hears(2, 1);
    assert_eq!(ring.told(), [], "to nobody");
    ring.hears(3, 0);
    assert_eq!(ring.told().len(), 5, "to all");
}

/// R46: an older, smaller part is still under way, or a larger one was lost on its way.
#[test]
fn what_comes_again_goes_on_only_beyond_what_was_served() {
    let mut ring = Ring::of(20);
    ring.hears(1, 6);
    assert_eq!(ring.told(), [(1, 2), (2, 4), (4, 6)]);
    ring.hears(1, 12);
    assert_eq!(ring.told(), [(4, 8), (8, 12)]);
    for until in [12, 6, 1] {
        ring.hears(1, until);
        assert_eq!(ring.told(), []);
    }
    ring.rig.pass_answering(11);
    ring.rig.sent.clear();
    ring.hears(1, 3);
    assert_eq!(ring.told(), [(1, 2), (2, 3)], "known, and passed on");
}

/// R46: what counts nowhere any more does not go on.
#[test]
fn what_is_stale_does_not_go_on() {
    let mut ring = Ring::of(20);
    ring.hears(5, 0);
    ring.told();
    ring.hears(4, 0);
    assert_eq!(ring.told(), []);
    let link = ring.links[3];
    ring.rig
        .message(link, news(ring.at(0), &[rec(901).body(vec![0xff; 40])]));
    ring.rig
        .message(link, news(ring.at(0), &[rec(902).life(1)]));
    assert_eq!(ring.told(), [], "bad, dying");
}

/// R46: its own record, which a neighbour has announced for it, goes through a node like others.
#[test]
fn news_about_oneself_goes_on() {
    let mut ring = Ring::of(20);
    let link = ring.links[19];
    ring.rig.message(link, news(ring.at(4), &[rec(1)]));
    assert_eq!(ring.told(), [(1, 2), (2, 4)]);
}

/// R46: whoever stands before it serves the part of a node that is not linked.
#[test]
fn where_a_rank_is_not_linked_the_one_before_has_its_part() {
    let mut ring = Ring::linked(20, |rank| rank != 2 && rank != 8);
    ring.rig.input(Input::SetMetadata(b"a".to_vec()));
    assert_eq!(ring.told(), [(1, 4), (4, 16), (16, 0)]);
}

/// R46: the successor, before whom stands nobody, is dialled, and told when it is there.
#[test]
fn the_successor_is_dialled_and_then_told() {
    let mut ring = Ring::linked(20, |rank| rank > 1);
    ring.rig.input(Input::SetMetadata(b"a".to_vec()));
    assert_eq!(ring.told(), [(2, 4), (4, 8), (8, 16), (16, 0)]);
    let dial = ring.rig.dials.pop().expect("a dial").0;
    ring.links[0] = ring.rig.land(dial, ring.id(1), 7);
    assert_eq!(ring.told(), [(1, 2)]);
}

/// R46: who cannot be reached is passed over, with all that it would have served.
#[test]
fn where_the_successor_cannot_be_reached_the_next_is_told() {
    let mut ring = Ring::linked(20, |rank| rank > 3);
    ring.hears(1, 0);
    assert_eq!(ring.told()[0], (4, 8));
    let dial = ring.rig.dials.pop().expect("a dial").0;
    ring.rig.dials.clear();
    ring.rig.input(Input::DialFailed { dial });
    assert_eq!(ring.told(), []);
    let dial = ring.rig.dials.pop().expect("the next is dialled").0;
    ring.links[1] = ring.rig.land(dial, ring.id(2), 7);
    assert_eq!(ring.told(), [(2, 4)]);
}

/// R46: a node that knows nobody of the ring begins with whom it is linked with.
#[test]
fn where_nobody_is_known_any_link_is_good_enough() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(7);
    rig.sent.clear();
    rig.input(Input::SetMetadata(b"a".to_vec()));
    let told = news_of(&mut rig);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0, told[0].1.until), (link, place(7)), "all round");
}

/// R46: whoever has not answered lately may not hear: the next in its part is told too.
#[test]
fn after_a_loss_the_next_is_told_too() {
    let mut ring = Ring::of(20);
    ring.rig.pass_answering(60);
    let link = ring.links[3];
    ring.rig.asked(link);
    ring.rig.pass(Duration::from_secs(1));
    ring.rig.pass_answering(5);
    ring.rig.sent.clear();
    ring.rig.input(Input::SetMetadata(b"a".to_vec()));
    let told = ring.told();
    assert!(told.contains(&(4, 8)) && told.contains(&(5, 8)), "{told:?}");
    ring.rig.pass_answering(70);
    ring.rig.sent.clear();
    ring.rig.input(Input::SetMetadata(b"b".to_vec()));
    let told = ring.told();
    assert!(
        told.contains(&(4, 8)) && !told.contains(&(5, 8)),
        "a minute later: {told:?}"
    );
}

/// R46, R15: what finds no room on its link waits, all of it for the furthest end.
#[test]
fn what_has_no_room_waits() {
    let mut ring = Ring::of(20);
    ring.rig.credits = false;
    for version in 1..10 {
        ring.hears(version, 2);
    }
    ring.hears(10, 4);
    let told = ring.told();
    assert!(told.len() < 10, "{told:?}");
    ring.rig.credits = true;
    let links = ring.links.clone();
    for link in &links[..2] {
        for _ in 0..4 {
            ring.rig.input(Input::Sent { link: *link });
        }
    }
    let sent = news_of(&mut ring.rig);
    let versions: Vec<_> = sent
        .iter()
        .map(|(_, n)| n.records.iter().next().unwrap().sequence.version)
        .collect();
    assert_eq!(versions.last(), Some(&10), "the newest");
}

/// R4, R46: the links of a leaver are about to close, so it tells over all that there are, each as
/// far as the next.
#[test]
fn a_leaver_tells_over_the_links_that_it_has() {
    let mut ring = Ring::linked(20, |rank| rank != 1 && rank != 4);
    ring.rig.input(Input::Leave);
    let ends: Vec<_> = news_of(&mut ring.rig)
        .iter()
        .map(|(_, n)| n.until)
        .collect();
    for rank in 1..=20 {
        let times = ends.iter().filter(|end| **end == ring.at(rank)).count();
        let linked = rank != 1 && rank != 4;
        assert_eq!(times, usize::from(linked), "the part that ends at {rank}");
    }
}

/// R46: several changes of one page go on together.
#[test]
fn a_page_of_news_goes_on_as_a_page() {
    let mut ring = Ring::of(20);
    let page: Vec<_> = ring.order.iter().map(|n| rec(*n).version(2)).collect();
    let link = ring.links[19];
    ring.rig.message(link, news(ring.at(4), &page));
    let sent = news_of(&mut ring.rig);
    let sizes: Vec<_> = sent.iter().map(|(_, n)| n.records.len()).collect();
    assert_eq!(sizes, [20, 20]);
}

/// R46: the ranks of the ring are linked once it is calm.
#[test]
fn the_ranks_are_dialled_once_the_ring_is_calm() {
    let mut rig = Rig::new(1, config(|c| c.link_idle = Duration::from_secs(5)));
    let teller = rig.link(5_000);
    let order = in_order(10..110);
    for some in order.chunks(20) {
        let records: Vec<_> = some.iter().map(|n| rec(*n)).collect();
        rig.message(teller, push(&records));
        rig.pass(Duration::from_millis(150));
    }
    let ranks = [1, 2, 4, 8, 16, 32, 64].map(|rank: usize| id(order[rank - 1]));
    let mut linked = Vec::new();
    for _ in 0..20 {
        rig.pass(Duration::from_millis(200));
        for (dial, target) in std::mem::take(&mut rig.dials) {
            if let peer_exchange::Target::Peer { node, .. } = target {
                rig.land(dial, node, 7);
                linked.push(node);
            }
        }
    }
    assert!(ranks.iter().all(|node| linked.contains(node)), "{linked:?}");
    let standing = rig.node.standing();
    assert_eq!(
        (standing.wanted, standing.linked, standing.left_out),
        (7, 7, 0)
    );
    // Rounds go to other links too: each is unused for longer than a link may be, and stays.
    for n in 9_000..9_020 {
        rig.link(n);
    }
    rig.pass_answering(400);
    let idle = rig.closed.iter().any(|(_, r)| *r == CloseReason::Idle);
    assert!(!idle, "{:?}", rig.closed);
    assert_eq!(rig.node.standing().linked, 7);
}

/// R22, R46: where there may be few links, the nearest ranks are kept, and the others are told of.
#[test]
fn with_few_links_the_nearest_ranks_are_kept() {
    let mut rig = Rig::new(1, config(|c| c.max_links = 4));
    let teller = rig.link(5_000);
    let records: Vec<_> = (10..110).map(rec).collect();
    rig.message(teller, push(&records));
    rig.pass(Duration::from_secs(2));
    let standing = rig.node.standing();
    assert_eq!((standing.wanted, standing.left_out), (2, 5));
}
