//! One address of this node: who has reached it, and who has not.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::addr::{self, Host, Multiaddr, Protocol};
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::node::cx::Cx;
use crate::time::Instant;

/// What is configured is tried after so long, unless somebody has reached it by then: in a start most
/// are dialled anyway.
const FIRST: Duration = Duration::from_secs(10);
/// A proven one is tried again after about so long,
const AGAIN: Duration = Duration::from_secs(3_600);
/// one that was not reached after this, three times,
const SOON: Duration = Duration::from_secs(5);
const SOON_TIMES: u8 = 3;
/// and then after about so long.
const LATER: Duration = Duration::from_secs(600);
/// What only those have seen that have dialled this node may be a balancer's address, which leads
/// elsewhere at the next dial: it is proven by so many in a row.
const ROW: u8 = 3;
/// Of so many nodes that do not reach it, nobody does.
const QUORUM: usize = 2;

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nobody has tried, or it is not decided.
    Unproven,
    /// Others have found this node there.
    Proven,
    /// Nobody does that has tried.
    Unreachable,
}

/// Who has been asked to dial it.
struct Asked {
    link: LinkId,
    node: NodeId,
    at: Instant,
    /// It has said that it reached this node.
    says_reached: bool,
}

pub(crate) struct Entry {
    address: Multiaddr,
    configured: bool,
    /// It is in the own record.
    advertised: bool,
    /// Somebody sees it that this node has dialled.
    outgoing: bool,
    state: State,
    since: Instant,
    /// The latest of those that have found this node there, and of those that have not.
    reached: Vec<NodeId>,
    failed: Vec<NodeId>,
    /// Dials in a row that have found it, and that have not.
    row: u8,
    failures: u8,
    asked: Option<Asked>,
    next: Instant,
}

impl Entry {
    fn new(address: Multiaddr, now: Instant, wait: Duration) -> Self {
        Self {
            address,
            configured: false,
            advertised: false,
            outgoing: false,
            state: State::Unproven,
            since: now,
            reached: Vec::new(),
            failed: Vec::new(),
            row: 0,
            failures: 0,
            asked: None,
            next: now + wait,
        }
    }

    pub(super) fn named(address: Multiaddr, now: Instant) -> Self {
        Self::new(address, now, FIRST)
    }

    pub(super) fn found(address: Multiaddr, outgoing: bool, now: Instant) -> Self {
        Self {
            outgoing,
            ..Self::new(address, now, Duration::ZERO)
        }
    }

    pub(crate) fn address(&self) -> &Multiaddr {
        &self.address
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.configured
    }

    pub(super) fn set_configured(&mut self) {
        self.configured = true;
    }

    /// Whether it is in the own record.
    pub(crate) fn is_advertised(&self) -> bool {
        self.advertised
    }

    /// What is configured is; what was found once it is proven, unless `others` are awaited.
    pub(super) fn advertise(&mut self, others: bool) {
        self.advertised = match self.state {
            _ if self.configured => true,
            State::Proven => self.advertised || !others,
            State::Unproven => self.advertised,
            State::Unreachable => false,
        };
    }

    /// Somebody sees this node there, whom it has dialled, or who has dialled it.
    pub(super) fn seen(&mut self, dialled: bool) {
        self.outgoing |= dialled;
    }

    /// Whether it may be a balancer's address.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.configured && !self.advertised && !self.outgoing
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Since when it stands so.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// The latest of those that have found this node there.
    pub(crate) fn reached_by(&self) -> &[NodeId] {
        &self.reached
    }

    /// The latest of those that have not.
    pub(crate) fn missed_by(&self) -> &[NodeId] {
        &self.failed
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self.address.host() {
            Host::Ip(ip) => Some(ip),
            Host::Dns(_) => None,
        }
    }

    pub(super) fn is_family_of(&self, ip: IpAddr) -> bool {
        self.ip().is_some_and(|own| own.is_ipv4() == ip.is_ipv4())
    }

    /// Its port, if nodes can dial it: one with a libp2p peer ID is another program's.
    pub(super) fn port(&self) -> Option<(Protocol, u16)> {
        let port = self.address.port()?;
        let dialled = port.0 != Protocol::Udp && addr::p2p_component(&self.address).is_none();
        dialled.then_some(port)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.asked.is_none() && self.next <= now
    }

