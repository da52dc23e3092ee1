//! Nodes over real sockets on loopback: the driver on tokio, a key for each node, and a token that
//! is thrown away with them.

use super::descriptors::Descriptors;
use super::status::{Board, Cluster, Running, Told, Totals, What, board};
use crate::topology::Graph;
use peer_exchange::driver::Notices;
use peer_exchange::{
    Config, Driver, Event, Handle, Identity, Instant, Multiaddr, Node, NodeId, Notice, Signing,
    Transport,
};
use peer_exchange_quic::Quic;
use peer_exchange_tcp::Tcp;
use peer_exchange_tls::{Membership, NodeKey, Tls, Token, random_seed};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A node that does not answer by then keeps its last counters.
const READING: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
pub(super) enum Over {
    Quic,
    Tcp,
}

/// A node that listens and does not run yet.
struct Host {
    key: NodeKey,
    transport: Arc<dyn Transport>,
    address: Multiaddr,
}

pub(super) fn start(graph: &Graph, over: Over, signing: Signing) -> Result<Running, String> {
    let descriptors = Descriptors::enough_for(graph.len(), over)?;
    let failed = |why: Box<dyn Error>| format!("cannot start the nodes: {why}");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(error.into()))?;
    let started =
        runtime.block_on(async { start_all(graph, over, descriptors.links_per_node, signing) });
    let (nodes, board, told) = started.map_err(failed)?;
    let cluster = Box::new(Sockets {
        ids: nodes.iter().map(Handle::node).collect(),
        nodes,
        board: board.clone(),
        runtime,
    });
    Ok(Running {
        cluster,
        board,
        told,
    })
}

type Started = (Vec<Handle>, Arc<Board>, Receiver<Told>);

/// Inside the runtime.
fn start_all(
    graph: &Graph,
    over: Over,
    max_links: usize,
    signing: Signing,
) -> Result<Started, Box<dyn Error>> {
    // All listen before the first dials.
    let hosts = listen(graph.len(), over)?;
    let addresses: Vec<_> = hosts.iter().map(|host| host.address.clone()).collect();
    let (board, told) = board(graph.len());
    let mut nodes = Vec::new();
    for (i, host) in hosts.into_iter().enumerate() {
        let mut config = Config::default();
        config.upstreams = graph.upstreams[i]
            .iter()
            .map(|up| addresses[*up].clone())
            .collect();
        // Loopback addresses have to be asked for.
        config.local = true;
        config.signing = signing;
        config.max_links = config.max_links.min(max_links);
        let (handle, notices) = host.start(config)?;
        tokio::spawn(watch(i, handle.clone(), notices, board.clone()));
        nodes.push(handle);
    }
    Ok((nodes, board, told))
}

fn listen(nodes: usize, over: Over) -> Result<Vec<Host>, Box<dyn Error>> {
    // Whoever knows it is a member, and nobody outside of this process ever does.
    let membership = Membership::token(Token::generate()?);
    let bind = |_| {
        let key = NodeKey::generate()?;
        let tls = Tls::new(&key, &membership)?;
        let (transport, address) = over.bind(tls)?;
        Ok(Host {
            key,
            transport,
            address,
        })
    };
    (0..nodes).map(bind).collect()
}

impl Over {
    /// Listens on a free port.
    fn bind(self, tls: Tls) -> std::io::Result<(Arc<dyn Transport>, Multiaddr)> {
        let at: [SocketAddr; 1] = [(Ipv4Addr::LOCALHOST, 0).into()];
        Ok(match self {
            Self::Quic => {
                let quic = Quic::bind(&at, tls, peer_exchange_quic::Options::default())?;
                let address = Multiaddr::quic(quic.local_addresses()[0]);
                (Arc::new(quic), address)
            }
            Self::Tcp => {
                let tcp = Tcp::bind(&at, tls, peer_exchange_tcp::Options::default())?;
                let address = Multiaddr::tcp(tcp.local_addresses()[0]);
                (Arc::new(tcp), address)
            }
        })
    }
}

impl Host {
    fn start(self, config: Config) -> Result<(Handle, Notices), Box<dyn Error>> {
        let identity = Identity::new(self.key.node())
            .with_addresses(vec![self.address])
            .with_seal(self.key.seal());
        let node = Node::new(config, identity, random_seed()?, Instant::ZERO)?;
        let driver = Driver::new(node).with_transport(self.transport);
        // Before it starts, so that nothing is missed.
        let notices = driver.handle().subscribe();
        Ok((driver.spawn(), notices))
    }
}

/// Tells what happens to one node.
async fn watch(i: usize, node: Handle, mut notices: Notices, board: Arc<Board>) {
    while let Some(notice) = notices.next().await {
        match notice {
            Notice::Node(event) => board.tell(i, What::Event(event)),
            Notice::DialFailed { error, .. } => board.tell(i, What::DialFailed(error.to_string())),
            // Saying twice that a peer is known does no harm.
            Notice::Missed(_) => {
                for peer in node.peers().await.unwrap_or_default() {
                    board.tell(i, What::Event(Event::PeerUp { node: peer.node }));
                }
            }
            _ => {}
        }
    }
}

struct Sockets {
    ids: Vec<NodeId>,
    nodes: Vec<Handle>,
    board: Arc<Board>,
    runtime: Runtime,
}

impl Cluster for Sockets {
    fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    fn totals(&self) -> Totals {
        self.runtime.block_on(async {
            let mut reading = JoinSet::new();
            for (i, node) in self.nodes.iter().cloned().enumerate() {
                let board = self.board.clone();
                reading.spawn(async move {
                    let read = node.read(move |node| board.update(i, node));
                    timeout(READING, read).await
                });
            }
            while reading.join_next().await.is_some() {}
        });
        self.board.totals()
    }

    /// At once: there is nobody left to say goodbye to.
    fn stop(self: Box<Self>) {
        self.runtime.shutdown_background();
    }
}
