//! This project, with its default configuration: links are dialled, which takes a round trip.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ::peer_exchange::{
    Config, DialId, Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId, Target,
};
use bytes::Bytes;
use rand::Rng;

use crate::cluster::{Cluster, NEW_PORT, PORT, address, node_at};
use crate::harness::{LATENCY, Out, System};

/// All nodes, and the links between them.
pub struct PeerExchange {
    cluster: Cluster,
    nodes: Vec<Option<Node>>,
    ports: Vec<u16>,
    wakes: Vec<Option<Duration>>,
    links: HashMap<u64, Link>,
    next_link: u64,
}

/// Its ends have twice its number as their ID, and one more at the acceptor's.
struct Link {
    nodes: [usize; 2],
    open: [bool; 2],
}

/// What a node is told later.
pub enum Timer {
    /// Its deadline.
    Wake,
    /// An end of a link is up.
    Up(LinkId, Option<DialId>),
    /// The other end has closed it.
    Down(LinkId),
    /// Nobody there.
    Failed(DialId),
}

impl PeerExchange {
    fn input(&mut self, node: usize, input: Input, out: &mut Out<Self>) {
        let now = Instant::from_duration(out.now());
        let Some(state) = &mut self.nodes[node] else {
            return;
        };
        let handled = state.handle(now, input);
        debug_assert!(handled.is_ok(), "node {node}: {handled:?}");
        self.drain(node, out);
    }

    fn drain(&mut self, node: usize, out: &mut Out<Self>) {
        let now = Instant::from_duration(out.now());
        while let Some(state) = &mut self.nodes[node] {
            match state.poll() {
                Effect::Send { link, bytes } => {
                    let sent = state.handle(now, Input::Sent { link });
                    debug_assert!(sent.is_ok(), "node {node}: {sent:?}");
                    if let Some(at) = self.links.get(&(link.get() / 2)) {
                        let to = at.nodes[1 - side(link)];
                        out.send(node, to, bytes.len(), (LinkId::new(link.get() ^ 1), bytes));
                    }
                }
                Effect::Dial { dial, target } => self.dial(node, dial, &target, out),
                Effect::Close { link, .. } => {
                    if let Some(at) = self.close(link) {
                        out.after(
                            at.nodes[1 - side(link)],
                            LATENCY,
                            Timer::Down(LinkId::new(link.get() ^ 1)),
                        );
                    }
                }
                Effect::Event(_) => {}
                Effect::WaitUntil(deadline) => {
                    let at = deadline.map(|deadline| deadline.as_duration().max(out.now()));
                    if self.wakes[node] != at {
                        self.wakes[node] = at;
                        if let Some(at) = at {
                            out.after(node, at - out.now(), Timer::Wake);
                        }
                    }
                    return;
                }
            }
        }
    }

    /// The acceptor's end is up after one latency, the dialler's after two.
    fn dial(&mut self, from: usize, dial: DialId, target: &Target, out: &mut Out<Self>) {
        let addresses = target.addresses();
        let listens = |socket: SocketAddr| match socket.ip() {
            IpAddr::V4(ip) if self.ports[node_at(ip)] == socket.port() => Some(node_at(ip)),
            _ => None,
        };
        let sockets = addresses.iter().filter_map(Multiaddr::socket_addr);
        let Some(to) = sockets.filter_map(listens).next() else {
            out.after(from, 2 * LATENCY, Timer::Failed(dial));
            return;
        };
        let number = self.next_link;
        self.next_link += 1;
        self.links.insert(
            number,
            Link {
                nodes: [from, to],
                open: [true, true],
            },
        );
        out.after(to, LATENCY, Timer::Up(LinkId::new(2 * number + 1), None));
        out.after(from, 2 * LATENCY, Timer::Up(LinkId::new(2 * number), Some(dial)));
    }

