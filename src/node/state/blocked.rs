//! Transports over which nodes do not answer that do over another (R32): UDP blocked and TCP open, or
//! the reverse.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::addr::Protocol;
use crate::id::NodeId;
use crate::limits::caps;
use crate::time::Instant;

/// A first sign is looked into so soon.
const SOON: Duration = Duration::from_secs(2);
/// What is blocked is tried again so often.
const AGAIN: Duration = Duration::from_secs(60);

/// What has become of a transport, to be said once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// This node does not answer over it, and does over another.
    Blocked(Protocol, NodeId),
    Open(Protocol),
}

#[derive(Default)]
struct Silent {
    /// Who was silent once where another transport answered; `true` where a dial over this one
    /// alone has failed since.
    nodes: BTreeMap<NodeId, bool>,
    reported: bool,
    next: Option<Instant>,
}

#[derive(Default)]
pub(crate) struct Blocked {
    protocols: BTreeMap<Protocol, Silent>,
}

impl Blocked {
    /// A dial has found this node over one transport.
    pub(crate) fn answered(&mut self, over: Protocol, node: &NodeId) -> Option<Change> {
        let silent = self.protocols.get_mut(&over)?;
        silent.nodes.remove(node);
        // Who was not tried alone may only have been slower.
        if !silent.nodes.values().any(|proven| *proven) {
            silent.nodes.clear();
        }
        self.after(over)
    }

    /// It has not over this one, where it has over another: to be tried over this one alone.
    /// [Beside another a handshake that has lost a packet is too late as well.]
    pub(crate) fn was_silent(&mut self, over: Protocol, node: NodeId, now: Instant) {
        let silent = self.protocols.entry(over).or_default();
        if silent.nodes.len() < caps::BLOCKED {
            silent.nodes.entry(node).or_insert(false);
            silent.next.get_or_insert(now + SOON);
        }
    }

    /// Whom to try over which transport alone, if it is time.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Protocol, NodeId)> {
        let is_due = |silent: &Silent| silent.next.is_some_and(|at| at <= now);
        let due = self.protocols.iter_mut().find(|(_, s)| is_due(s));
        let (protocol, silent) = due?;
        silent.next = Some(now + AGAIN);
        // Whom this was found out with, while it is there.
        let best = silent.nodes.iter().max_by_key(|(_, proven)| **proven);
        best.map(|(node, _)| (*protocol, *node))
    }

    /// It was tried over this one alone, in vain; `elsewhere`: it is linked over another.
    pub(crate) fn failed(
        &mut self,
        over: Protocol,
        node: NodeId,
        elsewhere: bool,
    ) -> Option<Change> {
        let silent = self.protocols.get_mut(&over)?;
        if !elsewhere {
            // It is gone: that says nothing of the transport.
            silent.nodes.remove(&node);
            return self.after(over);
        }
        silent.nodes.insert(node, true);
        let is_new = !core::mem::replace(&mut silent.reported, true);
        is_new.then_some(Change::Blocked(over, node))
    }

    fn after(&mut self, over: Protocol) -> Option<Change> {
        let is_empty = self.protocols.get(&over)?.nodes.is_empty();
        let ended = is_empty.then(|| self.protocols.remove(&over)).flatten()?;
        ended.reported.then_some(Change::Open(over))
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.protocols.values().filter_map(|s| s.next).min()
    }

    /// Those that were reported.
    pub(crate) fn reported(&self) -> impl Iterator<Item = Protocol> + '_ {
        let reported = self.protocols.iter().filter(|(_, s)| s.reported);
        reported.map(|(protocol, _)| *protocol)
    }

    /// Nodes of the transport with the most.
    pub(crate) fn len(&self) -> usize {
        let sizes = self.protocols.values().map(|s| s.nodes.len());
        sizes.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const UDP: Protocol = Protocol::Quic;

    /// R32: said once, of however many, and taken back once.
    #[test]
    fn it_is_said_once_and_taken_back_once() {
        let mut blocked = Blocked::default();
        for n in 1..4 {
            blocked.was_silent(UDP, node(n), at(100));
        }
        assert_eq!(blocked.take_due(at(101)), None);
        let (protocol, first) = blocked.take_due(at(102)).expect("it is time");
        let said = blocked.failed(protocol, first, true);
        assert_eq!(said, Some(Change::Blocked(UDP, first)));
        assert_eq!(blocked.reported().count(), 1);
        assert_eq!(blocked.failed(UDP, node(2), true), None);
        assert_eq!(blocked.next_due(), Some(at(162)), "once in a minute");
        assert_eq!(blocked.answered(UDP, &node(2)), None, "another is silent");
        assert_eq!(blocked.answered(UDP, &first), Some(Change::Open(UDP)));
        assert_eq!((blocked.len(), blocked.next_due()), (0, None));
        assert_eq!(blocked.answered(UDP, &node(3)), None);
    }

    /// R32: a handshake that came too late once says nothing.
    #[test]
    fn what_answers_when_it_is_tried_alone_was_only_slow() {
        let mut blocked = Blocked::default();
        blocked.was_silent(UDP, node(1), at(100));
        blocked.was_silent(UDP, node(2), at(100));
        assert!(blocked.take_due(at(102)).is_some());
        assert_eq!(blocked.answered(UDP, &node(1)), None);
        assert_eq!(blocked.len(), 0);
    }

    #[test]
    fn who_is_gone_says_nothing_of_the_transport() {
        let mut blocked = Blocked::default();
        blocked.was_silent(UDP, node(1), at(100));
        assert_eq!(blocked.failed(UDP, node(1), false), None);
        assert_eq!((blocked.len(), blocked.next_due()), (0, None));
    }

    /// R22.
    #[test]
    fn so_many_are_remembered() {
        let mut blocked = Blocked::default();
        for n in 0..200 {
            blocked.was_silent(UDP, node(n), at(100));
        }
        assert_eq!(blocked.len(), caps::BLOCKED);
    }
}
