//! Where this node is reached: what is configured, where others see it, and who has tried that (R38).
//!
//! An address at which others see this node, with a port where it listens, is a candidate. It is
//! advertised once others have dialled it and found this node's key. What is configured is
//! advertised whatever comes of that, and tried in the same way.

mod entry;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::addr::{self, Host, Multiaddr, Protocol};
use crate::contract;
use crate::effect::Event;
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::node::cx::Cx;
use crate::time::Instant;

use self::entry::Entry;
pub(crate) use self::entry::State;

/// An answer comes within this time, or none does.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where nobody sees this node at what is to be tried, somebody is asked so often to try it anyway,
const LISTED: Duration = Duration::from_secs(10);
/// and each so often.
const LISTED_AGAIN: Duration = Duration::from_secs(600);
/// It tries several, in its own time.
const LISTED_PATIENCE: Duration = Duration::from_secs(60);
/// Addresses that are found together are announced together, if it takes no longer.
const TOGETHER: Duration = Duration::from_secs(2);
/// With so many that say where they see this node, two of them have to prove an address.
const MANY: usize = 4;

/// What the other end of a link sees.
struct Sighting {
    node: NodeId,
    /// Where it sees this node; `None` where that is no address to be dialled.
    ip: Option<IpAddr>,
    /// This node has dialled it: so what it sees is no balancer's address.
    dialled: bool,
    /// It takes a request to be dialled.
    dials: bool,
    /// When it was asked to try what the record lists.
    listed: Option<Instant>,
}

/// Who is to be asked what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    /// To be dialled there, at the address of this link.
    Back(LinkId, Protocol, u16),
    /// To try one that the own record lists.
    Listed(LinkId),
}

#[derive(Default)]
pub(crate) struct OwnAddresses {
    entries: Vec<Entry>,
    /// Sockets that listen at every address of this machine.
    listening: Vec<Multiaddr>,
    sightings: BTreeMap<LinkId, Sighting>,
    /// Who has come of late, the latest last.
    came: VecDeque<(NodeId, Instant)>,
    listed_at: Option<Instant>,
}

impl OwnAddresses {
    pub(crate) fn new(configured: Vec<Multiaddr>, listening: Vec<Multiaddr>, cx: &Cx) -> Self {
        let mut new = Self::default();
        new.configure(configured, cx.now);
        new.listen(listening);
        new.advertised(cx.now);
        new
    }

    /// Other addresses are configured. What is known of those that stay is kept.
    pub(crate) fn configure(&mut self, addresses: Vec<Multiaddr>, now: Instant) {
        let mut old = core::mem::take(&mut self.entries);
        for address in addresses {
            let known = old.iter().position(|e| *e.address() == address);
            let mut entry = known.map_or_else(
                || Entry::named(address, now),
                |known| old.swap_remove(known),
            );
            entry.set_configured();
            self.entries.push(entry);
        }
        // A port that is still listened at may be found.
        old.retain(|e| !e.is_configured());
        self.entries.extend(old);
    }