    /// Found just now, and what is to prove it is on its way.
    pub(super) fn is_awaited(&self, now: Instant, time: Duration) -> bool {
        let open = self.state == State::Unproven && self.failed.is_empty();
        let recent = now.saturating_since(self.since) < time;
        !self.configured && open && recent && self.asked.is_some()
    }

    /// It is tried again soon, whatever came of it before.
    pub(super) fn hasten(&mut self, now: Instant) {
        if self.state == State::Proven {
            self.next = self.next.min(now + FIRST);
        }
    }

    /// It is not proven yet, and was reached the last time: more is to be heard.
    pub(super) fn go_on(&mut self, now: Instant) {
        if self.row > 0 && self.state != State::Proven {
            self.next = self.next.min(now);
        }
    }

    /// Whether to ask this node, which has reached it before.
    pub(super) fn needs_again(&self, node: &NodeId) -> bool {
        let lacks_voices = self.state != State::Proven && self.row >= self.rounds();
        !lacks_voices || !self.reached.contains(node)
    }

    /// Whom to ask first: where it is in dispute, those that have reached it; else those that have
    /// not been asked.
    pub(super) fn order_of(&self, node: &NodeId) -> u8 {
        let (reached, failed) = (self.reached.contains(node), self.failed.contains(node));
        let disputed = !self.reached.is_empty() && !self.failed.is_empty();
        match (reached, failed) {
            (true, _) if disputed => 0,
            (false, false) => 1,
            (true, _) => 2,
            _ => 3,
        }
    }

    pub(super) fn asked(&mut self, link: LinkId, node: NodeId, now: Instant) {
        self.asked = Some(Asked {
            link,
            node,
            at: now,
            says_reached: false,
        });
    }

    pub(super) fn is_asked(&self, node: &NodeId) -> bool {
        self.asked.as_ref().is_some_and(|a| a.node == *node)
    }

    pub(super) fn says_reached(&mut self, node: &NodeId) {
        if let Some(asked) = self.asked.as_mut().filter(|a| a.node == *node) {
            asked.says_reached = true;
        }
    }

    pub(super) fn said_by(&self, node: &NodeId) -> bool {
        let asked = self.asked.as_ref();
        asked.is_some_and(|a| a.node == *node && a.says_reached)
    }

    pub(super) fn link_gone(&mut self, link: LinkId) {
        self.asked.take_if(|asked| asked.link == link);
    }

    pub(super) fn expire(&mut self, now: Instant, patience: Duration) {
        let late = |asked: &mut Asked| now.saturating_since(asked.at) >= patience;
        if self.asked.take_if(late).is_some() {
            // It does not dial, or does not say.
            self.next = now + SOON;
        }
    }

    /// This node was found there.
    pub(super) fn reached(&mut self, node: NodeId, cx: &mut Cx) {
        self.answered(&node);
        note(&mut self.reached, node);
        self.failed.retain(|n| *n != node);
        self.row = self.row.saturating_add(1);
        self.failures = 0;
        self.next = cx.now + cx.jitter(AGAIN, 75);
    }

    /// It was not. Who is not linked any more is not asked again: its word is old.
    pub(super) fn failed(&mut self, node: NodeId, linked: &BTreeSet<NodeId>, cx: &mut Cx) {
        self.answered(&node);
        note(&mut self.failed, node);
        self.reached.retain(|n| *n != node && linked.contains(n));
        self.row = 0;
        self.failures = self.failures.saturating_add(1);
        let wait = match self.failures < SOON_TIMES {
            true => SOON,
            false => cx.jitter(LATER, 75),
        };
        self.next = cx.now + wait;
    }

    fn answered(&mut self, node: &NodeId) {
        self.asked.take_if(|asked| asked.node == *node);
    }

    fn rounds(&self) -> u8 {
        if self.configured || self.outgoing {
            1
        } else {
            ROW
        }
    }

    /// `voices`: how many have to have reached it. `alone`: at most one node is linked.
    pub(super) fn verdict(&self, voices: usize, alone: bool) -> State {
        let was = self.state == State::Proven;
        let enough = was || self.reached.len() >= voices && self.row >= self.rounds();
        // Where there is one other alone, it has to say so twice.
        let nobody = self.failed.len() >= QUORUM
            || alone && usize::from(self.failures) >= QUORUM && !self.failed.is_empty();
        match self.reached.is_empty() {
            false if enough => State::Proven,
            true if nobody => State::Unreachable,
            // It is decided by more than one word.
            _ => self.state,
        }
    }

    pub(super) fn set_state(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
    }
}

