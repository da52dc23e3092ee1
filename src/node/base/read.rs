//! Reading: what several machines together say of a peer, a link, the table.

use core::time::Duration;

use alloc::vec::Vec;

use crate::addr::Multiaddr;
use crate::defence::Defence;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::state::links::LinkState;
use crate::node::state::targets::{Stranger, some_of};
use crate::table::{KNOWN, Teller};
use crate::time::Instant;
use crate::wire::WireRecord;

/// The least time after which a node turns to another partner.
const PATIENCE: Duration = Duration::from_millis(20);
/// The round-trip time that is assumed until one is measured.
const FIRST_RTT: Duration = Duration::from_millis(100);
impl Base {
    /// Several rounds have passed without news: this is no cold start.
    pub(crate) fn is_quiet(&self) -> bool {
        self.pace.is_quiet(&self.cx.config)
    }

    /// How soon to ask because a renewal has not come by: 16 times in the eighth of a life that is
    /// left. With the default life, quiet rounds are more frequent than that.
    pub(crate) fn overdue_wait(&mut self) -> Option<Duration> {
        let life = self.table.shortest_overdue()?;
        let wait = (life / 128).max(self.cx.config.round);
        Some(self.cx.jitter(wait, 50))
    }

    /// `trips` round trips on this link and a margin, doubled with every timeout in a row (R17).
    pub(crate) fn patience(&self, link: LinkId, trips: u32) -> Duration {
        let link = self.links.get(link);
        let rtt = link
            .and_then(LinkState::round_trip)
            .or(self.peers.round_trip())
            .unwrap_or(FIRST_RTT);
        let doubled = 1 << link.map_or(0, LinkState::timeouts).min(10);
        let base = (rtt * trips + PATIENCE / 2).max(PATIENCE);
        (base * doubled).min(self.cx.config.request_timeout)
    }

    /// The mean round-trip time.
    pub(crate) fn round_trip(&self) -> Duration {
        self.measured_round_trip().unwrap_or(FIRST_RTT)
    }

    /// The same, once anybody has answered.
    pub(crate) fn measured_round_trip(&self) -> Option<Duration> {
        let links = || self.links.iter().find_map(|(_, l)| l.round_trip());
        self.peers.round_trip().or_else(links)
    }

    /// As many again as are kept may be there to be answered once (R22).
    pub(crate) fn most_links(&self) -> usize {
        2 * self.cx.config.max_links
    }

    pub(crate) fn has_all_links(&self) -> bool {
        self.links.len() >= self.cx.config.max_links
    }

    /// Whether there is no room for this link. That of the ring predecessor is let in beyond the cap:
    /// otherwise the ring, along which news goes (R46), would break at a node with many links. [Judged
    /// when it came up: a cold hub that many dial at once knows nobody yet, each of them seemed to be
    /// its predecessor, and whoever came later found the hub full for ever.]
    pub(crate) fn stays_over_cap(&mut self, link: LinkId, node: &NodeId) -> bool {
        let over_cap = self.links.get(link).is_some_and(LinkState::is_over_cap);
        let predecessor = over_cap && self.table.is_predecessor(node);
        if let Some(link) = self.links.get_mut(link).filter(|_| predecessor) {
            link.let_in();
        }
        over_cap && !predecessor
    }

