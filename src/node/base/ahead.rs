//! In a crowded table the nodes to which the own upstreams lead are missing: they are asked for (R47).

use crate::node::base::Base;
use crate::node::timers::Timer;

impl Base {
    /// Looks along the upstreams, and asks for what is missing there.
    ///
    /// An upstream looks along its own, and so has what lies ahead of it, or will: no node is dialled
    /// for this.
    pub(crate) fn look_ahead(&mut self) {
        if !self.table.is_crowded() && self.table.beyond_count() == 0 {
            return;
        }
        let lacking = self.table.look_beyond(&self.upstreams.nodes());
        if !self.table.is_crowded() || !self.ahead.is_idle() {
            return;
        }
        while let Some((upstream, wanted)) = self.ahead.next(&lacking) {
            let link = self.links.of(&upstream);
            let on = link.and_then(|link| Some((link, self.fetch(link, &wanted)?)));
            self.ahead.asked(on, &wanted);
            if let Some((link, _)) = on {
                let late = self.cx.now + self.patience(link, 2);
                self.cx.timers.set(Timer::Ahead, late);
                return;
            }
        }
        if !lacking.is_empty() && !self.cx.timers.is_set(Timer::Ahead) {
            let most = self.cx.config.report_interval;
            // The upstream asks its own meanwhile.
            let rest = self.ahead.rest(self.round_trip(), most);
            self.cx.timers.set(Timer::Ahead, self.cx.now + rest);
        }
    }

    /// The time for an answer is over, or for a rest.
    pub(crate) fn look_ahead_again(&mut self) {
        match self.ahead.ended() {
            Some((link, request)) => {
                self.cx.stats.timeouts += 1;
                if let Some(link) = self.links.get_mut(link) {
                    link.finish(request);
                }
            }
            None => self.ahead.begin(),
        }
        self.look_ahead();
    }

    /// What was asked for is here, or as much of it as there is.
    pub(crate) fn has_come_ahead(&mut self) {
        self.ahead.ended();
        self.cx.timers.clear(Timer::Ahead);
        self.look_ahead();
    }
}
