//! A transport of the driver on tokio: pipes between the nodes of one process.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use peer_exchange::addr::p2p_component;
use peer_exchange::driver::{
    BoxFuture, Dial, DialError, Inbox, Incoming, Link, LinkEnd, Outbox, Transport,
};
use peer_exchange::{Multiaddr, NodeId};
use tokio::sync::{mpsc, watch};

/// Messages that wait in one direction of a pipe, 64 KiB each at most; beyond it, the sender
/// waits.
const QUEUE: usize = 1;
/// Where free ports are sought: the dynamic ones (RFC 6335, section 6).
const FREE_PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

/// An in-process network for nodes that [`Driver`](peer_exchange::Driver)s run. Cloning gives
/// another handle of the same one; two of them know nothing of each other. Its addresses are names
/// inside it: no socket is opened.
///
/// ```
/// # use peer_exchange::{Config, Driver, Identity, Instant, Multiaddr, Node, NodeId};
/// # use peer_exchange_memory::Loopback;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = Loopback::new();
/// let at = "10.0.0.1:7000".parse()?;
/// let id = NodeId::new([1; 32]);
/// let pipes = network.bind(&[at], id, "the test's cluster")?;
/// let identity = Identity::new(id).with_addresses(vec![Multiaddr::tcp(at)]);
/// let node = Node::new(Config::default(), identity, [7; 32], Instant::ZERO)?;
/// let handle = Driver::new(node).with_transport(pipes).spawn();
/// # handle.leave().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Loopback {
    ends: Arc<Mutex<Ends>>,
}

#[derive(Debug, Default)]
struct Ends {
    at: BTreeMap<SocketAddr, Arc<End>>,
    /// How many free ports have been given out, so that one is not soon given out again.
    given: usize,
}

/// One node of the network.
struct End {
    node: NodeId,
    cluster: Bytes,
    addresses: Vec<SocketAddr>,
    /// `None` until its driver accepts links, and again when it is closed.
    incoming: watch::Sender<State>,
    accepted: AtomicU64,
    refused: AtomicU64,
}

#[derive(Clone)]
enum State {
    Bound,
    Listening(Incoming),
    Closed,
}

/// One node's end of a [`Loopback`], which accepts links until it is closed or dropped.
///
/// Nothing is proven and nothing encrypted: the other end of a link is the node that has bound its
/// address, which can be trusted because it is in the same process.
#[derive(Debug)]
pub struct Pipes {
    network: Loopback,
    own: Arc<End>,
}

/// What became of the dials to one [`Pipes`]. Both only rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipeStats {
    /// Became links.
    pub accepted: u64,
    /// Came from a node of another cluster.
    pub refused: u64,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.node, self.addresses)
    }
}

impl Loopback {
    /// A network without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds these addresses for `node`; with none, it only dials. Port 0 is any free port, see
    /// [`Pipes::local_addresses`]. `cluster` stands for the token of other transports: only nodes
    /// that have given the same link.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when an address is bound already, or no port is
    /// free.
    pub fn bind(
        &self,
        listen: &[SocketAddr],
        node: NodeId,
        cluster: impl AsRef<[u8]>,
    ) -> io::Result<Pipes> {
        let mut ends = self.ends();
        let mut addresses = Vec::with_capacity(listen.len());
        for at in listen {
            let free = ends.free(*at, &addresses);
            addresses.push(free.ok_or(io::ErrorKind::AddrInUse)?);
        }
        let own = Arc::new(End {
            node,
            cluster: Bytes::copy_from_slice(cluster.as_ref()),
            addresses,
            incoming: watch::Sender::new(State::Bound),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        for at in &own.addresses {
            ends.at.insert(*at, own.clone());
        }
        Ok(Pipes {
            network: self.clone(),
            own,
        })
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        // A panic elsewhere leaves the map whole.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    /// This address, with a port that neither another end nor one of these has.
    fn free(&mut self, at: SocketAddr, taken: &[SocketAddr]) -> Option<SocketAddr> {
        let is_free = |at: &SocketAddr| !self.at.contains_key(at) && !taken.contains(at);
        if at.port() != 0 {
            return Some(at).filter(is_free);
        }
        let tried = FREE_PORTS.cycle().skip(self.given % FREE_PORTS.len());
        let candidates = tried.take(FREE_PORTS.len());
        let found = candidates
            .map(|port| SocketAddr::new(at.ip(), port))
            .find(is_free);
        self.given += 1;
        found
    }
}

impl Pipes {
    /// Where it is dialled, in the order given.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.own.addresses
    }

    /// What became of the dials to it.
    #[must_use]
    pub fn stats(&self) -> PipeStats {
        PipeStats {
            accepted: self.own.accepted.load(Ordering::Relaxed),
            refused: self.own.refused.load(Ordering::Relaxed),
        }
    }

    /// Frees its addresses. Whoever waits to be accepted fails.
    fn release(&self) {
        let mut ends = self.network.ends();
        for at in &self.own.addresses {
            if ends
                .at
                .get(at)
                .is_some_and(|end| Arc::ptr_eq(end, &self.own))
            {
                ends.at.remove(at);
            }
        }
        drop(ends);
        self.own.incoming.send_replace(State::Closed);
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.release();
    }
}

impl Transport for Pipes {
    fn handles(&self, address: &Multiaddr) -> bool {
        // There are no names here, and one with a libp2p peer ID is another program's.
        address.socket_addr().is_some() && p2p_component(address).is_none()
    }

    fn listen(&self, incoming: Incoming) {
        self.own.incoming.send_replace(State::Listening(incoming));
    }

    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        let (network, own) = (self.network.clone(), self.own.clone());
        Box::pin(async move {
            let to = dial.address.socket_addr().ok_or(DialError::Unsupported)?;
            let end = network.ends().at.get(&to).cloned();
            let end = end.ok_or_else(refused)?;
            end.admit(&dial, &own)?;
            let incoming = end.listening().await.ok_or_else(refused)?;
            let (ours, theirs) = pipe();
            let from = own.addresses.iter().find(|a| a.is_ipv4() == to.is_ipv4());
            end.accepted.fetch_add(1, Ordering::Relaxed);
            incoming.accept(link(own.node, from.copied(), theirs)).await;
            Ok(link(end.node, Some(to), ours))
        })
    }

    fn close(&self) -> BoxFuture<()> {
        self.release();
        Box::pin(async {})
    }
}

impl End {
    /// Whether the dialler wants this node, and this node the dialler.
    fn admit(&self, dial: &Dial, dialler: &Self) -> Result<(), DialError> {
        if dial.node.is_some_and(|expected| expected != self.node) {
            return Err(DialError::OtherNode(self.node));
        }
        if self.cluster != dialler.cluster {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(DialError::unauthenticated(&"a node of another cluster"));
        }
        Ok(())
    }

