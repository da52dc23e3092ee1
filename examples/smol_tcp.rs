//! Embedding on another runtime: smol, its sockets and timers, and no tokio anywhere.
//!
//! NOT AUTHENTICATED: whoever connects may claim any node ID. It is good for 127.0.0.1 and for
//! reading. [`authenticate`] is the place for what makes it real: a TLS 1.3 handshake in both
//! directions (futures-rustls runs on smol), the peer's key as its node ID, and a proof of
//! membership. `peer-exchange-tls` has the configurations for it.
//!
//! `cargo run --example smol_tcp`

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant as Clock};

use peer_exchange::contract;
use peer_exchange::limits::caps;
use peer_exchange::{
    Config, DialId, Effect, Event, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId,
    Target,
};
use smol::channel::{Receiver, Sender, bounded};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::{Timer, future};

/// Nothing here takes longer, or something is wrong.
const LIMIT: Duration = Duration::from_secs(20);
const DIALLING: Duration = Duration::from_secs(5);

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    smol::block_on(async {
        let mut listeners = Vec::new();
        for _ in 0..3 {
            listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        }
        let sockets: Vec<_> = listeners.iter().map(TcpListener::local_addr).collect();
        let sockets = sockets.into_iter().collect::<io::Result<Vec<_>>>()?;
        let (found, all_found) = bounded(3);
        let mut servers = Vec::new();
        for (i, listener) in listeners.into_iter().enumerate() {
            let (own, upstream) = (sockets[i], sockets[(i + 1) % sockets.len()]);
            let server = Server::new(i as u8 + 1, own, upstream, found.clone());
            let reports = server.reports.0.clone();
            servers.push((reports, smol::spawn(server.run(listener))));
        }
        // Nobody leaves before everybody has found everything.
        for _ in &servers {
            let found = async { Ok(all_found.recv().await?) };
            let too_long = async {
                Timer::after(LIMIT).await;
                Err(Failure::from("they have not found each other"))
            };
            future::or(found, too_long).await?;
        }
        for (reports, server) in servers {
            reports.send(Report::Leave).await?;
            server.await?;
        }
        Ok(())
    })
}

type Queue = Receiver<bytes::Bytes>;

/// What the driver waits for, besides its timer.
enum Report {
    Input(Input),
    Connected(TcpStream, NodeId, Option<DialId>),
    Leave,
}

struct Server {
    node: Node,
    start: Clock,
    reports: (Sender<Report>, Receiver<Report>),
    /// Each with the queue of its writer. The node counts credits, and never overfills it.
    links: BTreeMap<LinkId, Sender<bytes::Bytes>>,
    next_link: u64,
    /// To be told once.
    found: Sender<()>,
}

impl Server {
    fn new(number: u8, own: SocketAddr, upstream: SocketAddr, found: Sender<()>) -> Self {
        let mut config = Config::default();
        config.upstreams = vec![Multiaddr::tcp(upstream)];
        // Loopback addresses are good for one machine only, so they have to be asked for.
        config.local = true;
        // A real program has a key whose public half is its ID, and a seed from the system.
        let identity =
            Identity::new(NodeId::new([number; 32])).with_addresses(vec![Multiaddr::tcp(own)]);
        let node = Node::new(config, identity, [number; 32], Instant::ZERO);
        Self {
            node: node.expect("all values are in range"),
            start: Clock::now(),
            // Bounded: a peer that sends too fast waits in its own socket.
            reports: bounded(64),
            links: BTreeMap::new(),
            next_link: 0,
            found,
        }
    }

    /// The driver loop.
    async fn run(mut self, listener: TcpListener) -> Result<(), Failure> {
        let accepting = smol::spawn(accept(listener, self.node.id(), self.reports.0.clone()));
        let mut told = false;
        loop {
            let deadline = self.carry_out();
            if !told && self.node.peer_count() == 2 && self.node.loops().next().is_some() {
                told = true;
                self.found.send(()).await?;
            }
            let timer = async {
                let wait = |at: Instant| Timer::after(at.saturating_since(self.now()));
                deadline.map_or_else(Timer::never, wait).await;
                Report::Input(Input::Wake)
            };
            let next = async { self.reports.1.recv().await.expect("it holds a sender") };
            let input = match future::or(next, timer).await {
                Report::Input(input) => input,
                Report::Connected(stream, node, dial) => self.link_up(stream, node, dial),
                Report::Leave => break,
            };
            self.node.handle(self.now(), input)?;
        }
        self.node.handle(self.now(), Input::Leave)?;
        self.carry_out();
        accepting.cancel().await;
        // The goodbyes are on their way.
        Timer::after(Duration::from_millis(100)).await;
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::from_duration(self.start.elapsed())
    }

