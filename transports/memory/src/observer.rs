//! Watching a network.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::{Effect, Event, Input, Node};

use crate::host::HostId;

/// Sees every transition of a [`Network`](crate::Network).
pub trait Observer {
    /// A node has taken an input, and is about to be polled.
    fn handled(&mut self, _now: Duration, _host: HostId, _input: &Input, _node: &Node) {}

    /// A node has had this effect.
    fn effect(&mut self, _now: Duration, _host: HostId, _effect: &Effect, _node: &Node) {}

    /// A message has been handed to the network.
    fn sent(&mut self, _now: Duration, _from: HostId, _to: HostId, _bytes: &Bytes) {}

    /// A message is about to be handed to a node.
    fn delivered(&mut self, _now: Duration, _from: HostId, _to: HostId, _bytes: &Bytes) {}

    /// A node has reported an event.
    fn event(&mut self, _now: Duration, _host: HostId, _event: &Event) {}

    /// A node has been started, or restarted.
    fn started(&mut self, _now: Duration, _host: HostId, _node: &Node) {}

    /// A node has crashed.
    fn crashed(&mut self, _now: Duration, _host: HostId) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn handled(&mut self, now: Duration, host: HostId, input: &Input, node: &Node) {
        (**self).handled(now, host, input, node);
    }

    fn effect(&mut self, now: Duration, host: HostId, effect: &Effect, node: &Node) {
        (**self).effect(now, host, effect, node);
    }

    fn sent(&mut self, now: Duration, from: HostId, to: HostId, bytes: &Bytes) {
        (**self).sent(now, from, to, bytes);
    }

    fn delivered(&mut self, now: Duration, from: HostId, to: HostId, bytes: &Bytes) {
        (**self).delivered(now, from, to, bytes);
    }

    fn event(&mut self, now: Duration, host: HostId, event: &Event) {
        (**self).event(now, host, event);
    }

    fn started(&mut self, now: Duration, host: HostId, node: &Node) {
        (**self).started(now, host, node);
    }

    fn crashed(&mut self, now: Duration, host: HostId) {
        (**self).crashed(now, host);
    }
}
