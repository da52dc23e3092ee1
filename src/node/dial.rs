//! Dialling: upstreams, peers, and the hints of expired ones (R17, R19, R28).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::effect::{Effect, Event, Target};
use crate::id::{DialId, LinkId, NodeId};
use crate::limits::backoff::Backoff;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::node::upstreams::Upstream;
use crate::node::{Node, Timer};
use crate::rng::Stream;
use crate::time::Instant;

struct Hint {
    node: NodeId,
    addresses: Vec<Multiaddr>,
    backoff: Backoff,
}

enum Dialled {
    Upstream(Multiaddr),
    Peer(NodeId),
    Hint(NodeId),
}

/// A dial that has led to a link.
pub(super) struct Landed {
    dial: DialId,
    dialled: Dialled,
    /// At least a round trip, at most the few of a handshake.
    pub(super) took: Duration,
}

pub(super) struct Dialer {
    pub(super) upstreams: Vec<Upstream>,
    hints: VecDeque<Hint>,
    /// With the time at which each began.
    dials: BTreeMap<DialId, (Dialled, Instant)>,
    next: u64,
    budget: Bucket,
}

/// Dials in a burst, and the time in which one comes back (R19).
const BUDGET: Rate = Rate::new(96, Duration::from_millis(500));
/// Longer than any transport tries.
const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

impl Dialer {
    pub(super) fn new(
        upstreams: &[Multiaddr],
        now: Instant,
        jitter: Duration,
        random: &mut Stream,
    ) -> Self {
        let mut distinct: Vec<Upstream> = Vec::new();
        for address in upstreams {
            if !distinct.iter().any(|u| u.address == *address) {
                let first = random.jitter(jitter, 0);
                distinct.push(Upstream::new(address.clone(), first, now));
            }
        }
        Self {
            upstreams: distinct,
            hints: VecDeque::new(),
            dials: BTreeMap::new(),
            next: 0,
            budget: Bucket::default(),
        }
    }

    pub(super) fn hint_count(&self) -> usize {
        self.hints.len()
    }

    pub(super) fn hints(&self) -> impl Iterator<Item = (&NodeId, &[Multiaddr])> {
        self.hints.iter().map(|h| (&h.node, h.addresses.as_slice()))
    }

    pub(super) fn forget_hint(&mut self, node: &NodeId) {
        if !self.hints.is_empty() {
            self.hints.retain(|h| h.node != *node);
        }
    }

    pub(super) fn is_dialing_peer(&self, node: &NodeId) -> bool {
        self.dials
            .values()
            .any(|(d, _)| matches!(d, Dialled::Peer(n) | Dialled::Hint(n) if n == node))
    }

    pub(super) fn has(&self, dial: DialId) -> bool {
        self.dials.contains_key(&dial)
    }

    pub(super) fn dial_count(&self) -> usize {
        self.dials.len()
    }
}

impl Node {
    fn dial(&mut self, dialled: Dialled, target: Target) -> Option<DialId> {
        let reserved = if matches!(dialled, Dialled::Upstream(_)) {
            0
        } else {
            4
        };
        let kept = match &dialled {
            Dialled::Upstream(_) => true,
            Dialled::Peer(node) => self.table.successor() == Some(*node),
            Dialled::Hint(_) => false,
        };
        let crowded = !kept && self.links.len() >= self.cx.config.max_links;
        if self.dialer.dials.len() + reserved >= caps::DIALS || crowded {
            return None;
        }
        self.dialer.budget.take(BUDGET, self.cx.now, 1).ok()?;
        self.dialer.next += 1;
        let dial = DialId(self.dialer.next);
        self.dialer.dials.insert(dial, (dialled, self.cx.now));
        self.cx.stats.dials += 1;
        self.cx.effects.push_back(Effect::Dial { dial, target });
        Some(dial)
    }

    /// Dials a known peer, unless it is being dialled, backing off, or has no usable address.
    pub(super) fn dial_peer(&mut self, node: NodeId) -> Option<DialId> {
        if !self.partners.is_ready(&node, self.cx.now) || self.dialer.is_dialing_peer(&node) {
            return None;
        }
        let addresses = self.peer_addresses(&node);
        if addresses.is_empty() {
            return None;
        }
        self.dial(Dialled::Peer(node), Target::Peer { node, addresses })
    }

    pub(super) fn peer_addresses(&self, node: &NodeId) -> Vec<Multiaddr> {
        let entry = self.table.lookup(node);
        let mut addresses = entry
            .map(|e| e.addresses(self.cx.config.local))
            .unwrap_or_default();
        addresses.retain(|a| self.cx.config.allows(node, a));
        addresses
    }

    /// Dials every upstream and hint whose time has come.
    pub(super) fn redial(&mut self) {
        let now = self.cx.now;
        for i in 0..self.dialer.upstreams.len() {
            let upstream = &self.dialer.upstreams[i];
            if upstream.dialing || !upstream.backoff.is_ready(now) || self.is_up(upstream) {
                continue;
            }
            let address = upstream.address.clone();
            let target = Target::Upstream(address.clone());
            let dialing = self.dial(Dialled::Upstream(address), target).is_some();
            let upstream = &mut self.dialer.upstreams[i];
            upstream.dialing = dialing;
            if !dialing {
                upstream.backoff.hold(now, BUDGET.per_token);
            }
        }
        for i in 0..self.dialer.hints.len() {
            let Some(hint) = self.dialer.hints.get(i) else {
                break;
            };
            if !hint.backoff.is_ready(now) || self.dialer.is_dialing_peer(&hint.node) {
                continue;
            }
            let (node, addresses) = (hint.node, hint.addresses.clone());
            let (base, cap) = (self.cx.config.backoff_base, self.cx.config.backoff_cap);
            if let Some(hint) = self.dialer.hints.get_mut(i) {
                self.cx.stats.backoffs += 1;
                hint.backoff.fail(now, base, cap, &mut self.cx.choices);
            }
            if !self.links.is_linked(&node) {
                self.dial(Dialled::Hint(node), Target::Peer { node, addresses });
            }
        }
        self.schedule_redial();
    }