/// Keeps a few, the latest last.
fn note(nodes: &mut Vec<NodeId>, node: NodeId) {
    nodes.retain(|n| *n != node);
    if nodes.len() >= caps::VOICES {
        nodes.remove(0);
    }
    nodes.push(node);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx, node};

    fn address() -> Multiaddr {
        Multiaddr::tcp(([192, 0, 2, 1], 4_000).into())
    }

    fn named() -> Entry {
        let mut entry = Entry::named(address(), at(0));
        entry.set_configured();
        entry
    }

    /// R38: one success is enough where the address is this node's, three where it may be a balancer's.
    #[test]
    fn what_may_be_a_balancers_address_is_proven_by_three_in_a_row() {
        let mut cx = cx(at(0));
        let nobody = BTreeSet::new();
        let mut entry = Entry::found(address(), false, at(0));
        for (reaches, state) in [
            (true, State::Unproven),
            (true, State::Unproven),
            (false, State::Unproven),
            (true, State::Unproven),
            (true, State::Unproven),
            (true, State::Proven),
        ] {
            match reaches {
                true => entry.reached(node(1), &mut cx),
                false => entry.failed(node(1), &nobody, &mut cx),
            }
            assert_eq!(entry.verdict(1, false), state);
        }
        entry.set_state(State::Proven, at(0));
        let mut outgoing = Entry::found(address(), true, at(0));
        outgoing.reached(node(1), &mut cx);
        assert_eq!(outgoing.verdict(1, false), State::Proven);
        assert_eq!(
            outgoing.verdict(2, false),
            State::Unproven,
            "two are to say so"
        );
        outgoing.reached(node(2), &mut cx);
        assert_eq!(outgoing.verdict(2, false), State::Proven);
    }

    /// R38: one word against the others changes nothing; where there is one other alone, two do.
    #[test]
    fn nobody_reaches_it_when_two_do_not_and_no_linked_one_does() {
        let mut cx = cx(at(0));
        let linked = BTreeSet::from([node(1), node(2), node(3)]);
        let mut entry = named();
        entry.failed(node(1), &linked, &mut cx);
        assert_eq!(entry.verdict(1, false), State::Unproven);
        assert_eq!(entry.verdict(1, true), State::Unproven);
        entry.failed(node(1), &linked, &mut cx);
        assert_eq!(entry.verdict(1, false), State::Unproven);
        assert_eq!(entry.verdict(1, true), State::Unreachable);
        entry.reached(node(3), &mut cx);
        entry.set_state(entry.verdict(1, false), at(0));
        entry.failed(node(2), &linked, &mut cx);
        assert_eq!(entry.verdict(1, false), State::Proven, "one does");
        assert_eq!(entry.order_of(&node(3)), 0, "and is asked again");
        entry.failed(node(3), &linked, &mut cx);
        assert_eq!(entry.verdict(1, false), State::Unreachable);
        assert_eq!(entry.missed_by(), [node(1), node(2), node(3)]);
    }

    /// R22, R38.
    #[test]
    fn of_those_that_have_tried_a_few_are_remembered() {
        let mut cx = cx(at(0));
        let mut entry = named();
        for n in 0..20 {
            entry.reached(node(n), &mut cx);
        }
        assert_eq!(entry.reached_by().len(), caps::VOICES);
        assert_eq!(entry.reached_by().last(), Some(&node(19)));
    }

    /// R38: hourly where it is proven, soon three times where it is not, and then in ten minutes.
    #[test]
    fn it_is_tried_again() {
        let mut cx = cx(at(0));
        let mut entry = named();
        assert!(!entry.is_due(at(9)) && entry.is_due(at(10)));
        entry.reached(node(1), &mut cx);
        assert!(!entry.is_due(at(2_699)) && entry.is_due(at(3_600)));
        for (failures, (not_yet, due)) in [(4, 5), (4, 5), (449, 600)].into_iter().enumerate() {
            entry.asked(LinkId::new(1), node(1), at(0));
            assert!(!entry.is_due(at(9_000)), "once at a time");
            entry.failed(node(1), &BTreeSet::new(), &mut cx);
            assert!(
                !entry.is_due(at(not_yet)) && entry.is_due(at(due)),
                "{failures}"
            );
        }
        entry.asked(LinkId::new(1), node(1), at(700));
        entry.expire(at(719), Duration::from_secs(20));
        assert!(!entry.is_due(at(730)));
        entry.expire(at(720), Duration::from_secs(20));
        assert!(entry.is_due(at(725)), "no answer");
    }
}
