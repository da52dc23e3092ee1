//! Starting nodes over one kind of transport, and waiting for what they do.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use peer_exchange::driver::{Filtered, Notices};
use peer_exchange::{
    Config, Driver, Event, Handle, Identity, Instant, Multiaddr, Node, NodeId, Notice, Signing,
    Transport,
};
use peer_exchange_tls::{HandshakeStats, Membership, NodeKey, Tls, Token, random_seed};
use tokio::time::{sleep, timeout};

use crate::versions::Speaks;

/// One kind of transport.
pub trait Kind: Send + Sync + 'static {
    /// It.
    type Transport: Transport;

    /// Listens where the plan says, as the node and the member that it describes.
    ///
    /// # Errors
    /// When that is not possible.
    fn bind(plan: &Plan) -> io::Result<Self::Transport>;

    /// Where it listens, in that order.
    fn sockets(transport: &Self::Transport) -> &[SocketAddr];

    /// The first of them.
    fn socket(transport: &Self::Transport) -> SocketAddr {
        Self::sockets(transport)[0]
    }

    /// The multiaddr of such a socket, in text, after the host.
    fn suffix(port: u16) -> String;

    /// What became of incoming connections.
    fn stats(transport: &Self::Transport) -> HandshakeStats;
}

/// Nothing here takes longer, or it fails.
const LIMIT: Duration = Duration::from_secs(20);

/// A token, the same in the whole process.
#[must_use]
pub fn token() -> Token {
    static TOKEN: std::sync::OnceLock<Token> = std::sync::OnceLock::new();
    TOKEN
        .get_or_init(|| Token::generate().expect("randomness"))
        .clone()
}

/// A node to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its key.
    pub key: NodeKey,
    /// Who may join it.
    pub membership: Membership,
    /// The token, where that is the membership: what a transport without TLS compares.
    pub token: Option<Token>,
    /// Whom it asks.
    pub upstreams: Vec<Multiaddr>,
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// What else it is told; its upstreams are those above.
    pub config: Config,
    /// What it remembers.
    pub snapshot: Option<Vec<u8>>,
    /// Which version of the protocol it is taken to be of.
    pub speaks: Speaks,
}

impl Plan {
    /// A new node on a free port of this machine.
    #[must_use]
    pub fn new() -> Self {
        let mut config = Config::default();
        config.local = true;
        config.signing = Signing::Require;
        Self {
            config,
            key: NodeKey::generate().expect("randomness"),
            membership: Membership::token(token()),
            token: Some(token()),
            upstreams: Vec::new(),
            listen: vec![(Ipv4Addr::LOCALHOST, 0).into()],
            snapshot: None,
            speaks: Speaks::default(),
        }
    }

    /// With this upstream.
    #[must_use]
    pub fn upstream(mut self, address: &Multiaddr) -> Self {
        self.upstreams.push(address.clone());
        self
    }

    /// Told this; its upstreams stay.
    #[must_use]
    pub fn with(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// With this membership, which is not by a token.
    #[must_use]
    pub fn member(mut self, membership: Membership) -> Self {
        self.membership = membership;
        self.token = None;
        self
    }

    /// A member by this token.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.membership = Membership::token(token.clone());
        self.token = Some(token);
        self
    }

    /// Listening there.
    #[must_use]
    pub fn at(mut self, listen: &[IpAddr]) -> Self {
        self.listen = listen.iter().map(|ip| (*ip, 0).into()).collect();
        self
    }

    /// What makes it a node of the transport.
    #[must_use]
    pub fn tls(&self) -> Tls {
        Tls::new(&self.key, &self.membership).expect("key and membership go together")
    }

