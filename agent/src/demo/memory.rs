//! One thread a node, over channels.

use super::status::{Board, Cluster, Running, Totals, What, board};
use crate::topology::Graph;
use peer_exchange::{Config, Identity, Input, Instant, Node, NodeId, Signing};
use peer_exchange_memory::{Carried, Endpoint, HostId, Hub, Random};
use peer_exchange_tls::NodeKey;
use std::sync::{Arc, Mutex, PoisonError};
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
    let mut last = None;
    for (i, end) in ends.into_iter().enumerate() {
        let plan = Plan::new(graph, i, &keys[i], signing, &board);
        let thread = plan.start(end, random.bytes32(), None)?;
        if i + 1 < graph.len() {
            threads.push(thread);
        } else {
            last = Some(Last {
                plan,
                hub: hub.clone(),
                random: random.bytes32(),
                thread: Some(thread),
                kept: None,
            });
        }
    }
    let cluster = Box::new(Threads {
        ids,
        threads,
        last: Mutex::new(last),
        board: board.clone(),
    });
    Ok(Running {
        cluster,
        board,
        told,
    })
}

/// A thread that ends with a snapshot of its node.
type Thread = JoinHandle<Vec<u8>>;

/// What a node is started with.
struct Plan {
    i: usize,
    name: String,
    config: Config,
    identity: Identity,
    board: Arc<Board>,
}

/// The node that is killed and brought back.
struct Last {
    plan: Plan,
    hub: Hub,
    random: [u8; 32],
    thread: Option<Thread>,
    /// What it last knew, and when.
    kept: Option<(Vec<u8>, Duration)>,
}

impl Plan {
    fn new(graph: &Graph, i: usize, key: &NodeKey, signing: Signing, board: &Arc<Board>) -> Self {
        let mut config = Config::default().with_signing(signing);
        config.upstreams = graph.upstreams[i]
            .iter()
            .map(|up| HostId(*up).address())
            .collect();
        Self {
            i,
            name: graph.names[i].clone(),
            config,
            identity: Identity::new(key.node())
                .with_addresses(vec![HostId(i).address()])
                .with_seal(key.seal()),
            board: Arc::clone(board),
        }
    }

    /// Starts it, from what it knew then if that is given.
    fn start(
        &self,
        end: Endpoint,
        seed: [u8; 32],
        kept: Option<(Vec<u8>, Duration)>,
    ) -> Result<Thread, String> {
        let (config, identity) = (self.config.clone(), self.identity.clone());
        let elapsed = self.board.start.elapsed();
        let now = Instant::from_duration(elapsed);
        let node = match kept {
            None => Node::new(config, identity, seed, now),
            Some((kept, at)) => {
                let ago = Some(elapsed.saturating_sub(at));
                Node::restore(config, identity, seed, now, &kept, ago)
            }
        };
        let node = node.map_err(|error| format!("{}: {error}", self.name))?;
        let (i, board) = (self.i, Arc::clone(&self.board));
        thread::Builder::new()
            .name(self.name.clone())
            .spawn(move || drive(i, node, end, &board))
            .map_err(|error| format!("cannot start a thread for {}: {error}", self.name))
    }
}

/// The driver loop: carry out effects until the node waits, then wait for the next input.
fn drive(i: usize, mut node: Node, mut end: Endpoint, board: &Board) -> Vec<u8> {
    let now = || Instant::from_duration(board.start.elapsed());
    while !board.is_over(i) {
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
    node.snapshot(now())
}

struct Threads {
    ids: Vec<NodeId>,
    threads: Vec<Thread>,
    last: Mutex<Option<Last>>,
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

    fn kill(&self) -> Result<(), String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_mut() {
            self.board.set_killed(true);
            // A node that panicked has said so on standard error.
            let kept = last.thread.take().and_then(|thread| thread.join().ok());
            last.kept = kept.map(|kept| (kept, self.board.start.elapsed()));
            self.board.set_killed(false);
        }
        Ok(())
    }

    fn revive(&self) -> Result<(), String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_mut() {
            let i = last.plan.i;
            let end = last.hub.join(self.ids[i], HostId(i).socket());
            let kept = last.kept.take();
            last.thread = Some(last.plan.start(end, last.random, kept)?);
        }
        Ok(())
    }

    fn stop(self: Box<Self>) {
        self.board.stop();
        let last = self
            .last
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let last = last.and_then(|last| last.thread);
        for thread in self.threads.into_iter().chain(last) {
            thread.thread().unpark();
            // A node that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}
