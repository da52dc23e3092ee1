//! The bounds that are part of the contract between nodes: a peer that exceeds one has sent a bad
//! message. What a node keeps is bounded by [`limits::caps`](crate::limits::caps).

use core::time::Duration;

/// Encoded bytes of a message (R23).
pub const MESSAGE_BYTES: usize = 64 * 1024;
/// Encoded bytes of a record's body.
pub const BODY_BYTES: usize = 1024;
/// Addresses of a record.
pub const ADDRESSES: usize = 16;
/// Bytes of an address.
pub const ADDRESS_BYTES: usize = 255;
/// Bytes of a record's metadata.
pub const METADATA_BYTES: usize = 256;
/// Upstreams that a record names; of a node with more it says just that (R47).
pub const UPSTREAMS_NAMED: usize = 8;
/// Bytes of a cluster's name (R50).
pub const CLUSTER_BYTES: usize = 64;
/// Hop limit of a request, and nodes on the path of a walk (R10).
pub const HOPS: usize = 64;
/// Accusations in a message (R32).
pub const ACCUSATIONS: usize = 64;
/// Nodes that a record names for having accused its node falsely (R33).
pub const NAMED: usize = 4;
/// Whoever has accused a node falsely twice within this time is not counted about it for as long
/// (R33).
pub const NOT_COUNTED: Duration = Duration::from_secs(600);
/// The longest lifetime of a record (R2): a week.
pub const LIFETIME: Duration = Duration::from_secs(604_800);
/// The shortest: ten minutes.
pub const SHORTEST_LIFETIME: Duration = Duration::from_secs(600);
/// Lifetime of a record that names none: a day.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(86_400);
/// The shortest detection time (R30), and that of a record that names none.
pub const DETECTION: Duration = Duration::from_secs(3);
/// The longest.
pub const LONGEST_DETECTION: Duration = Duration::from_secs(60);
/// The longest life of a tombstone: that of a record and a sixteenth (R4).
pub const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(604_800 + 604_800 / 16);
/// Versions of a record are below this (R51).
pub const VERSIONS: u64 = 1 << 63;
/// The highest version that is believed of a node that is not known, or at less.
pub const FIRST_VERSIONS: u64 = 1 << 40;
/// By so much at most a version is above the known one, from there on.
pub const VERSION_STEP: u64 = 1 << 32;

/// Whether this encoded message is a [`Beat`](crate::Kind::Beat) or an [`Ask`](crate::Kind::Ask):
/// the next one says as much, so it may be lost, and overtake others. A transport that has
/// datagrams (RFC 9221) sends it by one: on a stream it would wait for what was lost before it (R31).
///
/// One that comes before the first message of a link is to be dropped, since that has to be a
/// [`Hello`](crate::Kind::Hello).
#[must_use]
pub fn is_sign_of_life(message: &[u8]) -> bool {
    // The keys of fields 7 and 8 of the envelope, length-delimited.
    const BEAT: u8 = 7 << 3 | 2;
    const ASK: u8 = 8 << 3 | 2;
    matches!(message.first(), Some(&(BEAT | ASK)))
}
