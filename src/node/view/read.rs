//! The views: each is of the node as it stood at its last input.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::config::Config;
use crate::id::NodeId;
use crate::node::Node;
use crate::node::state::standing::Standing;
use crate::node::state::upstreams::Upstream;
use crate::node::view::types::{
    LearnedFrom, LinkView, LoopView, PeerView, StandingView, UpstreamState, UpstreamView,
};
use crate::record::{self, Sequence};
use crate::stats::Stats;
use crate::table::{Entry, Via};
use crate::time::Instant;

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

    /// The known live peers, this node left out. In an order that is the same for the same inputs
    /// and otherwise without meaning.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> + '_ {
        let live = self
            .base
            .table
            .entries()
            .filter(|e| e.node != self.id() && !e.is_tombstone());
        let tellers: BTreeMap<Via, NodeId> = self.tellers().collect();
        live.map(move |e| self.peer_view(e, |via| tellers.get(&via).copied()))
    }

    /// What is known of this peer, if it is known and has not left.
    #[must_use]
    pub fn peer(&self, node: &NodeId) -> Option<PeerView> {
        let entry = self
            .base
            .table
            .lookup(node)
            .filter(|e| e.node != self.id() && !e.is_tombstone())?;
        let teller = |via| self.tellers().find(|(v, _)| *v == via);
        Some(self.peer_view(entry, |via| teller(via).map(|(_, node)| node)))
    }

    /// Those who may have told something, as far as they are remembered. An entry has no room for
    /// more than their mark.
    fn tellers(&self) -> impl Iterator<Item = (Via, NodeId)> + '_ {
        let links = self.base.links.iter();
        let linked = links.map(|(_, link)| (link.via(), link.node()));
        let gone = self.base.peers.nodes();
        linked.chain(gone.map(|node| (self.base.cx.via(node), *node)))
    }

    fn learned_from(&self, entry: &Entry, teller: impl Fn(Via) -> Option<NodeId>) -> LearnedFrom {
        if entry.via == Via::default() {
            LearnedFrom::Snapshot
        } else if entry.via == self.base.cx.via(&entry.node) {
            LearnedFrom::Itself
        } else {
            teller(entry.via).map_or(LearnedFrom::Forgotten, LearnedFrom::Relay)
        }
    }

    fn peer_view(&self, entry: &Entry, teller: impl Fn(Via) -> Option<NodeId>) -> PeerView {
        let mut addresses = entry.addresses(self.config().local);
        addresses.retain(|a| self.config().allows(&entry.node, a));
        PeerView {
            node: entry.node,
            sequence: entry.sequence(),
            addresses,
            metadata: record::metadata(entry.body()).to_vec(),
            first_seen: entry.first_seen(),
            signed: entry.is_signed(),
            learned_from: self.learned_from(entry, teller),
            lifetime_left: entry.deadline.saturating_since(self.now()),
            lifetime: entry.lifetime(),
            reachable: entry.reachable,
            linked: self.base.links.is_linked(&entry.node),
        }
    }

    /// Number of known live peers, this node left out.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.base.table.others()
    }

    /// A fingerprint of the set of all (node, version) that the table has, tombstones included:
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
            node: u.node(),
            state: self.upstream_state(u),
            failures: u.failures(),
            last_news: u.last_news(),
        })
    }

    fn upstream_state(&self, upstream: &Upstream) -> UpstreamState {
        match upstream.node() {
            Some(node) if node == self.id() => UpstreamState::Itself,
            Some(node) if self.base.links.is_linked(&node) => UpstreamState::Up,
            _ if upstream.is_dialing() => UpstreamState::Dialing,
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
        stats.links = base.links.len() as u64;
        stats.certificates = base.table.certificate_count() as u64;
        stats.hints = base.hints.len() as u64;
        stats.backing_off = backing_off as u64;
        stats.table_bytes = base.table.heap_bytes() as u64;
        stats
    }
}