    /// Links to upstreams of which there is no record.
    pub(crate) fn unknown_upstreams(&self) -> impl Iterator<Item = LinkId> + '_ {
        let nodes = self.upstreams.nodes().into_iter();
        let unknown = nodes.filter(|node| self.table.lookup(node).is_none());
        unknown.filter_map(|node| self.links.of(&node))
    }

    /// An exchange with this node has been completed over a link that it still has.
    pub(crate) fn has_exchanged(&self, node: &NodeId) -> bool {
        let link = self.links.link_of(node);
        link.is_some_and(|l| l.epoch().is_some() && l.has_exchanged())
    }

    /// Who is known by the word of others alone, as far as this node is concerned, if this one is (R53):
    /// it was never met. Those that have been up for long were met by others, and what this node has
    /// from its own snapshot it knew itself.
    pub(crate) fn stranger(&self, node: &NodeId) -> Option<Stranger> {
        let is_met =
            self.links.is_linked(node) || self.upstreams.contains(node) || self.peers.has_met(node);
        if is_met || !self.cx.config.defends(Defence::Targets) {
            return None;
        }
        let (held, by) = match self.table.lookup(node) {
            Some(entry) => (
                entry.is_known_for(KNOWN, self.cx.now),
                self.table.teller(entry),
            ),
            None => (self.hints.is_held(node), Teller::Forgotten),
        };
        Some(match by {
            _ if held => Stranger::Held,
            Teller::Nobody => Stranger::Held,
            Teller::Node(by) => Stranger::Told(Some(by)),
            Teller::Forgotten => Stranger::Told(None),
        })
    }

    /// Of these addresses of a node, those that may be dialled now.
    pub(crate) fn dialled_now(&self, node: &NodeId, addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        let failures = self.peers.failures(node);
        match self.stranger(node) {
            None => addresses,
            Some(Stranger::Held) => some_of(addresses, failures),
            Some(Stranger::Told(by)) => {
                let (targets, now) = (&self.targets, self.cx.now);
                targets.may_be_dialled(some_of(addresses, failures), by, now)
            }
        }
    }

    /// Where a peer can be dialled, as far as rules and policy allow: first where it was found lately.
    pub(crate) fn peer_addresses(&self, node: &NodeId) -> Vec<Multiaddr> {
        self.dialled_now(node, self.all_addresses(node))
    }

    /// The same, whether or not they may be dialled now.
    pub(crate) fn all_addresses(&self, node: &NodeId) -> Vec<Multiaddr> {
        let entry = self.table.lookup(node);
        let mut addresses = entry
            .map(|e| e.addresses(self.cx.config.local))
            .unwrap_or_default();
        addresses.retain(|a| self.cx.config.allows(node, a));
        if let Some(found) = self.peers.found_at(node, self.cx.now) {
            addresses.sort_by_key(|a| a.socket_addr() != Some(found));
        }
        addresses
    }

    /// Whether a record of this node without a signature may be taken: not where all have to be
    /// signed, nor in the place of a signed one, or a relay could strip signatures (R50).
    pub(crate) fn may_be_unsigned(&self, node: &NodeId) -> bool {
        let signed = self.table.lookup(node).is_some_and(|e| e.is_signed());
        !self.sealer.is_required() && (!signed || *node == self.cx.id)
    }

    /// Whether it matters that this record is its author's: it would be taken, it contradicts what
    /// is known, or it would be passed on (`relayed`) without room for it here (R50).
    pub(crate) fn needs_proof(&self, record: WireRecord<'_>, relayed: bool) -> bool {
        if record.node == self.cx.id {
            return self.is_challenge(record);
        }
        let (links, upstreams) = (&self.links, &self.upstreams);
        let is_pinned = |node: &NodeId| links.is_linked(node) || upstreams.contains(node);
        self.table.needs_proof(record, &is_pinned, relayed)
    }
}

/// Exchanges (R15).
impl Base {
    /// An exchange with this node is over: each knows what the other knew.
    pub(crate) fn set_in_sync(&mut self, node: NodeId) {
        self.peers
            .set_in_sync(node, self.table.fingerprint(), self.cx.now);
    }

    /// For whom an exchange would bring nothing: those with whom there has been one in the time of
    /// a fast round, and nothing has changed here since.
    pub(crate) fn in_sync_since(&self) -> (u64, Instant) {
        let time = if self.pace.discovery_wanted() {
            Duration::ZERO
        } else {
            self.cx.config.round
        };
        (self.table.fingerprint(), self.cx.now.saturating_sub(time))
    }
}
