//! The views: each is of the node as it stood at its last input.

use core::time::Duration;

use crate::addr::{Multiaddr, Protocol};
use crate::config::Config;
use crate::id::NodeId;
use crate::node::Node;
use crate::node::state::own_addresses::State;
use crate::node::state::standing::Standing;
use crate::node::state::upstreams::Upstream;
use crate::node::view::types::{
    LearnedFrom, LinkView, LoopView, OwnAddressState, OwnAddressView, PeerState, PeerView,
    StandingView, UpstreamState, UpstreamView,
};
use crate::record::{self, Sequence};
use crate::seal::Accuser;
use crate::stats::Stats;
use crate::table::{Down, Entry, Teller, Way};
use crate::time::Instant;

/// A peer that is remembered.
#[derive(Clone, Copy)]
enum Known<'a> {
    /// In the table: it is live, or has left.
    In(Entry<'a>),
    Down(&'a Down),
}

impl<'a> Known<'a> {
    fn entry(self) -> Entry<'a> {
        match self {
            Self::In(entry) => entry,
            Self::Down(down) => down.last.entry(),
        }
    }

    fn sequence(self) -> Sequence {
        match self {
            Self::In(entry) => entry.sequence(),
            Self::Down(down) => down.at,
        }
    }
}

impl Node {
    /// This node's ID.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.base.cx.id
    }

    /// What it was told at its start. Upstreams that were set since are in
    /// [`upstreams`](Self::upstreams).
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.base.cx.config
    }

    /// The own addresses, as announced.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        self.base.own.addresses()
    }

    /// The own addresses, those at which others see this node included, and who has tried them (R38).
    pub fn own_addresses(&self) -> impl Iterator<Item = OwnAddressView> + '_ {
        self.base.own_addresses.iter().map(|entry| OwnAddressView {
            address: entry.address().clone(),
            configured: entry.is_configured(),
            advertised: entry.is_advertised(),
            state: match entry.state() {
                State::Unproven => OwnAddressState::Unproven,
                State::Proven => OwnAddressState::Proven,
                State::Unreachable => OwnAddressState::Unreachable,
            },
            since: entry.since(),
            reached_by: entry.reached_by().to_vec(),
            missed_by: entry.missed_by().to_vec(),
        })
    }

    /// The latest time that the node has been told.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.base.cx.now
    }

    /// The sequence of the own record.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.base.own.sequence()
    }

    /// The known live peers, this node left out: those that are up or suspect, and so of use. In an
    /// order that is the same for the same inputs and otherwise without meaning.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> + '_ {
        self.views(self.live())
    }

    /// All peers that are remembered, with their states: the live ones, those that have left, and
    /// those that are down, until their records would have ended. In an order that is the same for
    /// the same inputs and otherwise without meaning.
    pub fn members(&self) -> impl Iterator<Item = PeerView> + '_ {
        let left = self.base.table.entries().filter(|e| e.is_tombstone());
        let left = left.filter(|e| e.node != self.id()).map(Known::In);
        let downs = self.base.table.downs().map(Known::Down);
        self.views(self.live().chain(left).chain(downs))
    }

    fn live(&self) -> impl Iterator<Item = Known<'_>> {
        let live = self.base.table.entries().filter(|e| !e.is_tombstone());
        live.filter(|e| e.node != self.id()).map(Known::In)
    }

    fn views<'a>(
        &'a self,
        known: impl Iterator<Item = Known<'a>> + 'a,
    ) -> impl Iterator<Item = PeerView> + 'a {
        known.map(|known| self.peer_view(known))
    }

    /// What is known of this peer, if it is live.
    #[must_use]
    pub fn peer(&self, node: &NodeId) -> Option<PeerView> {
        self.member(node).filter(|peer| peer.state.is_live())
    }

    /// What is remembered of this peer, whatever its state.
    #[must_use]
    pub fn member(&self, node: &NodeId) -> Option<PeerView> {
        let known = match self.base.table.down(node) {
            Some(down) => Known::Down(down),
            None => Known::In(self.base.table.lookup(node)?),
        };
        (*node != self.id()).then(|| self.peer_view(known))
    }

    /// Whether this node hears nobody (R34).
    #[must_use]
    pub fn is_isolated(&self) -> bool {
        self.detector.is_isolated()
    }

    /// The transports over which peers do not answer that do over another one, as
    /// [`Event::TransportBlocked`](crate::Event::TransportBlocked) has said (R32).
    pub fn blocked_transports(&self) -> impl Iterator<Item = Protocol> + '_ {
        self.base.blocked.reported()
    }

    fn learned_from(&self, known: Known<'_>) -> LearnedFrom {
        let teller = match known {
            Known::In(entry) => self.base.table.teller(entry),
            Known::Down(down) => down.last.teller(),
        };
        match teller {
            Teller::Nobody => LearnedFrom::Snapshot,
            Teller::Node(node) if node == known.entry().node => LearnedFrom::Itself,
            Teller::Node(node) => LearnedFrom::Relay(node),
            Teller::Forgotten => LearnedFrom::Forgotten,
        }
    }

    fn peer_view(&self, known: Known<'_>) -> PeerView {
        let entry = known.entry();
        let mut addresses = entry.addresses(self.config().local);
        addresses.retain(|a| self.config().allows(&entry.node, a));
        let (state, since, accused_by) = self.state_of(known);
        let linked = self.base.links.is_linked(&entry.node);
        PeerView {
            node: entry.node,
            sequence: known.sequence(),
            state,
            since,
            accused_by: accused_by.iter().map(|by| by.node).collect(),
            addresses,
            metadata: record::metadata(entry.body()).to_vec(),
            first_seen: entry.first_seen(),
            signed: entry.is_signed(),
            learned_from: self.learned_from(known),
            lifetime_left: entry.deadline().saturating_since(self.now()),
            lifetime: entry.lifetime(),
            reachable: entry.is_reachable(),
            linked,
            link_lost: !linked && entry.way() == Way::LinkLost,
        }
    }

    /// Its state, since when, and by whose word.
    fn state_of<'a>(&'a self, known: Known<'a>) -> (PeerState, Instant, &'a [Accuser]) {
        let entry = match known {
            Known::Down(down) => return (PeerState::Down, down.since, &down.by),
            Known::In(entry) if entry.is_tombstone() => {
                return (PeerState::Left, entry.first_seen(), &[]);
            }
            Known::In(entry) => entry,
        };
        match self.detector.accusations.suspicion(&entry.node) {
            Some((since, by)) => (PeerState::Suspect, since, by),
            None => (PeerState::Up, entry.first_seen(), &[]),
        }
    }

    /// Number of known live peers, this node left out.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.base.table.others()
    }

    /// A fingerprint of the set of all (node, version, beat) that the table has, tombstones included:
    /// equal on two nodes that know the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.base.table.fingerprint()
    }

    /// The links.
    pub fn links(&self) -> impl Iterator<Item = LinkView> + '_ {
        self.base.links.iter().map(|(id, link)| LinkView {
            link: id,
            node: link.node(),
            remote: link.source().1,
            dialled: link.is_dialled(),
            round_trip: link.round_trip(),
            up_at: link.up_at(),
        })
    }

    /// How the standing links are, over which news goes (R46).
    #[must_use]
    pub fn standing(&self) -> StandingView {
        let (base, wanted) = (&self.base, self.base.wanted());
        let ranks = Standing::ranks_of(base.table.others());
        StandingView {
            wanted: wanted.len(),
            linked: wanted
                .iter()
                .filter(|(_, n)| base.links.is_linked(n))
                .count(),
            left_out: ranks.saturating_sub(base.most_standing()),
        }
    }

    /// The configured upstreams, in no particular order.
    pub fn upstreams(&self) -> impl Iterator<Item = UpstreamView> + '_ {
        self.base.upstreams.iter().map(|u| UpstreamView {
            address: u.address().clone(),
            node: match self.upstream_state(u) {
                UpstreamState::Itself => Some(self.id()),
                _ => u.node(),
            },
            state: self.upstream_state(u),
            times_itself: u.times_itself(),
            failures: u.failures(),
            last_news: u.last_news(),
        })
    }

    fn upstream_state(&self, upstream: &Upstream) -> UpstreamState {
        match upstream.node() {
            Some(node) if self.base.links.is_linked(&node) => UpstreamState::Up,
            _ if upstream.times_itself() > 0 => UpstreamState::Itself,
            _ if upstream.is_dialing() => UpstreamState::Dialing,
            _ if upstream.is_spared() => UpstreamState::Listed,
            _ => UpstreamState::Waiting(upstream.retry_at()),
        }
    }

    /// The cycles that this node is on, found so far.
    pub fn loops(&self) -> impl Iterator<Item = LoopView> + '_ {
        self.base.cycles.iter().map(|c| LoopView {
            path: c.path().to_vec(),
            first_seen: c.first_seen(),
            last_seen: c.last_seen(),
            times: c.times(),
            present: c.is_present(),
        })
    }

    /// The time between rounds of asking at the moment: `Config::round` while there is news, up
    /// to `Config::quiet_round` while there is none.
    #[must_use]
    pub fn pace(&self) -> Duration {
        self.base.pace.interval()
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let base = &self.base;
        let now = base.cx.now;
        let backing_off = base.upstreams.backing_off(now) + base.peers.backing_off(now);
        let mut stats = base.cx.stats;
        stats.records = base.table.len() as u64;
        let suspects = self.detector.accusations.suspects();
        stats.peers_up = base.table.others().saturating_sub(suspects) as u64;
        stats.peers_suspect = suspects as u64;
        stats.transports_blocked = base.blocked.reported().count() as u64;
        stats.peers_down = base.table.down_count() as u64;
        stats.peers_left = base.table.tombstone_count() as u64;
        stats.links = base.links.len() as u64;
        stats.certificates = base.table.certificate_count() as u64;
        stats.hints = base.hints.len() as u64;
        stats.backing_off = backing_off as u64;
        stats.table_bytes = base.table.heap_bytes() as u64;
        stats
    }
}
