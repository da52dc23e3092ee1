//! Errors by blame: the embedder ([`UsageError`], [`ConfigError`](crate::ConfigError)), or a peer
//! ([`PeerFault`], which is an event and never an error of the call that brought the message).

use crate::config::ConfigError;
use crate::limits::caps;
use crate::record::RecordError;
use crate::wire::DecodeError;

pub use crate::wire::SnapshotError;

/// Misuse of the interface. The input had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// A link number was used twice.
    #[error("this link is up already: link numbers are never used twice")]
    LinkInUse,
    /// The node has left or was shut down.
    #[error("the node has left: make a new one")]
    Left,
    /// Too many effects wait: call `poll` until it answers `WaitUntil`.
    #[error(
        "more than {} effects wait: poll until WaitUntil after every input",
        caps::EFFECTS
    )]
    NotPolled,
    /// The own addresses or metadata are out of bounds.
    #[error("the own record is out of bounds: {0}")]
    OwnRecord(#[from] RecordError),
    /// More than 1,024 upstreams.
    #[error("at most {} upstreams", caps::UPSTREAMS)]
    TooManyUpstreams,
}

/// Why a node could not be made. Nothing was created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value of the configuration is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The own addresses or metadata are out of bounds.
    #[error("the own record is out of bounds: {0}")]
    OwnRecord(#[from] RecordError),
    /// The snapshot cannot be read. A node can still be made without it.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// What a peer did wrong. Each is counted; blame leaks away, and a link that keeps at it is closed
/// (R14, R18).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerFault {
    /// The bytes are no message. They had no effect.
    #[error(transparent)]
    Message(#[from] DecodeError),
    /// A walk's path does not end with the sender. The request had no effect.
    #[error("the path of a walk does not end with its sender")]
    PathNotItsOwn,
    /// A response that nobody asked for. It had no effect.
    #[error("a response that was not asked for")]
    Unsolicited,
    /// The peer's own record is out of bounds. It was skipped.
    #[error("the peer's own record is out of bounds: {0}")]
    OwnRecord(RecordError),
    /// The peer's own record, or an accusation of its own, is not signed as it has to be. It was skipped.
    #[error("the peer's own record or accusation is not signed by it in this cluster's name")]
    Unproven,
    /// A request before the end of a retry-after. It was not answered.
    #[error("a request before the end of a retry-after")]
    IgnoredRetryAfter,
    /// More messages or bytes than anybody asks for. This one was not even decoded.
    #[error("more messages or bytes than any node asks another for")]
    Flood,
    /// Another Hello on one link. It had no effect.
    #[error("another Hello on one link")]
    SecondHello,
}

impl PeerFault {
    /// Every [`reason`](Self::reason): bytes that are no message first.
    pub const REASONS: &'static [&'static str] = &[
        "too_long",
        "malformed",
        "node_id",
        "columns",
        "page",
        "path",
        "shows",
        "accusations",
        "address",
        "path_not_its_own",
        "unsolicited",
        "own_record",
        "unproven",
        "ignored_retry_after",
        "flood",
        "second_hello",
    ];

    /// A short name, for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Message(error) => error.reason(),
            Self::PathNotItsOwn => "path_not_its_own",
            Self::Unsolicited => "unsolicited",
            Self::OwnRecord(_) => "own_record",
            Self::Unproven => "unproven",
            Self::IgnoredRetryAfter => "ignored_retry_after",
            Self::Flood => "flood",
            Self::SecondHello => "second_hello",
        }
    }

    /// Points of blame: a link is closed at 16, and they leak away at one in ten seconds.
    pub(crate) const fn weight(&self) -> u64 {
        match self {
            Self::Message(_) | Self::PathNotItsOwn => 8,
            Self::IgnoredRetryAfter => 2,
            Self::Unsolicited | Self::OwnRecord(_) | Self::Unproven => 1,
            Self::Flood | Self::SecondHello => 1,
        }
    }
}
