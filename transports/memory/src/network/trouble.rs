//! What its user does to the hosts of a network and to the ways between them.

use std::time::Duration;

use peer_exchange::Input;
use peer_exchange::addr::Protocol;

use super::events::close_end;
use super::{Network, What};
use crate::host::HostId;
use crate::observer::Observer;

/// A way that messages take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Who sends.
    pub from: HostId,
    /// To whom.
    pub to: HostId,
    /// Over links of this transport.
    pub protocol: Protocol,
}

/// Which ways are cut.
pub(super) type Cuts = Box<dyn Fn(Way) -> bool + Send>;

impl<O: Observer> Network<O> {
    /// Kills a host without a word; the other ends of its links see them break.
    pub fn crash(&mut self, id: HostId) {
        if !self.stop(id) {
            return;
        }
        for number in std::mem::take(&mut self.hosts[id.0].links) {
            let Some(link) = self.links.get_mut(&number) else {
                continue;
            };
            let end = 2 * number + u64::from(link.acceptor == id);
            let between = (link.dialler, link.acceptor);
            close_end(link, end);
            let at = self.now + self.latency(between.0, between.1);
            self.queue.push(
                at,
                What::Down {
                    end: end ^ 1,
                    orderly: false,
                },
            );
        }
    }

    /// Takes a host's power: nobody is told, and nothing answers in its place until it is started.
    pub fn power_off(&mut self, id: HostId) {
        if self.stop(id) {
            self.hosts[id.0].silent = true;
            self.hosts[id.0].links.clear();
        }
    }

    /// Whether it was running.
    fn stop(&mut self, id: HostId) -> bool {
        let host = &mut self.hosts[id.0];
        if host.node.take().is_none() {
            return false;
        }
        host.wake_at = None;
        host.queued_wake = None;
        self.forget_view(id);
        self.running -= 1;
        self.counts.crashes += 1;
        self.observer.crashed(self.now, id);
        true
    }

    /// Stops a host for so long, as a signal does its process: what is meant for it waits.
    pub fn pause(&mut self, id: HostId, time: Duration) {
        let host = &mut self.hosts[id.0];
        host.paused_until = host.paused_until.max(self.now + time);
        self.counts.pauses += 1;
    }

    /// Suspends a host's machine for so long: its clock stands still as well.
    pub fn suspend(&mut self, id: HostId, time: Duration) {
        self.pause(id, time);
        self.hosts[id.0].stopped += time;
    }

    /// From now on what this host is sent is late, each message by another time up to this one.
    pub fn slow_down(&mut self, id: HostId, most: Duration) {
        self.hosts[id.0].slow = most;
    }

    /// From now on messages are lost on the ways for which this holds, and dials that need one of
    /// them, or the way back, find no answer. In place of the cuts before.
    pub fn set_cuts(&mut self, cuts: impl Fn(Way) -> bool + Send + 'static) {
        self.cuts = Some(Box::new(cuts));
    }

    /// Separates the hosts for which `other_side` holds from the rest: messages and dials across
    /// are lost, links stay.
    pub fn partition(&mut self, other_side: impl Fn(HostId) -> bool) {
        for (i, host) in self.hosts.iter_mut().enumerate() {
            host.side = u8::from(other_side(HostId(i)));
        }
    }

    /// Ends the partition, and every cut.
    pub fn heal(&mut self) {
        self.partition(|_| false);
        self.cuts = None;
    }

    /// Moves a host's clock forward, as if it had been asleep.
    pub fn jump_clock(&mut self, id: HostId, by: Duration) {
        self.hosts[id.0].clock += by;
        self.counts.clock_jumps += 1;
        self.input(id, Input::Wake);
    }

    /// Whether nothing gets through from the first to the second.
    pub(super) fn is_cut(&self, from: HostId, to: HostId, protocol: Protocol) -> bool {
        let way = Way { from, to, protocol };
        self.hosts[from.0].side != self.hosts[to.0].side
            || self.cuts.as_ref().is_some_and(|cuts| cuts(way))
    }
}
