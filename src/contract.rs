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
/// Hop limit of a request, and nodes on the path of a walk (R10).
pub const HOPS: usize = 64;
/// A record's remaining lifetime (R2).
pub const LIFETIME: Duration = Duration::from_secs(3_600);
/// The initial life of a tombstone: the cap of records and a sixteenth (R4).
pub const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(3_600 + 3_600 / 16);
/// Lifetime of a record that names none.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(1_800);
/// Bytes of a cluster's name (R30).
pub const CLUSTER_BYTES: usize = 64;
