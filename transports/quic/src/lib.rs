//! peer-exchange over QUIC: one connection is one link, which is one bidirectional stream that the
//! dialler opens, with the frames of TCP on it. Peers may change their addresses under way.
//!
//! ```no_run
//! # use peer_exchange::{Config, Driver, Identity, Instant, Multiaddr, Node};
//! # use peer_exchange_quic::{Options, Quic};
//! # use peer_exchange_tls::{Membership, NodeKey, Tls, random_seed};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let key = NodeKey::load_or_create("/var/lib/example/node.key")?;
//! let token = std::fs::read_to_string("/etc/example/token")?.parse()?;
//! let tls = Tls::new(&key, &Membership::token(token))?;
//! let quic = Quic::bind(&["0.0.0.0:7000".parse()?], tls, Options::default())?;
//!
//! let mut config = Config::default();
//! config.upstreams = vec!["/dns/server1.example/udp/7000/quic-v1".parse()?];
//! let addresses = vec![Multiaddr::quic("192.0.2.7:7000".parse()?)];
//! let identity = Identity::new(key.node()).with_addresses(addresses);
//! let node = Node::new(config, identity, random_seed()?, Instant::ZERO)?;
//! let handle = Driver::new(node).with_transport(quic).spawn();
//! # handle.leave().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod connection;
mod endpoint;
mod runtime;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peer_exchange::Multiaddr;
use peer_exchange::addr::{Protocol, p2p_component};
use peer_exchange::driver::{BoxFuture, Dial, DialError, Incoming, Link, Transport, staggered};
use peer_exchange_tls::{Gate, HandshakeError, HandshakeStats, Patience, Tls, resolve};
use quinn::Endpoint;
use tokio::sync::Semaphore;

use crate::runtime::{AllGone, Tracked};

/// How the transport treats connections. Every value has a default.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Incoming connections that have not proven membership, at once, and half as many of one
    /// network: a /24 of IPv4, a /64 of IPv6. With more than half of either taken, newcomers have to
    /// show that their address is theirs (QUIC retry), and a random one gives way to each that has.
    /// One that has failed takes memory for three more seconds, while it drains: with four times as
    /// many as this, newcomers are refused. Default 256.
    pub half_open: usize,
    /// An incoming connection has this long to prove membership; a second at most while more than
    /// half of `half_open` is taken. Default 5 s.
    pub handshake_timeout: Duration,
    /// The dialler shows a sign of life after this long without traffic: often enough for what
    /// forgets UDP flows on the way (RFC 9308, section 3.2). Beats come instead on the links over
    /// which nodes watch each other. Default 25 s.
    pub keep_alive: Duration,
    /// A connection without any is dead after this long: longer than the longest
    /// `Config::detection`, so that the nodes say first who is dead. Default 90 s.
    pub idle_timeout: Duration,
    /// What is sent has to be taken by the other end within this time, or the link is broken.
    /// Default 30 s.
    pub unread: Duration,
    /// An incoming link over which nothing but a greeting has come within this time is closed.
    /// Default 2 min.
    pub greeting_only: Duration,
    /// Between attempts at the addresses of a name (RFC 8305). Default 250 ms.
    pub stagger: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            half_open: 256,
            handshake_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(90),
            unread: Duration::from_secs(30),
            greeting_only: Duration::from_secs(120),
            stagger: Duration::from_millis(250),
        }
    }
}

impl Options {
    fn opened(&self) -> Patience {
        Patience::opened(self.unread)
    }

    fn accepted(&self) -> Patience {
        Patience::accepted(self.unread, self.greeting_only)
    }
}

/// Links over QUIC, in both directions.
pub struct Quic {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    /// Until `close`.
    open: Mutex<Option<Open>>,
}

struct Open {
    /// Those that listen first.
    endpoints: Vec<Endpoint>,
    runtime: Arc<Tracked>,
    gone: AllGone,
}

struct Shared {
    tls: Tls,
    client: quinn::ClientConfig,
    options: Options,
    gate: Gate,
    /// For those that are no links yet, and for those that never were, while they drain.
    memory: Arc<Semaphore>,
    /// Signs of life that have arrived by datagrams.
    life: Arc<AtomicU64>,
}

impl fmt::Debug for Quic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quic({:?} at {:?})", self.shared.tls, self.addresses)
    }
}

