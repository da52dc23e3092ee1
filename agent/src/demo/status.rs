//! What the nodes of a demonstration tell: events as they happen, and counters.

use peer_exchange::{Event, Node, NodeId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Something that has happened to one node.
pub(super) struct Told {
    pub(super) at: Duration,
    pub(super) node: usize,
    pub(super) what: What,
}

pub(super) enum What {
    Event(Event),
    /// A dial has led to no link, for this reason.
    DialFailed(String),
}

/// Where nodes tell what happens and leave their counters.
pub(super) struct Board {
    pub(super) start: Instant,
    stop: AtomicBool,
    /// The last node is to end.
    killed: AtomicBool,
    events: Sender<Told>,
    nodes: Vec<Counters>,
}

#[derive(Default)]
struct Counters {
    messages: AtomicU64,
    bytes: AtomicU64,
    exchanges: AtomicU64,
}

/// Syndromes over all nodes.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) exchanges: u64,
}

/// The clock of the demonstration starts here.
pub(super) fn board(nodes: usize) -> (Arc<Board>, Receiver<Told>) {
    let (events, told) = channel();
    let nodes = (0..nodes).map(|_| Counters::default()).collect();
    let board = Board {
        start: Instant::now(),
        stop: AtomicBool::new(false),
        killed: AtomicBool::new(false),
        events,
        nodes,
    };
    (Arc::new(board), told)
}

impl Board {
    pub(super) fn tell(&self, node: usize, what: What) {
        // Nobody listens any more once the story is over.
        let _ = self.events.send(Told {
            at: self.start.elapsed(),
            node,
            what,
        });
    }

    pub(super) fn update(&self, i: usize, node: &Node) {
        let (counters, stats) = (&self.nodes[i], node.stats());
        let set = |counter: &AtomicU64, value| counter.store(value, Ordering::Relaxed);
        set(&counters.messages, stats.messages_sent);
        set(&counters.bytes, stats.bytes_sent);
        set(&counters.exchanges, stats.requests_sent);
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_killed(&self, killed: bool) {
        self.killed.store(killed, Ordering::Relaxed);
    }

    /// For this node.
    pub(super) fn is_over(&self, node: usize) -> bool {
        let killed = node + 1 == self.nodes.len() && self.killed.load(Ordering::Relaxed);
        killed || self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn totals(&self) -> Totals {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sum = |of: fn(&Counters) -> &AtomicU64| self.nodes.iter().map(|c| get(of(c))).sum();
        Totals {
            messages: sum(|c| &c.messages),
            bytes: sum(|c| &c.bytes),
            exchanges: sum(|c| &c.exchanges),
        }
    }
}

/// The nodes while they run.
pub(super) trait Cluster {
    /// In the order of the graph.
    fn ids(&self) -> &[NodeId];
    /// Their counters as they are now.
    fn totals(&self) -> Totals;
    /// Ends the last node without a word, as `kill -9` does a process.
    fn kill(&self) -> Result<(), String>;
    /// Starts it again, from what it last knew.
    fn revive(&self) -> Result<(), String>;
    fn stop(self: Box<Self>);
}

/// A cluster that has just been started, and what it will tell.
pub(super) struct Running {
    pub(super) cluster: Box<dyn Cluster>,
    pub(super) board: Arc<Board>,
    pub(super) told: Receiver<Told>,
}
