//! Whether this node is linked to anybody, or was a moment ago (R37).

use core::time::Duration;

use crate::time::Instant;

/// Who was linked is not cut off before so much time has passed.
const MOMENT: Duration = Duration::from_secs(10);

/// How this node stands to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Contact {
    /// Nobody was met since the start.
    #[default]
    None,
    /// There is a link, whose other end has said Hello.
    Linked,
    /// The last such link has ended then.
    Lost(Instant),
}

impl Contact {
    /// Somebody has said Hello.
    pub(crate) fn met(&mut self) {
        *self = Self::Linked;
    }

    /// A link is gone, and it was the last one.
    pub(crate) fn lost(&mut self, now: Instant) {
        if *self == Self::Linked {
            *self = Self::Lost(now);
        }
    }

    /// Linked, now or a moment ago.
    pub(crate) fn is_there(&self, now: Instant) -> bool {
        match self {
            Self::None => false,
            Self::Linked => true,
            Self::Lost(at) => now.saturating_since(*at) < MOMENT,
        }
    }

    /// Whether somebody was met since the start.
    pub(crate) fn was_ever(&self) -> bool {
        *self != Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::at;

    /// R37: the only link may be replaced by another without anybody being cut off.
    #[test]
    fn a_lost_link_counts_for_a_moment() {
        let mut contact = Contact::default();
        contact.lost(at(1));
        assert!(!contact.was_ever() && !contact.is_there(at(1)));
        contact.met();
        assert!(contact.was_ever() && contact.is_there(at(1_000)));
        contact.lost(at(1_000));
        contact.lost(at(1_009));
        assert!(contact.is_there(at(1_009)) && !contact.is_there(at(1_010)));
        assert!(contact.was_ever());
        contact.met();
        assert!(contact.is_there(at(2_000)));
    }
}
