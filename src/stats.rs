//! Counters.

use core::time::Duration;

use crate::error::PeerFault;
use crate::wire::Kind;

/// Messages and their encoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages.
    pub messages: u64,
    /// Encoded bytes, without the transport's framing.
    pub bytes: u64,
}

impl Traffic {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// How long something has taken, counted by ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; Self::BOUNDS_MS.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// From the shortest detection time to what nobody should wait for.
    const BOUNDS_MS: [u64; 12] = [
        500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 10_000, 20_000, 60_000, 120_000,
    ];

    pub(crate) fn add(&mut self, time: Duration) {
        let within = |ms: &u64| time <= Duration::from_millis(*ms);
        let most = Self::BOUNDS_MS.len();
        let range = Self::BOUNDS_MS.iter().position(within).unwrap_or(most);
        self.counts[range] += 1;
        self.sum += time;
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// The ranges, in rising order: up to which time, that included, and how many lie between the
    /// one before and it. The last one has no end.
    pub fn ranges(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let bounds = Self::BOUNDS_MS.into_iter().map(Duration::from_millis);
        bounds.map(Some).chain([None]).zip(self.counts)
    }
}

/// What a node has counted since its start. All only rise, but for the last group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages handed to the transport.
    pub messages_sent: u64,
    /// Their encoded bytes.
    pub bytes_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Their encoded bytes.
    pub bytes_received: u64,
    sent: [Traffic; Kind::COUNT],
    received: [Traffic; Kind::COUNT],
    /// In the order of [`PeerFault::REASONS`].
    faults: [u64; PeerFault::REASONS.len()],
    /// Exchanges begun, forwarded ones included.
    pub requests_sent: u64,
    /// Exchanges that ended with an answer, `Busy` included.
    pub responses_received: u64,
    /// Answers `Busy` to this node's requests and fetches (R18).
    pub deferred: u64,
    /// Requests for certain records, of a node whose table is full (R22).
    pub fetches_sent: u64,
    /// Requests of others that were answered.
    pub requests_answered: u64,
    /// Requests of others that were answered `Busy`, and updates above the limits, which are
    /// dropped (R18).
    pub requests_throttled: u64,
    /// Requests of others that crossed one of this node's, which proceeded (R14).
    pub requests_crossed: u64,
    /// Requests forwarded (R10).
    pub requests_forwarded: u64,
    /// Requests that got no answer in time.
    pub timeouts: u64,
    /// Answers that arrived after their time, or twice.
    pub late_responses: u64,
    /// Records merged that were new.
    pub records_learned: u64,
    /// Records received that were known.
    pub records_known: u64,
    /// Records refused by a dead certificate.
    pub records_refused: u64,
    /// Records with other content under a known version (R1).
    pub records_conflicting: u64,
    /// Records out of bounds.
    pub records_bad: u64,
    /// Records without a signature that shows them to be their author's, where that counts (R50).
    pub records_unproven: u64,
    /// Records told by others of a node that speaks for itself, or that has contradicted them (R52).
    pub records_hearsay: u64,
    /// Signatures checked.
    pub signatures_checked: u64,
    /// Messages dropped since too much was waiting for its signatures to be checked.
    pub unchecked_dropped: u64,
    /// Records dropped to make room, or for which there was none.
    pub records_evicted: u64,
    /// Records whose life has ended.
    pub records_expired: u64,
    /// Sketches of this node's that told the other end nothing, or not all: a filter followed (R27).
    pub sketches_untold: u64,
    /// Renewals applied.
    pub renewals_applied: u64,
    /// Accusations made by this node (R32).
    pub accusations: u64,
    /// Accusations that counted here, this node's own ones too (R32).
    pub accusations_counted: u64,
    /// Of these, those whose subject then showed a higher sequence: it was alive (R33).
    pub accusations_false: u64,
    /// Accusations received that are not signed by their accuser, where that counts (R50).
    pub accusations_unproven: u64,
    /// Accusations received of an older life than is known (R33).
    pub accusations_stale: u64,
    /// Accusations received beyond what one accuser may say in a minute, or one message may cost, and
    /// those of nodes that are not known.
    pub accusations_dropped: u64,
    /// Accusations received that do not count, nor go on, since their subjects have named their
    /// authors for accusing them falsely (R33).
    pub accusations_uncounted: u64,
    /// Nodes that this one has named for that.
    pub accusers_named: u64,
    /// Accusations of this node that it has refuted (R33).
    pub refutations: u64,
    /// Links closed since another node with the same key was linked already (R36).
    pub clones_parted: u64,
    /// Milliseconds that only the wall clock has seen (R34).
    pub time_lost_ms: u64,
    /// Nodes that were taken for down.
    pub downs: u64,
    /// Of those that this node watched itself: the time from when they were heard last until they
    /// were down here (R32).
    pub detection: Histogram,
    /// Exchanges since the fingerprints in beats differed (R31).
    pub repairs: u64,
    /// Times that this node took a higher version to keep its identity (R5).
    pub recoveries: u64,
    /// Cycles found or told of, each time (R13).
    pub loops: u64,
    /// Messages that were none.
    pub bad_messages: u64,
    /// Messages of a kind or version that this one does not know.
    pub unknown_messages: u64,
    /// Responses that nobody asked for.
    pub unsolicited: u64,
    /// Nodes refused for misbehaviour, each time (R18).
    pub misbehaving: u64,
    /// Dials begun.
    pub dials: u64,
    /// Dials that failed.
    pub dial_failures: u64,
    /// Dials of linked nodes that wanted to know whether they can be reached (R38): they can.
    pub dial_backs_reached: u64,
    /// Likewise: they cannot.
    pub dial_backs_failed: u64,
    /// Likewise, that were not made: there were too many, or the address is none to be dialled.
    pub dial_backs_refused: u64,
    /// Failures after which an upstream, a peer or a hint was left alone for a while (R17).
    pub backoffs: u64,
    /// Messages not sent because the link had no room (news waits, pulls repair the rest).
    pub pushes_skipped: u64,

