//! How an exchange has ended.

/// What an exchange has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    News,
    NoNews,
    Failed,
}

impl Outcome {
    /// Of an exchange that was answered.
    pub(crate) fn of(news: bool) -> Self {
        if news { Self::News } else { Self::NoNews }
    }
}
