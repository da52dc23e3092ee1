//! An update: what another node tells unasked (R9, R15, R18, R46).

use crate::error::PeerFault;
use crate::id::LinkId;
use crate::node::Node;
use crate::node::flow::merge::Origin;
use crate::node::guard::records_in;
use crate::node::state::checks::Carrier;
use crate::wire::{News, Update};

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
        let said = |n: &News| (n.records.len() + n.accusations.len()) as u64;
        let news = update.news.as_ref().map_or(0, said);
        let records = news + records_in(update.delta.as_ref());
        self.guard.charge_taken(now, source, records, len);
        self.check(link, Carrier::Update(update), len);
    }

    /// Their signatures are checked within what is left of what one input may cost (R50).
    fn take_accusations(&mut self, link: LinkId, news: &News) {
        let (base, said, until) = (&mut self.base, &news.accusations, news.until);
        let room = self.checks.room();
        let heard = self.detector.on_accusations(base, link, said, until, room);
        self.checks.spend(heard.checked(), 0);
        if heard.is_at_fault() {
            self.penalise(link, PeerFault::Unproven);
        }
    }

    /// Takes an update that was admitted.
    pub(crate) fn take_update(&mut self, link: LinkId, update: Update) {
        let Some(node) = self.base.links.node(link) else {
            return;
        };
        if let Some(at) = update.same_key {
            self.told_of_a_clone(at);
        }
        self.take_refusals(&update.refusals);
        if let Some(news) = update.news {
            let taken = self.merge_records(link, &news.records, Origin::News(news.until));
            self.base.send_refusals(link, taken.into_refusals());
            self.take_accusations(link, &news);
        }
        let Some(delta) = update.delta else { return };
        let (taken, _) = self.take_delta(link, delta, Origin::Push, false);
        let is_news = taken.has_news();
        let (base, exchange) = (&mut self.base, &mut self.exchange);
        base.send_refusals(link, taken.into_refusals());
        if is_news {
            exchange.completed(base, link, true);
            base.set_in_sync(node);
            exchange.hurry(base);
        }
    }
}
