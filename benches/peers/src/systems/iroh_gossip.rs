//! iroh-gossip: HyParView and PlumTree with their defaults. Each node broadcasts its record once,
//! after the overlay is up.

use std::collections::HashMap;
use std::time::Duration;

use ::iroh_gossip::proto::{
    Command, Config, Event, InEvent, Message, OutEvent, PeerData, Scope, State, Timer,
};
use bytes::Bytes;
use rand::rngs::SmallRng;

use crate::cluster::{Cluster, NEW_PORT, PORT, address};
use crate::harness::{LATENCY, Out, System};

type Id = [u8; 32];

/// All nodes, and which records each has heard of.
pub struct IrohGossip {
    cluster: Cluster,
    started: std::time::Instant,
    nodes: Vec<State<Id, SmallRng>>,
    by_id: HashMap<Id, usize>,
    heard: Vec<Heard>,
    /// Told by both ends.
    neighbours: u64,
}

/// What a program on top would keep, at its least.
#[derive(Clone)]
struct Heard {
    of: Vec<bool>,
    count: usize,
    new_port: bool,
}

const TOPIC: [u8; 32] = [7; 32];

/// What a node is told later.
pub enum Later {
    /// Its own timer.
    Timer(Timer<Id>),
    /// A peer has closed the connection.
    Disconnected(Id),
}

impl IrohGossip {
    fn input(&mut self, node: usize, event: InEvent<Id>, out: &mut Out<Self>) {
        let now = self.started + out.now();
        // A std HashMap inside decides the order between peers, anew in every run.
        let mut effects: Vec<_> = self.nodes[node].handle(event, now.into(), None).collect();
        effects.sort_by_key(|effect| match effect {
            OutEvent::SendMessage(to, _) => Some(*to),
            _ => None,
        });
        for effect in effects {
            match effect {
                OutEvent::SendMessage(to, message) => {
                    let bytes = postcard::to_allocvec(&message).expect("a message is encodable");
                    out.send(node, self.by_id[&to], bytes.len(), bytes);
                }
                OutEvent::ScheduleTimer(delay, timer) => {
                    out.after(node, delay, Later::Timer(timer));
                }
                OutEvent::DisconnectPeer(peer) => {
                    // As in the crate's own simulator: after what is still under way.
                    let delay = LATENCY + Duration::from_micros(1);
                    let me = self.cluster.ids[node];
                    out.after(self.by_id[&peer], delay, Later::Disconnected(me));
                }
                OutEvent::EmitEvent(_, Event::Received(event)) => {
                    self.hear(node, &event.content);
                }
                OutEvent::EmitEvent(_, Event::NeighborUp(_)) => self.neighbours += 1,
                OutEvent::EmitEvent(..) | OutEvent::PeerData(..) => {}
            }
        }
    }

    fn hear(&mut self, node: usize, record: &[u8]) {
        let (id, address) = record.split_at(32);
        let of = Id::try_from(id).ok().and_then(|id| self.by_id.get(&id));
        let Some(of) = of.copied().filter(|of| *of != node) else {
            return;
        };
        let heard = &mut self.heard[node];
        heard.count += usize::from(!std::mem::replace(&mut heard.of[of], true));
        heard.new_port |= address[4..] == NEW_PORT.to_be_bytes();
    }

    fn broadcast(&mut self, node: usize, port: u16, out: &mut Out<Self>) {
        let address = address(node, port);
        let mut record = self.cluster.ids[node].to_vec();
        record.extend(address.ip().octets());
        record.extend(address.port().to_be_bytes());
        let command = Command::Broadcast(Bytes::from(record), Scope::Swarm);
        self.input(node, InEvent::Command(TOPIC.into(), command), out);
    }
}

impl System for IrohGossip {
    type Payload = Vec<u8>;
    type Timer = Later;

    const NAME: &'static str = "iroh-gossip 0.101.0";
    const NEEDS_STREAMS: bool = true;
    const WARM_UP: Duration = Duration::from_secs(5);
    /// Two shuffles.
    const STEADY: Duration = Duration::from_secs(120);

    fn new(cluster: &Cluster) -> Self {
        let size = cluster.size();
        let node = |node: usize| {
            let id = cluster.ids[node];
            State::new(
                id,
                PeerData::default(),
                Config::default(),
                cluster.rng(node),
            )
        };
        let heard = Heard {
            of: vec![false; size],
            count: 0,
            new_port: false,
        };
        Self {
            cluster: cluster.clone(),
            started: std::time::Instant::now(),
            nodes: (0..size).map(node).collect(),
            by_id: cluster.ids.iter().copied().zip(0..).collect(),
            heard: vec![heard; size],
            neighbours: 0,
        }
    }

    fn start(&mut self, node: usize, out: &mut Out<Self>) {
        let upstream = self.cluster.upstreams[node].map(|upstream| self.cluster.ids[upstream]);
        let join = Command::Join(upstream.into_iter().collect());
        self.input(node, InEvent::Command(TOPIC.into(), join), out);
    }

    fn go(&mut self, node: usize, out: &mut Out<Self>) {
        self.broadcast(node, PORT, out);
    }

    fn message(&mut self, node: usize, from: usize, bytes: Vec<u8>, out: &mut Out<Self>) {
        let message: Message<Id> = postcard::from_bytes(&bytes).expect("a peer encoded it");
        let from = self.cluster.ids[from];
        self.input(node, InEvent::RecvMessage(from, message), out);
    }

    fn timer(&mut self, node: usize, later: Later, out: &mut Out<Self>) {
        let event = match later {
            Later::Timer(timer) => InEvent::TimerExpired(timer),
            Later::Disconnected(peer) => InEvent::PeerDisconnected(peer),
        };
        self.input(node, event, out);
    }

    fn change(&mut self, node: usize, out: &mut Out<Self>) {
        self.broadcast(node, NEW_PORT, out);
    }

    fn known(&self, node: usize) -> usize {
        self.heard[node].count
    }

    /// Only those between neighbours, the warm-up's included.
    fn connections(&self) -> Option<u64> {
        Some(self.neighbours / 2)
    }

    fn knows_change(&self, node: usize, _: usize) -> bool {
        self.heard[node].new_port
    }
}
