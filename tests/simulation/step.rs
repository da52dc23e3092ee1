//! One transition, as the checkers see it.

use std::time::Duration;

use peer_exchange::wire::{Content, Message, Records, WireRecord};
use peer_exchange::{Event, Input, Instant, LinkId, Node, NodeId, Sequence, Stats};
use peer_exchange_memory::HostId;

/// What has happened.
#[derive(Debug)]
pub(crate) enum What<'a> {
    /// The node was made.
    Started,
    /// It has taken an input that is no message.
    Input(&'a Input),
    /// It has taken a message.
    Received {
        link: LinkId,
        from: NodeId,
        message: &'a Message,
    },
    /// It sends a message.
    Sent {
        link: LinkId,
        to: NodeId,
        message: &'a Message,
    },
    /// It reports.
    Event(&'a Event),
    /// It closes a link.
    Closed { link: LinkId },
    /// It has nothing more to do for now.
    Waits,
}

/// One transition.
pub(crate) struct Step<'a> {
    /// Virtual time.
    pub(crate) now: Duration,
    pub(crate) host: HostId,
    /// Rises with every start of the host.
    pub(crate) life: u32,
    pub(crate) what: What<'a>,
    /// The node after it.
    pub(crate) facts: &'a dyn Facts,
}

/// What checkers read off a node: an interface, so that their own tests can forge it.
pub(crate) trait Facts {
    fn id(&self) -> NodeId;
    fn now(&self) -> Instant;
    fn sequence(&self) -> Sequence;
    /// What it has of a peer: sequence and deadline, by its own clock.
    fn held(&self, node: &NodeId) -> Option<(Sequence, Instant)>;
    fn peers(&self) -> Vec<NodeId>;
    fn stats(&self) -> Stats;
    fn sizes(&self) -> Vec<(&'static str, usize, usize)>;
    fn check(&self);
}

impl Facts for Node {
    fn id(&self) -> NodeId {
        Self::id(self)
    }

    fn now(&self) -> Instant {
        Self::now(self)
    }

    fn sequence(&self) -> Sequence {
        Self::sequence(self)
    }

    fn held(&self, node: &NodeId) -> Option<(Sequence, Instant)> {
        let peer = self.peer(node)?;
        Some((peer.sequence, Self::now(self) + peer.lifetime_left))
    }

    fn peers(&self) -> Vec<NodeId> {
        Self::peers(self).map(|p| p.node).collect()
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        Self::sizes(self).to_vec()
    }

    fn check(&self) {
        self.check_invariants();
    }
}

/// Every page of records in a message.
pub(crate) fn pages(message: &Message) -> impl Iterator<Item = &Records> {
    let (delta, news, response) = match message {
        Message::Request(m) => (m.push.as_ref(), None, None),
        Message::Response(m) => (m.delta.as_ref(), None, Some(m)),
        Message::Update(m) => (m.delta.as_ref(), m.news.as_ref(), None),
        _ => (None, None, None),
    };
    let sample = response.and_then(|m| m.busy.as_ref()).map(|(_, r)| r);
    let renewed = response.map(|m| &m.renewed);
    let delta = delta.and_then(|d| match &d.content {
        Content::Records(records) => Some(records),
        _ => None,
    });
    let news = news.map(|news| &news.records);
    delta.into_iter().chain(sample).chain(renewed).chain(news)
}

/// Every record in a message.
pub(crate) fn records(message: &Message) -> impl Iterator<Item = WireRecord<'_>> {
    pages(message).flat_map(Records::iter)
}

/// A record without addresses says that its node has left (R4).
pub(crate) fn is_tombstone(body: &[u8]) -> bool {
    // The key of the first field, addresses, length-delimited.
    body.first() != Some(&0x0a)
}
