//! Reading a node: peers, links, upstreams, cycles, counters.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::id::{LinkId, NodeId};
use crate::node::Node;
use crate::record::{self, Sequence};
use crate::stats::Stats;
use crate::table::{Entry, Via};
use crate::time::Instant;
use crate::wire::{self, Delta, Message, RecordsBuilder, Update};

/// What is known of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerView {
    /// Who.
    pub node: NodeId,
    /// How new its record is.
    pub sequence: Sequence,
    /// Its usable addresses, most preferred first.
    pub addresses: Vec<Multiaddr>,
    /// Its metadata.
    pub metadata: Vec<u8>,
    /// Since when it has been known here, rounded down to a second: a restart begins anew, and so
    /// does a peer that had left.
    pub first_seen: Instant,
    /// Who told what is known now.
    pub learned_from: LearnedFrom,
    /// How long the record lives on without a renewal.
    pub lifetime_left: Duration,
    /// The lifetime that its author gave it.
    pub lifetime: Duration,
    /// No dial to it has failed since the last that succeeded.
    pub reachable: bool,
    /// There is a link to it.
    pub linked: bool,
}

/// Who told a record. A renewal, which is passed on without the record, changes nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnedFrom {
    /// Its node, over a link of its own.
    Itself,
    /// Another node.
    Relay(NodeId),
    /// The snapshot that this node was restored from.
    Snapshot,
    /// A node whose link has been gone for so long that it is not remembered.
    Forgotten,
}

/// One link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkView {
    /// Its number.
    pub link: LinkId,
    /// The node at its other end.
    pub node: NodeId,
    /// Its network address when the link came up. Over QUIC it may be another one since: a link
    /// outlives such a change, which is not reported here.
    pub remote: Option<SocketAddr>,
    /// This node has dialled it.
    pub dialled: bool,
    /// The mean round-trip time of exchanges on it.
    pub round_trip: Option<Duration>,
    /// Since when.
    pub up_at: Instant,
}

/// How an upstream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// There is a link to it.
    Up,
    /// It is being dialled.
    Dialing,
    /// It is dialled again at that time.
    Waiting(Instant),
    /// It is this node itself.
    Itself,
}

/// One configured upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamView {
    /// As configured.
    pub address: Multiaddr,
    /// The node found there.
    pub node: Option<NodeId>,
    /// How it stands.
    pub state: UpstreamState,
    /// Failures in a row.
    pub failures: u8,
    /// When it last brought news.
    pub last_news: Option<Instant>,
}

/// A cycle among configured upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopView<'a> {
    /// In the order of asking, the smallest node ID first.
    pub path: &'a [NodeId],
    /// When it was found first.
    pub first_seen: Instant,
    /// When it was found last.
    pub last_seen: Instant,
    /// How often.
    pub times: u64,
}

