//! The kinds of messages, for counters and logs.

/// A kind of message. Its number indexes arrays of counters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// The first one on a link.
    Hello,
    /// Asks.
    Request,
    /// Answers.
    Response,
    /// Pushes.
    Update,
    /// Precedes the end of a link.
    Goodbye,
    /// Says that its sender is there.
    Beat,
    /// Wants one.
    Ask,
    /// Wants to be dialled, or tells what came of it.
    DialBack,
    /// What was received and is none of these: bytes that are no message, and kinds and versions
    /// that this version does not know.
    Other,
}

impl Kind {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ALL.len();
    /// All, in the order of their numbers.
    pub const ALL: &'static [Self] = &[
        Self::Hello,
        Self::Request,
        Self::Response,
        Self::Update,
        Self::Goodbye,
        Self::Beat,
        Self::Ask,
        Self::DialBack,
        Self::Other,
    ];

    /// A short name, in lower case with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Request => "request",
            Self::Response => "response",
            Self::Update => "update",
            Self::Goodbye => "goodbye",
            Self::Beat => "beat",
            Self::Ask => "ask",
            Self::DialBack => "dial_back",
            Self::Other => "other",
        }
    }
}