    /// Now: records in the table, the own one and tombstones included.
    pub records: u64,
    /// Now: peers that nobody accuses, or whose accusers do not count.
    pub peers_up: u64,
    /// Now: peers that are suspect (R32).
    pub peers_suspect: u64,
    /// Now: peers that are down (R35).
    pub peers_down: u64,
    /// Now: peers that have left.
    pub peers_left: u64,
    /// Now: transports over which nodes do not answer that do over another (R32).
    pub transports_blocked: u64,
    /// Now: links.
    pub links: u64,
    /// Now: upstreams and peers that are left alone for a while.
    pub backing_off: u64,
    /// Now: dead certificates.
    pub certificates: u64,
    /// Now: dial hints of expired peers.
    pub hints: u64,
    /// Now: bytes that the table takes.
    pub table_bytes: u64,
}

impl Stats {
    pub(crate) fn count_sent(&mut self, kind: Kind, bytes: usize) {
        self.messages_sent += 1;
        self.bytes_sent += bytes as u64;
        self.sent[kind as usize].add(bytes);
    }

    pub(crate) fn count_received(&mut self, kind: Kind, bytes: usize) {
        self.messages_received += 1;
        self.bytes_received += bytes as u64;
        self.received[kind as usize].add(bytes);
    }

    /// What was sent of this kind.
    #[must_use]
    pub const fn sent_of(&self, kind: Kind) -> Traffic {
        self.sent[kind as usize]
    }

    /// What was received of this kind.
    #[must_use]
    pub const fn received_of(&self, kind: Kind) -> Traffic {
        self.received[kind as usize]
    }

    pub(crate) fn blamed(&mut self, fault: &PeerFault) {
        let reason = fault.reason();
        if let Some(i) = PeerFault::REASONS.iter().position(|r| *r == reason) {
            self.faults[i] += 1;
        }
    }

    /// Sent messages and bytes by kind.
    pub fn sent(&self) -> impl Iterator<Item = (Kind, Traffic)> + '_ {
        Kind::ALL.iter().copied().zip(self.sent)
    }

    /// Received messages and bytes by kind.
    pub fn received(&self) -> impl Iterator<Item = (Kind, Traffic)> + '_ {
        Kind::ALL.iter().copied().zip(self.received)
    }

    /// What peers did wrong, by [`PeerFault::reason`].
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        PeerFault::REASONS.iter().copied().zip(self.faults)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_time_is_in_the_first_range_that_ends_no_earlier() {
        let mut times = Histogram::default();
        for ms in [0, 500, 501, 3_000, 121_000] {
            times.add(Duration::from_millis(ms));
        }
        let ranges: Vec<_> = times.ranges().filter(|(_, n)| *n > 0).collect();
        let s = |ms| Some(Duration::from_millis(ms));
        assert_eq!(
            ranges,
            [(s(500), 2), (s(1_000), 1), (s(3_000), 1), (None, 1)]
        );
        assert_eq!(
            (times.count(), times.sum()),
            (5, Duration::from_millis(125_001))
        );
    }
}
