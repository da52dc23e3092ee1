//! What is due by now.

use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::Event;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::base::dial::Afresh;
use crate::node::detector::Detector;
use crate::node::state::accusations::Verdict;
use crate::node::state::mass::Mass;
use crate::node::state::watches::{Step, Times};
use crate::node::timers::Timer;
use crate::time::Instant;
use crate::wire::Ask;

/// Between two exchanges for repair that bring nothing, at most.
const RARE: Duration = Duration::from_secs(20);
/// Who is down is told to so many who come next.
const TOLD: usize = 2;
/// Standing links beside those to watchers that see news early.
const EARLY_OTHERS: usize = 2;
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
            self.step(base, times, step);
        }
        if self.invitations.is_due(now) {
            self.invite(base);
        }
        if self.invitations.expire(now) {
            self.looked_at = None;
        }
        self.look_for_mass(base, times);
        let mut down = Vec::new();
        while let Some(verdict) = self.accusations.pop_due(now) {
            match verdict {
                // It has spoken since: it is asked to say so to all.
                Verdict::Down(node) if !base.silent_in(&node).is_zero() => {
                    self.ask_whether_it_is_there(base, node);
                }
                Verdict::Down(node) => down.extend(self.down(base, node)),
                Verdict::Lapsed(node) => self.watches.doubt(&node, now),
            }
            self.looked_at = None;
        }
        if !down.is_empty() {
            self.hear_of_mass(base);
        }
        self.tell_next(base, &down);
        while let Some(link) = self.repairs.pop_due(now) {
            self.repairs.ended(false, RARE);
            base.ask_for_repair(link);
        }
        let detection = base.cx.config.detection.unwrap_or_default();
        if base.table.others() > 0 && self.hearing.becomes_isolated(now, detection) {
            // [Its own silence, taken for the loss of many, made the one that was cut off watch 64
            // others, accuse more of them than anybody takes of one in a minute, and believe itself.]
            self.mass = Mass::default();
            self.looked_at = None;
            base.cx.event(Event::Isolated);
            base.look_at_once();
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
        let due = self.watchers.take_due(now, every);
        let early = self.early.take_if(|at| *at <= now).is_some();
        if deaf || !(due || early) {
            return;
        }
        let watchers = self.watchers.iter();
        let mut links: Vec<LinkId> = watchers.filter_map(|node| base.links.of(node)).collect();
        if base.table.is_crowded() {
            self.look_at_the_mutest(base);
        } else {
            links.extend(self.others(base, if early { EARLY_OTHERS } else { 1 }));
        }
        for link in links {
            base.send_beat(link);
        }
    }

    /// Where tables are full, what an accusation has not reached nobody makes up for by beats (R31): a
    /// node that is linked and listed is watched for a while when its link has been mute for longest.
    /// [Of 736 that listed one that had crashed, two had it for more than a minute.]
    fn look_at_the_mutest(&mut self, base: &Base) {
        let (now, detection) = (base.cx.now, base.cx.config.detection.unwrap_or_default());
        let mute = base.links.iter().map(|(_, link)| link).filter(|link| {
            let node = link.node();
            let listed = || base.table.lookup(&node).is_some_and(|e| !e.is_tombstone());
            link.mute_for(now) >= detection && !self.watches.contains(&node) && listed()
        });
        let mutest = mute.min_by_key(|link| (link.heard_at(), link.node()));
        if let Some((node, since)) = mutest.map(|link| (link.node(), link.heard_at())) {
            let times = Times::new(detection);
            self.watches.look_at(node, times, Some(since), now);
        }
    }

    /// So many of the standing links over which nobody watches this node, and of those to upstreams
    /// of which there is no record, in turn: they too are to see whether the tables differ (R31).
    fn others(&mut self, base: &Base, many: usize) -> Vec<LinkId> {
        let wanted = base.wanted().into_iter().map(|(_, node)| node);
        let others = wanted.filter(|node| !self.watchers.contains(node));
        let others = others.filter_map(|node| base.links.of(&node));
        let links: Vec<_> = others.chain(base.unknown_upstreams()).collect();
        let from = self.turn;
        self.turn = from.wrapping_add(many);
        let nth = |i: usize| links[from.wrapping_add(i) % links.len()];
        (0..many.min(links.len())).map(nth).collect()
    }

    fn step(&mut self, base: &mut Base, times: Times, step: Step) {
        match step {
            Step::Ask { node, fresh } => {
                base.send_ask(&node, self.ask_of(&node));
                if fresh.is_some_and(|nth| nth >= DOUBTFUL) {
                    base.standing.doubt(node, base.cx.now);
                }
                if let Some(nth) = fresh {
                    self.dial_afresh(base, node, nth);
                }
            }
            Step::Accuse {
                node,
                silent_since,
                joins,
            } if !joins || self.accusations.stands(&node, times.beat(), base.cx.now) => {
                self.accuse(base, node, silent_since);
            }
            Step::Accuse { node, .. } => self.dial_afresh(base, node, 0),
            Step::Release { node } => base.send_ask(&node, self.ask_of(&node)),
        }
    }

    /// Dials one that is watched and does not answer.
    pub(super) fn dial_afresh(&mut self, base: &mut Base, node: NodeId, nth: u8) {
        match base.dial_afresh(node, nth) {
            Afresh::Tried => self.watches.tried(&node),
            Afresh::TooMany => self.watches.is_one_too_many(&node),
            Afresh::Impossible => {}
        }
    }

    fn ask_whether_it_is_there(&mut self, base: &mut Base, node: NodeId) {
        let accused = self.accusations.against(&node).map(|(at, _)| at);
        let ask = Ask {
            accused,
            ..self.ask_of(&node)
        };
        self.accusations.forget(&node);
        base.send_ask(&node, ask);
    }

    fn down(&mut self, base: &mut Base, node: NodeId) -> Option<NodeId> {
        let (at, by) = self.accusations.against(&node)?;
        let down = base.take_down(node, at, by).then_some(node);
        if let Some(last) = self.watches.last_heard(&node).filter(|_| down.is_some()) {
            let silence = base.cx.now.saturating_since(last);
            base.cx.stats.detection.add(silence);
        }
        self.forget(&node);
        down
    }

    /// Sets the timer for what is due next.
    pub(super) fn schedule(&self, base: &mut Base) {
        let detection = base.cx.config.detection.unwrap_or_default();
        let listens = base.table.others() > 0 && !self.hearing.is_isolated();
        let deaf = listens.then(|| self.hearing.deaf_at(detection));
        let looks = self.looked_at != Some(base.table.ring_changes());
        let due: [Option<Instant>; 12] = [
            looks.then_some(self.look_from),
            self.watches.next_due(),
            self.watchers.next_due(),
            self.accusations.next_due(),
            self.repairs.next_due(),
            self.mass.ends(),
            self.early,
            self.reconsider_at,
            self.survey_ends,
            self.invitations.next_due(),
            base.outbox.next_due(),
            deaf,
        ];
        match due.into_iter().flatten().min() {
            Some(at) => base.cx.timers.set(Timer::Detect, at),
            None => base.cx.timers.clear(Timer::Detect),
        }
    }
}
