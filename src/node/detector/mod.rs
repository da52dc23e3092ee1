//! The detector: who is silent, who says so, and what follows (R30 to R34, R39).
//!
//! Beside the exchange, with the base in its hands. Each method but [`Detector::heard`] returns at
//! once where `Config::detection` is `None`.

mod accuse;
mod invite;
mod mass;
mod near;
mod tick;
mod watch;

use core::time::Duration;

use crate::effect::Event;
use crate::id::{LinkId, NodeId};
use crate::limits::bucket::{Bucket, Rate};
use crate::node::base::Base;
use crate::node::cx::Cx;
use crate::node::state::accusations::Accusations;
use crate::node::state::false_accusers::FalseAccusers;
use crate::node::state::hearing::{Hearing, Stop};
use crate::node::state::invitations::Invitations;
use crate::node::state::links::LinkState;
use crate::node::state::mass::Mass;
use crate::node::state::repairs::Repairs;
use crate::node::state::uncounted::Uncounted;
use crate::node::state::watchers::Watchers;
use crate::node::state::watches::{Times, Watches};
use crate::node::timers::Timer;
use crate::ring::Places;
use crate::time::Instant;
use crate::wire::{Ask, Beat};

/// A change of the table is shown to the watchers so soon: what comes with it is one change.
const EARLY: Duration = Duration::from_millis(100);
/// While a table fills, what follows from who is in it is looked at once in so long.
const LOOK: Duration = Duration::from_secs(2);
/// Whoever was not heard yet is not accused for so long after the start. [1,000 restarted within
/// 10 s: 9,948 pairs that were wrong; so: none.]
const UNHEARD: Duration = Duration::from_secs(10);
/// Refutations at once, and then one in each interval (R33).
const REFUTATIONS: Rate = Rate::new(16, Duration::from_secs(2));
/// The same of what is said by those that this node has named: nobody who has heard that counts it.
const OF_THE_NAMED: Rate = Rate::new(1, Duration::from_secs(60));

