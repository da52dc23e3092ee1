//! What tests and measurements look at: sizes beside their caps, and what must always hold (R22).

use alloc::vec::Vec;

use crate::limits::caps;
use crate::node::Node;
use crate::wire::{self, Message, RecordsBuilder, Update};

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
        let update = Update {
            records,
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
        let most_links = base.most_links() + caps::DIALS + caps::UPSTREAMS;
        let (walks, late, tree) = (&self.exchange.walks, &self.exchange.late, &base.tree);
        let buried = table.tombstone_count();
        let certificates = table.certificate_count();
        let mut sizes = alloc::vec![
            ("living", table.live(), base.cx.config.capacity),
            (
                "live bytes",
                table.live_bytes(),
                caps::table_bytes(base.cx.config.capacity)
            ),
            (
                "tombstones",
                buried,
                caps::tombstones(base.cx.config.capacity)
            ),
            ("beyond", table.beyond_count(), caps::BEYOND),
            ("certificates", certificates, caps::CERTIFICATES),
            ("links", links.len(), most_links),
            ("peers", base.peers.len(), caps::PEERS),
            ("upstreams", base.upstreams.len(), caps::UPSTREAMS),
            ("mirrors", base.mirrors.len(), caps::MIRRORS),
            ("clones", base.clones.len(), caps::CLONES),
            ("blocked", base.blocked.len(), caps::BLOCKED),
            ("walks", walks.len(), caps::SEEN_WALKS),
            ("asked", self.exchange.round.asked_count(), caps::ASKED),
            ("told later", late.len(), caps::LATE),
            (
                "records for later",
                late.learned_count(),
                caps::LATE_RECORDS
            ),
            ("bytes of what they have", late.bytes(), caps::LATE_BYTES),
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
            ("downs", table.down_count(), caps::DOWNS),
            ("bytes of downs", table.down_bytes(), caps::DOWN_BYTES),
            ("doubts", base.standing.doubt_count(), caps::DOUBTS),
            ("claims", base.claims.len(), caps::CLAIMS),
        ];
        sizes.extend(self.dial_sizes());
        sizes.extend(self.sizes_of_addresses());
        sizes.extend(self.detector_sizes());
        sizes
    }

    fn dial_sizes(&self) -> [(&'static str, usize, usize); 4] {
        let base = &self.base;
        let at_once = caps::DIALS + caps::DOUBT_DIALS + caps::DIAL_BACKS;
        let targets = caps::TARGETS + caps::OCCUPANTS + at_once;
        [
            ("dials", base.dialer.len(), at_once),
            ("hints", base.hints.len(), caps::HINTS),
            ("occupants", base.occupants.len(), caps::OCCUPANTS),
            ("targets", base.targets.len(), targets),
        ]
    }

    fn sizes_of_addresses(&self) -> [(&'static str, usize, usize); 3] {
        let own = &self.base.own_addresses;
        let most = crate::contract::ADDRESSES + caps::CANDIDATES;
        [
            ("own addresses", own.len(), most),
            ("sightings", own.sighting_count(), caps::SIGHTINGS),
            ("askers", self.base.dial_backs.len(), caps::ASKERS),
        ]
    }

    fn detector_sizes(&self) -> Vec<(&'static str, usize, usize)> {
        let (detector, links) = (&self.detector, &self.base.links);
        alloc::vec![
            ("watches", detector.watches.len(), caps::WATCHES),
            ("watchers", detector.watchers.len(), caps::WATCHERS),
            ("invited", detector.invitations.len(), caps::INVITED),
            (
                "false accusers",
                detector.false_accusers.len(),
                caps::FALSE_ACCUSERS,
            ),
            ("uncounted", detector.uncounted.len(), caps::UNCOUNTED),
            (
                "waiting accusations",
                self.base.outbox.len(),
                caps::WAITING_ACCUSATIONS,
            ),
            ("cases", detector.accusations.len(), caps::CASES),
            ("differing links", detector.repairs.len(), links.len()),
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