    /// Closes one end, if it is open; the link, while its other end still is.
    fn close(&mut self, end: LinkId) -> Option<&Link> {
        let link = self.links.get_mut(&(end.get() / 2))?;
        let was_open = std::mem::take(&mut link.open[side(end)]);
        if link.open == [false, false] {
            self.links.remove(&(end.get() / 2));
            return None;
        }
        self.links.get(&(end.get() / 2)).filter(|_| was_open)
    }

    fn is_open(&self, end: LinkId) -> Option<usize> {
        let link = self.links.get(&(end.get() / 2))?;
        link.open[side(end)].then(|| link.nodes[1 - side(end)])
    }
}

fn side(end: LinkId) -> usize {
    (end.get() % 2) as usize
}

fn multiaddr(node: usize, port: u16) -> Multiaddr {
    Multiaddr::tcp(SocketAddr::V4(address(node, port)))
}

impl System for PeerExchange {
    type Payload = (LinkId, Bytes);
    type Timer = Timer;

    const NAME: &'static str = "peer-exchange";
    /// A whole lifetime, in which every record is renewed.
    const STEADY: Duration = Duration::from_secs(86_400);

    fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            nodes: (0..cluster.size()).map(|_| None).collect(),
            ports: vec![PORT; cluster.size()],
            wakes: vec![None; cluster.size()],
            links: HashMap::new(),
            next_link: 0,
        }
    }

    fn start(&mut self, node: usize, out: &mut Out<Self>) {
        let mut config = Config::default();
        config
            .upstreams
            .extend(self.cluster.upstreams[node].map(|upstream| multiaddr(upstream, PORT)));
        let identity = Identity::new(NodeId::new(self.cluster.ids[node])).with_addresses(vec![multiaddr(node, PORT)]);
        let mut seed = [0; 32];
        self.cluster.rng(node).fill_bytes(&mut seed);
        let state = Node::new(config, identity, seed, Instant::from_duration(out.now()));
        self.nodes[node] = Some(state.expect("the default configuration is in range"));
        self.drain(node, out);
    }

    fn message(
        &mut self,
        node: usize,
        _: usize,
        (link, bytes): Self::Payload,
        out: &mut Out<Self>,
    ) {
        if self.is_open(link).is_some() {
            self.input(node, Input::Message { link, bytes }, out);
        }
    }

    fn timer(&mut self, node: usize, timer: Timer, out: &mut Out<Self>) {
        match timer {
            Timer::Wake if self.wakes[node] == Some(out.now()) => {
                self.wakes[node] = None;
                self.input(node, Input::Wake, out);
            }
            Timer::Wake => {}
            Timer::Up(link, dial) => {
                let Some(peer) = self.is_open(link) else {
                    return;
                };
                let up = Input::LinkUp {
                    link,
                    node: NodeId::new(self.cluster.ids[peer]),
                    remote: Some(SocketAddr::V4(address(peer, PORT))),
                    dial,
                };
                self.input(node, up, out);
            }
            Timer::Down(link) => {
                if self.is_open(link).is_some() {
                    self.close(link);
                    self.input(
                        node,
                        Input::LinkDown {
                            link,
                            orderly: true,
                        },
                        out,
                    );
                }
            }
            Timer::Failed(dial) => self.input(node, Input::DialFailed { dial }, out),
        }
    }

    fn change(&mut self, node: usize, out: &mut Out<Self>) {
        self.ports[node] = NEW_PORT;
        let addresses = vec![multiaddr(node, NEW_PORT)];
        self.input(node, Input::SetAddresses(addresses), out);
    }

    fn known(&self, node: usize) -> usize {
        self.nodes[node].as_ref().map_or(0, Node::peer_count)
    }

    fn connections(&self) -> Option<u64> {
        Some(self.next_link)
    }

    fn knows_change(&self, node: usize, changed: usize) -> bool {
        let peer = |state: &Node| state.peer(&NodeId::new(self.cluster.ids[changed]));
        self.nodes[node]
            .as_ref()
            .and_then(peer)
            .is_some_and(|peer| peer.addresses == [multiaddr(changed, NEW_PORT)])
    }
}