    /// Waits until it accepts links; `None` when it never will again.
    async fn listening(&self) -> Option<Incoming> {
        let mut state = self.incoming.subscribe();
        let decided = state.wait_for(|state| !matches!(state, State::Bound)).await;
        let State::Listening(incoming) = decided.ok()?.clone() else {
            return None;
        };
        tokio::select! {
            biased;
            // Its driver was dropped, without closing this.
            () = incoming.closed() => None,
            () = std::future::ready(()) => Some(incoming),
        }
    }
}

fn refused() -> DialError {
    io::Error::from(io::ErrorKind::ConnectionRefused).into()
}

/// What goes through a pipe.
enum Frame {
    Message(Bytes),
    /// Nothing comes after it. A pipe that ends without it has broken.
    Close,
}

type HalfPipe = (mpsc::Sender<Frame>, mpsc::Receiver<Frame>);

fn pipe() -> (HalfPipe, HalfPipe) {
    let (to_one, at_one) = mpsc::channel(QUEUE);
    let (to_two, at_two) = mpsc::channel(QUEUE);
    ((to_two, at_one), (to_one, at_two))
}

fn link(node: NodeId, remote: Option<SocketAddr>, (to, from): HalfPipe) -> Link {
    Link::new(node, remote, move |inbox, outbox| {
        carry(inbox, outbox, to, from)
    })
}

async fn carry(
    inbox: Inbox,
    mut outbox: Outbox,
    to: mpsc::Sender<Frame>,
    mut from: mpsc::Receiver<Frame>,
) -> LinkEnd {
    let writing = async {
        while let Some(message) = outbox.next().await {
            if to.send(Frame::Message(message)).await.is_err() {
                return false;
            }
        }
        // The other end may have closed at the same time.
        let _ = to.send(Frame::Close).await;
        true
    };
    let reading = async {
        loop {
            match from.recv().await {
                Some(Frame::Message(message)) => {
                    if !inbox.deliver(message).await {
                        // The driver stops, and has queued its goodbye.
                        return None;
                    }
                }
                Some(Frame::Close) => return Some(LinkEnd::Orderly),
                None => return Some(LinkEnd::Broken),
            }
        }
    };
    tokio::pin!(writing, reading);
    tokio::select! {
        asked = &mut writing => match asked {
            true => LinkEnd::Orderly,
            // It reads nothing any more; what it has sent before tells why.
            false => reading.await.unwrap_or(LinkEnd::Orderly),
        },
        end = &mut reading => match end {
            Some(end) => end,
            None => {
                writing.await;
                LinkEnd::Orderly
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer_exchange::driver::Ended;
    use peer_exchange::{Config, Driver, Identity, Instant, Node, Notice};

    /// How a node sees the end of a link, at whose other end this is done.
    async fn ended(act: impl AsyncFnOnce(HalfPipe)) -> Ended {
        let [own, other] = [1, 2].map(|n| NodeId::new([n; 32]));
        let pipes = Arc::new(Loopback::new().bind(&[], own, "").unwrap());
        let identity = Identity::new(own);
        let node = Node::new(Config::default(), identity, [7; 32], Instant::ZERO).unwrap();
        let driver = Driver::new(node).with_transport(pipes.clone());
        let mut notices = driver.handle().subscribe();
        let _handle = driver.spawn();
        let incoming = pipes.own.listening().await.unwrap();
        let (ours, theirs) = pipe();
        incoming.accept(link(other, None, theirs)).await;
        act(ours).await;
        loop {
            if let Notice::LinkDown { ended, .. } = notices.next().await.unwrap() {
                return ended;
            }
        }
    }

    #[tokio::test]
    async fn a_close_is_orderly() {
        let act = async |(to, _from): HalfPipe| assert!(to.send(Frame::Close).await.is_ok());
        assert_eq!(ended(act).await, Ended::ByPeer);
    }

    #[tokio::test]
    async fn an_end_without_a_close_is_none() {
        assert_eq!(ended(async |half| drop(half)).await, Ended::Broken);
    }

    #[tokio::test]
    async fn what_was_sent_before_the_end_is_read_by_one_who_cannot_send() {
        let act = async |(to, from): HalfPipe| {
            drop(from);
            assert!(to.send(Frame::Close).await.is_ok());
        };
        assert_eq!(ended(act).await, Ended::ByPeer);
    }
}
