//! What tests and measurements look at: sizes beside their caps, and what must always hold (R22).

use alloc::vec::Vec;

use crate::limits::caps;
use crate::node::Node;
use crate::wire::{self, Delta, Message, RecordsBuilder, Update};

impl Node {
    /// Records in the table and their encoded bytes as one page, for measurements: what a node
    /// that knows nothing would have to be sent.
    #[must_use]
    pub fn encoded_table(&self) -> (usize, usize) {
        let mut page = RecordsBuilder::default();
        let entries = self.base.table.entries();
        for record in entries.filter_map(|e| e.to_wire(self.base.cx.now)) {
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

    /// Sizes of every collection beside its cap (R22), for tests and fuzzing: each pair is
    /// (what, now, cap).
    #[must_use]
    pub fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        let (base, guard) = (&self.base, &self.guard);
        let (table, links) = (&base.table, &base.links);
        let on_a_link = links.iter().map(|(_, l)| l.pending_traces()).max();
        let kept_traces = base.traces.kept_count().max(base.reports.len());
        let most_links = base.most_links() + caps::DIALS + caps::UPSTREAMS;
        let (walks, tree) = (&self.exchange.walks, &base.tree);
        let detector = &self.detector;
        let buried = table.tombstone_count();
        let (certificates, hints) = (table.certificate_count(), base.hints.len());
        alloc::vec![
            ("living", table.live(), base.cx.config.capacity),
            (
                "tombstones",
                buried,
                caps::tombstones(base.cx.config.capacity)
            ),
            ("certificates", certificates, caps::CERTIFICATES),
            ("links", links.len(), most_links),
            ("peers", base.peers.len(), caps::PEERS),
            ("upstreams", base.upstreams.len(), caps::UPSTREAMS),
            ("dials", base.dialer.len(), caps::DIALS),
            ("hints", hints, caps::HINTS),
            ("offers", self.exchange.fetches.len(), caps::OFFERS),
            ("walks", walks.seen_count(), caps::SEEN_WALKS),
            (
                "waiting downstreams",
                walks.waiting_count(),
                caps::DOWNSTREAMS,
            ),
            ("traces", base.traces.seen_count(), caps::SEEN_TRACES),
            ("held traces", kept_traces, caps::HELD_TRACES),
            (
                "traces that wait on a link",
                on_a_link.unwrap_or(0),
                caps::PENDING_TRACES,
            ),
            ("cycles", base.cycles.len(), caps::LOOPS),
            ("buckets", guard.limits.len(), caps::BUCKETS),
            ("reputations", guard.reputation.len(), caps::REPUTATIONS),
            ("bans", guard.bans.len(), caps::BANS),
            (
                "bytes to be checked",
                self.checks.bytes(),
                caps::UNCHECKED_BYTES,
            ),
            ("parked news", tree.parked_count(), caps::PARKED_NEWS),
            ("served news", tree.served_count(), caps::SERVED_NEWS),
            ("carried news", tree.carried_count(), caps::CARRIED_NEWS),
            ("watches", detector.watches.len(), caps::WATCHES),
            ("watchers", detector.watchers.len(), caps::WATCHERS),
            ("cases", detector.accusations.len(), caps::CASES),
            ("differing links", detector.repairs.len(), links.len()),
            ("downs", table.down_count(), caps::DOWNS),
            ("doubts", base.standing.doubt_count(), caps::DOUBTS),
        ]
    }

    /// Checks that every index of the table agrees with the records, that every collection is
    /// within its cap, and that the round waits for something: for tests and fuzzing, at a cost
    /// that grows with the table.
    ///
    /// # Panics
    /// When something does not hold, which is a bug of this crate.
    pub fn check_invariants(&self) {
        self.base.table.check();
        let waits = self.over || self.exchange.waits_for_something(&self.base);
        assert!(
            waits,
            "the round waits in vain: {:?}",
            self.exchange.round.stage()
        );
        for (what, size, cap) in self.sizes() {
            assert!(size <= cap, "{what}: {size} > {cap}");
        }
    }
}
