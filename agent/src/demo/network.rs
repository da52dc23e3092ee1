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
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
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
    let runtime = runtime(None).map_err(failed)?;
    let started = start_all(graph, over, descriptors.links_per_node, signing, &runtime);
    let Started {
        nodes,
        last,
        board,
        told,
    } = started.map_err(failed)?;
    let cluster = Box::new(Sockets {
        ids: nodes.iter().map(Handle::node).collect(),
        nodes,
        last: Mutex::new(last),
        board: board.clone(),
        runtime,
    });
    Ok(Running {
        cluster,
        board,
        told,
    })
}

fn runtime(threads: Option<usize>) -> Result<Runtime, Box<dyn Error>> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    Ok(builder.enable_all().build()?)
}

struct Started {
    nodes: Vec<Handle>,
    last: Option<Last>,
    board: Arc<Board>,
    told: Receiver<Told>,
}

/// The node that is killed and brought back: with a runtime of its own, all of which goes at once.
struct Last {
    key: NodeKey,
    membership: Membership,
    over: Over,
    config: Config,
    running: Option<(Runtime, Handle)>,
    /// What it last knew, and when.
    kept: Option<(Vec<u8>, std::time::Instant)>,
}

fn start_all(
    graph: &Graph,
    over: Over,
    max_links: usize,
    signing: Signing,
    shared: &Runtime,
) -> Result<Started, Box<dyn Error>> {
    // Whoever knows it is a member, and nobody outside of this process ever does.
    let membership = Membership::token(Token::generate()?);
    let own = runtime(Some(1))?;
    let last = graph.len() - 1;
    let place = |i: usize| if i == last { &own } else { shared };
    // All listen before the first dials.
    let mut hosts = Vec::new();
    for i in 0..graph.len() {
        let _inside = place(i).enter();
        hosts.push(Host::listen(NodeKey::generate()?, &membership, over)?);
    }
    let addresses: Vec<_> = hosts.iter().map(|host| host.address.clone()).collect();
    let (board, told) = board(graph.len());
    let mut nodes = Vec::new();
    let mut plan = None;
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
        plan = Some((host.key.clone(), config.clone()));
        let _inside = place(i).enter();
        let (handle, notices) = host.start(config, None)?;
        shared.spawn(watch(i, handle.clone(), notices, board.clone()));
        nodes.push(handle);
    }
    let running = nodes.last().cloned().map(|handle| (own, handle));
    let last = plan.map(|(key, config)| Last {
        key,
        membership,
        over,
        config,
        running,
        kept: None,
    });
    Ok(Started {
        nodes,
        last,
        board,
        told,
    })
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
    fn listen(key: NodeKey, membership: &Membership, over: Over) -> Result<Self, Box<dyn Error>> {
        let tls = Tls::new(&key, membership)?;
        let (transport, address) = over.bind(tls)?;
        Ok(Self {
            key,
            transport,
            address,
        })
    }

    /// Starts it, from what it knew so long ago if that is given.
    fn start(
        self,
        config: Config,
        kept: Option<(&[u8], Duration)>,
    ) -> Result<(Handle, Notices), Box<dyn Error>> {
        let identity = Identity::new(self.key.node())
            .with_addresses(vec![self.address])
            .with_seal(self.key.seal());
        let (seed, now) = (random_seed()?, Instant::ZERO);
        let node = match kept {
            None => Node::new(config, identity, seed, now)?,
            Some((kept, ago)) => Node::restore(config, identity, seed, now, kept, Some(ago))?,
        };
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
    last: Mutex<Option<Last>>,
    board: Arc<Board>,
    runtime: Runtime,
}

impl Last {
    fn revive(&mut self) -> Result<(), Box<dyn Error>> {
        let runtime = runtime(Some(1))?;
        let handle = {
            let _inside = runtime.enter();
            let host = Host::listen(self.key.clone(), &self.membership, self.over)?;
            let kept = self.kept.as_ref();
            let kept = kept.map(|(kept, at)| (kept.as_slice(), at.elapsed()));
            host.start(self.config.clone(), kept)?.0
        };
        self.running = Some((runtime, handle));
        Ok(())
    }
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

    fn kill(&self) -> Result<(), String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = last.as_mut() else {
            return Ok(());
        };
        if let Some((runtime, handle)) = last.running.take() {
            // As an agent saves its state now and then.
            let kept = self.runtime.block_on(handle.snapshot());
            last.kept = kept.ok().map(|kept| (kept, std::time::Instant::now()));
            runtime.shutdown_background();
        }
        Ok(())
    }

    fn revive(&self) -> Result<(), String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_mut().map_or(Ok(()), |last| {
            last.revive()
                .map_err(|why| format!("it does not start again: {why}"))
        })
    }

    /// At once: there is nobody left to say goodbye to.
    fn stop(self: Box<Self>) {
        let last = self
            .last
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((runtime, _)) = last.and_then(|last| last.running) {
            runtime.shutdown_background();
        }
        self.runtime.shutdown_background();
    }
}