    /// All that the node wants done. The loop has no other end than the next deadline.
    fn carry_out(&mut self) -> Option<Instant> {
        loop {
            match self.node.poll() {
                Effect::Send { link, bytes } => {
                    // An error: the link has ended, and the report of that is under way.
                    let _ = self.links.get(&link).map(|queue| queue.try_send(bytes));
                }
                Effect::Dial { dial, target } => {
                    let (me, reports) = (self.node.id(), self.reports.0.clone());
                    smol::spawn(connect(dial, target, me, reports)).detach();
                }
                // Its writer sends what is queued, then closes.
                Effect::Close { link, .. } => drop(self.links.remove(&link)),
                Effect::Event(event) => self.tell(&event),
                Effect::WaitUntil(deadline) => return deadline,
            }
        }
    }

    fn link_up(&mut self, stream: TcpStream, node: NodeId, dial: Option<DialId>) -> Input {
        let link = LinkId::new(self.next_link);
        self.next_link += 1;
        let (queue, queued) = bounded(caps::IN_FLIGHT);
        self.links.insert(link, queue);
        let remote = stream.peer_addr().ok();
        smol::spawn(read(link, stream.clone(), self.reports.0.clone())).detach();
        smol::spawn(write(link, stream, queued, self.reports.0.clone())).detach();
        Input::LinkUp {
            link,
            node,
            remote,
            dial,
        }
    }

    fn tell(&self, event: &Event) {
        let me = name(&self.node.id());
        match event {
            Event::PeerUp { node } => println!("{me} knows {}", name(node)),
            Event::LoopDetected { path } => {
                let path: Vec<_> = path.iter().chain(path.first()).map(name).collect();
                println!("{me} is on a cycle: {}", path.join(" → "));
            }
            _ => {}
        }
    }
}

/// THE PLACE FOR AUTHENTICATION. Here each end just says who it is, and is believed.
async fn authenticate(mut stream: TcpStream, me: NodeId) -> io::Result<(TcpStream, NodeId)> {
    stream.set_nodelay(true)?;
    stream.write_all(me.as_bytes()).await?;
    let mut claimed = [0; 32];
    stream.read_exact(&mut claimed).await?;
    Ok((stream, NodeId::new(claimed)))
}

async fn accept(listener: TcpListener, me: NodeId, reports: Sender<Report>) {
    // A real program bounds how many may wait here, and for how long.
    while let Ok((stream, _)) = listener.accept().await {
        if let Ok((stream, node)) = authenticate(stream, me).await {
            let _ = reports.send(Report::Connected(stream, node, None)).await;
        }
    }
}

async fn connect(dial: DialId, target: Target, me: NodeId, reports: Sender<Report>) {
    let (addresses, expected) = (target.addresses(), target.node());
    let attempt = async {
        // A real program tries them all.
        let socket = addresses.iter().find_map(Multiaddr::socket_addr);
        let socket = socket.ok_or(io::ErrorKind::Unsupported)?;
        let (stream, node) = authenticate(TcpStream::connect(socket).await?, me).await?;
        match expected {
            Some(expected) if expected != node => Err(io::Error::other("another node")),
            _ => Ok((stream, node)),
        }
    };
    let timeout = async {
        Timer::after(DIALLING).await;
        Err(io::Error::from(io::ErrorKind::TimedOut))
    };
    let report = match future::or(attempt, timeout).await {
        Ok((stream, node)) => Report::Connected(stream, node, Some(dial)),
        Err(_) => Report::Input(Input::DialFailed { dial }),
    };
    let _ = reports.send(report).await;
}

/// Messages travel behind their length, four bytes, big-endian.
async fn read(link: LinkId, mut stream: TcpStream, reports: Sender<Report>) {
    let orderly = loop {
        let mut length = [0; 4];
        if let Err(error) = stream.read_exact(&mut length).await {
            break error.kind() == io::ErrorKind::UnexpectedEof;
        }
        let length = u32::from_be_bytes(length) as usize;
        let mut message = vec![0; length.min(contract::MESSAGE_BYTES)];
        if length > message.len() || stream.read_exact(&mut message).await.is_err() {
            break false;
        }
        let bytes = message.into();
        let message = Report::Input(Input::Message { link, bytes });
        let _ = reports.send(message).await;
    };
    let down = Report::Input(Input::LinkDown { link, orderly });
    let _ = reports.send(down).await;
}

async fn write(link: LinkId, mut stream: TcpStream, queued: Queue, reports: Sender<Report>) {
    while let Ok(message) = queued.recv().await {
        let length = (message.len() as u32).to_be_bytes();
        let framed = [&length[..], &message].concat();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
        // The credit for the next one.
        let _ = reports.send(Report::Input(Input::Sent { link })).await;
    }
    let _ = stream.close().await;
}

fn name(node: &NodeId) -> String {
    format!("server{}", node.as_bytes()[0])
}
