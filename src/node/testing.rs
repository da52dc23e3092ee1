//! What the unit tests of the machines share: times, node IDs, a context and what came out of it.

use alloc::vec::Vec;

use crate::config::Config;
use crate::effect::{Effect, Event};
use crate::id::NodeId;
use crate::node::cx::Cx;
use crate::time::Instant;

/// The point so many seconds after the origin.
pub(crate) fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

/// The node ID of this number; IDs are in the order of their numbers.
pub(crate) fn node(n: u32) -> NodeId {
    let mut bytes = [0; NodeId::LEN];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    NodeId::new(bytes)
}

/// The context of node 0 with the default configuration, at this time.
pub(crate) fn cx(now: Instant) -> Cx {
    Cx::new(Config::default(), node(0), &[7; 32], now)
}

/// Takes all effects, and gives the events among them, in order.
pub(crate) fn events(cx: &mut Cx) -> Vec<Event> {
    let effects = core::iter::from_fn(|| cx.next_effect());
    let event = |effect| match effect {
        Effect::Event(event) => Some(event),
        _ => None,
    };
    effects.filter_map(event).collect()
}
