//! What checkers know beside the transitions: who is configured to ask whom, and what each node
//! has said of itself.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{Decoded, Message, decode};
use peer_exchange::{Config, Multiaddr, NodeId, Sequence, Signing};
use peer_exchange_memory::HostId;

use crate::step::{Step, What, is_tombstone, records};

/// What is true beside what nodes say.
#[derive(Default)]
pub(crate) struct World {
    /// By host.
    pub(crate) ids: Vec<NodeId>,
    /// Who may answer at an address.
    pub(crate) listens: BTreeMap<Multiaddr, Vec<NodeId>>,
    /// What each node is configured with now.
    upstreams: HashMap<NodeId, Vec<NodeId>>,
    own: HashMap<NodeId, Sequence>,
    /// When the life of each sequence ends.
    authored: HashMap<(NodeId, Sequence), Duration>,
    highest: HashMap<NodeId, Sequence>,
    pub(crate) lifetime: Duration,
    pub(crate) report_interval: Duration,
    /// Records are signed (R50).
    pub(crate) signed: bool,
    /// So long what is on its way may have waited at hosts that stood still: nobody can take that off
    /// its life.
    pub(crate) waited: Duration,
}

impl World {
    /// Of hosts with these upstreams, in a network of this seed and configuration.
    pub(crate) fn new(seed: u64, hosts: usize, config: &Config) -> Self {
        let ids: Vec<_> = (0..hosts).map(|i| HostId(i).node_id(seed)).collect();
        let listen = |(i, id): (usize, &NodeId)| (HostId(i).address(), vec![*id]);
        Self {
            listens: ids.iter().enumerate().map(listen).collect(),
            ids,
            lifetime: config.lifetime,
            waited: Duration::ZERO,
            report_interval: config.report_interval,
            signed: config.signing != Signing::Off,
            ..Self::default()
        }
    }

    /// Every message that a node sends has to decode.
    pub(crate) fn decode(bytes: &Bytes) -> Message {
        match decode(bytes.clone()) {
            Ok(Decoded::Message(message)) => message,
            other => panic!("a node has sent what is no message: {other:?}"),
        }
    }

    /// These addresses are what a node asks now.
    pub(crate) fn configure(&mut self, node: NodeId, upstreams: &[Multiaddr]) {
        let nodes = upstreams.iter().filter_map(|a| self.listens.get(a));
        let nodes = nodes.flatten().copied().collect();
        self.upstreams.insert(node, nodes);
    }

    /// Whether `asker` is configured to ask `upstream`.
    pub(crate) fn asks(&self, asker: &NodeId, upstream: &NodeId) -> bool {
        self.upstreams
            .get(asker)
            .is_some_and(|u| u.contains(upstream))
    }

    /// Configured edges, those of a node to itself included.
    pub(crate) fn edges(&self) -> usize {
        self.upstreams.values().map(Vec::len).sum()
    }

    /// Takes down what a node says of itself, when it says it first.
    pub(crate) fn note(&mut self, step: &Step<'_>) {
        let (id, now) = (step.facts.id(), step.now);
        let sequence = step.facts.sequence();
        // The same sequence may be authored again after a loss of state.
        let new = self.own.insert(id, sequence) != Some(sequence);
        if new || matches!(step.what, What::Started) {
            self.author(id, sequence, now + self.lifetime);
        }
        if let What::Sent { message, .. } = step.what {
            for record in records(message).filter(|r| r.node == id) {
                let life = match is_tombstone(record.body) {
                    true => self.tombstone(),
                    false => self.lifetime,
                };
                if !self.authored.contains_key(&(id, record.sequence)) {
                    self.author(id, record.sequence, now + life);
                }
            }
        }
    }

    /// The initial life of a tombstone (R4).
    pub(crate) fn tombstone(&self) -> Duration {
        self.lifetime + self.lifetime / 16
    }

    fn author(&mut self, id: NodeId, sequence: Sequence, end: Duration) {
        self.authored.insert((id, sequence), end);
        let highest = self.highest.entry(id).or_default();
        *highest = sequence.max(*highest);
    }

    /// The highest that this node has ever said of itself.
    pub(crate) fn highest(&self, node: &NodeId) -> Sequence {
        self.highest.get(node).copied().unwrap_or_default()
    }

    /// When the life of what a node has said ends.
    pub(crate) fn end_of(&self, node: NodeId, sequence: Sequence) -> Option<Duration> {
        let end = self.authored.get(&(node, sequence))?;
        Some(*end + self.waited)
    }
}