    /// Starts it.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn start<K: Kind>(&self) -> Running<K> {
        let transport = K::bind(self).expect("a free port");
        let transport = Arc::new(transport);
        let sockets = K::sockets(&transport).iter();
        let addresses: Vec<_> = sockets.map(|socket| address::<K>(*socket)).collect();
        let address = addresses[0].clone();
        let identity = Identity::new(self.key.node())
            .with_addresses(addresses)
            .with_seal(self.key.seal());
        let mut config = self.config.clone();
        config.upstreams = self.upstreams.clone();
        let (seed, now) = (random_seed().expect("randomness"), Instant::ZERO);
        let node = match &self.snapshot {
            None => Node::new(config, identity, seed, now),
            Some(bytes) => {
                let elapsed = Some(Duration::ZERO);
                Node::restore(config, identity, seed, now, bytes, elapsed)
            }
        };
        let driver = Driver::new(node.expect("a valid configuration"));
        let driver = match self.speaks {
            Speaks::This => driver.with_transport(transport.clone()),
            other => driver.with_transport(Filtered::new(transport.clone(), other)),
        };
        let notices = driver.handle().subscribe();
        Running {
            node: self.key.node(),
            handle: driver.spawn(),
            notices,
            transport,
            address,
        }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

/// The multiaddr of this socket.
#[must_use]
pub(crate) fn address<K: Kind>(socket: SocketAddr) -> Multiaddr {
    let family = if socket.is_ipv4() { "ip4" } else { "ip6" };
    let suffix = K::suffix(socket.port());
    let text = format!("/{family}/{}{suffix}", socket.ip());
    text.parse().expect("an address")
}

/// A running node.
#[derive(Debug)]
pub struct Running<K: Kind> {
    /// Its ID.
    pub node: NodeId,
    /// To speak to it.
    pub handle: Handle,
    /// What it has reported since its start.
    pub notices: Notices,
    /// Its transport.
    pub transport: Arc<K::Transport>,
    /// Where it is found first.
    pub address: Multiaddr,
}

impl<K: Kind> Running<K> {
    /// Waits for a notice, and drops those before.
    pub async fn notice<T>(&mut self, wanted: impl Fn(&Notice) -> Option<T>) -> T {
        let search = async {
            loop {
                let notice = self.notices.next().await.expect("the node runs");
                if let Some(found) = wanted(&notice) {
                    break found;
                }
            }
        };
        match timeout(LIMIT, search).await {
            Ok(found) => found,
            Err(_) => panic!("no such notice within {LIMIT:?}: {}", self.state().await),
        }
    }

    /// Waits until a cycle is reported: its path.
    pub async fn finds_a_loop(&mut self) -> Vec<NodeId> {
        self.notice(|n| match n {
            Notice::Node(Event::LoopDetected { path }) => Some(path.clone()),
            _ => None,
        })
        .await
    }

    /// Changes its record, and waits until all of these know it.
    pub async fn tells(&self, others: &[&Self]) {
        let changed = random_seed().expect("randomness").to_vec();
        let change = self.handle.set_metadata(changed.clone());
        change.await.expect("the node runs");
        for other in others {
            eventually("the change is known", async || {
                let peer = other.handle.peer(self.node).await;
                let peer = peer.expect("the node runs");
                peer.is_some_and(|p| p.metadata == changed)
            })
            .await;
        }
    }

    /// Waits until the node knows all of these.
    pub async fn knows(&self, others: &[NodeId]) {
        let search = async {
            while !self.knows_now(others).await {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(LIMIT, search).await.is_err() {
            let peers = self.handle.peers().await.expect("the node runs");
            let known = peers.iter().map(|p| p.node).collect::<Vec<_>>();
            let state = self.state().await;
            panic!("{:?} knows {known:?} of {others:?}: {state}", self.node);
        }
    }

    /// What may tell why something has not happened.
    async fn state(&self) -> String {
        let state = self.handle.read(|node| {
            let links: Vec<_> = node.links().collect();
            let upstreams: Vec<_> = node.upstreams().collect();
            let loops: Vec<_> = node.loops().collect();
            let (now, pace, stats) = (node.now(), node.pace(), node.stats());
            format!("{now:?} {pace:?} {links:#?} {upstreams:#?} {loops:#?} {stats:#?}")
        });
        state.await.expect("the node runs")
    }

    async fn knows_now(&self, others: &[NodeId]) -> bool {
        let peers = self.handle.peers().await.expect("the node runs");
        others.iter().all(|o| peers.iter().any(|p| p.node == *o))
    }

    /// Nothing of the protocol has gone in or out.
    pub async fn assert_untold(&self) {
        let stats = self.handle.stats().await.expect("the node runs");
        assert_eq!((stats.messages_sent, stats.messages_received), (0, 0));
        assert_eq!(self.handle.peers().await.expect("the node runs"), []);
    }

    /// What became of incoming connections.
    #[must_use]
    pub fn stats(&self) -> HandshakeStats {
        K::stats(&self.transport)
    }
}

/// How the cycle of three is reported that ask one another in this order: the smallest first.
pub(crate) fn cycle(ids: [NodeId; 3]) -> [NodeId; 3] {
    let smallest = (0..3).min_by_key(|i| ids[*i]).expect("three");
    [0, 1, 2].map(|i| ids[(smallest + i) % 3])
}

/// Waits for this, not for ever.
pub async fn until<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = timeout(LIMIT, future).await;
    outcome.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

/// Waits until this holds, not for ever.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    until(what, waiting).await;
}
