//! Embedding by hand, on threads and channels: no async, no sockets.
//!
//! ```sh
//! cargo run --example threads
//! ```
//!
//! Three nodes in a ring of upstreams: server1 asks server2, server2 asks server3, server3 asks
//! server1. Each is a thread that owns its node and runs the whole driver loop. They find each
//! other, report the cycle in their configuration, and leave.
//!
//! In a program of your own, replace [`Hub`] by your transport: something that dials, sends bytes,
//! and knows by its authentication which node is at the other end.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant as Clock};

use peer_exchange::{
    Config, Effect, Event, Identity, Input, Instant, Multiaddr, Node, NodeId, UsageError,
};
use peer_exchange_memory::{Carried, Endpoint, Hub};

/// How long each server takes part.
const RUNS: Duration = Duration::from_millis(1500);

fn main() {
    let hub = Hub::new();
    // All join before any runs: the first dials find somebody.
    let endpoints = SERVERS.map(|server| hub.join(server.id(), server.socket()));
    let threads: Vec<_> = SERVERS
        .into_iter()
        .zip(endpoints)
        .map(|(server, endpoint)| thread::spawn(move || server.run(endpoint)))
        .collect();
    for thread in threads {
        let peers = thread.join().expect("no server panics");
        let peers = peers.expect("no server misuses its node");
        assert_eq!(peers, SERVERS.len() - 1, "every server finds all others");
    }
}

/// Server n listens at 10.0.0.n, and its upstream is the next one.
#[derive(Clone, Copy)]
struct Server(u8);

const SERVERS: [Server; 3] = [Server(1), Server(2), Server(3)];
static ALL_LOOKED: Barrier = Barrier::new(SERVERS.len());

impl Server {
    /// A real program takes its public key, which its transport proves.
    fn id(self) -> NodeId {
        NodeId::new([self.0; 32])
    }

    fn socket(self) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, self.0], 4000))
    }

    fn upstream(self) -> Self {
        Self(self.0 % SERVERS.len() as u8 + 1)
    }

    /// Runs a node for a while, and says how many peers it knew at the end.
    fn run(self, mut endpoint: Endpoint) -> Result<usize, UsageError> {
        let mut config = Config::default();
        config.upstreams = vec![Multiaddr::tcp(self.upstream().socket())];
        let identity = Identity::new(self.id())
            .with_addresses(vec![Multiaddr::tcp(self.socket())])
            .with_metadata(b"example");
        // The node reads no clock and draws no random numbers: both come from here. A real program
        // draws the seed anew at every start, from the operating system.
        let start = Clock::now();
        let now = || Instant::from_duration(start.elapsed());
        let seed = [self.0; 32];
        let mut node = Node::new(config, identity, seed, now()).expect("all values are in range");

        while start.elapsed() < RUNS {
            let deadline = self.carry_out(&mut node, &mut endpoint, now)?;
            // Wait for input, but no longer than the node wants, nor beyond the end.
            let end = RUNS.saturating_sub(start.elapsed());
            let wait = deadline.map_or(end, |at| at.saturating_since(now()).min(end));
            let input = endpoint.receive(Some(wait)).unwrap_or(Input::Wake);
            node.handle(now(), input)?;
        }

        // Nobody leaves before everybody has looked.
        let peers: Vec<_> = node.peers().map(|peer| name(&peer.node)).collect();
        println!(
            "{} knows {} at the end",
            name(&self.id()),
            peers.join(" and ")
        );
        ALL_LOOKED.wait();
        node.handle(now(), Input::Leave)?;
        self.carry_out(&mut node, &mut endpoint, now)?;
        Ok(peers.len())
    }

    /// Does all that the node wants done, and returns its next deadline. The loop has no other
    /// end, so that no effect can be forgotten.
    fn carry_out(
        self,
        node: &mut Node,
        endpoint: &mut Endpoint,
        now: impl Fn() -> Instant,
    ) -> Result<Option<Instant>, UsageError> {
        loop {
            let effect: Effect = node.poll();
            match endpoint.carry_out(effect) {
                Carried::Done => {}
                // What came of it: a link, a failed dial, or the credit for a message.
                Carried::Input(input) => node.handle(now(), input)?,
                Carried::Event(event) => self.report(node, &event),
                Carried::Wait(deadline) => return Ok(deadline),
            }
        }
    }

    fn report(self, node: &Node, event: &Event) {
        let me = name(&self.id());
        match event {
            Event::PeerUp { node: peer } => {
                let addresses = node.peer(peer).map(|p| p.addresses).unwrap_or_default();
                println!("{me} found {} at {addresses:?}", name(peer));
            }
            Event::LoopDetected { path } => {
                let mut names: Vec<_> = path.iter().map(name).collect();
                names.extend(names.first().cloned());
                println!("{me} is on a cycle: {}", names.join(" → "));
            }
            _ => {}
        }
    }
}

fn name(node: &NodeId) -> String {
    format!("server{}", node.as_bytes()[0])
}
