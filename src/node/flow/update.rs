//! An update: what another node tells unasked (R9, R15, R18, R21).

use crate::id::LinkId;
use crate::node::Node;
use crate::node::flow::merge::Origin;
use crate::node::state::checks::Carrier;
use crate::wire::Update;

impl Node {
    pub(crate) fn on_update(&mut self, link: LinkId, update: Update, len: usize) {
        let base = &mut self.base;
        let Some(source) = base.links.get(link).map(|l| l.source()) else {
            return;
        };
        let (node, remote) = source;
        let now = base.cx.now;
        if self.guard.limits.admit(now, node, remote).is_err() {
            base.cx.stats.requests_throttled += 1;
            return;
        }
        self.guard
            .charge_taken(now, source, update.delta.as_ref(), len);
        self.check(link, Carrier::Update(update), len);
    }

    /// Takes an update that was admitted.
    pub(crate) fn take_update(&mut self, link: LinkId, update: Update) {
        let Some(node) = self.base.links.node(link) else {
            return;
        };
        self.take_refusals(&update.refusals);
        let Some(delta) = update.delta else { return };
        let origin = if delta.to == 0 {
            Origin::Rumour
        } else {
            Origin::Push
        };
        let (taken, _) = self.take_delta(link, delta, origin, false);
        let news = taken.has_news();
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        base.send_refusals(link, taken.into_refusals());
        if news {
            exchange.completed(base, link, true);
            if origin == Origin::Push {
                base.set_in_sync(node);
            }
            exchange.hurry(base);
        }
    }
}
