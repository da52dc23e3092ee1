//! peer-exchange over TCP: one connection is one link, with TLS 1.3 in both directions.
//!
//! ```no_run
//! # use peer_exchange::{Config, Driver, Identity, Instant, Multiaddr, Node};
//! # use peer_exchange_tcp::{Options, Tcp};
//! # use peer_exchange_tls::{Membership, NodeKey, Tls, random_seed};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let key = NodeKey::load_or_create("/var/lib/example/node.key")?;
//! let token = std::fs::read_to_string("/etc/example/token")?.parse()?;
//! let tls = Tls::new(&key, &Membership::token(token))?;
//! let tcp = Tcp::bind(&["0.0.0.0:7000".parse()?], tls, Options::default())?;
//!
//! let mut config = Config::default();
//! config.upstreams = vec!["/dns/server1.example/tcp/7000".parse()?];
//! let addresses = vec![Multiaddr::tcp("192.0.2.7:7000".parse()?)];
//! let identity = Identity::new(key.node()).with_addresses(addresses);
//! let node = Node::new(config, identity, random_seed()?, Instant::ZERO)?;
//! let handle = Driver::new(node).with_transport(tcp).spawn();
//! # handle.leave().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod connection;
mod listener;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peer_exchange::Multiaddr;
use peer_exchange::addr::{Protocol, p2p_component};
use peer_exchange::driver::{BoxFuture, Dial, DialError, Incoming, Link, Transport, staggered};
use peer_exchange_tls::{Gate, HandshakeStats, Patience, Tls, resolve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the transport treats connections. Every value has a default.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Incoming connections that have not proven membership, at once, and half as many of one
    /// network: a /24 of IPv4, a /64 of IPv6. Where it gets scarce a random one gives way to each
    /// newcomer, those first that have said nothing. Default 256.
    pub half_open: usize,
    /// An incoming connection has this long to prove membership; a second at most while more than
    /// half of `half_open` is taken. Default 5 s.
    pub handshake_timeout: Duration,
    /// A connection on which nothing arrives is probed after this long, and is dead after three
    /// more probes at a third of it: after more than the longest `Config::detection`, so that the
    /// nodes say first who is dead. Default 45 s.
    pub keep_alive: Duration,
    /// What is sent has to be taken by the other end within this time, or the link is broken.
    /// On Linux the system keeps no more than 16 kB that are not on their way, and what it
    /// keeps of less counts after twice `keep_alive` at the latest.
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
            keep_alive: Duration::from_secs(45),
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

/// Links over TCP and TLS, in both directions.
#[derive(Debug)]
pub struct Tcp {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    /// Until `listen` takes them.
    listeners: Mutex<Vec<TcpListener>>,
    /// Those that accept, until `close`.
    accepting: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    tls: Tls,
    options: Options,
    gate: Gate,
}

impl Tcp {
    /// Listens on these addresses; with none, it only dials. Port 0 is any free port, see
    /// [`local_addresses`](Self::local_addresses). An IPv6 address takes no IPv4 connections:
    /// give both.
    ///
    /// # Errors
    /// When one of them cannot be listened on.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(listen: &[SocketAddr], tls: Tls, options: Options) -> io::Result<Self> {
        let listeners = listen.iter().map(|at| listener::bind(*at));
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr);
        Ok(Self {
            addresses: addresses.collect::<io::Result<_>>()?,
            listeners: Mutex::new(listeners),
            accepting: Mutex::default(),
            shared: Arc::new(Shared {
                tls,
                options,
                gate: Gate::new(options.half_open, options.handshake_timeout),
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
}

impl Transport for Tcp {
    fn handles(&self, address: &Multiaddr) -> bool {
        // One with a libp2p peer ID is another program's.
        matches!(address.port(), Some((Protocol::Tcp, _))) && p2p_component(address).is_none()
    }

    fn listen(&self, incoming: Incoming) {
        let listeners = take(&self.listeners);
        let accepting = listeners.into_iter().map(|listener| {
            let shared = self.shared.clone();
            tokio::spawn(listener::accept(listener, shared, incoming.clone()))
        });
        let accepting = accepting.collect();
        *lock(&self.accepting) = accepting;
    }

    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let candidates = resolve(&dial).await?;
            let stagger = shared.options.stagger;
            let attempts = candidates.into_iter().map(|to| {
                let (shared, node) = (shared.clone(), dial.node);
                async move { connection::dial(&shared, to, node).await }
            });
            let outcome = staggered(attempts, stagger).await;
            Ok(outcome.unwrap_or(Err(peer_exchange_tls::HandshakeError::TimedOut))?)
        })
    }

    fn close(&self) -> BoxFuture<()> {
        // They end with the driver; afterwards their ports are free.
        let accepting = take(&self.accepting);
        Box::pin(async move {
            for task in accepting {
                let _ = task.await;
            }
        })
    }
}

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *lock(list))
}

fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the list whole.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer_exchange::Config;

    /// A connection is given up later than a silent node (R31).
    #[test]
    fn a_connection_is_given_up_later_than_a_node() {
        let longest = Duration::from_secs(60);
        let longer = Config::default().with_detection(Some(longest + Duration::from_secs(1)));
        assert!(longer.check().is_err());
        let Options { keep_alive, .. } = Options::default();
        assert!(keep_alive + connection::PROBES * (keep_alive / connection::PROBES) > longest);
    }
}
