//! The original failure as a permanent test: servers that ask one another in a ring.
//!
//! Next to the node stands a small model of the old behaviour, [`old`], so that the comparison of
//! numbers means something.
#![forbid(unsafe_code)]

mod balancer;
mod cold;
mod old;
mod restarted;
mod watch;
