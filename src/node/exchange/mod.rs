//! The upper tier: the exchanges that a node has under way.
//!
//! [`Exchange`] owns the three machines of which an exchange is made (the round that asks, the
//! fetches that follow from answers, the walks that are forwarded for others), and works on the
//! [`Base`](super::base::Base) that it is handed. The states of one exchange are drawn in
//! `ARCHITECTURE.md`.

mod fetch;
mod forward;
mod pick;
mod rounds;

use crate::node::state::fetches::Fetches;
use crate::node::state::round::Round;
use crate::node::state::walks::Walks;

/// What is under way.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) round: Round,
    pub(crate) fetches: Fetches,
    pub(crate) walks: Walks,
}
