//! The driver over pipes in memory, in paused time.

mod datagrams;
mod filters;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::future::pending;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::contract;
use crate::limits::caps;
use crate::wire;
use crate::{Config, Event, Identity, Multiaddr, Node, NodeId, UpstreamState, UsageError};

/// The pipes' world: who listens where.
#[derive(Clone, Default)]
struct World {
    listeners: Arc<Mutex<BTreeMap<Multiaddr, (NodeId, Incoming)>>>,
}

struct Pipes {
    world: World,
    node: NodeId,
    address: Multiaddr,
    /// Links that never end by themselves, whatever the driver wants.
    stubborn: bool,
}

async fn carry(
    inbox: Inbox,
    mut outbox: Outbox,
    to: mpsc::Sender<Bytes>,
    mut from: mpsc::Receiver<Bytes>,
) -> LinkEnd {
    let sending = async {
        while let Some(message) = outbox.next().await {
            if to.send(message).await.is_err() {
                pending::<()>().await;
            }
        }
    };
    let receiving = async {
        while let Some(message) = from.recv().await {
            if message == "panic" {
                panic!("a transport with a bug");
            }
            if !inbox.deliver(message).await {
                pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = sending => {}
        () = receiving => {}
    }
    LinkEnd::Orderly
}

fn pipe(
    node: NodeId,
    to: mpsc::Sender<Bytes>,
    from: mpsc::Receiver<Bytes>,
    stubborn: bool,
) -> Link {
    Link::new(node, None, move |inbox, outbox| async move {
        let end = carry(inbox, outbox, to, from).await;
        if stubborn {
            pending::<()>().await;
        }
        end
    })
}

impl Transport for Pipes {
    fn handles(&self, _: &Multiaddr) -> bool {
        true
    }

    fn listen(&self, incoming: Incoming) {
        let mut listeners = self.world.listeners.lock().unwrap();
        listeners.insert(self.address.clone(), (self.node, incoming));
    }

    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        let (world, own, stubborn) = (self.world.clone(), self.node, self.stubborn);
        Box::pin(async move {
            sleep(Duration::from_millis(1)).await;
            let found = world.listeners.lock().unwrap().get(&dial.address).cloned();
            let (node, incoming) = found.ok_or(DialError::NoAddress)?;
            let (to, theirs) = mpsc::channel(1);
            let (from, ours) = mpsc::channel(1);
            incoming.accept(pipe(own, from, theirs, stubborn)).await;
            Ok(pipe(node, to, ours, stubborn))
        })
    }

    fn close(&self) -> BoxFuture<()> {
        self.world.listeners.lock().unwrap().remove(&self.address);
        Box::pin(async {})
    }
}

fn id(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

fn address(n: u8) -> Multiaddr {
    Multiaddr::tcp(([10, 0, 0, n], 7).into())
}

impl World {
    /// The way in to a node, once it listens.
    async fn incoming(&self, n: u8) -> Incoming {
        sleep(Duration::from_millis(1)).await;
        self.listeners.lock().unwrap()[&address(n)].1.clone()
    }

    fn start(&self, n: u8, upstreams: &[u8]) -> Handle {
        self.driver(n, upstreams, false).spawn()
    }

    fn pipes(&self, n: u8, stubborn: bool) -> Pipes {
        Pipes {
            world: self.clone(),
            node: id(n),
            address: address(n),
            stubborn,
        }
    }

    fn driver(&self, n: u8, upstreams: &[u8], stubborn: bool) -> Driver {
        driver_over(self.pipes(n, stubborn), n, upstreams)
    }
}

fn driver_over(transport: impl Transport, n: u8, upstreams: &[u8]) -> Driver {
    let config = Config {
        upstreams: upstreams.iter().map(|u| address(*u)).collect(),
        // What is counted is what a test has caused.
        detection: None,
        ..Config::default()
    };
    let identity = Identity::new(id(n)).with_addresses(vec![address(n)]);
    let node = Node::new(config, identity, [n; 32], crate::Instant::ZERO).unwrap();
    Driver::new(node).with_transport(transport)
}

/// Waits for what `wanted` picks; in paused time the limit costs nothing.
async fn seen<T>(notices: &mut Notices, wanted: impl Fn(&Notice) -> Option<T>) -> T {
    let search = async {
        loop {
            let notice = notices.next().await.expect("the driver runs");
            if let Some(found) = wanted(&notice) {
                break found;
            }
        }
    };
    timeout(Duration::from_secs(120), search)
        .await
        .expect("it happens in two minutes")
}

fn peer_up(node: NodeId) -> impl Fn(&Notice) -> Option<()> {
    move |notice| {
        matches!(notice, Notice::Node(Event::PeerUp { node: n }) if *n == node).then_some(())
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_learn_each_other() {
    let world = World::default();
    let one = world.start(1, &[]);
    let two = world.start(2, &[1]);
    let (mut at_one, mut at_two) = (one.subscribe(), two.subscribe());
    seen(&mut at_one, peer_up(id(2))).await;
    seen(&mut at_two, peer_up(id(1))).await;
    let peers = one.peers().await.unwrap();
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0].addresses, [address(2)]);
    assert!(one.peer(id(2)).await.unwrap().is_some());
    assert_eq!(two.links().await.unwrap().len(), 1);
    assert_eq!(two.upstreams().await.unwrap()[0].state, UpstreamState::Up);
    assert!(two.stats().await.unwrap().messages_sent > 0);
}

#[tokio::test(start_paused = true)]
async fn a_ring_reports_its_cycle() {
    let world = World::default();
    let handles = [(1, 2), (2, 3), (3, 1)].map(|(n, up)| world.start(n, &[up]));
    let mut notices = handles[1].subscribe();
    let path = seen(&mut notices, |n| match n {
        Notice::Node(Event::LoopDetected { path }) => Some(path.clone()),
        _ => None,
    })
    .await;
    assert_eq!(path, [id(1), id(2), id(3)]);
    assert_eq!(handles[1].loops().await.unwrap()[0].path, path);
}

#[tokio::test(start_paused = true)]
async fn leaving_is_told_and_ends_everything() {
    let world = World::default();
    let one = world.start(1, &[]);
    let two = world.start(2, &[1]);
    let mut at_one = one.subscribe();
    let mut at_two = two.subscribe();
    seen(&mut at_one, peer_up(id(2))).await;
    two.leave().await;
    seen(&mut at_one, |n| {
        matches!(n, Notice::Node(Event::PeerLeft { node }) if *node == id(2)).then_some(())
    })
    .await;
    let rest = async { while at_two.next().await.is_some() {} };
    timeout(Duration::from_secs(1), rest)
        .await
        .expect("subscriptions end");
    assert_eq!(two.peers().await, Err(Stopped));
    assert_eq!(two.discover().await, Err(UsageError::Left));
    assert!(world.listeners.lock().unwrap().get(&address(2)).is_none());
}

#[tokio::test(start_paused = true)]
async fn without_handles_the_driver_stops() {
    let world = World::default();
    let mut at_one = world.start(1, &[]).subscribe();
    let rest = async { while at_one.next().await.is_some() {} };
    timeout(Duration::from_secs(1), rest)
        .await
        .expect("it stops");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_does_not_close_is_cut() {
    let world = World::default();
    let one = world.driver(1, &[], true).spawn();
    let two = world.driver(2, &[1], true).spawn();
    let mut at_one = one.subscribe();
    seen(&mut at_one, peer_up(id(2))).await;
    let start = Instant::now();
    one.shutdown().await;
    assert!(start.elapsed() <= Duration::from_secs(10));
    drop(two);
}

#[tokio::test(start_paused = true)]
async fn a_failing_transport_loses_its_link_only() {
    let world = World::default();
    let one = world.start(1, &[]);
    let mut at_one = one.subscribe();
    let (to, theirs) = mpsc::channel(1);
    let (from, mut ours) = mpsc::channel(8);
    let incoming = world.incoming(1).await;
    incoming.accept(pipe(id(9), from, theirs, false)).await;
    ours.recv().await.expect("its Hello");
    assert_eq!(one.links().await.unwrap().len(), 1);
    to.send(Bytes::from_static(b"panic")).await.unwrap();
    let ended = seen(&mut at_one, |n| match n {
        Notice::LinkDown { ended, .. } => Some(*ended),
        _ => None,
    })
    .await;
    assert_eq!(ended, Ended::Broken);
    assert_eq!(one.links().await.unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_says_why() {
    let world = World::default();
    let two = world.start(2, &[1]);
    let mut notices = two.subscribe();
    let error = seen(&mut notices, |n| match n {
        Notice::DialFailed { error, .. } => Some(error.clone()),
        _ => None,
    })
    .await;
    assert!(matches!(*error, DialError::NoAddress));
    let many = vec![address(1); caps::UPSTREAMS + 1];
    assert_eq!(
        two.set_upstreams(many).await,
        Err(UsageError::TooManyUpstreams)
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_is_told_what_it_missed() {
    let world = World::default();
    let one = world.start(1, &[]);
    let mut slow = one.subscribe();
    let incoming = world.incoming(1).await;
    for n in 0..2_000_u16 {
        let [a, b] = n.to_be_bytes();
        let mut who = [9; 32];
        (who[0], who[1]) = (a, b);
        let (to, theirs) = mpsc::channel(1);
        let (from, _ours) = mpsc::channel(1);
        drop(to);
        incoming
            .accept(pipe(NodeId::new(who), from, theirs, false))
            .await;
    }
    sleep(Duration::from_secs(10)).await;
    assert!(matches!(slow.next().await, Some(Notice::Missed(n)) if n > 0));
    assert!(matches!(
        slow.next().await,
        Some(Notice::LinkUp { .. } | Notice::LinkDown { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_holds_up_nobody() {
    let world = World::default();
    let one = world.start(1, &[]);
    let mut at_one = one.subscribe();
    // Its pipe is never emptied: the link fills up and stays so.
    let (_to, theirs) = mpsc::channel(1);
    let (from, _ours) = mpsc::channel(1);
    let incoming = world.incoming(1).await;
    incoming.accept(pipe(id(9), from, theirs, false)).await;
    let two = world.start(2, &[1]);
    seen(&mut at_one, peer_up(id(2))).await;
    assert!(two.peer(id(1)).await.unwrap().is_some());
}

/// A node that was told of a peer by another, over a link of the test's own.
async fn told_of_a_peer(driver: Driver, world: &World) -> (Handle, mpsc::Sender<Bytes>) {
    let handle = driver.spawn();
    let mut notices = handle.subscribe();
    let (to, theirs) = mpsc::channel(8);
    let (from, mut ours) = mpsc::channel(8);
    let incoming = world.incoming(1).await;
    incoming.accept(pipe(id(9), from, theirs, false)).await;
    // Read, and never answered.
    tokio::spawn(async move { while ours.recv().await.is_some() {} });
    let body = crate::record::write_body(&[address(8)], &[], contract::DEFAULT_LIFETIME);
    let mut page = wire::RecordsBuilder::default();
    let record = wire::WireRecord {
        node: id(8),
        sequence: crate::Sequence {
            version: 1,
            beat: 0,
        },
        remaining_s: 1_800,
        body: &body,
        signature: None,
    };
    assert!(page.push(record, usize::MAX));
    let delta = wire::Delta {
        content: wire::Content::Records(page.finish()),
        ..wire::Delta::default()
    };
    let update = wire::Update {
        delta: Some(delta),
        ..wire::Update::default()
    };
    let message = wire::encode(wire::Message::Update(update));
    to.send(message).await.unwrap();
    seen(&mut notices, peer_up(id(8))).await;
    (handle, to)
}

/// The same, on a machine that sleeps for as many seconds as the number says.
async fn told_and_sleepy() -> (Handle, mpsc::Sender<Bytes>, Arc<AtomicU64>) {
    let world = World::default();
    let slept = Arc::new(AtomicU64::new(0));
    let asleep = slept.clone();
    let driver = world.driver(1, &[], false);
    let driver = driver.asleep(move || Duration::from_secs(asleep.load(Ordering::Relaxed)));
    let (one, link) = told_of_a_peer(driver, &world).await;
    (one, link, slept)
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_raises_no_dead() {
    let (one, _link, slept) = told_and_sleepy().await;
    let mut notices = one.subscribe();
    let beat = one.read(|node| node.sequence().beat).await.unwrap();
    let before = one.read(Node::now).await.unwrap();
    // For 25 hours the runtime's clock stands still.
    slept.store(90_000, Ordering::Relaxed);
    assert_eq!(one.peers().await.unwrap(), [], "told the true time at once");
    let passed = one.read(Node::now).await.unwrap().saturating_since(before);
    assert!(passed >= Duration::from_secs(90_000), "{passed:?}");
    seen(&mut notices, |n| {
        matches!(n, Notice::Node(Event::PeerExpired { node }) if *node == id(8)).then_some(())
    })
    .await;
    // Its own record is renewed now, and the timer goes on in the runtime's time.
    let renewed = one.read(|node| node.sequence().beat).await.unwrap();
    assert_eq!(renewed, beat + 1);
    // At the latest after 27 parts in 32 of a life.
    sleep(Duration::from_secs(72_901)).await;
    let later = one.read(|node| node.sequence().beat).await.unwrap();
    assert_eq!(later, beat + 2);
}

/// A virtual machine that was paused from outside: no clock of its own has seen it (R34).
#[tokio::test(start_paused = true)]
async fn a_machine_that_was_paused_learns_it_from_the_wall_clock() {
    let world = World::default();
    let ahead = Arc::new(AtomicU64::new(1_000_000));
    let (wall, start) = (ahead.clone(), Instant::now());
    let driver = world.driver(1, &[], false);
    let driver =
        driver.wall(move || Duration::from_secs(wall.load(Ordering::Relaxed)) + start.elapsed());
    let (one, _link) = told_of_a_peer(driver, &world).await;
    let mut notices = one.subscribe();
    let (before, beat) = one
        .read(|node| (node.now(), node.sequence().beat))
        .await
        .unwrap();
    // It is set an hour back and on again: nothing has happened.
    for at in [996_400, 1_000_000] {
        ahead.store(at, Ordering::Relaxed);
        assert_eq!(one.peers().await.unwrap().len(), 1);
    }
    ahead.store(1_090_000, Ordering::Relaxed);
    assert_eq!(one.peers().await.unwrap(), [], "told at once");
    seen(&mut notices, |n| {
        matches!(n, Notice::Node(Event::PeerExpired { node }) if *node == id(8)).then_some(())
    })
    .await;
    let (now, later) = one
        .read(|node| (node.now(), node.sequence().beat))
        .await
        .unwrap();
    assert!(
        now.saturating_since(before) < Duration::from_secs(60),
        "lives alone have aged"
    );
    assert_eq!(later, beat + 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_has_to_ask_for_the_dead_to_be_found_dead_after_sleep() {
    let (one, _link, slept) = told_and_sleepy().await;
    let mut notices = one.subscribe();
    slept.store(7_200, Ordering::Relaxed);
    let start = Instant::now();
    seen(&mut notices, |n| {
        matches!(n, Notice::Node(Event::PeerExpired { node }) if *node == id(8)).then_some(())
    })
    .await;
    assert!(
        start.elapsed() <= Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

/// The clock goes on while the process is stopped, and everything is late at once.
#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_finds_links_dead_and_records_expired() {
    let world = World::default();
    let (one, _link) = told_of_a_peer(world.driver(1, &[], false), &world).await;
    let mut notices = one.subscribe();
    assert_eq!(one.peers().await.unwrap().len(), 1);
    tokio::time::advance(Duration::from_secs(7_200)).await;
    assert_eq!(one.peers().await.unwrap(), []);
    let ended = seen(&mut notices, |n| match n {
        Notice::LinkDown { ended, .. } => Some(*ended),
        _ => None,
    })
    .await;
    assert_eq!(ended, Ended::Closed(crate::CloseReason::Unresponsive));
}