    fn is_up(&self, upstream: &Upstream) -> bool {
        upstream.node.is_some_and(|n| self.links.is_linked(&n))
    }

    pub(super) fn schedule_redial(&mut self) {
        let upstreams = self.dialer.upstreams.iter();
        let down = upstreams
            .filter(|u| !u.dialing && !self.is_up(u))
            .map(|u| u.backoff.retry_at());
        // One that is being dialled is scheduled anew when that has ended.
        let idle = |h: &&Hint| !self.dialer.is_dialing_peer(&h.node);
        let hints = self.dialer.hints.iter().filter(idle);
        let hints = hints.map(|h| h.backoff.retry_at());
        match down.chain(hints).min() {
            Some(at) => self.cx.timers.set(Timer::Redial, at.max(self.cx.now)),
            None => self.cx.timers.clear(Timer::Redial),
        }
    }

    /// Takes a dial that has led to `node` off the list, and says what it was for.
    pub(super) fn dial_succeeded(&mut self, dial: DialId, node: NodeId) -> Option<Landed> {
        let (dialled, since) = self.dialer.dials.remove(&dial)?;
        match &dialled {
            Dialled::Upstream(address) => {
                if let Some(i) = self.upstream_index(address) {
                    let upstream = &mut self.dialer.upstreams[i];
                    upstream.dialing = false;
                    if upstream.node != Some(node) {
                        upstream.completed = false;
                        upstream.told_up = false;
                    }
                    upstream.node = Some(node);
                }
            }
            // Another node answers at that address.
            Dialled::Peer(expected) if *expected != node => {
                self.peer_unreachable(*expected);
                self.ask_dial_failed(dial);
            }
            _ => {}
        }
        Some(Landed {
            dial,
            dialled,
            took: self.cx.now.saturating_since(since),
        })
    }

    /// What follows from a dial once its link is there.
    pub(super) fn on_dialled(&mut self, link: LinkId, node: NodeId, landed: Option<Landed>) {
        let link = self.lasting(link);
        if let Some(Landed { dial, dialled, .. }) = &landed {
            match dialled {
                Dialled::Hint(_) => self.dialer.forget_hint(&node),
                // Met before its address was known to be an upstream's.
                Dialled::Upstream(_) if self.has_exchanged(&node) => {
                    self.dialer.completed(&node, false, self.cx.now);
                }
                Dialled::Upstream(_) | Dialled::Peer(_) => {}
            }
            self.ask_dialled(*dial, link);
        }
        self.tell_upstream_up(node);
        if self.dialer.is_upstream(&node) {
            self.upstream_came_up(link);
            self.hurry();
        } else if matches!(
            landed,
            Some(Landed {
                dialled: Dialled::Hint(_),
                ..
            })
        ) {
            self.start_exchange(link, None);
        }
        self.schedule_redial();
    }

    pub(super) fn on_dial_failed(&mut self, dial: DialId) {
        let Some((dialled, _)) = self.dialer.dials.remove(&dial) else {
            return;
        };
        self.cx.stats.dial_failures += 1;
        match dialled {
            Dialled::Upstream(address) => {
                if let Some(i) = self.upstream_index(&address) {
                    self.dialer.upstreams[i].dialing = false;
                    self.upstream_failed(i);
                }
            }
            Dialled::Peer(node) => {
                self.drop_parked(&node);
                self.peer_unreachable(node);
                self.ask_dial_failed(dial);
            }
            Dialled::Hint(_) => {}
        }
        self.schedule_redial();
    }

    /// A dial whose outcome nobody has reported for long has failed.
    pub(super) fn expire_dials(&mut self) {
        let since = self.cx.now.saturating_sub(DIAL_TIMEOUT);
        let late = self.dialer.dials.iter().filter(|(_, (_, at))| *at < since);
        for dial in late.map(|(dial, _)| *dial).collect::<Vec<_>>() {
            self.on_dial_failed(dial);
        }
    }

    fn peer_unreachable(&mut self, node: NodeId) {
        let (now, base, cap) = (
            self.cx.now,
            self.cx.config.backoff_base,
            self.cx.config.backoff_cap,
        );
        self.cx.stats.backoffs += 1;
        let partner = self.partners.entry(node, now);
        partner.backoff.fail(now, base, cap, &mut self.cx.choices);
        let retry_in = partner.backoff.retry_at().saturating_since(now);
        self.table.set_reachable(&node, false);
        self.event(Event::PeerUnreachable { node, retry_in });
    }

    /// Keeps the addresses of an expired peer (R28).
    pub(super) fn add_hint(&mut self, node: NodeId, mut addresses: Vec<Multiaddr>) {
        addresses.retain(|a| self.cx.config.allows(&node, a));
        if addresses.is_empty() || self.dialer.hints.iter().any(|h| h.node == node) {
            return;
        }
        if self.dialer.hints.len() >= caps::HINTS {
            self.dialer.hints.pop_front();
        }
        let (base, cap) = (self.cx.config.backoff_base, self.cx.config.backoff_cap);
        let mut backoff = Backoff::default();
        backoff.fail(self.cx.now, base, cap, &mut self.cx.choices);
        self.dialer.hints.push_back(Hint {
            node,
            addresses,
            backoff,
        });
        self.schedule_redial();
    }
}
