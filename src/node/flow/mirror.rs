//! A link to this node's own ID: this node itself, or another with its key (R36, R37).

use core::net::SocketAddr;

use bytes::Bytes;

use crate::addr::Multiaddr;
use crate::effect::{CloseReason, Effect, Event};
use crate::id::LinkId;
use crate::node::Node;
use crate::node::state::dialer::{Dialled, Purpose};
use crate::node::state::mirrors::Mirror;
use crate::wire::{self, Decoded, Hello, Message};

impl Node {
    /// Its Hello tells which of the two it is. The other end says Hello as well.
    pub(crate) fn on_own_link(
        &mut self,
        link: LinkId,
        dialled: Option<&Dialled>,
        remote: Option<SocketAddr>,
    ) {
        let upstream = match dialled.map(|d| &d.purpose) {
            Some(Purpose::Upstream(address)) => Some(address.clone()),
            _ => None,
        };
        if let Some(peer) = dialled.filter(|_| upstream.is_none()) {
            // Whoever was dialled is not there.
            self.on_dial_succeeded(peer, self.base.cx.id);
        }
        let since = self.base.cx.now;
        let mirror = Mirror {
            upstream: upstream.clone(),
            remote,
            since,
        };
        if self.base.mirrors.add(link, mirror) {
            self.base.send_hello_to_itself(link);
        } else {
            self.close_mirror(link, CloseReason::SelfConnection);
            self.met_itself(upstream.as_ref());
        }
    }

    /// Something has come on a link to this node's own ID.
    pub(crate) fn on_mirrored(&mut self, link: LinkId, bytes: Bytes) {
        let Ok(Decoded::Message(Message::Hello(hello))) = wire::decode(bytes) else {
            return;
        };
        if hello.epoch != self.base.cx.epoch {
            self.met_another_with_this_key(link, &hello);
            return;
        }
        let Some(mirror) = self.base.mirrors.remove(link) else {
            return;
        };
        self.close_mirror(link, CloseReason::SelfConnection);
        self.met_itself(mirror.upstream.as_ref());
    }

    /// The other end of such a link is gone. Without its Hello it counts as this node.
    pub(crate) fn mirror_gone(&mut self, link: LinkId) {
        if let Some(mirror) = self.base.mirrors.remove(link) {
            self.met_itself(mirror.upstream.as_ref());
        }
    }

    /// No Hello came in time.
    pub(crate) fn expire_mirrors(&mut self) {
        for link in self.base.mirrors.overdue(self.base.cx.now) {
            self.close_mirror(link, CloseReason::SelfConnection);
            self.mirror_gone(link);
        }
    }

    /// It cannot be told from this node by others, and is not dialled for it.
    fn met_another_with_this_key(&mut self, link: LinkId, _: &Hello) {
        let base = &mut self.base;
        let Some(mirror) = base.mirrors.remove(link) else {
            return;
        };
        if let Some(address) = &mirror.upstream {
            base.upstreams.leave_alone(address, &base.cx);
        }
        let (now, interval) = (base.cx.now, base.cx.config.report_interval);
        if base.mirrors.reports(now, interval) {
            base.cx
                .event(Event::DuplicateIdentity { at: mirror.remote });
        }
        self.close_mirror(link, CloseReason::SameKey);
        self.base.schedule_redial();
    }

    fn close_mirror(&mut self, link: LinkId, reason: CloseReason) {
        self.base.cx.effect(Effect::Close { link, reason });
    }

    /// An upstream's address has led to this node.
    fn met_itself(&mut self, upstream: Option<&Multiaddr>) {
        let base = &mut self.base;
        let Some(address) = upstream else {
            return;
        };
        let own = base.own.addresses().contains(address);
        if base.upstreams.met_itself(address, own, &mut base.cx) {
            // Connecting to oneself is the cycle of one (R13).
            let id = base.cx.id;
            base.report_cycle(alloc::vec![id]);
        }
        base.name_upstreams();
        base.schedule_redial();
    }
}
