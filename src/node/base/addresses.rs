//! Where this node can be reached, and whether others can: asking, dialling, telling (R38).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::addr::{self, Multiaddr, Protocol};
use crate::effect::{Effect, Target};
use crate::error::UsageError;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::state::dialer::{Dialled, Purpose, Reason};
use crate::node::state::links::{Class, LinkState};
use crate::node::state::own_addresses::Ask;
use crate::wire::{DialBack, Message};

/// The own addresses.
impl Base {
    /// Other addresses are configured.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<Multiaddr>) -> Result<(), UsageError> {
        self.own.check_addresses(&addresses, &self.cx)?;
        self.own_addresses.configure(addresses, self.cx.now);
        self.advertise();
        Ok(())
    }

    /// Other sockets listen at every address of this machine.
    pub(crate) fn set_listening(&mut self, listening: Vec<Multiaddr>) {
        self.own_addresses.listen(listening);
        self.advertise();
    }

    /// Announces what is configured and what is proven, if that is something else than before.
    fn advertise(&mut self) {
        loop {
            let addresses = self.own_addresses.advertised(self.cx.now);
            match self.own.set_addresses(addresses, &self.cx) {
                Ok(true) => return self.announce_own(),
                Ok(false) => return,
                // Of what was found some has no room.
                Err(_) if self.own_addresses.drop_last_found() => {}
                Err(_) => return,
            }
        }
    }

    /// Asks others to try what is to be tried, and announces what is proven.
    pub(crate) fn prove_addresses(&mut self) {
        // Each asks once, of as many as there are.
        for _ in 0..self.own_addresses.len() {
            let Some(ask) = self.own_addresses.next_ask(&mut self.cx) else {
                break;
            };
            let (link, message) = match ask {
                Ask::Back(link, over, port) => (link, DialBack::Ask { over, port }),
                Ask::Listed(link) => (link, DialBack::Listed),
            };
            self.send(link, Message::DialBack(message), Class::Answer);
        }
        self.advertise();
    }
}

/// Those of others.
impl Base {
    /// Where this node sees the other end of a link.
    pub(crate) fn seen_at(&self, link: LinkId) -> Option<SocketAddr> {
        let at = self.links.get(link)?.source().1?;
        let at = SocketAddr::new(at.ip().to_canonical(), at.port());
        self.is_dialled_back(at.ip()).then_some(at)
    }

    fn is_dialled_back(&self, ip: IpAddr) -> bool {
        addr::is_usable_ip(ip, self.cx.config.local)
    }

    /// A linked node wants to be dialled: at the address of its link, and nowhere else.
    pub(crate) fn dial_back(&mut self, link: LinkId, node: NodeId, over: Protocol, port: u16) {
        let Some(remote) = self.seen_at(link) else {
            return;
        };
        let at = SocketAddr::new(remote.ip(), port);
        let at = match over {
            Protocol::Quic => Multiaddr::quic(at),
            _ => Multiaddr::tcp(at),
        };
        let allowed = self.cx.config.allows(&node, &at);
        if allowed && self.dial_backs.take_back(node, self.cx.now) {
            self.dial_to_see(link, node, at, false);
        } else {
            self.cx.stats.dial_backs_refused += 1;
        }
    }

    /// It would like to know whether the other addresses of its record lead to it. They are dialled by
    /// whoever wants a link with it anyway: so they are once, a few in a while.
    pub(crate) fn dial_listed(&mut self, link: LinkId, node: NodeId) {
        let seen = self.links.get(link).and_then(|l| l.source().1);
        let ip = seen.map(|at| at.ip().to_canonical());
        let mut others = self.peer_addresses(&node);
        others.retain(|a| {
            let is_known = a.socket_addr().is_some_and(|at| Some(at.ip()) == ip);
            !is_known && a.port().is_some() && addr::p2p_component(a).is_none()
        });
        // Where it lists others, they are no weapon of it (R53). Several of one host go together.
        let asked = others.len();
        let others = self.targets.may_be_dialled(others, None, self.cx.now);
        self.cx.stats.dial_backs_refused += (asked - others.len()) as u64;
        for at in others {
            let may = self.dialer.may_be_in_vain(Reason::Partner, self.cx.now);
            if may && self.dial_backs.take_listed(node, self.cx.now) {
                self.dial_to_see(link, node, at, true);
            } else {
                self.cx.stats.dial_backs_refused += 1;
            }
        }
    }

    fn dial_to_see(&mut self, link: LinkId, node: NodeId, at: Multiaddr, listed: bool) {
        let purpose = Purpose::Back {
            node,
            link,
            at: at.clone(),
            listed,
        };
        let Some(dial) = self.dialer.begin(purpose, self.cx.now) else {
            self.cx.stats.dial_backs_refused += 1;
            return;
        };
        if listed {
            self.targets.begun(dial, core::slice::from_ref(&at), None);
        }
        self.cx.stats.dials += 1;
        let target = Target::Back { node, address: at };
        self.cx.effect(Effect::Dial { dial, target });
    }

    /// Says what came of it, if it was such a dial.
    pub(crate) fn dialled_back(&mut self, dialled: &Dialled, reached: bool) -> bool {
        let Purpose::Back { link, at, .. } = &dialled.purpose else {
            return false;
        };
        let (link, at) = (*link, at.clone());
        match reached {
            true => self.cx.stats.dial_backs_reached += 1,
            false => self.cx.stats.dial_backs_failed += 1,
        }
        if self.links.get(link).is_some_and(LinkState::dials_back) {
            let tried = DialBack::Tried { at, reached };
            self.send(link, Message::DialBack(tried), Class::Answer);
        }
        true
    }
}
