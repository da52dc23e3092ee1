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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, cx, node};
    use crate::node::timers::Due;

    /// A trace of this origin that has come over one more node.
    fn trace(origin: u32, id: u64) -> Trace {
        Trace {
            id,
            path: [origin, 900].map(node).to_vec(),
            fresh: false,
        }
    }

    /// How many of so many traces at once start one of this node's own.
    fn provoked(traces: &mut Traces, tries: usize, now: Instant) -> usize {
        (0..tries).filter(|_| traces.is_provoked(now)).count()
    }

    /// R12: every ten minutes, jittered so that not all nodes start at once.
    #[test]
    fn the_periodic_trace_is_due_within_an_interval() {
        let mut cx = cx(at(1_000));
        let interval = cx.config.trace_interval;
        let mut traces = Traces::default();
        for _ in 0..50 {
            traces.schedule(&mut cx);
            let due = cx.timers.next().unwrap();
            let range = cx.now + interval * 4 / 5..cx.now + interval;
            assert!(range.contains(&due), "{due}");
        }
    }

    /// R12: a timer set earlier, for traces that have waited, does not start a periodic one.
    #[test]
    fn a_timer_for_something_else_leaves_the_periodic_trace_where_it_was() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        traces.schedule(&mut cx);
        let due = cx.timers.next().unwrap();
        traces.postpone(&trace(1, 1), &mut cx);
        cx.now = at(1_001);
        assert_eq!(cx.timers.pop(cx.now), Some(Due::Timer(Timer::Trace)));
        assert!(!traces.is_periodic_due(&mut cx));
        assert_eq!(cx.timers.next(), Some(due));
        cx.now = due;
        assert!(traces.is_periodic_due(&mut cx));
    }

    /// R12: whom nobody has asked for two intervals is on no cycle.
    #[test]
    fn a_downstreams_trace_counts_for_two_intervals() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        assert!(!traces.is_asked(&cx));
        traces.asked(at(1_000));
        cx.now = at(2_199);
        assert!(traces.is_asked(&cx));
        cx.now = at(2_200);
        assert!(!traces.is_asked(&cx));
    }

    /// R12: a trace begins with this node alone, and each has an ID of its own.
    #[test]
    fn an_own_trace_has_a_new_id_and_this_node_as_its_path() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        let (periodic, fresh) = (traces.begin(&mut cx, false), traces.begin(&mut cx, true));
        assert_eq!(periodic.path, [node(0)]);
        assert!(!periodic.fresh && fresh.fresh);
        assert_ne!(periodic.id, fresh.id);
    }

    /// R12: several upstreams that come up within a second get the same trace, not a flood each.
    #[test]
    fn upstreams_that_come_up_together_get_one_trace() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        let first = traces.begin_on_link_up(&mut cx);
        assert!(first.fresh);
        cx.now = at(1_000) + Duration::from_millis(999);
        assert_eq!(traces.begin_on_link_up(&mut cx), first);
        cx.now = at(1_001);
        let next = traces.begin_on_link_up(&mut cx);
        assert_ne!(next.id, first.id);
    }

    /// R12: an own trace of the last second would find the cycle too.
    #[test]
    fn within_a_second_of_an_own_trace_none_is_provoked() {
        let starts: [fn(&mut Traces, &mut Cx) -> Trace; 2] = [
            |traces, cx| traces.begin(cx, false),
            |traces, cx| traces.begin_on_link_up(cx),
        ];
        for start in starts {
            let mut cx = cx(at(1_000));
            let mut traces = Traces::default();
            start(&mut traces, &mut cx);
            let last = at(1_000) + Duration::from_millis(999);
            assert!(!traces.is_provoked(last));
            assert!(traces.is_provoked(at(1_001)));
        }
    }

    /// R12: four, then one in two and a half minutes; what the gap has refused is not charged.
    #[test]
    fn provoked_traces_keep_to_a_rate() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        traces.begin(&mut cx, true);
        assert_eq!(provoked(&mut traces, 10, at(1_000)), 0);
        assert_eq!(provoked(&mut traces, 10, at(1_001)), 4);
        assert_eq!(provoked(&mut traces, 10, at(1_150)), 0);
        assert_eq!(provoked(&mut traces, 10, at(1_151)), 1);
    }

    /// R12: a trace is forwarded once; it is known by its origin and ID.
    #[test]
    fn a_trace_is_new_once() {
        let mut traces = Traces::default();
        let first = trace(1, 5);
        assert!(traces.is_new(node(1), &first));
        traces.remember(node(1), first.clone(), at(1_000));
        assert!(!traces.is_new(node(1), &first));
        assert!(traces.is_new(node(1), &trace(1, 6)));
        assert!(traces.is_new(node(2), &trace(2, 5)));
    }

    /// R22: with a full memory nothing is forwarded, rather than something twice.
    #[test]
    fn a_full_memory_of_traces_takes_none_as_new() {
        let mut traces = Traces::default();
        for id in 1..caps::SEEN_TRACES as u64 {
            traces.remember(node(1), trace(1, id), at(1_000));
        }
        let next = trace(1, 0);
        assert!(traces.is_new(node(1), &next));
        traces.remember(node(1), next, at(1_000));
        assert_eq!(traces.seen_count(), caps::SEEN_TRACES);
        assert!(!traces.is_new(node(2), &trace(2, 1)));
    }

    /// R12: 26 beyond what each downstream has, then one a minute.
    #[test]
    fn traces_beyond_the_shares_are_forwarded_at_a_rate() {
        let mut traces = Traces::default();
        let mut forwarded = |now| (0..100).filter(|_| traces.may_forward(now)).count();
        assert_eq!(forwarded(at(10_000)), 26);
        assert_eq!(forwarded(at(10_059)), 0);
        assert_eq!(forwarded(at(10_060)), 1);
    }

    /// R12: an upstream that comes up later gets the last trace of each origin.
    #[test]
    fn the_last_trace_of_each_origin_is_held() {
        let mut traces = Traces::default();
        for (origin, id) in [(1, 10), (2, 20), (1, 11)] {
            traces.remember(node(origin), trace(origin, id), at(1_000));
        }
        assert_eq!(traces.held(), [trace(2, 20), trace(1, 11)]);
    }

    /// R22.
    #[test]
    fn beyond_the_cap_the_oldest_held_trace_goes() {
        let mut traces = Traces::default();
        let cap = caps::HELD_TRACES as u32;
        for origin in 1..=cap + 1 {
            traces.remember(node(origin), trace(origin, 7), at(1_000));
        }
        assert_eq!(traces.kept_count(), caps::HELD_TRACES);
        assert_eq!(traces.held().first(), Some(&trace(2, 7)));
        assert_eq!(traces.held().last(), Some(&trace(cap + 1, 7)));
    }

    /// R12: while there is a rush of news traces wait, a second at most from the first on.
    #[test]
    fn a_postponed_trace_waits_a_second_at_most() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        assert!(traces.postpone(&trace(1, 1), &mut cx));
        assert_eq!(cx.timers.next(), Some(at(1_001)));
        cx.now = at(1_000) + Duration::from_millis(500);
        assert!(traces.postpone(&trace(2, 1), &mut cx));
        assert_eq!(cx.timers.next(), Some(at(1_001)));
        assert_eq!(traces.take_pending(), [trace(1, 1), trace(2, 1)]);
        assert_eq!(traces.take_pending(), []);
    }

    /// R22: one for which there is no room to wait is not taken, and goes on at once.
    #[test]
    fn beyond_the_cap_a_trace_does_not_wait() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        for id in 0..caps::HELD_TRACES as u64 {
            assert!(traces.postpone(&trace(1, id), &mut cx));
        }
        assert!(!traces.postpone(&trace(2, 1), &mut cx));
        assert_eq!(traces.kept_count(), caps::HELD_TRACES);
        assert_eq!(traces.take_pending().len(), caps::HELD_TRACES);
    }

    /// R12: after an interval a trace is forgotten, and is held no longer.
    #[test]
    fn traces_are_forgotten_after_an_interval() {
        let mut cx = cx(at(1_000));
        let mut traces = Traces::default();
        traces.remember(node(1), trace(1, 1), at(1_000));
        traces.remember(node(2), trace(2, 1), at(1_001));
        cx.now = at(1_599);
        traces.expire(&cx);
        assert_eq!((traces.seen_count(), traces.held().len()), (2, 2));
        cx.now = at(1_600);
        traces.expire(&cx);
        assert!(traces.is_new(node(1), &trace(1, 1)));
        assert!(!traces.is_new(node(2), &trace(2, 1)));
        assert_eq!(traces.held(), [trace(2, 1)]);
    }
}
