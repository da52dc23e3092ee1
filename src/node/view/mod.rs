//! Reading a node: peers, links, upstreams, cycles, counters, and what it keeps across restarts.

mod read;
#[cfg(any(test, feature = "testing"))]
mod sizes;
mod snapshot;
mod types;

pub use types::{
    LearnedFrom, LinkView, LoopView, PeerView, StandingView, UpstreamState, UpstreamView,
};
