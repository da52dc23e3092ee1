//! Reading a node: peers, links, upstreams, cycles, the map, counters, and what it keeps across restarts.

mod map;
mod read;
mod readiness;
#[cfg(any(test, feature = "testing"))]
mod sizes;
mod snapshot;
mod types;

pub use map::{AskerView, NamedUpstream};
pub use readiness::{Readiness, ReadinessView};
pub use types::{
    LearnedFrom, LinkView, LoopView, OwnAddressState, OwnAddressView, PeerState, PeerView,
    StandingView, UpstreamState, UpstreamView,
};