    /// Other sockets listen.
    pub(crate) fn listen(&mut self, listening: Vec<Multiaddr>) {
        self.listening = listening;
        self.listening.truncate(contract::ADDRESSES);
        let ports: Vec<_> = self.listening.iter().map(port_of).collect();
        self.entries
            .retain(|e| e.is_configured() || ports.contains(&port_of(e.address())));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn sighting_count(&self) -> usize {
        self.sightings.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// What the own record is to list: what is configured, that which nobody reaches last, and what
    /// was found and proven.
    pub(crate) fn advertised(&mut self, now: Instant) -> Vec<Multiaddr> {
        let soon = self.entries.iter().any(|e| e.is_awaited(now, TOGETHER));
        for entry in &mut self.entries {
            entry.advertise(soon);
        }
        let mut list: Vec<&Entry> = self.entries.iter().filter(|e| e.is_advertised()).collect();
        list.sort_by_key(|e| e.state() == State::Unreachable);
        let list = list.into_iter().take(contract::ADDRESSES);
        list.map(|e| e.address().clone()).collect()
    }

    /// There is no room for it in the own record.
    pub(crate) fn drop_last_found(&mut self) -> bool {
        let found = |e: &Entry| !e.is_configured() && e.is_advertised();
        let last = self.entries.iter().rposition(found);
        last.map(|at| self.entries.remove(at)).is_some()
    }
}

/// What others see.
impl OwnAddresses {
    /// The other end of a link has said where it sees this node. `dials`: it takes requests.
    pub(crate) fn seen(
        &mut self,
        link: LinkId,
        node: NodeId,
        seen: Option<SocketAddr>,
        (dialled, dials): (bool, bool),
        cx: &mut Cx,
    ) {
        let seen = seen.filter(|at| addr::is_usable_ip(at.ip(), cx.config.local));
        if self.sightings.len() >= caps::SIGHTINGS {
            return;
        }
        let ip = seen.map(|at| at.ip());
        let sighting = Sighting {
            node,
            ip,
            dialled,
            dials,
            listed: None,
        };
        self.sightings.insert(link, sighting);
        if let Some(ip) = ip.filter(|_| dials) {
            self.add_candidates(ip, dialled, cx.now);
        }
        // What was found may be an address that this machine had.
        let sightings = &self.sightings;
        for entry in self.entries.iter_mut().filter(|e| !e.is_configured()) {
            let elsewhere = ip.is_some_and(|ip| entry.is_family_of(ip) && entry.ip() != Some(ip));
            if elsewhere && !sightings.values().any(|s| s.ip == entry.ip()) {
                entry.hasten(cx.now);
            }
        }
        // Whoever has dialled this node knows which of its addresses that was, if one has that socket.
        if let Some(at) = seen.filter(|_| !dialled) {
            let mut here = self
                .entries
                .iter_mut()
                .filter(|e| e.address().socket_addr() == Some(at));
            if let (Some(entry), None) = (here.next(), here.next()) {
                if entry.is_configured() {
                    entry.reached(node, cx);
                }
            }
        }
        self.judge(cx);
    }

    fn add_candidates(&mut self, ip: IpAddr, dialled: bool, now: Instant) {
        let here = self.listening.iter().filter_map(|socket| at(socket, ip));
        for address in here.collect::<Vec<_>>() {
            if let Some(known) = self.entries.iter_mut().find(|e| *e.address() == address) {
                known.seen(dialled);
                continue;
            }
            let found = self.entries.iter().filter(|e| !e.is_configured()).count();
            if found >= caps::CANDIDATES && !self.forget_unseen() {
                return;
            }
            self.entries.push(Entry::found(address, dialled, now));
        }
    }

    /// Makes room: a candidate goes that nobody sees any more and nobody has proven.
    fn forget_unseen(&mut self) -> bool {
        let sightings = &self.sightings;
        let seen = |e: &Entry| sightings.values().any(|s| s.ip == e.ip());
        let idle = |e: &Entry| !e.is_configured() && !e.is_advertised() && !seen(e);
        let at = self.entries.iter().position(idle);
        at.map(|at| self.entries.remove(at)).is_some()
    }

    /// A link has come from this node.
    pub(crate) fn came(&mut self, node: NodeId, cx: &mut Cx) {
        if self.came.len() >= caps::SIGHTINGS {
            self.came.pop_front();
        }
        self.came.push_back((node, cx.now));
        for entry in &mut self.entries {
            if entry.said_by(&node) {
                entry.reached(node, cx);
            }
        }
        self.judge(cx);
    }

    pub(crate) fn link_gone(&mut self, link: LinkId) {
        self.sightings.remove(&link);
        for entry in &mut self.entries {
            entry.link_gone(link);
        }
    }
}

/// Trying.
impl OwnAddresses {
    /// Whom to ask now, once.
    pub(crate) fn next_ask(&mut self, cx: &mut Cx) -> Option<Ask> {
        let mut unseen = false;
        for i in 0..self.entries.len() {
            let entry = &self.entries[i];
            let Some((protocol, port)) = entry.port() else {
                continue;
            };
            if !entry.is_due(cx.now) || !self.is_candidate(entry) {
                continue;
            }
            let Some((link, node)) = self.whom_to_ask(entry) else {
                unseen |= entry.is_configured() || entry.is_advertised();
                continue;
            };
            self.entries[i].asked(link, node, cx.now);
            return Some(Ask::Back(link, protocol, port));
        }
        let lately = |at: Instant| cx.now.saturating_since(at) < LISTED;
        if !unseen || self.listed_at.is_some_and(lately) {
            return None;
        }
        let waits = |at: Instant| cx.now.saturating_since(at) < LISTED_AGAIN;
        let able = |s: &Sighting| s.dials && !s.listed.is_some_and(waits);
        let able = self.sightings.iter().filter(|(_, s)| able(s));
        let able: Vec<LinkId> = able.map(|(link, _)| *link).collect();
        if able.is_empty() {
            return None;
        }
        let link = able[cx.choices.below(able.len())];
        self.listed_at = Some(cx.now);
        if let Some(sighting) = self.sightings.get_mut(&link) {
            sighting.listed = Some(cx.now);
        }
        Some(Ask::Listed(link))
    }

    /// What was found over links that others have dialled may be a balancer's, and is left where
    /// links that this node has dialled show an address.
    fn is_candidate(&self, entry: &Entry) -> bool {
        let better = |s: &Sighting| s.dialled && s.ip.is_some_and(|ip| entry.is_family_of(ip));
        !entry.is_doubtful() || !self.sightings.values().any(better)
    }

    /// Of those that see this node there: whoever has not been asked; where one has reached it and
    /// another has not, the one that has.
    fn whom_to_ask(&self, entry: &Entry) -> Option<(LinkId, NodeId)> {
        let ip = entry.ip()?;
        let able = self
            .sightings
            .iter()
            .filter(|(_, s)| s.dials && s.ip == Some(ip) && entry.needs_again(&s.node));
        let best = able.min_by_key(|(_, s)| entry.order_of(&s.node));
        best.map(|(link, s)| (*link, s.node))
    }

    /// What came of a dial that was asked for. Nobody else is believed.
    pub(crate) fn tried(
        &mut self,
        (link, node): (LinkId, NodeId),
        at: &Multiaddr,
        reached: bool,
        cx: &mut Cx,
    ) {
        let Some(entry) = self.entries.iter_mut().find(|e| e.address() == at) else {
            return;
        };
        let was_asked = entry.is_asked(&node);
        let listed = self.sightings.get(&link).and_then(|s| s.listed);
        let lately = |at: Instant| cx.now.saturating_since(at) < LISTED_PATIENCE;
        let in_record = entry.is_configured() || entry.is_advertised();
        if !(was_asked || in_record && listed.is_some_and(lately)) {
            return;
        }
        let since = cx.now.saturating_sub(PATIENCE);
        let has_come = self.came.iter().any(|(n, at)| *n == node && *at >= since);
        match (reached, has_come) {
            (true, true) => entry.reached(node, cx),
            // It says so, and its link is on its way, or it never dialled.
            (true, false) => entry.says_reached(&node),
            (false, _) => {
                let linked: BTreeSet<NodeId> = self.sightings.values().map(|s| s.node).collect();
                entry.failed(node, &linked, cx);
            }
        }
        self.judge(cx);
    }

    /// Forgets what was asked in vain.
    pub(crate) fn expire(&mut self, cx: &mut Cx) {
        for entry in &mut self.entries {
            entry.expire(cx.now, PATIENCE);
        }
        self.came
            .retain(|(_, at)| cx.now.saturating_since(*at) < PATIENCE);
        self.judge(cx);
    }

    /// Says what has changed.
    fn judge(&mut self, cx: &mut Cx) {
        let alone = !are_distinct(self.sightings.values(), 2);
        for entry in &mut self.entries {
            let sees = |s: &&Sighting| s.ip.is_some_and(|ip| entry.is_family_of(ip));
            let witnesses = self.sightings.values().filter(sees);
            let voices = match !entry.is_configured() && are_distinct(witnesses, MANY) {
                true => 2,
                false => 1,
            };
            let (was, is) = (entry.state(), entry.verdict(voices, alone));
            if is != was {
                entry.set_state(is, cx.now);
                let address = entry.address().clone();
                match is {
                    State::Unproven => {}
                    State::Proven => cx.event(Event::OwnAddressReached { address }),
                    State::Unreachable => cx.event(Event::OwnAddressUnreachable { address }),
                }
            }
            entry.go_on(cx.now);
        }
    }
}

/// Whether these are of so many nodes.
fn are_distinct<'a>(sightings: impl Iterator<Item = &'a Sighting>, many: usize) -> bool {
    let mut nodes: Vec<NodeId> = Vec::with_capacity(many);
    sightings
        .filter(|s| {
            let is_another = !nodes.contains(&s.node);
            if is_another {
                nodes.push(s.node);
            }
            is_another
        })
        .nth(many - 1)
        .is_some()
}

/// What listens at every address, at this one.
fn at(listening: &Multiaddr, ip: IpAddr) -> Option<Multiaddr> {
    let (protocol, port) = listening.port()?;
    let fits = matches!(listening.host(), Host::Ip(any) if any.is_ipv4() == ip.is_ipv4());
    let socket = SocketAddr::new(ip, port);
    (fits && port != 0).then(|| match protocol {
        Protocol::Quic => Multiaddr::quic(socket),
        _ => Multiaddr::tcp(socket),
    })
}

fn port_of(address: &Multiaddr) -> Option<(Protocol, u16, bool)> {
    let (protocol, port) = address.port()?;
    match address.host() {
        Host::Ip(ip) => Some((protocol, port, ip.is_ipv4())),
        Host::Dns(_) => None,
    }
}

#[cfg(test)]
mod tests;
