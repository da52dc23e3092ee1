//! Every cap of a node, in one place (R22): they bound its memory whatever it is sent, and the
//! configuration can lower some of them. They may change from one version to the next; the bounds of
//! the [contract] between nodes may not.

use crate::contract;

/// Bytes of records in a message: the rest is room for everything else in it.
pub const PAGE_BYTES: usize = contract::MESSAGE_BYTES - 8 * 1024;
/// Records in a table: what `Config::capacity` may be at most.
pub const CAPACITY: usize = 1 << 20;
/// Bytes of what the living have said in a table with room for so many: eight times what most say (R55).
#[must_use]
pub const fn table_bytes(capacity: usize) -> usize {
    if capacity < 128 {
        64 * 1024
    } else {
        capacity * 512
    }
}
/// Tombstones in a table with room for so many living: a quarter of that, and 64 at least (R55).
#[must_use]
pub const fn tombstones(capacity: usize) -> usize {
    if capacity < 256 { 64 } else { capacity / 4 }
}
/// Links of a node: what `Config::max_links` may be at most.
pub const LINKS: usize = 1 << 16;
/// Upstreams of a node.
pub const UPSTREAMS: usize = 1_024;
/// Records of nodes to which the own upstreams lead, beyond a full table (R47).
pub const BEYOND: usize = 256;
/// Dead certificates (R3); with more, those that end first go first.
pub const CERTIFICATES: usize = 8_192;
/// Peers of which backoff and round-trip time are remembered after their link has gone.
pub const PEERS: usize = 1_024;
/// Dials under way at once.
pub const DIALS: usize = 32;
/// Of nodes that want to be dialled back, beside those (R38).
pub const DIAL_BACKS: usize = 16;
/// Nodes that have asked for it lately.
pub const ASKERS: usize = 1_024;
/// Addresses at which others see this node, beside those that are configured (R38).
pub const CANDIDATES: usize = 16;
/// Links whose other ends have said where they see this node.
pub const SIGHTINGS: usize = 128;
/// Of those that have reached an own address, and of those that have not, so many are remembered.
pub const VOICES: usize = 8;
/// Of nodes in doubt, beside those.
pub const DOUBT_DIALS: usize = 64;
/// Messages handed to the transport and not yet reported sent, per link.
pub const IN_FLIGHT: usize = 8;
/// Of these, how many may be updates: answers always have room.
pub const IN_FLIGHT_PUSHED: usize = 4;
/// Records of news that wait for a link to have room, per link.
pub const WAITING_NEWS: usize = 32;
/// Records of news that wait for a node that is being dialled.
pub const PARKED_NEWS: usize = 2 * WAITING_NEWS;
/// News of which it is remembered how far round the ring it has gone (R46).
pub const SERVED_NEWS: usize = 4_096;
/// Records that are passed on without room for them in the table, on their way.
pub const CARRIED_NEWS: usize = 64;
/// Standing links beyond the rank +16, one for each power of two up to the largest table.
pub const FAR_RANKS: usize = 16;
/// Nodes that have not answered lately, so that another is told too.
pub const DOUBTS: usize = 256;
/// Finished requests of which a late answer is still merged, per link (R14).
pub const RECENT_REQUESTS: usize = 8;
/// Walks remembered so that none is forwarded twice (R10).
pub const SEEN_WALKS: usize = 4_096;
/// Askers that are told later what the node did not know yet (R41).
pub const LATE: usize = 4_096;
/// Records that are to be told them.
pub const LATE_RECORDS: usize = 4_096;
/// Bytes of what tells what they have that was not known.
pub const LATE_BYTES: usize = 1 << 20;
/// A table of so many records tells everybody its news at once (R42).
pub const TOLD_TO_ALL: usize = 3;
/// Peers that are not asked again before a node rests.
pub const ASKED: usize = 256;
/// Distinct cycles remembered.
pub const LOOPS: usize = 64;
/// Token buckets: node IDs and address prefixes (R18).
pub const BUCKETS: usize = 8_192;
/// Hosts, subnets and tellers of which it is remembered that strangers there were dialled in vain (R53).
pub const TARGETS: usize = 4_096;
/// Nodes of one subnet that are answered a little whatever others of it do (R54).
pub const MINIMUM: usize = 64;
/// Nodes whose blame and waits are remembered beyond their links (R18).
pub const REPUTATIONS: usize = 4_096;
/// Nodes refused for proven misbehaviour (R18).
pub const BANS: usize = 1_024;
/// Nodes of which others say something that they could say themselves (R52).
pub const CLAIMS: usize = 512;
/// Peers that are down, have expired or were pushed out, kept as dial hints (R28).
pub const HINTS: usize = 1_024;
/// Addresses of which it is remembered who was found there last (R28).
pub const OCCUPANTS: usize = 1_024;
/// Records named as overdue in one request (R2).
pub const OVERDUE: usize = 64;
/// Bytes of records in the answer to that, beside whatever else it has.
pub const RENEWED_BYTES: usize = 4 * 1024;
/// Refusals in one message.
pub const REFUSALS: usize = 256;
/// Nodes named to a node whose table is full, in one answer (R22).
pub const SAMPLE: usize = 256;
/// Records in an answer that a node without room for the link gives (R22).
pub const FULL_ANSWER: usize = 48;
/// Records in a busy answer (R18).
pub const BUSY_SAMPLE: usize = 8;
/// Signatures checked in handling one input (R50): at 55 µs each, 3.5 ms.
pub const CHECKS: usize = 64;
/// Bytes of messages that wait on one link behind one whose signatures are being checked.
pub const BEHIND_CHECKS: usize = 2 * contract::MESSAGE_BYTES;
/// Bytes of messages whose signatures are being checked, and of those behind them, on all links.
pub const UNCHECKED_BYTES: usize = 8 * 1024 * 1024;
/// Links to this node's own ID that wait for a Hello (R36).
pub const MIRRORS: usize = 8;
/// Nodes whose last epochs are remembered (R36).
pub const CLONES: usize = 256;
/// Nodes of which it is remembered that one transport was silent where another answered, for each
/// transport (R32).
pub const BLOCKED: usize = 64;
/// Effects that wait to be polled; beyond it input is refused.
pub const EFFECTS: usize = 1 << 16;
/// Nodes that this one beats to (R30).
pub const WATCHERS: usize = 8;
/// Nodes watched because too few others watch them (R30).
pub const INVITED: usize = 8;
/// Suspected nodes watched beyond the ranks (R30).
pub const WATCHED: usize = 64;
/// With those that are not to be watched any more, for a while.
pub const WATCHES: usize = 2 * WATCHED;
/// Subjects of accusations that are remembered while they are not down (R32).
pub const CASES: usize = 16_384;
/// Sequences of one subject at which it is accused.
pub const CASES_OF_ONE: usize = 4;
/// Nodes of which it is remembered that they have accused this one though it was there (R33).
pub const FALSE_ACCUSERS: usize = 16;
/// Nodes of which it is remembered whose accusations do not count about them.
pub const UNCOUNTED: usize = 1_024;
/// Accusers remembered of one case.
pub const ACCUSERS: usize = 8;
/// Accusers whose number of accusations is counted (R32).
pub const ACCUSER_RATES: usize = 1_024;
/// Accusations that wait to be sent, over all links.
pub const WAITING_ACCUSATIONS: usize = 4_096;
/// Nodes that are down, until their records would have ended (R35).
pub const DOWNS: usize = 4_096;
/// Bytes of what they have said, to be shown; beyond it their state is kept alone.
pub const DOWN_BYTES: usize = 1 << 20;
