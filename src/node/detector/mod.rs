//! The detector: who is silent, who says so, and what follows (R30 to R34, R39).
//!
//! Beside the exchange, with the base in its hands. Each method but [`Detector::heard`] returns at
//! once where `Config::detection` is `None`.

mod accuse;
mod tick;
mod watch;

use core::time::Duration;

use crate::id::{LinkId, NodeId};
use crate::limits::bucket::{Bucket, Rate};
use crate::node::base::Base;
use crate::node::cx::Cx;
use crate::node::state::accusations::Accusations;
use crate::node::state::hearing::{Hearing, Stop};
use crate::node::state::mass::Mass;
use crate::node::state::repairs::Repairs;
use crate::node::state::watchers::Watchers;
use crate::node::state::watches::{Times, Watches};
use crate::node::timers::Timer;
use crate::time::Instant;
use crate::wire::{Ask, Beat};

/// A change of the table is shown to the watchers so soon: what comes with it is one change.
const EARLY: Duration = Duration::from_millis(100);
/// Refutations at once, and then one in each interval (R33).
const REFUTATIONS: Rate = Rate::new(16, Duration::from_secs(2));

pub(crate) struct Detector {
    pub(super) watches: Watches,
    pub(super) watchers: Watchers,
    pub(super) accusations: Accusations,
    pub(super) repairs: Repairs,
    hearing: Hearing,
    mass: Mass,
    started: Instant,
    refutations: Bucket,
    /// The changes of the ring when it was last seen whom to watch.
    looked_at: Option<u64>,
    /// Of those watched, how many were lost when it was last seen whether many are.
    lost: usize,
    fingerprint: u64,
    /// When the watchers are told that the fingerprint is another (R31).
    early: Option<Instant>,
}

impl Detector {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            watches: Watches::default(),
            watchers: Watchers::default(),
            accusations: Accusations::default(),
            repairs: Repairs::default(),
            hearing: Hearing::new(now),
            mass: Mass::default(),
            started: now,
            refutations: Bucket::default(),
            looked_at: None,
            lost: 0,
            fingerprint: 0,
            early: None,
        }
    }

    fn times(cx: &Cx) -> Option<Times> {
        cx.config.detection.map(Times::new)
    }

    /// Something has come from this node.
    pub(crate) fn heard(&mut self, node: &NodeId, now: Instant) {
        self.watches.heard(node, now);
        if self.hearing.heard(node, now) {
            // While nobody was heard, nobody's silence said anything.
            self.watches.start_anew(now);
        }
    }

    /// An input has come. Late for what was due, this process has stood still (R34).
    pub(crate) fn notice_stop(&mut self, base: &mut Base) {
        let Some(detection) = base.cx.config.detection else {
            return;
        };
        let Some(due) = base.cx.timers.at(Timer::Detect) else {
            return;
        };
        let now = base.cx.now;
        match self.hearing.woken(due, now, detection) {
            None => {}
            Some(Stop::Short) => self.watches.start_anew(now),
            Some(Stop::Long) => {
                self.watches.start_anew(now);
                base.renew_own();
            }
        }
    }

    pub(crate) fn on_beat(&mut self, base: &Base, link: LinkId, beat: Beat) {
        let own = Beat::new(Some(base.table.fingerprint()));
        if beat.fingerprint.is_some() && !base.table.is_crowded() {
            self.repairs.seen(link, beat == own, base.cx.now);
        }
    }

    /// Is asked whether it is there (R32).
    pub(crate) fn on_ask(&mut self, base: &mut Base, link: LinkId, node: NodeId, ask: Ask) {
        if ask.watch {
            self.watchers.add(node, base.cx.now);
        } else {
            self.watchers.remove(&node);
        }
        base.send_beat(link);
        if let Some(at) = ask.accused {
            self.refute(base, at);
            base.tell_alone(link, base.cx.id);
        }
    }

    /// A link is there.
    pub(crate) fn link_up(&self, base: &mut Base, node: &NodeId) {
        if base.cx.config.detection.is_some() && self.watches.contains(node) {
            base.send_ask(node, true, self.watches.accusation(node));
        }
    }

    /// A link is gone, and was not closed in an orderly way if it `failed`.
    pub(crate) fn link_gone(&mut self, base: &Base, link: LinkId, node: &NodeId, failed: bool) {
        self.repairs.forget(link);
        if !base.links.is_linked(node) {
            self.watchers.remove(node);
        }
        if failed {
            self.watches.doubt(node, base.cx.now);
        }
    }

    /// It has left, or is down: there is nothing to watch.
    pub(crate) fn forget(&mut self, node: &NodeId) {
        self.watches.forget(node);
        self.watchers.remove(node);
        self.accusations.forget(node);
    }
}
