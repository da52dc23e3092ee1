//! Time that only the wall clock has seen: the machine has slept, or its clock was set (R34).

use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::Event;
use crate::node::Node;
use crate::node::state::hearing::Stop;

/// Links over which others are asked for all that they know.
const ASKED: usize = 2;

impl Node {
    pub(crate) fn on_wall_time(&mut self, since_origin: Duration) {
        let base = &mut self.base;
        let lost = base.wall.read(since_origin, base.cx.now);
        if lost.is_zero() {
            return;
        }
        base.cx.stats.time_lost_ms += lost.as_millis() as u64;
        for entry in base.table.lose(lost, base.cx.now) {
            base.cx.stats.records_expired += 1;
            base.cx.event(Event::PeerExpired { node: entry.node });
            base.add_hint(entry.entry());
            self.detector.forget(&entry.node);
        }
        let base = &mut self.base;
        if base.cx.config.detection.is_some() {
            self.detector.stood_still(base, Stop::Long);
        } else {
            base.renew_own();
        }
        // Whoever lives is known elsewhere, at a sequence that no cursor leads to.
        let links: Vec<_> = base
            .links
            .iter()
            .map(|(link, _)| link)
            .take(ASKED)
            .collect();
        for link in links {
            base.ask_for_repair(link);
        }
        self.exchange.hurry(&mut self.base);
    }
}
