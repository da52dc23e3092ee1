//! A running agent, as its tasks and its admin interface see it.

mod agent;
mod cycle;
mod either;
mod sockets;

pub(crate) use agent::Agent;
pub(crate) use cycle::{advice, from_smallest_name, unexpected};
pub(crate) use either::OtherWays;
pub(crate) use sockets::{Sockets, is_own};
