//! What keeps members from working against the others, each by itself: tests take one away and show
//! the attack that it is for.

/// One defence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defence {
    /// R52: who is believed about whom, where records are not signed.
    FirstHand,
    /// R53: dials of strangers are budgeted.
    Targets,
    /// R53: whoever has been known for long stays in a full table.
    Met,
    /// R55: a table has a cap in bytes.
    Bytes,
    /// R54: what comes is charged before it is decoded.
    Arrivals,
    /// R54: within a subnet's share each node has a minimum.
    Minimum,
    /// R33: who accuses falsely is not counted.
    Voice,
    /// R46: the part of one that cannot be reached is served by others.
    Passing,
}

/// Those that are taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disarmed(u8);

impl Disarmed {
    pub(crate) const NOTHING: Self = Self(0);

    /// Without this one alone.
    #[must_use]
    pub const fn of(defence: Defence) -> Self {
        Self(1 << defence as u8)
    }

    pub(crate) const fn has(self, defence: Defence) -> bool {
        self.0 & Self::of(defence).0 != 0
    }
}