impl Node {
    /// This node's ID.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.cx.id
    }

    /// What it was told at its start. Upstreams that were set since are in
    /// [`upstreams`](Self::upstreams).
    #[must_use]
    pub const fn config(&self) -> &crate::config::Config {
        &self.cx.config
    }

    /// The own addresses, as announced.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.own.addresses
    }

    /// The latest time that the node has been told.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.cx.now
    }

    /// The sequence of the own record.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.own.sequence()
    }

    /// The known live peers, this node left out. In an order that is the same for the same inputs
    /// and otherwise without meaning.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> + '_ {
        let live = self
            .table
            .entries()
            .filter(|e| e.node != self.cx.id && !e.is_tombstone());
        let tellers: BTreeMap<Via, NodeId> = self.tellers().collect();
        live.map(move |e| self.view(e, |via| tellers.get(&via).copied()))
    }

    /// What is known of this peer, if it is known and has not left.
    #[must_use]
    pub fn peer(&self, node: &NodeId) -> Option<PeerView> {
        let entry = self
            .table
            .lookup(node)
            .filter(|e| e.node != self.cx.id && !e.is_tombstone())?;
        let teller = |via| self.tellers().find(|(v, _)| *v == via);
        Some(self.view(entry, |via| teller(via).map(|(_, node)| node)))
    }

    /// The mark that this node's records bear.
    pub(super) fn via(&self, node: &NodeId) -> Via {
        Via(self.cx.relay_key.hash(node.as_bytes()) as u32 | 1)
    }

    /// Those who may have told something, as far as they are remembered. An entry has no room for
    /// more than their mark.
    fn tellers(&self) -> impl Iterator<Item = (Via, NodeId)> + '_ {
        let linked = self.links.iter().map(|(_, link)| (link.via, link.node));
        let gone = self
            .partners
            .iter()
            .map(|(node, _)| (self.via(node), *node));
        linked.chain(gone)
    }

    fn learned_from(&self, entry: &Entry, teller: impl Fn(Via) -> Option<NodeId>) -> LearnedFrom {
        if entry.via == Via::default() {
            LearnedFrom::Snapshot
        } else if entry.via == self.via(&entry.node) {
            LearnedFrom::Itself
        } else {
            teller(entry.via).map_or(LearnedFrom::Forgotten, LearnedFrom::Relay)
        }
    }

    fn view(&self, entry: &Entry, teller: impl Fn(Via) -> Option<NodeId>) -> PeerView {
        let mut addresses = entry.addresses(self.cx.config.local);
        addresses.retain(|a| self.cx.config.allows(&entry.node, a));
        PeerView {
            node: entry.node,
            sequence: entry.sequence(),
            addresses,
            metadata: record::metadata(entry.body()).to_vec(),
            first_seen: entry.first_seen(),
            learned_from: self.learned_from(entry, teller),
            lifetime_left: entry.deadline.saturating_since(self.cx.now),
            lifetime: entry.lifetime(),
            reachable: entry.reachable,
            linked: self.links.is_linked(&entry.node),
        }
    }

    /// Number of known live peers, this node left out.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        let own = self.table.own().is_some_and(|e| !e.is_tombstone());
        self.table.live() - usize::from(own)
    }

    /// A fingerprint of the set of all (node, version) that the table has, tombstones included:
    /// equal on two nodes that know the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.table.fingerprint()
    }

    /// The links.
    pub fn links(&self) -> impl Iterator<Item = LinkView> + '_ {
        self.links.iter().map(|(id, link)| LinkView {
            link: id,
            node: link.node,
            remote: link.remote,
            dialled: link.dialled,
            round_trip: link.srtt,
            up_at: link.up_at,
        })
    }

    /// The configured upstreams, in no particular order.
    pub fn upstreams(&self) -> impl Iterator<Item = UpstreamView> + '_ {
        self.dialer.upstreams.iter().map(|u| UpstreamView {
            address: u.address.clone(),
            node: u.node,
            state: match u.node {
                Some(node) if node == self.cx.id => UpstreamState::Itself,
                Some(node) if self.links.is_linked(&node) => UpstreamState::Up,
                _ if u.dialing => UpstreamState::Dialing,
                _ => UpstreamState::Waiting(u.backoff.retry_at()),
            },
            failures: u.backoff.failures(),
            last_news: u.last_news,
        })
    }

    /// The cycles that this node is on, found so far.
    pub fn loops(&self) -> impl Iterator<Item = LoopView<'_>> {
        self.loops.cycles.iter().map(|c| LoopView {
            path: &c.path,
            first_seen: c.first_seen,
            last_seen: c.last_seen,
            times: c.times,
        })
    }

    /// The time between rounds of asking at the moment: `Config::round` while there is news, up
    /// to `Config::quiet_round` while there is none.
    #[must_use]
    pub fn pace(&self) -> Duration {
        self.ask.interval()
    }

    /// Records in the table and their encoded bytes as one page, for measurements: what a node
    /// that knows nothing would have to be sent.
    #[must_use]
    pub fn encoded_table(&self) -> (usize, usize) {
        let mut page = RecordsBuilder::default();
        for record in self.table.entries().filter_map(|e| e.to_wire(self.cx.now)) {
            page.push(record, usize::MAX);
        }
        let records = page.finish();
        let n = records.len();
        let delta = Delta::unlogged(records);
        let update = Update {
            delta: Some(delta),
            ..Update::default()
        };
        (n, wire::encode(Message::Update(update)).len())
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            records: self.table.len() as u64,
            links: self.links.len() as u64,
            certificates: self.table.certificate_count() as u64,
            hints: self.dialer.hint_count() as u64,
            backing_off: self.backing_off() as u64,
            table_bytes: self.table.heap_bytes() as u64,
            ..self.cx.stats
        }
    }

    fn backing_off(&self) -> usize {
        let upstreams = self.dialer.upstreams.iter().map(|u| &u.backoff);
        let peers = self.partners.iter().map(|(_, p)| &p.backoff);
        upstreams
            .chain(peers)
            .filter(|b| !b.is_ready(self.cx.now))
            .count()
    }

    /// Sizes of every collection beside its cap (R22), for tests and fuzzing: each pair is
    /// (what, now, cap).
    #[must_use]
    pub fn sizes(&self) -> [(&'static str, usize, usize); 20] {
        use crate::limits::caps;
        let (seen, held, cycles) = self.loops.counts();
        let parked = self.links.iter().map(|(_, l)| l.waiting_traces()).max();
        let parked = parked.unwrap_or_default();
        [
            ("records", self.table.len(), self.cx.config.capacity),
            (
                "certificates",
                self.table.certificate_count(),
                caps::CERTIFICATES,
            ),
            (
                "links",
                self.links.len(),
                self.most_links() + caps::DIALS + caps::UPSTREAMS,
            ),
            ("partners", self.partners.len(), caps::PARTNERS),
            ("upstreams", self.dialer.upstreams.len(), caps::UPSTREAMS),
            ("dials", self.dialer.dial_count(), caps::DIALS),
            ("hints", self.dialer.hint_count(), caps::HINTS),
            ("offers", self.fetcher.len(), caps::OFFERS),
            ("walks", self.walks.seen_count(), caps::SEEN_WALKS),
            (
                "waiting downstreams",
                self.walks.waiting_count(),
                caps::WAITING_DOWNSTREAMS,
            ),
            ("traces", seen, caps::SEEN_TRACES),
            ("held traces", held, caps::HELD_TRACES),
            ("traces that wait on a link", parked, caps::WAITING_TRACES),
            ("cycles", cycles, caps::LOOPS),
            ("buckets", self.gate.len(), caps::BUCKETS),
            ("conducts", self.conducts.len(), caps::CONDUCTS),
            ("refused", self.refused.len(), caps::REFUSED),
            ("renewals", self.push.renewal_count(), caps::RENEWALS),
            (
                "parked rumours",
                self.push.parked_count(),
                2 * caps::WAITING_RUMOURS,
            ),
            (
                "passed rumours",
                self.push.passed_count(),
                caps::PASSED_RUMOURS,
            ),
        ]
    }

    /// Checks that every index of the table agrees with the records and that every collection is
    /// within its cap: for tests and fuzzing, at a cost that grows with the table.
    ///
    /// # Panics
    /// When something does not hold, which is a bug of this crate.
    pub fn check_invariants(&self) {
        self.table.check();
        self.check_round();
        for (what, size, cap) in self.sizes() {
            assert!(size <= cap, "{what}: {size} > {cap}");
        }
    }
}
