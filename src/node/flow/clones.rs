//! A third node has met two with one key (R36).

use core::net::SocketAddr;

use crate::effect::{CloseReason, Event};
use crate::id::LinkId;
use crate::node::Node;
use crate::node::state::links::Class;
use crate::wire::{GoodbyeReason, Message, Update};

impl Node {
    /// A Hello has come. Whether it is that of a node whose ID another has, too, that is linked
    /// already: the older link stays, and both are told where the other is. [Each time the newer
    /// one stayed (R23), and the other end of the older one dialled anew: four dials a second.]
    pub(crate) fn met_a_clone(&mut self, id: LinkId, epoch: u32) -> bool {
        let base = &mut self.base;
        let Some((node, here)) = base.links.get(id).map(|link| link.source()) else {
            return false;
        };
        let is_one_of_two = base.clones.greeted(node, epoch, base.cx.now);
        let twin = base.links.greeted_twin(id).filter(|_| is_one_of_two);
        let Some((older, link)) = twin.and_then(|id| Some((id, base.links.get(id)?))) else {
            return false;
        };
        if link.epoch() == Some(epoch) {
            return false;
        }
        let (_, there) = link.source();
        base.cx.stats.clones_parted += 1;
        for (link, other) in [(older, here), (id, there)] {
            let update = Update {
                same_key: Some(other),
                ..Update::default()
            };
            self.base.send(link, Message::Update(update), Class::Answer);
        }
        self.goodbye(id, GoodbyeReason::SameKey, CloseReason::SameKey);
        true
    }

    /// Another node has met one with this node's key.
    pub(crate) fn told_of_a_clone(&mut self, at: Option<SocketAddr>) {
        let base = &mut self.base;
        let (now, interval) = (base.cx.now, base.cx.config.report_interval);
        if base.mirrors.reports(now, interval) {
            base.cx.event(Event::DuplicateIdentity { at });
        }
    }
}
