//! A day in miniature: nodes come, go, crash and come back, by the thousand, around a few that
//! stay; in the end those have what they had in the beginning. A process of its own, since memory
//! and open files are the process's. The heap is counted, since what the allocator keeps of it
//! depends on which threads there were; resident memory is printed.
#![cfg(target_os = "linux")]

mod nodes;

use nodes::{Plan, Running};
use peak_alloc::PeakAlloc;
use peer_exchange::NodeId;
use peer_exchange_tls::{Membership, Token};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::sleep;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Nodes that come and go together.
const WAVE: usize = 24;
/// No wait is longer.
const LIMIT: Duration = Duration::from_secs(60);
/// Dials of peers that are gone, which go on for ever (R28): files and tasks that may be under way.
const UNDER_WAY: usize = 12;

/// What may be remembered of one that was there: a tombstone or a dead certificate, in three nodes.
const REMEMBERED: usize = 3 * 400;
/// Buffers that have grown.
const BUFFERS: usize = 1 << 20;

#[test]
fn many_come_and_go_and_leave_nothing_behind() {
    soak(Duration::from_secs(8));
}

#[test]
#[ignore = "takes five minutes"]
fn thousands_come_and_go_and_leave_nothing_behind() {
    soak(Duration::from_secs(270));
}

/// Waves for about this long.
fn soak(length: Duration) {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let stable = Stable::start();
    // What is allocated once, is, and the dials of those that are gone have begun.
    let mut crashed = 0;
    for _ in 0..3 {
        crashed += wave(&stable).crashes;
    }
    stable.settle(crashed);
    let before = stable.cost();
    let begun = Instant::now();
    let mut done = Done::default();
    while begun.elapsed() < length {
        done.add(&wave(&stable));
    }
    stable.settle(crashed + done.crashes);
    let heap = before.heap + BUFFERS + REMEMBERED * (done.joins + done.restarts);
    stable.eventually("all is as it was", || {
        let now = stable.cost();
        now.files <= before.files + UNDER_WAY
            && now.tasks <= before.tasks + UNDER_WAY
            && now.heap <= heap
    });
    let after = stable.cost();
    eprintln!("{done:?}\nbefore {before:?}\nafter  {after:?}");
    // With what the allocator keeps of the largest wave.
    assert!(after.rss < 1 << 30, "{after:?}");
    assert!(done.joins >= WAVE, "{done:?}");
}

/// What has come to pass.
#[derive(Debug, Default)]
struct Done {
    joins: usize,
    leaves: usize,
    restarts: usize,
    crashes: usize,
}

impl Done {
    fn add(&mut self, more: &Self) {
        self.joins += more.joins;
        self.leaves += more.leaves;
        self.restarts += more.restarts;
        self.crashes += more.crashes;
    }
}

/// What the stable nodes and their process hold.
#[derive(Debug)]
struct Cost {
    heap: usize,
    rss: usize,
    files: usize,
    tasks: usize,
}

/// Those that stay, in a runtime of their own.
struct Stable {
    runtime: Runtime,
    nodes: Vec<Running>,
    membership: Membership,
}

impl Stable {
    /// Three in a ring.
    fn start() -> Self {
        let runtime = runtime();
        let membership = Membership::token(Token::generate().unwrap());
        let nodes: Vec<_> = {
            let _inside = runtime.enter();
            (0..3).map(|_| Plan::new(&membership).start()).collect()
        };
        for (i, node) in nodes.iter().enumerate() {
            let upstream = nodes[(i + 1) % 3].addresses[i % 2].clone();
            let set = node.handle.set_upstreams(vec![upstream]);
            runtime.block_on(set).unwrap();
        }
        Self {
            runtime,
            nodes,
            membership,
        }
    }

    fn ids(&self) -> BTreeSet<NodeId> {
        self.nodes.iter().map(|node| node.handle.node()).collect()
    }

