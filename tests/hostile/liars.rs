//! Liars that legitimately watch a healthy node and accuse it again and again (R33).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{self, Accusation, Message};
use peer_exchange::{Config, Event, Input, LinkId, NodeId, Sequence};
use peer_exchange_memory::{HostId, Network, Setup};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

const DETECTION: Duration = Duration::from_secs(3);
const MINUTE: u64 = 60;

/// Node 1 knows nodes 2 to 9, and has a link with 2 and one with 7.
fn watched() -> (Rig, LinkId) {
    let mut rig = Rig::new(1, config(|c| c.detection = Some(DETECTION)));
    let mut link = rig.link(2);
    let records: Vec<_> = (2..10).map(rec).collect();
    rig.message(link, rumour(&records));
    rig.link(7);
    // Until what is said of it is held against whoever says it.
    hear(&mut rig, &mut link, 15);
    rig.events.clear();
    (rig, link)
}

/// So many seconds in which node 2 is heard.
fn hear(rig: &mut Rig, link: &mut LinkId, seconds: u64) {
    for _ in 0..seconds {
        rig.pass_answering(1);
        if !rig.is_up(*link) {
            *link = rig.link(2);
        }
        rig.message(*link, rumour([&rec(2)]));
    }
}

fn at(subject: u32, by: u32, at: Sequence) -> Accusation {
    Accusation {
        at,
        ..accusation(subject, by)
    }
}

/// Whom the record names with which it has gone round last.
fn names(rig: &Rig) -> Vec<u32> {
    let news = rig.sent.iter().filter_map(|(_, message)| match message {
        Message::Update(update) => update.news.as_ref(),
        _ => None,
    });
    let bodies = news.flat_map(|news| news.records.iter());
    let own = bodies.filter(|record| record.node == id(1)).last();
    let body = own.expect("it has gone round").body;
    let named = |n: &u32| body.windows(8).any(|w| w == &id(*n).as_ref()[..8]);
    (2..10).filter(named).collect()
}

/// R33: whoever has accused it falsely twice is named in its refutation, under the next version, and
/// what it says on is hardly answered; others are.
#[test]
fn who_accuses_falsely_twice_is_named_in_the_refutation() {
    let (mut rig, link) = watched();
    rig.message(link, accusing(&[at(1, 4, seq(1, 0))]));
    assert_eq!((rig.node.sequence(), names(&rig)), (seq(1, 1), vec![]));
    rig.message(link, accusing(&[at(1, 4, seq(1, 1))]));
    assert_eq!((rig.node.sequence(), names(&rig)), (seq(2, 0), vec![4]));
    assert_eq!(rig.node.stats().accusers_named, 1);
    for _ in 0..20 {
        let newest = rig.node.sequence();
        rig.message(link, accusing(&[at(1, 4, newest)]));
    }
    assert_eq!(rig.node.sequence(), seq(2, 1), "one answer in a minute");
    rig.message(link, accusing(&[at(1, 5, seq(2, 1))]));
    assert_eq!(rig.node.sequence(), seq(2, 2));
    assert_eq!(names(&rig), [4]);
}

/// R6, R33: refutations use up none of the three higher versions of who has lost its state, also those
/// of a higher version; and nobody is taken for another with its key.
#[test]
fn refutations_take_nothing_of_recoveries() {
    let (mut rig, link) = watched();
    for by in 2..10 {
        let higher = rig.node.sequence().version + 5;
        rig.message(link, accusing(&[at(1, by, seq(higher, 0))]));
        assert_eq!(rig.node.sequence(), seq(higher + 1, 0));
    }
    let stats = rig.node.stats();
    assert_eq!((stats.recoveries, stats.refutations), (0, 8));
    let reported = rig.take_events(|e| matches!(e, Event::DuplicateIdentity { .. }));
    assert_eq!(reported, []);
}

/// R33, R34: whoever accuses a node that has stood still is right.
#[test]
fn after_a_stop_nobody_is_named() {
    let (mut rig, link) = watched();
    for _ in 0..4 {
        rig.now = rig.now + Duration::from_secs(5);
        rig.input(Input::Wake);
        let newest = rig.node.sequence();
        rig.message(link, accusing(&[at(1, 4, newest)]));
        rig.message(link, accusing(&[at(1, 5, rig.node.sequence())]));
    }
    assert_eq!((names(&rig), rig.node.stats().accusers_named), (vec![], 0));
    assert!(rig.node.stats().refutations > 0);
}

fn is_down(rig: &mut Rig, n: u32) -> bool {
    rig.pass(Duration::from_millis(301));
    let downs = rig.take_events(|e| *e == Event::PeerDown { node: id(n) });
    !downs.is_empty()
}

