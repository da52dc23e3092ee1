//! A running agent, as its tasks and its admin interface see it.

mod agent;
mod cycle;
mod sockets;

pub(crate) use agent::Agent;
pub(crate) use cycle::{Presence, advice, from_smallest_name};
pub(crate) use sockets::{Sockets, is_own};
