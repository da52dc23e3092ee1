//! What the nodes of a demonstration tell: events as they happen, and counters.

use peer_exchange::{Event, NodeId, Stats};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One event of one node.
pub(super) struct Told {
    pub(super) at: Duration,
    pub(super) node: usize,
    pub(super) event: Event,
}

/// Where nodes leave their counters.
pub(super) struct Board {
    pub(super) start: Instant,
    stop: AtomicBool,
    events: Sender<Told>,
    nodes: Vec<Counters>,
}

#[derive(Default)]
struct Counters {
    peers: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// Sums over all nodes.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) pairs: u64,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

pub(super) fn board(nodes: usize) -> (Arc<Board>, Receiver<Told>) {
    let (events, told) = channel();
    let nodes = (0..nodes).map(|_| Counters::default()).collect();
    let board = Board {
        start: Instant::now(),
        stop: AtomicBool::new(false),
        events,
        nodes,
    };
    (Arc::new(board), told)
}

impl Board {
    pub(super) fn tell(&self, node: usize, event: Event) {
        // Nobody listens any more once the story is over.
        let _ = self.events.send(Told {
            at: self.start.elapsed(),
            node,
            event,
        });
    }

    pub(super) fn update(&self, node: usize, peers: usize, stats: &Stats) {
        let counters = &self.nodes[node];
        counters.peers.store(peers as u64, Ordering::Relaxed);
        counters
            .messages
            .store(stats.messages_sent, Ordering::Relaxed);
        counters.bytes.store(stats.bytes_sent, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for counters in &self.nodes {
            totals.pairs += counters.peers.load(Ordering::Relaxed);
            totals.messages += counters.messages.load(Ordering::Relaxed);
            totals.bytes += counters.bytes.load(Ordering::Relaxed);
        }
        totals
    }
}

/// The nodes while they run.
pub(super) struct Running {
    pub(super) ids: Vec<NodeId>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

impl Running {
    pub(super) fn stop(self, board: &Board) {
        board.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.thread().unpark();
            // A node that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}
