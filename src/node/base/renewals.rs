//! Renewals: passed on in batches, to the ring successor and one random partner (R26).

use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::node::base::Base;
use crate::node::state::links::Class;
use crate::node::timers::Timer;
use crate::wire::{Message, Renewals, RenewalsBuilder, Update};

impl Base {
    /// A renewal that was not known: it goes on with the next batch.
    pub(crate) fn pass_renewal_on(&mut self, node: NodeId) {
        if !self.renewals.add(node) {
            return;
        }
        let wait = if self.renewals.fills_a_batch() {
            Default::default()
        } else {
            self.cx.config.renewal_batch
        };
        let wait = self.cx.jitter(wait, 50);
        self.cx.timers.at_latest(Timer::Batch, self.cx.now + wait);
    }

    /// Sends the gathered renewals.
    pub(crate) fn flush_renewals(&mut self) {
        let next = self.table.successor().and_then(|node| self.links.of(&node));
        let other = self.links.random(&mut self.cx.choices, |id, l| {
            Some(id) != next && !l.is_over_cap()
        });
        let batch = self.take_batch();
        for link in [next, other].into_iter().flatten() {
            self.send_renewals(link, batch.clone());
        }
        if !self.renewals.is_empty() {
            let soon = self.cx.now + self.cx.config.round;
            self.cx.timers.at_latest(Timer::Batch, soon);
        }
    }

    fn take_batch(&mut self) -> Renewals {
        let mut batch = RenewalsBuilder::default();
        let mut n = 0;
        while n < caps::BATCH {
            let Some(node) = self.renewals.take_next() else {
                break;
            };
            let entry = self.table.lookup(&node);
            if let Some(renewal) = entry.and_then(|e| e.to_renewal(self.cx.now)) {
                batch.push(renewal);
                n += 1;
            }
        }
        batch.finish()
    }

    fn send_renewals(&mut self, link: LinkId, renewals: Renewals) {
        if !renewals.is_empty() {
            let update = Update {
                renewals,
                ..Update::default()
            };
            self.send(link, Message::Update(update), Class::Push);
        }
    }
}
