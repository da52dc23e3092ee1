//! One link, as the node keeps it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::{NodeId, RequestId};
use crate::limits::caps;
use crate::node::request::Asking;
use crate::table::Via;
use crate::time::Instant;
use crate::wire::Trace;

pub(super) struct Link {
    pub(super) node: NodeId,
    pub(super) remote: Option<SocketAddr>,
    pub(super) dialled: bool,
    /// Rises with every link of this node.
    pub(super) order: u64,
    pub(super) up_at: Instant,
    pub(super) used_at: Instant,
    pub(super) via: Via,
    pub(super) in_flight: u8,
    /// The peer's epoch, once its Hello has come.
    pub(super) epoch: Option<u64>,
    /// A trace has been sent on it.
    pub(super) traced: bool,
    /// The peer takes sketches.
    pub(super) sketches: bool,
    /// The peer takes nodes in a delta.
    pub(super) names: bool,
    pub(super) asking: Option<Asking>,
    /// Half of the IDs of finished requests, the latest first, and how many there are.
    recent: ([u32; caps::RECENT_REQUESTS], u8),
    waiting: Option<Box<Waiting>>,
    pub(super) srtt: Option<Duration>,
    /// Requests in a row that got no answer, and since when.
    pub(super) timeouts: u8,
    pub(super) silent_since: Option<Instant>,
    /// Beyond the cap: answered once, then goodbye.
    pub(super) surplus: bool,
    /// Until when the peer was told to wait, on this link: on another it may not have heard of it.
    pub(super) told_to_wait: Option<Instant>,
}

/// What waits for a link to have room.
#[derive(Default)]
struct Waiting {
    /// Nodes whose records are to be sent as a rumour.
    rumours: Vec<NodeId>,
    /// Nobody asks for a trace that is lost.
    traces: VecDeque<Trace>,
}

impl Link {
    /// A link that is just up: the `order`-th of this node.
    pub(super) fn new(node: NodeId, remote: Option<SocketAddr>, order: u64, now: Instant) -> Self {
        Self {
            node,
            remote,
            dialled: false,
            order,
            up_at: now,
            used_at: now,
            via: Via::default(),
            in_flight: 0,
            epoch: None,
            traced: false,
            sketches: false,
            names: false,
            asking: None,
            recent: ([0; caps::RECENT_REQUESTS], 0),
            waiting: None,
            srtt: None,
            timeouts: 0,
            silent_since: None,
            surplus: false,
            told_to_wait: None,
        }
    }

    /// Whether there is room for what is not asked for.
    fn has_room(&self) -> bool {
        usize::from(self.in_flight) < caps::IN_FLIGHT_PUSHED
    }

    /// Rumours about these nodes, as many as may wait.
    pub(super) fn await_room(&mut self, about: Vec<NodeId>) {
        let rumours = &mut self.waiting.get_or_insert_default().rumours;
        let room = caps::WAITING_RUMOURS.saturating_sub(rumours.len());
        rumours.extend(about.into_iter().take(room));
    }

    pub(super) fn waiting_traces(&self) -> usize {
        self.waiting.as_ref().map_or(0, |w| w.traces.len())
    }

    /// Whether the trace may wait.
    pub(super) fn add_trace(&mut self, trace: Trace) -> bool {
        let room = self.waiting_traces() < caps::WAITING_TRACES;
        if room {
            let waiting = self.waiting.get_or_insert_default();
            waiting.traces.push_back(trace);
        }
        room
    }

    /// The next trace that there is room for.
    pub(super) fn next_trace(&mut self) -> Option<Trace> {
        if !self.has_room() {
            return None;
        }
        let trace = self.waiting.as_mut()?.traces.pop_front();
        self.forget_waiting();
        trace
    }

    /// The rumours that have waited, if there is room.
    pub(super) fn take_rumours(&mut self) -> Option<Vec<NodeId>> {
        if !self.has_room() {
            return None;
        }
        let rumours = core::mem::take(&mut self.waiting.as_mut()?.rumours);
        self.forget_waiting();
        (!rumours.is_empty()).then_some(rumours)
    }

    /// Most links never have anything that waits.
    fn forget_waiting(&mut self) {
        let nothing = |w: &mut Box<Waiting>| w.rumours.is_empty() && w.traces.is_empty();
        drop(self.waiting.take_if(nothing));
    }

    /// Remembers a finished request: its answer may yet come again (R14).
    pub(super) fn finish(&mut self, id: RequestId) {
        let (ids, n) = &mut self.recent;
        ids.rotate_right(1);
        ids[0] = id.0 as u32;
        *n = (*n + 1).min(ids.len() as u8);
    }

    pub(super) fn is_recent(&self, id: RequestId) -> bool {
        let (ids, n) = &self.recent;
        ids[..usize::from(*n)].contains(&(id.0 as u32))
    }

    /// The other end has answered something.
    pub(super) fn heard(&mut self) {
        self.timeouts = 0;
        self.silent_since = None;
    }

    /// Takes one round-trip time into the mean (RFC 6298, with its gain of 1/8).
    pub(super) fn measured(&mut self, rtt: Duration) {
        self.srtt = Some(self.srtt.map_or(rtt, |mean| (mean * 7 + rtt) / 8));
        self.heard();
    }
}
