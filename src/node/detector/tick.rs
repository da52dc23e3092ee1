//! What is due by now.

use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::Event;
use crate::id::NodeId;
use crate::node::base::Base;
use crate::node::detector::Detector;
use crate::node::state::accusations::Verdict;
use crate::node::state::watches::Step;
use crate::node::timers::Timer;
use crate::time::Instant;

/// Between two exchanges for repair that bring nothing, at most.
const RARE: Duration = Duration::from_secs(20);
/// Who is down is told to so many who come next.
const TOLD: usize = 2;
/// After so many asks it is likely that a node does not hear.
const DOUBTFUL: u8 = 1;

impl Detector {
    /// Does what is due. Says who is down: their links are to be closed.
    #[must_use]
    pub(crate) fn tick(&mut self, base: &mut Base) -> Vec<NodeId> {
        let Some(times) = Self::times(&base.cx) else {
            return Vec::new();
        };
        let now = base.cx.now;
        self.beat(base, times.beat());
        while let Some(step) = self.watches.pop_due(now) {
            self.step(base, step);
        }
        let (watched, lost) = self.watches.lost();
        if lost > self.lost && self.mass.look(watched, lost, now) {
            self.looked_at = None;
        }
        self.lost = lost;
        if self.mass.expire(now) {
            self.looked_at = None;
        }
        let mut down = Vec::new();
        while let Some(verdict) = self.accusations.pop_due(now) {
            match verdict {
                Verdict::Down(node) => down.extend(self.down(base, node)),
                Verdict::Lapsed(node) => self.watches.doubt(&node, now),
            }
            self.looked_at = None;
        }
        self.tell_next(base, &down);
        while let Some(link) = self.repairs.pop_due(now) {
            self.repairs.ended(false, RARE);
            base.ask_for_repair(link);
        }
        let detection = base.cx.config.detection.unwrap_or_default();
        if base.table.others() > 0 && self.hearing.becomes_isolated(now, detection) {
            base.cx.event(Event::Isolated);
        }
        down
    }

    /// Where the tree was cut by a loss, those who come next may not know. [With the repair by
    /// beats alone the last in a hundred knew after 4.1 s at 5 % loss, told by one after 3.8 s.]
    fn tell_next(&self, base: &mut Base, down: &[NodeId]) {
        let next = base.table.next_ranks().iter().take(TOLD);
        let links = next.filter_map(|(_, node)| base.links.of(node));
        for link in links.collect::<Vec<_>>() {
            base.send_downs(link, down);
        }
    }

    /// Who hears nobody does not beat either (R34).
    fn beat(&mut self, base: &mut Base, every: Duration) {
        let (now, detection) = (base.cx.now, base.cx.config.detection.unwrap_or_default());
        let deaf = self.hearing.is_deaf(now, detection);
        while let Some(node) = self.watchers.pop_due(now, every) {
            if let Some(link) = base.links.of(&node).filter(|_| !deaf) {
                base.send_beat(link);
            }
        }
        if self.early.take_if(|at| *at <= now).is_some() && !deaf {
            let links = self.watchers.iter().filter_map(|node| base.links.of(node));
            for link in links.collect::<Vec<_>>() {
                base.send_beat(link);
            }
        }
    }

    fn step(&mut self, base: &mut Base, step: Step) {
        match step {
            Step::Ask { node, fresh } => {
                base.send_ask(&node, true, self.watches.accusation(&node));
                if fresh.is_some_and(|nth| nth >= DOUBTFUL) {
                    base.standing.doubt(node, base.cx.now);
                }
                if fresh.is_some() {
                    base.dial_afresh(node);
                }
            }
            Step::Accuse { node, silent_since } => self.accuse(base, node, silent_since),
            Step::Release { node } => base.send_ask(&node, false, None),
        }
    }

    fn down(&mut self, base: &mut Base, node: NodeId) -> Option<NodeId> {
        let (at, by) = self.accusations.against(&node)?;
        let down = base.take_down(node, at, by).then_some(node);
        self.forget(&node);
        down
    }

    /// Sets the timer for what is due next.
    pub(super) fn schedule(&self, base: &mut Base) {
        let detection = base.cx.config.detection.unwrap_or_default();
        let listens = base.table.others() > 0 && !self.hearing.is_isolated();
        let deaf = listens.then(|| self.hearing.deaf_at(detection));
        let due: [Option<Instant>; 7] = [
            self.watches.next_due(),
            self.watchers.next_due(),
            self.accusations.next_due(),
            self.repairs.next_due(),
            self.mass.ends(),
            self.early,
            deaf,
        ];
        match due.into_iter().flatten().min() {
            Some(at) => base.cx.timers.set(Timer::Detect, at),
            None => base.cx.timers.clear(Timer::Detect),
        }
    }
}
