//! The upper tier: the exchanges that a node has under way.
//!
//! [`Exchange`] owns the three machines of which an exchange is made (the round that asks, the
//! walks that are forwarded for others, and who is told later), and works on the
//! [`Base`](super::base::Base) that it is handed. The states of one exchange are drawn in
//! `ARCHITECTURE.md`.

mod forward;
mod pick;
mod rounds;
mod tell;

use crate::node::state::late::Late;
use crate::node::state::round::Round;
use crate::node::state::walks::Walks;
use crate::table::Slot;
use crate::time::Instant;

/// What is under way.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) round: Round,
    pub(crate) walks: Walks,
    pub(crate) late: Late,
    /// What the input at hand has brought that was not known, and is to be told to all (R42).
    pub(crate) fresh: alloc::vec::Vec<Slot>,
    /// Until when much that was wanted of an asker is expected: nobody else is asked for it.
    pub(crate) wanted_until: Option<Instant>,
}
