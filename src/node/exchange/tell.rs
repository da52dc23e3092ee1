//! Telling what was learned: to whoever has asked before it was known, and in a tiny cluster to all
//! (R9, R41, R42).

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{LinkId, RequestId};
use crate::limits::caps;
use crate::node::base::Base;
use crate::node::exchange::Exchange;
use crate::node::state::late::Why;
use crate::node::state::links::Class;
use crate::node::timers::Timer;
use crate::table::Slot;
use crate::time::Instant;
use crate::wire::Lacked;

/// Round trips within which a second asker makes a hub: two hops.
const HUB_TRIPS: u32 = 1;
/// An asker of a hub is told of others for so long: those whose requests were lost ask again, and again.
/// [Told for four round trips, nobody hears of those: a star of 100 took 48 hops at 10 % loss.]
const HUB_TELLS: Duration = Duration::from_secs(5);
/// Round trips that one waits for an answer of others,
const TOLD_TRIPS: u32 = 4;
/// and for so long at least.
const TOLD_LEAST: Duration = Duration::from_secs(1);
/// A hub gathers what comes for one in so many of a round trip: those that start together are told of
/// together,
const GATHERED: u32 = 16;
/// for so long at least,
const LEAST_GATHERED: Duration = Duration::from_micros(200);
/// and for so long while it has asked nobody, and so knows no round trip.
const FIRST_GATHERED: Duration = Duration::from_millis(2);

impl Exchange {
    /// Something that is at this slot was not known.
    pub(crate) fn learned(&mut self, base: &Base, slot: Slot) {
        self.late.learned(slot);
        if base.table.len() <= caps::TOLD_TO_ALL {
            self.fresh.push(slot);
        }
    }

    /// Somebody has come with news of its own.
    pub(crate) fn came(&mut self, base: &Base) {
        self.late.came(base.cx.now, base.round_trip() * HUB_TRIPS);
    }

    /// Notes whom to tell later, and says whether it is worth waiting for. `forwarded`: its request
    /// goes on to an upstream.
    pub(crate) fn tell_later(
        &mut self,
        base: &Base,
        asker: (LinkId, RequestId),
        has: Option<Lacked>,
        forwarded: bool,
    ) -> bool {
        let now = base.cx.now;
        if is_seed(base) && !base.is_quiet() {
            self.late.add(asker, Why::Hub, has, now + HUB_TELLS);
            self.late.is_hub()
        } else if forwarded || base.named.waits() || !self.round.is_idle() {
            let time = (base.round_trip() * TOLD_TRIPS).max(TOLD_LEAST);
            self.late.add(asker, Why::Asking, has, now + time);
            true
        } else {
            false
        }
    }

    /// Until when this node asks nobody: it is configured to ask nobody, and others come to it.
    pub(crate) fn awaits_others_until(&self, base: &Base) -> Option<Instant> {
        if !is_seed(base) {
            return None;
        }
        self.late
            .awaits_until(base.cx.now, base.round_trip() * HUB_TRIPS)
    }

    /// The node's own exchange has been answered: whoever has asked meanwhile is told what came.
    pub(crate) fn tell_what_was_asked_for(&mut self, base: &mut Base) {
        self.tell(base, Why::Asking);
    }

    /// After every input: a tiny cluster is told at once, and a hub's askers soon.
    pub(crate) fn tell_fresh(&mut self, base: &mut Base) {
        if base.named.take_fresh() {
            self.first_record_written(base);
        }
        let fresh = core::mem::take(&mut self.fresh);
        if !fresh.is_empty() {
            self.tell_all(base, &fresh);
        }
        if self.late.has_news() && !base.cx.timers.is_set(Timer::Late) {
            let trip = base.measured_round_trip();
            let soon = trip.map_or(FIRST_GATHERED, |t| (t / GATHERED).max(LEAST_GATHERED));
            base.cx.timers.set(Timer::Late, base.cx.now + soon);
        }
    }

    /// The own record has waited for the upstreams' names (R47), and so has whatever it goes with.
    fn first_record_written(&mut self, base: &mut Base) {
        if let Some(slot) = base.table.find(&base.cx.id) {
            self.learned(base, slot);
        }
        self.tell(base, Why::Asking);
        if self.round.has_started() {
            self.hurry(base);
        }
    }

    /// What a hub has gathered.
    pub(crate) fn tell_gathered(&mut self, base: &mut Base) {
        self.tell(base, Why::Hub);
    }

    fn tell(&mut self, base: &mut Base, why: Why) {
        let table = &base.table;
        let hash = |slot| {
            let entry = table.get(slot).filter(|e| !e.is_tombstone());
            entry.map(|e| e.hash)
        };
        let mut all = self.late.take(why, base.cx.now, hash);
        for told in &mut all {
            let link = base.links.get(told.link);
            let carried = |slot| hash(slot).zip(link).is_some_and(|(h, l)| l.has_carried(h));
            told.slots.retain(|slot| !carried(*slot));
        }
        for told in all {
            base.send_records(told.link, Some(told.request), &told.slots, Class::Ask);
        }
    }

    /// With so few records everybody who is linked is told at once what they have not heard.
    fn tell_all(&self, base: &mut Base, fresh: &[Slot]) {
        for link in base.links.ids() {
            let Some(state) = base.links.get(link).filter(|l| l.has_exchanged()) else {
                continue;
            };
            let node = state.node();
            let unheard = |slot: &Slot| {
                let entry = base.table.get(*slot);
                entry.is_some_and(|e| e.node != node && !state.has_carried(e.hash))
            };
            let slots: Vec<_> = fresh.iter().copied().filter(unheard).collect();
            if !slots.is_empty() {
                base.send_records(link, None, &slots, Class::Push);
            }
        }
    }
}

/// A node that knows nobody to ask is where others start.
fn is_seed(base: &Base) -> bool {
    base.upstreams.nodes().is_empty()
}