/// R33: about the one that names it, and nobody else, for ten minutes; two others are enough.
#[test]
fn whom_a_node_names_does_not_count_about_it() {
    let (mut rig, mut link) = watched();
    let named = |n: u32| rec(n).version(2).naming(&[4, 5]);
    rig.message(link, rumour([&named(3)]));
    rig.message(link, accusing(&[at(3, 4, seq(2, 0)), at(3, 5, seq(2, 0))]));
    assert!(!is_down(&mut rig, 3));
    assert_eq!(rig.node.stats().accusations_uncounted, 2);
    rig.message(link, accusing(&[accusation(8, 4), accusation(8, 5)]));
    assert!(
        is_down(&mut rig, 8),
        "they count about others: {:?}",
        rig.node.member(&id(8))
    );
    hear(&mut rig, &mut link, 9 * MINUTE);
    // This node has accused it twice meanwhile, and all that it watches are silent (R39).
    assert!(is_down(&mut rig, 3));
    rig.message(link, rumour([&named(3).beat(1)]));
    rig.message(link, accusing(&[at(3, 4, seq(2, 1)), at(3, 6, seq(2, 1))]));
    assert!(!is_down(&mut rig, 3), "one of the two counts");
}

/// R33: a record names four at most.
#[test]
fn who_names_more_is_not_believed_at_all() {
    let (mut rig, link) = watched();
    let before = rig.node.stats().records_bad;
    let greedy = rec(3).version(2).naming(&[4, 5, 6, 7, 8]);
    rig.message(link, rumour([&greedy]));
    assert_eq!(rig.node.stats().records_bad, before + 1);
}

/// What a liar makes of its cluster in an hour.
struct Hour {
    /// Accusations that counted, at all others together. [Looked at ten times a second, no suspect was
    /// seen: the refutation comes as soon as the lie.]
    counted: u64,
    downs: usize,
    refutations: u64,
    messages: u64,
}

const NODES: usize = 9;
const LIAR: HostId = HostId(2);
const VICTIM: HostId = HostId(5);

/// Nine nodes, so that all are near enough to each other; one accuses another at its newest sequence
/// every five seconds, among what it sends to everybody.
fn an_hour_with_a_liar(lies: bool) -> Hour {
    let config = Config::default().with_detection(Some(DETECTION));
    let setup = Setup {
        seed: 7,
        config,
        ..Setup::default()
    };
    let mut network = Network::new(setup);
    for host in 0..NODES {
        network.add_host(&[HostId((host + 1) % NODES)]);
    }
    network.start_all();
    network.run_for(Duration::from_secs(90));
    let lie: Arc<Mutex<Vec<(HostId, Bytes)>>> = Arc::default();
    let to_tell = lie.clone();
    network.set_rewrite(move |from, to, bytes| {
        let mut told = to_tell.lock().unwrap();
        let at = told.iter().position(|(of, _)| from == LIAR && *of == to);
        let lie = at.map(|at| told.swap_remove(at).1);
        std::iter::once(bytes).chain(lie).collect()
    });
    let (liar, victim) = (LIAR.node_id(7), VICTIM.node_id(7));
    let before = network.messages();
    let mut downs = 0;
    for tenth in 0..36_000 {
        if lies && tenth % 50 == 0 {
            *lie.lock().unwrap() = lies_of(&network, victim, liar);
        }
        network.run_for(Duration::from_millis(100));
        let others = (0..NODES).map(HostId).filter(|host| *host != VICTIM);
        let peers = others.map(|host| network.node(host).and_then(|n| n.peer(&victim)));
        downs += peers.filter(Option::is_none).count();
    }
    let stats = |host| network.node(host).expect("it runs").stats();
    let believers = (0..NODES).map(HostId).filter(|host| *host != LIAR);
    Hour {
        counted: believers.map(|host| stats(host).accusations_counted).sum(),
        downs,
        refutations: stats(VICTIM).refutations,
        messages: network.messages() - before,
    }
}

fn lies_of(network: &Network, victim: NodeId, by: NodeId) -> Vec<(HostId, Bytes)> {
    let at = network.node(VICTIM).expect("it runs").sequence();
    let lie = Accusation {
        subject: victim,
        at,
        by,
        signature: None,
    };
    let others = (0..NODES).map(HostId).filter(|host| *host != LIAR);
    others
        .map(|host| (host, wire::encode(accusing(&[lie]))))
        .collect()
}

/// R33: of the 720 false accusations of an hour those few count that come before their author is
/// named, and the first after each ten minutes.
#[test]
fn a_liar_that_goes_on_is_believed_a_few_times_an_hour() {
    let quiet = an_hour_with_a_liar(false);
    assert_eq!((quiet.counted, quiet.downs, quiet.refutations), (0, 0, 0));
    let liar = an_hour_with_a_liar(true);
    println!(
        "counted {} times at {} others, {} refutations, {} messages more",
        liar.counted,
        NODES - 1,
        liar.refutations,
        liar.messages - quiet.messages
    );
    assert_eq!(liar.downs, 0);
    assert!(liar.counted > 0, "nobody believed it at first");
    // Twice, and once more after each of the six times ten minutes.
    assert!(liar.counted <= 8 * (NODES as u64 - 1), "{}", liar.counted);
    assert!(liar.refutations <= 80, "{}", liar.refutations);
}
