//! Traces along configured upstreams: when to start one, and which of others go on (R12).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::bucket::{Bucket, Rate};
use crate::limits::caps;
use crate::node::cx::Cx;
use crate::node::timers::Timer;
use crate::time::Instant;
use crate::wire::Trace;

/// A trace of its own that a node starts because a higher one has arrived: not within a second of
/// its last, and seldom. A cycle that closes late is found at once, though the node has sent its
/// trace of this interval already.
const PROVOKED: Rate = Rate::new(4, Duration::from_secs(150));
const PROVOKED_GAP: Duration = Duration::from_secs(1);
/// A trace waits for the end of the news, at most so long.
const RUSH: Duration = Duration::from_secs(1);
/// Traces of others that a node forwards beyond each downstream's share: what bounds the cost where
/// many rings share nodes, at the price of finding some of them later.
const FORWARDED: Rate = Rate::new(26, Duration::from_secs(60));

#[derive(Default)]
pub(crate) struct Traces {
    /// Traces of others, by origin and ID.
    seen: BTreeMap<(NodeId, u64), Instant>,
    /// The last trace of each lower origin, for upstreams that are not up yet.
    held: Vec<Trace>,
    /// To be forwarded when the burst of news is over.
    pending: Vec<Trace>,
    last_own: Option<Instant>,
    /// The trace for upstreams that have just come up.
    on_link_up: Option<(u64, Instant)>,
    periodic_at: Instant,
    /// When somebody last asked this node as its upstream: a trace of its own came.
    asked_at: Option<Instant>,
    forwarded: Bucket,
    provoked: Bucket,
}

/// The node's own traces.
impl Traces {
    /// Sets the timer for the next periodic trace.
    pub(crate) fn schedule(&mut self, cx: &mut Cx) {
        let wait = cx.jitter(cx.config.trace_interval, 80);
        self.periodic_at = cx.now + wait;
        cx.timers.set(Timer::Trace, self.periodic_at);
    }

    /// Whether the timer was for the periodic trace; otherwise it is set for that.
    pub(crate) fn is_periodic_due(&self, cx: &mut Cx) -> bool {
        let due = self.periodic_at <= cx.now;
        if !due {
            cx.timers.set(Timer::Trace, self.periodic_at);
        }
        due
    }

    /// Whom nobody asks is on no cycle: its trace would only be carried along. Those who ask have
    /// said so with a trace of their own in the last two intervals.
    pub(crate) fn is_asked(&self, cx: &Cx) -> bool {
        let recent = |at| cx.now.saturating_since(at) < cx.config.trace_interval * 2;
        self.asked_at.is_some_and(recent)
    }

    /// A downstream's own trace has come.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// A new trace of this node goes out. A fresh one makes others start theirs.
    pub(crate) fn begin(&mut self, cx: &mut Cx, fresh: bool) -> Trace {
        self.last_own = Some(cx.now);
        own_trace(cx.next_id(), cx, fresh)
    }

    /// The trace for an upstream that has just come up: those that come up together get one, not a
    /// flood each.
    pub(crate) fn begin_on_link_up(&mut self, cx: &mut Cx) -> Trace {
        let recent = |(_, at): &(u64, Instant)| cx.now.saturating_since(*at) < PROVOKED_GAP;
        let same = self.on_link_up.filter(recent);
        let (id, at) = same.unwrap_or_else(|| (cx.next_id(), cx.now));
        self.on_link_up = Some((id, at));
        self.last_own = Some(cx.now);
        own_trace(id, cx, true)
    }

    /// Whether a fresh trace of a higher origin makes this node start its own.
    pub(crate) fn is_provoked(&mut self, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_since(at) < PROVOKED_GAP;
        !self.last_own.is_some_and(recent) && self.provoked.take(PROVOKED, now, 1).is_ok()
    }
}

/// Traces of others.
impl Traces {
    /// Whether this trace has not been here, and there is room to remember that it has.
    pub(crate) fn is_new(&self, origin: NodeId, trace: &Trace) -> bool {
        let room = self.seen.len() < caps::SEEN_TRACES;
        room && !self.seen.contains_key(&(origin, trace.id))
    }

    /// Whether one more goes on beyond the share of whoever has sent it.
    pub(crate) fn may_forward(&mut self, now: Instant) -> bool {
        self.forwarded.take(FORWARDED, now, 1).is_ok()
    }

    /// Remembers it, so that it is not forwarded again, and keeps it for upstreams to come.
    pub(crate) fn remember(&mut self, origin: NodeId, trace: Trace, now: Instant) {
        self.seen.insert((origin, trace.id), now);
        self.held.retain(|t| t.path.first() != trace.path.first());
        if self.held.len() >= caps::HELD_TRACES {
            self.held.remove(0);
        }
        self.held.push(trace);
    }

    /// The last traces of lower origins.
    pub(crate) fn held(&self) -> &[Trace] {
        &self.held
    }

    /// Lets it wait for the end of the news, if there is room.
    pub(crate) fn postpone(&mut self, trace: &Trace, cx: &mut Cx) -> bool {
        let room = self.pending.len() < caps::HELD_TRACES;
        if room {
            self.pending.push(trace.clone());
            cx.timers.at_latest(Timer::Trace, cx.now + RUSH);
        }
        room
    }

    /// What has waited for the end of the news.
    pub(crate) fn take_pending(&mut self) -> Vec<Trace> {
        core::mem::take(&mut self.pending)
    }

    /// Forgets what is older than an interval.
    pub(crate) fn expire(&mut self, cx: &Cx) {
        let kept = |at: Instant| cx.now.saturating_since(at) < cx.config.trace_interval;
        self.seen.retain(|_, at| kept(*at));
        // Held traces go with the memory of them.
        let seen = &self.seen;
        let is_seen = |t: &Trace| {
            let origin = t.path.first();
            origin.is_some_and(|origin| seen.contains_key(&(*origin, t.id)))
        };
        self.held.retain(is_seen);
    }

    pub(crate) fn seen_count(&self) -> usize {
        self.seen.len()
    }

    /// The larger of the two collections of traces, which share a cap.
    pub(crate) fn kept_count(&self) -> usize {
        self.held.len().max(self.pending.len())
    }
}

fn own_trace(id: u64, cx: &Cx, fresh: bool) -> Trace {
    Trace {
        id,
        path: alloc::vec![cx.id],
        fresh,
    }
}
