//! One thread a node, over channels.

use super::status::{Board, Cluster, Running, Totals, What, board};
use crate::topology::Graph;
use peer_exchange::{Config, Identity, Input, Instant, Node, NodeId, Signing};
use peer_exchange_memory::{Carried, Endpoint, HostId, Hub, Random};
use peer_exchange_tls::NodeKey;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How soon a node notices that the demonstration is over.
const ATTENTION: Duration = Duration::from_secs(1);

pub(super) fn start(graph: &Graph, signing: Signing) -> Result<Running, String> {
    let hub = Hub::new();
    // Nothing here is secret: the nodes live in one process and for seconds.
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut random = Random::new(clock.as_nanos() as u64);
    let keys: Vec<_> = (0..graph.len())
        .map(|_| NodeKey::generate())
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let ids: Vec<_> = keys.iter().map(NodeKey::node).collect();
    // All have joined before the first dials.
    let ends: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| hub.join(*id, HostId(i).socket()))
        .collect();
    let (board, told) = board(graph.len());
    let mut threads = Vec::new();
    for (i, end) in ends.into_iter().enumerate() {
        let mut config = Config::default();
        config.upstreams = graph.upstreams[i]
            .iter()
            .map(|up| HostId(*up).address())
            .collect();
        let addresses = vec![HostId(i).address()];
        config.signing = signing;
        let identity = Identity::new(ids[i])
            .with_addresses(addresses)
            .with_seal(keys[i].seal());
        let now = Instant::from_duration(board.start.elapsed());
        let node = Node::new(config, identity, random.bytes32(), now)
            .map_err(|error| format!("{}: {error}", graph.names[i]))?;
        let board = Arc::clone(&board);
        let thread = thread::Builder::new()
            .name(graph.names[i].clone())
            .spawn(move || drive(i, node, end, &board))
            .map_err(|error| format!("cannot start a thread for {}: {error}", graph.names[i]))?;
        threads.push(thread);
    }
    let cluster = Box::new(Threads {
        ids,
        threads,
        board: board.clone(),
    });
    Ok(Running {
        cluster,
        board,
        told,
    })
}

/// The driver loop: carry out effects until the node waits, then wait for the next input.
fn drive(i: usize, mut node: Node, mut end: Endpoint, board: &Board) {
    let now = || Instant::from_duration(board.start.elapsed());
    while !board.is_over() {
        let deadline = loop {
            match end.carry_out(node.poll()) {
                Carried::Done => {}
                // Misuse would be a bug of this loop; the node is unchanged then.
                Carried::Input(input) => drop(node.handle(now(), input)),
                Carried::Event(event) => board.tell(i, What::Event(event)),
                Carried::Wait(deadline) => break deadline,
            }
        };
        board.update(i, &node);
        let wait = deadline.map_or(ATTENTION, |at| at.saturating_since(now()).min(ATTENTION));
        let input = end.receive(Some(wait)).unwrap_or(Input::Wake);
        drop(node.handle(now(), input));
    }
}

struct Threads {
    ids: Vec<NodeId>,
    threads: Vec<JoinHandle<()>>,
    board: Arc<Board>,
}

impl Cluster for Threads {
    fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    /// Each thread leaves them there after every step.
    fn totals(&self) -> Totals {
        self.board.totals()
    }

    fn stop(self: Box<Self>) {
        self.board.stop();
        for thread in self.threads {
            thread.thread().unpark();
            // A node that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}