impl Quic {
    /// Listens on these addresses; with none, it only dials. Port 0 is any free port, see
    /// [`local_addresses`](Self::local_addresses). One socket serves both directions; each dial of
    /// an upstream has another, so that a load balancer may lead it elsewhere (R37). An IPv6
    /// address takes no IPv4 connections: give both.
    ///
    /// # Errors
    /// When one of them cannot be listened on, or an option is out of QUIC's range.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(listen: &[SocketAddr], tls: Tls, options: Options) -> io::Result<Self> {
        let (client, server) = endpoint::configs(&tls, &options)?;
        let (runtime, gone) = Tracked::new();
        let bind = |at: &SocketAddr| endpoint::bind(*at, Some(&server), &runtime);
        let listening = listen.iter().map(bind);
        let mut endpoints = listening.collect::<io::Result<Vec<_>>>()?;
        let addresses = endpoints.iter().map(Endpoint::local_addr);
        let addresses = addresses.collect::<io::Result<_>>()?;
        endpoint::add_missing_families(&mut endpoints, &runtime)?;
        let gate = Gate::new(options.half_open, options.handshake_timeout);
        Ok(Self {
            addresses,
            open: Mutex::new(Some(Open {
                endpoints,
                runtime,
                gone,
            })),
            shared: Arc::new(Shared {
                tls,
                client,
                options,
                gate,
                memory: Arc::new(Semaphore::new(endpoint::DRAINED * options.half_open)),
                life: Arc::default(),
            }),
        })
    }

    /// Where it listens, in the order given.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What became of incoming connections.
    #[must_use]
    pub fn stats(&self) -> HandshakeStats {
        self.shared.gate.stats()
    }

    /// Signs of life that have arrived, each in a datagram of its own (RFC 9221): a beat waits for
    /// nothing that was lost before it (R31).
    #[must_use]
    pub fn signs_of_life(&self) -> u64 {
        self.shared.life.load(Ordering::Relaxed)
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        // A panic elsewhere leaves it whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let open = self.open();
        open.as_ref().map_or_else(Vec::new, |o| o.endpoints.clone())
    }

    /// What makes a socket of its own for this dial, if it is to have one.
    fn own_socket(&self, dial: &Dial) -> Option<Arc<Tracked>> {
        let open = self.open();
        let open = open.as_ref().filter(|_| dial.own_socket)?;
        Some(open.runtime.clone())
    }
}

impl Transport for Quic {
    fn handles(&self, address: &Multiaddr) -> bool {
        // One with a libp2p peer ID is another program's.
        matches!(address.port(), Some((Protocol::Quic, _))) && p2p_component(address).is_none()
    }

    fn listen(&self, incoming: Incoming) {
        for endpoint in self.endpoints().into_iter().take(self.addresses.len()) {
            let shared = self.shared.clone();
            tokio::spawn(endpoint::accept(endpoint, shared, incoming.clone()));
        }
    }

    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        let shared = self.shared.clone();
        let (endpoints, own_socket) = (self.endpoints(), self.own_socket(&dial));
        Box::pin(async move {
            let candidates = resolve(&dial).await?;
            let attempts = candidates.into_iter().filter_map(|to| {
                let mut endpoint = endpoint::of_family(&endpoints, to)?;
                if let Some(runtime) = &own_socket {
                    // Without one the other will do.
                    endpoint = endpoint::like(&endpoint, runtime).unwrap_or(endpoint);
                }
                let (shared, node) = (shared.clone(), dial.node);
                Some(async move { connection::dial(&endpoint, &shared, to, node).await })
            });
            let attempts: Vec<_> = attempts.collect();
            let outcome = staggered(attempts, shared.options.stagger).await;
            match outcome {
                Some(outcome) => outcome.map_err(HandshakeError::into),
                None => Err(DialError::NoAddress),
            }
        })
    }

    fn close(&self) -> BoxFuture<()> {
        let open = self.open().take();
        Box::pin(async move {
            let Some(open) = open else {
                return;
            };
            let Open {
                endpoints,
                runtime,
                gone,
            } = open;
            drop(runtime);
            for endpoint in &endpoints {
                endpoint.close(0_u32.into(), b"");
            }
            // What is left to be said is said.
            for endpoint in endpoints {
                endpoint.wait_idle().await;
            }
            // The ports are free.
            gone.wait().await;
        })
    }
}