    /// Waits until they know nobody but each other and those that have crashed, which nobody has
    /// told them, and have no links but among themselves.
    fn settle(&self, crashed: usize) {
        let ids = self.ids();
        self.eventually("the stable nodes are alone", || {
            self.nodes.iter().all(|node| {
                let seen = self.runtime.block_on(node.handle.read(|node| {
                    let peers: Vec<_> = node.peers().map(|peer| peer.node).collect();
                    let links: Vec<_> = node.links().map(|link| link.node).collect();
                    (peers, links)
                }));
                let (peers, links) = seen.unwrap();
                let others = peers.iter().filter(|peer| !ids.contains(peer));
                others.count() <= crashed && links.iter().all(|node| ids.contains(node))
            })
        });
    }

    fn cost(&self) -> Cost {
        Cost {
            heap: HEAP.current_usage(),
            rss: rss(),
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: self.runtime.metrics().num_alive_tasks(),
        }
    }

    fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(
                begun.elapsed() < LIMIT,
                "{what}: not within {LIMIT:?}: {:?}",
                self.cost()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Resident memory in bytes.
fn rss() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().unwrap() * 1024
}

/// A wave of nodes joins. A third leaves, a third restarts and leaves, a third crashes, with all of
/// its sockets and tasks.
fn wave(stable: &Stable) -> Done {
    let runtime = runtime();
    let ids = stable.ids();
    let mut done = Done::default();
    runtime.block_on(async {
        let mut nodes = Vec::new();
        for i in 0..WAVE {
            let mut plan = Plan::new(&stable.membership);
            // Each of the three, over each transport.
            plan.upstreams = vec![stable.nodes[i % 3].addresses[i / 3 % 2].clone()];
            let node = plan.start();
            nodes.push((plan, node));
        }
        for (_, node) in &nodes {
            knows(node, &ids).await;
            done.joins += 1;
        }
        let mut ends = JoinSet::new();
        for (i, (plan, node)) in nodes.into_iter().enumerate() {
            match i % 3 {
                0 => {
                    ends.spawn(async move { node.handle.leave().await });
                    done.leaves += 1;
                }
                1 => {
                    ends.spawn(restart_and_leave(plan, node, ids.clone()));
                    done.restarts += 1;
                }
                _ => done.crashes += 1,
            }
        }
        ends.join_all().await;
    });
    runtime.shutdown_background();
    done
}

async fn restart_and_leave(mut plan: Plan, node: Running, ids: BTreeSet<NodeId>) {
    plan.snapshot = Some(node.handle.snapshot().await.unwrap());
    node.handle.shutdown().await;
    let again = plan.start();
    knows(&again, &ids).await;
    // It knows them from its last life: it has to be linked before anybody hears that it leaves.
    let begun = Instant::now();
    let heard = |link: &peer_exchange::LinkView| link.round_trip.is_some();
    while !again.handle.links().await.unwrap().iter().any(heard) {
        assert!(
            begun.elapsed() < LIMIT,
            "a node that has restarted is not linked"
        );
        sleep(Duration::from_millis(5)).await;
    }
    again.handle.leave().await;
}

async fn knows(node: &Running, ids: &BTreeSet<NodeId>) {
    let begun = Instant::now();
    loop {
        let peers = node.handle.peers().await.unwrap();
        let known: BTreeSet<_> = peers.iter().map(|peer| peer.node).collect();
        if ids.is_subset(&known) {
            return;
        }
        if begun.elapsed() >= LIMIT {
            let state = node.handle.read(|node| {
                let links: Vec<_> = node.links().collect();
                let upstreams: Vec<_> = node.upstreams().collect();
                format!("{links:#?} {upstreams:#?} {:#?}", node.stats())
            });
            let state = state.await.unwrap();
            panic!("a newcomer knows {known:?} of {ids:?}: {state}");
        }
        sleep(Duration::from_millis(5)).await;
    }
}
