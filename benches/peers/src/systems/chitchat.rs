//! chitchat: scuttlebutt, a round a second, the newest wire version. It runs on tokio and draws
//! from the system's randomness, so its server gets a transport of ours and a clock that the
//! harness moves; its runs cannot be repeated exactly.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::chitchat::transport::{ChannelTransport, RecvOutcome, SendOutcome, Socket, Transport};
use ::chitchat::{
    Chitchat as Node, ChitchatConfig, ChitchatEnvelope, ChitchatHandle, ChitchatId,
    FailureDetectorConfig, ProtocolVersion, spawn_chitchat,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cluster::{Cluster, NEW_PORT, PORT, address, node_at};
use crate::harness::{Out, System};

const ROUND: Duration = Duration::from_secs(1);

/// The largest payload of a UDP datagram over IPv4.
const DATAGRAM: usize = 65_507;

/// All nodes, on one runtime.
pub struct Chitchat {
    ids: Vec<ChitchatId>,
    upstreams: Vec<Option<usize>>,
    runtime: Runtime,
    wires: Arc<Wires>,
    nodes: Vec<Running>,
    /// The runtime's virtual time.
    time: Duration,
    next_round: Duration,
}

struct Running {
    inbox: UnboundedSender<RecvOutcome>,
    node: Arc<tokio::sync::Mutex<Node>>,
    _server: ChitchatHandle,
}

/// What the nodes' sockets share with the harness.
struct Wires {
    /// (from, to, what).
    sent: Mutex<Vec<(usize, usize, RecvOutcome)>>,
    /// Encodes and decodes a message, and says how long it was: chitchat keeps its codec to
    /// itself, but its in-memory transport uses it.
    codec: tokio::sync::Mutex<(Box<dyn Socket>, Box<dyn Socket>)>,
    busy: Vec<AtomicBool>,
    busy_count: AtomicUsize,
}

impl Wires {
    fn set_busy(&self, node: usize) {
        if !self.busy[node].swap(true, Ordering::Relaxed) {
            self.busy_count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn set_idle(&self, node: usize) {
        if self.busy[node].swap(false, Ordering::Relaxed) {
            self.busy_count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Until every node that was busy waits for the next message.
    async fn settle(&self) {
        for _ in 0..1_000_000 {
            if self.busy_count.load(Ordering::Relaxed) == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("a chitchat server has stopped: its digest outgrows a datagram, or it has failed");
    }
}

struct VirtualSocket {
    node: usize,
    inbox: UnboundedReceiver<RecvOutcome>,
    wires: Arc<Wires>,
}

#[async_trait::async_trait]
impl Socket for VirtualSocket {
    fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        Ok(socket(self.node))
    }

    async fn send(
        &mut self,
        to: SocketAddr,
        envelope: ChitchatEnvelope,
    ) -> anyhow::Result<SendOutcome> {
        let SocketAddr::V4(to) = to else {
            anyhow::bail!("{to} is no address of this network");
        };
        let mut codec = self.wires.codec.lock().await;
        let sink = codec.1.local_addr()?;
        let outcome = codec.0.send(sink, envelope).await?;
        let mut received = codec.1.recv().await?;
        received.from_addr = socket(self.node);
        let sent = (self.node, node_at(*to.ip()), received);
        self.wires
            .sent
            .lock()
            .expect("nobody panics with it")
            .push(sent);
        Ok(outcome)
    }

    async fn recv(&mut self) -> anyhow::Result<RecvOutcome> {
        if self.inbox.is_empty() {
            self.wires.set_idle(self.node);
        }
        self.inbox
            .recv()
            .await
            .ok_or_else(|| anyhow::anyhow!("the network is gone"))
    }
}

/// Gives a server its socket, once.
struct VirtualTransport(Mutex<Option<VirtualSocket>>);

#[async_trait::async_trait]
impl Transport for VirtualTransport {
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let socket = self.0.lock().expect("nobody panics with it").take();
        match socket {
            Some(socket) => Ok(Box::new(socket)),
            None => anyhow::bail!("{address} is open already"),
        }
    }
}

impl Chitchat {
    /// Moves the runtime's clock, and lets the rounds that are due take place: all nodes have
    /// started at once.
    fn advance(&mut self, now: Duration) {
        let by = now - self.time;
        if by.is_zero() {
            return;
        }
        self.time = now;
        if now >= self.next_round {
            self.next_round += ROUND;
            (0..self.nodes.len()).for_each(|node| self.wires.set_busy(node));
        }
        self.runtime.block_on(async {
            tokio::time::advance(by).await;
            self.wires.settle().await;
        });
    }

    fn collect(&self, out: &mut Out<Self>) {
        let sent = std::mem::take(&mut *self.wires.sent.lock().expect("nobody panics with it"));
        for (from, to, message) in sent {
            out.send(from, to, message.num_bytes_received, message);
        }
    }

    fn locked<T>(&self, node: usize, look: impl FnOnce(&mut Node) -> T) -> T {
        let mut node = self.nodes[node]
            .node
            .try_lock()
            .expect("every server waits");
        look(&mut node)
    }
}

fn socket(node: usize) -> SocketAddr {
    SocketAddr::V4(address(node, PORT))
}

/// As a string of 32 bytes, which chitchat wants: less than the ID holds, in chitchat's favour.
fn text(id: [u8; 32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    id.iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 64)]))
        .collect()
}

fn codec(runtime: &Runtime) -> (Box<dyn Socket>, Box<dyn Socket>) {
    let transport = ChannelTransport::with_mtu(DATAGRAM);
    runtime.block_on(async {
        let open = async |port| transport.open(([127, 0, 0, 1], port).into()).await;
        let first = open(1).await.expect("the port is free");
        (first, open(2).await.expect("the port is free"))
    })
}

impl System for Chitchat {
    type Payload = RecvOutcome;
    type Timer = ();

    const NAME: &'static str = "chitchat 0.13.0";
    const STEADY: Duration = Duration::from_secs(60);

    fn new(cluster: &Cluster) -> Self {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without threads and sockets starts");
        let id = |(node, id): (usize, &[u8; 32])| ChitchatId::new(text(*id), 0, socket(node));
        Self {
            ids: cluster.ids.iter().enumerate().map(id).collect(),
            upstreams: cluster.upstreams.clone(),
            wires: Arc::new(Wires {
                sent: Mutex::new(Vec::new()),
                codec: tokio::sync::Mutex::new(codec(&runtime)),
                busy: cluster.ids.iter().map(|_| AtomicBool::new(false)).collect(),
                busy_count: AtomicUsize::new(0),
            }),
            runtime,
            nodes: Vec::new(),
            time: Duration::ZERO,
            next_round: ROUND,
        }
    }

    /// The nodes are started in order, all at the virtual time zero.
    fn start(&mut self, node: usize, out: &mut Out<Self>) {
        let config = ChitchatConfig {
            chitchat_id: self.ids[node].clone(),
            cluster_id: "c".to_owned(),
            gossip_interval: ROUND,
            listen_addr: socket(node),
            seed_nodes: self.upstreams[node]
                .iter()
                .map(|node| socket(*node).to_string())
                .collect(),
            failure_detector_config: FailureDetectorConfig::default(),
            marked_for_deletion_grace_period: Duration::from_secs(3_600),
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: ProtocolVersion::V1,
        };
        let (inbox, received) = unbounded_channel();
        let socket = VirtualSocket {
            node,
            inbox: received,
            wires: self.wires.clone(),
        };
        self.wires.set_busy(node);
        let transport = VirtualTransport(Mutex::new(Some(socket)));
        let server = self.runtime.block_on(async {
            let server = spawn_chitchat(config, Vec::new(), &transport).await;
            self.wires.settle().await;
            server.expect("a virtual socket opens")
        });
        self.nodes.push(Running {
            inbox,
            node: server.chitchat(),
            _server: server,
        });
        self.collect(out);
        if node == 0 {
            out.after(0, ROUND, ());
        }
    }

    fn message(&mut self, node: usize, _: usize, message: RecvOutcome, out: &mut Out<Self>) {
        self.advance(out.now());
        self.wires.set_busy(node);
        if self.nodes[node].inbox.send(message).is_err() {
            panic!("the chitchat server of node {node} has stopped");
        }
        self.runtime.block_on(self.wires.settle());
        self.collect(out);
    }

    fn timer(&mut self, _: usize, (): (), out: &mut Out<Self>) {
        self.advance(out.now());
        self.collect(out);
        out.after(0, ROUND, ());
    }

    /// The change is one of a value; the address to gossip with stays, in chitchat's favour.
    fn change(&mut self, node: usize, _: &mut Out<Self>) {
        self.locked(node, |state| {
            let address = address(node, NEW_PORT).to_string();
            state.self_node_state().set("a", address);
        });
    }

    fn known(&self, node: usize) -> usize {
        match self.nodes.get(node) {
            Some(_) => self.locked(node, |state| state.node_states().len() - 1),
            None => 0,
        }
    }

    fn knows_change(&self, node: usize, changed: usize) -> bool {
        let id = &self.ids[changed];
        self.locked(node, |state| {
            state
                .node_state(id)
                .is_some_and(|state| state.get("a").is_some())
        })
    }
}