pub(crate) struct Detector {
    pub(super) watches: Watches,
    pub(super) watchers: Watchers,
    pub(super) accusations: Accusations,
    pub(super) repairs: Repairs,
    pub(super) invitations: Invitations,
    pub(super) false_accusers: FalseAccusers,
    pub(super) uncounted: Uncounted,
    hearing: Hearing,
    mass: Mass,
    started: Instant,
    refutations: Bucket,
    refutations_of_named: Bucket,
    /// Where all stand, as of so many changes of the ring.
    places: Option<(u64, Places)>,
    /// When it is seen whether accusations count that did not (R39).
    reconsider_at: Option<Instant>,
    /// When those are in doubt that have not answered after the loss of many.
    survey_ends: Option<Instant>,
    /// The changes of the ring when it was last seen whom to watch.
    looked_at: Option<u64>,
    look_from: Instant,
    /// Of those watched, how many were lost when it was last seen whether many are.
    lost: usize,
    fingerprint: u64,
    /// Whose turn is next of the standing links to others than watchers.
    turn: usize,
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
            invitations: Invitations::default(),
            false_accusers: FalseAccusers::new(now + UNHEARD),
            uncounted: Uncounted::default(),
            hearing: Hearing::new(now),
            mass: Mass::default(),
            started: now,
            refutations: Bucket::default(),
            refutations_of_named: Bucket::default(),
            places: None,
            reconsider_at: None,
            survey_ends: None,
            looked_at: None,
            look_from: now + LOOK,
            lost: 0,
            fingerprint: 0,
            turn: 0,
            early: None,
        }
    }

    fn times(cx: &Cx) -> Option<Times> {
        cx.config.detection.map(Times::new)
    }

    /// Something has come from this node.
    pub(crate) fn heard(&mut self, base: &mut Base, node: &NodeId) {
        let now = base.cx.now;
        self.watches.heard(node, now);
        if self.hearing.heard(node, now) {
            // While nobody was heard, nobody's silence said anything.
            self.watches.start_anew(now);
            self.excuse(base);
            base.cx.event(Event::IsolationOver);
        }
    }

    pub(crate) fn is_isolated(&self) -> bool {
        self.hearing.is_isolated()
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
            Some(stop) => self.stood_still(base, stop),
        }
    }

    pub(super) fn stood_still(&mut self, base: &mut Base, stop: Stop) {
        self.watches.start_anew(base.cx.now);
        self.excuse(base);
        if stop == Stop::Long {
            base.renew_own();
        }
    }

    /// Whoever has accused this node meanwhile was right.
    fn excuse(&mut self, base: &Base) {
        let detection = base.cx.config.detection.unwrap_or_default();
        self.false_accusers.excuse(base.cx.now + detection);
    }

    pub(crate) fn on_beat(&mut self, base: &Base, link: LinkId, beat: Beat) {
        let own = Beat::new(Some(base.table.fingerprint()));
        // While a table fills, all differ, and the node asks anyway.
        let compares = !base.table.is_crowded() && !base.pace.fills(&base.cx);
        if beat.fingerprint.is_some() && compares {
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
        if ask.invite {
            self.invitations.accept(node, base.cx.now);
            self.looked_at = None;
        }
        if let Some(at) = ask.accused {
            self.refute(base, &node, at);
            base.tell_alone(link, base.cx.id);
        }
        if let Some(at) = ask.claimed {
            self.contradict(base, at);
            base.tell_alone(link, base.cx.id);
        }
    }

    /// What this node asks of another.
    pub(super) fn ask_of(&self, node: &NodeId) -> Ask {
        Ask {
            watch: self.watches.wants_beats(node),
            accused: self.watches.accusation(node),
            ..Ask::default()
        }
    }

    /// A link is there.
    pub(crate) fn link_up(&mut self, base: &mut Base, id: LinkId, node: &NodeId, is_dialled: bool) {
        if base.cx.config.detection.is_none() {
            return;
        }
        if self.mass.ranks(base.cx.now).is_some() {
            self.tell_accused(base, id);
        }
        if !self.watches.contains(node) {
            return;
        }
        // Over this one: the one before may be mute.
        base.send_ask_on(id, self.ask_of(node));
        if is_dialled {
            let version = base.table.lookup(node).map(|e| e.sequence().version);
            self.watches.set_reached(node, version);
        }
    }

    /// A dial of this node was refused. Where a dial has led to it before, that is as good as
    /// silence for D (R32).
    pub(crate) fn refused(&mut self, base: &mut Base, node: NodeId) {
        let Some(times) = Self::times(&base.cx) else {
            return;
        };
        let version = base.table.lookup(&node).map(|e| e.sequence().version);
        if version.is_none() || version != self.watches.reached(&node) {
            return;
        }
        // The host has answered: that others were heard shortly before is enough.
        let since = base.cx.now.saturating_sub(times.patience());
        self.watches.doubt(&node, base.cx.now);
        self.accuse(base, node, since);
    }

    /// One was dialled in vain. Where tables are full nobody may have told this node that it is gone.
    /// One that was never linked may be there, where nobody can dial it.
    pub(crate) fn not_reached(&mut self, base: &Base, node: NodeId) {
        let listed = || {
            let lives = base.table.lookup(&node).is_some_and(|e| !e.is_tombstone());
            lives && !base.peers.linked_for(&node).is_zero()
        };
        if let Some(times) = Self::times(&base.cx).filter(|_| base.table.is_crowded() && listed()) {
            self.watches.look_at(node, times, None, base.cx.now);
        }
    }

    /// Where these were found others have proven their keys since: dialled, they would not be reached
    /// (R28). [Of brief identities one after the other at one address, twelve a second among four nodes, one
    /// in eight was never found out.]
    pub(crate) fn displaced(&mut self, base: &Base, nodes: impl IntoIterator<Item = NodeId>) {
        let Some(times) = Self::times(&base.cx) else {
            return;
        };
        for node in nodes {
            if base.silent_in(&node).is_zero() {
                let heard = base.links.link_of(&node).map(LinkState::heard_at);
                self.watches.look_at(node, times, heard, base.cx.now);
            }
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
