//! Counts what a storm is made of, while it would happen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{Decoded, Message, Request, decode};
use peer_exchange::{Config, Effect, Event, Input, LinkId, Node, NodeId, RequestId};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Setup};

/// Whom a link leads to, and what was asked there and is not answered.
type Link = (NodeId, BTreeSet<RequestId>);

/// Numbers of one run.
#[derive(Default)]
pub(crate) struct Watch {
    /// Requests sent, and those of them that were forwarded.
    pub(crate) requests: u64,
    pub(crate) forwarded: u64,
    /// The links that are up, with the exchanges under way on each.
    links: BTreeMap<(HostId, LinkId), Link>,
    /// The most that one node ever had under way with one other.
    pub(crate) most_under_way: usize,
    /// How often one request was forwarded, by its origin and ID: the depth of the recursion.
    depth: BTreeMap<(NodeId, RequestId), u32>,
    /// Cycles reported, by whom and when.
    pub(crate) cycles: Vec<(HostId, Duration, Vec<NodeId>)>,
}

impl Watch {
    pub(crate) fn deepest(&self) -> u32 {
        self.depth.values().copied().max().unwrap_or_default()
    }

    /// What is counted begins here.
    pub(crate) fn reset(&mut self) {
        let links = std::mem::take(&mut self.links);
        *self = Self {
            links,
            ..Self::default()
        };
    }

    /// Asserts that each of these hosts has reported exactly this cycle, once, by that time.
    #[track_caller]
    pub(crate) fn assert_reported(&self, by: &[HostId], cycle: &[NodeId], until: Duration) {
        let mut who: Vec<_> = self.cycles.iter().map(|(host, _, _)| *host).collect();
        who.sort_unstable();
        assert_eq!(who, by, "each of them once");
        for (host, at, path) in &self.cycles {
            assert_eq!(path, cycle, "as {host:?} has it");
            assert!(*at <= until, "{host:?} only at {at:?}");
        }
    }
}

impl Watch {
    fn sends(&mut self, host: HostId, link: LinkId, m: &Request) {
        self.requests += 1;
        if let Some(walk) = &m.walk {
            self.forwarded += 1;
            *self.depth.entry((walk.origin, m.id)).or_default() += 1;
        }
        let Some((peer, under_way)) = self.links.get_mut(&(host, link)) else {
            return;
        };
        if !m.is_fetch() {
            under_way.insert(m.id);
        }
        let peer = *peer;
        let same = |((h, _), (p, _)): &(&(HostId, LinkId), &Link)| *h == host && *p == peer;
        let links = self.links.iter().filter(same);
        let sum = links.map(|(_, (_, under_way))| under_way.len()).sum();
        self.most_under_way = self.most_under_way.max(sum);
    }

    fn receives(&mut self, host: HostId, own: NodeId, link: LinkId, bytes: &Bytes) {
        let Some((peer, under_way)) = self.links.get_mut(&(host, link)) else {
            return;
        };
        match message(bytes) {
            Message::Response(m) => {
                under_way.remove(&m.id);
            }
            // Two that cross: that of the smaller ID proceeds (R14).
            Message::Request(m) if !m.is_fetch() && *peer < own => under_way.clear(),
            _ => {}
        }
    }
}

fn message(bytes: &Bytes) -> Message {
    match decode(bytes.clone()) {
        Ok(Decoded::Message(message)) => message,
        other => panic!("no message: {other:?}"),
    }
}

impl Observer for Watch {
    fn handled(&mut self, _: Duration, host: HostId, input: &Input, node: &Node) {
        match input {
            Input::LinkUp {
                link, node: peer, ..
            } => {
                let none = BTreeSet::new();
                self.links.insert((host, *link), (*peer, none));
            }
            Input::LinkDown { link, .. } => {
                self.links.remove(&(host, *link));
            }
            Input::Message { link, bytes } => self.receives(host, node.id(), *link, bytes),
            _ => {}
        }
    }

    fn effect(&mut self, _: Duration, host: HostId, effect: &Effect, _: &Node) {
        match effect {
            Effect::Send { link, bytes } => {
                if let Message::Request(m) = message(bytes) {
                    self.sends(host, *link, &m);
                }
            }
            Effect::Close { link, .. } => {
                self.links.remove(&(host, *link));
            }
            _ => {}
        }
    }

    fn crashed(&mut self, _: Duration, host: HostId) {
        self.links.retain(|(h, _), _| *h != host);
    }

    fn event(&mut self, now: Duration, host: HostId, event: &Event) {
        if let Event::LoopDetected { path } = event {
            self.cycles.push((host, now, path.clone()));
        }
    }
}

/// Servers without upstreams yet, in a network without faults. The latency is the default, 1 ms.
pub(crate) fn network(seed: u64) -> Network<Watch> {
    let setup = Setup {
        seed,
        faults: Faults::default(),
        config: Config::default(),
    };
    Network::with_observer(setup, Watch::default())
}

/// This cycle of hosts, in the order of asking, as it is reported: the smallest ID first.
pub(crate) fn canonical(seed: u64, hosts: &[HostId]) -> Vec<NodeId> {
    let mut path: Vec<_> = hosts.iter().map(|h| h.node_id(seed)).collect();
    let smallest = path.iter().min().copied();
    let at = path.iter().position(|n| Some(*n) == smallest);
    path.rotate_left(at.unwrap_or_default());
    path
}

pub(crate) const MS: Duration = Duration::from_millis(1);
