//! What happens on the network: messages, dials, time.

use std::hash::Hasher;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::{DialId, Effect, Input, Instant, LinkId};

use super::{EndId, Link, Network, Reached, What};
use crate::host::HostId;
use crate::observer::Observer;

impl<O: Observer> Network<O> {
    pub(super) fn step(&mut self) {
        let Some((at, what)) = self.queue.pop() else {
            return;
        };
        self.now = self.now.max(at);
        if let Some(resumes) = self.resumes(&what) {
            return self.put_off(at, what, resumes);
        }
        match what {
            What::Wake { host, life } => self.wake(host, life, at),
            What::Up { end, dial } => self.link_up(end, dial),
            What::Down { end, orderly } => self.link_down(end, orderly),
            What::DialFailed {
                host,
                life,
                dial,
                refused,
            } => {
                if self.hosts[host.0].life == life {
                    let input = match refused {
                        true => Input::DialRefused { dial },
                        false => Input::DialFailed { dial },
                    };
                    self.input(host, input);
                }
            }
            What::Message { end, bytes } => self.deliver(end, bytes),
        }
    }

    /// When the host goes on that this is meant for, if it stands still.
    fn resumes(&self, what: &What) -> Option<Duration> {
        let host = match what {
            What::Wake { host, .. } | What::DialFailed { host, .. } => *host,
            What::Up { end, .. } | What::Down { end, .. } | What::Message { end, .. } => {
                ends(self.links.get(&(end / 2))?, *end).0
            }
        };
        let until = self.hosts[host.0].paused_until;
        (until > self.now).then_some(until)
    }

    fn put_off(&mut self, at: Duration, what: What, until: Duration) {
        if let What::Wake { host, .. } = &what {
            let host = &mut self.hosts[host.0];
            for wake in [&mut host.queued_wake, &mut host.wake_at] {
                if *wake == Some(at) {
                    *wake = Some(until);
                }
            }
        }
        self.queue.push(until, what);
    }

    fn wake(&mut self, id: HostId, life: u32, at: Duration) {
        let host = &mut self.hosts[id.0];
        if host.life != life || host.queued_wake != Some(at) {
            return;
        }
        host.queued_wake = None;
        if host.wake_at != Some(at) {
            // It has been put off since.
            self.queue_wake(id);
            return;
        }
        host.wake_at = None;
        host.spins += 1;
        assert!(host.spins < 10_000, "{id:?} is woken for ever at {at:?}");
        self.input(id, Input::Wake);
    }

    fn link_up(&mut self, end: EndId, dial: Option<(DialId, Reached)>) {
        let Some(link) = self.links.get(&(end / 2)) else {
            return;
        };
        let (host, peer) = ends(link, end);
        if !is_open(link, end) || !self.is_alive(link, end) {
            return;
        }
        let node = self.hosts[peer.0].id;
        let remote = Some(if end % 2 == 0 { link.at } else { peer.socket() });
        self.hosts[host.0].links.insert(end / 2);
        let by = dial.as_ref().map(|(dial, _)| *dial);
        // Of one address there is nothing to tell.
        if let Some((dial, (at, silent))) = dial.filter(|(_, (_, silent))| !silent.is_empty()) {
            self.input(host, Input::Reached { dial, at, silent });
        }
        let dial = by;
        self.input(
            host,
            Input::LinkUp {
                link: LinkId::new(end),
                node,
                remote,
                dial,
            },
        );
    }

    pub(super) fn link_down(&mut self, end: EndId, orderly: bool) {
        let Some(link) = self.links.get_mut(&(end / 2)) else {
            return;
        };
        if !is_open(link, end) {
            return;
        }
        close_end(link, end);
        let (host, _) = ends(link, end);
        let alive = link_life(link, end) == self.hosts[host.0].life;
        self.prune(end / 2, host);
        if alive {
            self.input(
                host,
                Input::LinkDown {
                    link: LinkId::new(end),
                    orderly,
                },
            );
        }
    }

    fn deliver(&mut self, end: EndId, bytes: Bytes) {
        let Some(link) = self.links.get(&(end / 2)) else {
            return;
        };
        let (host, peer) = ends(link, end);
        if !is_open(link, end) || !self.is_alive(link, end) {
            return;
        }
        self.observer.delivered(self.now, peer, host, &bytes);
        self.input(
            host,
            Input::Message {
                link: LinkId::new(end),
                bytes,
            },
        );
    }

    fn is_alive(&self, link: &Link, end: EndId) -> bool {
        let (host, _) = ends(link, end);
        let host = &self.hosts[host.0];
        host.node.is_some() && link_life(link, end) == host.life
    }

    pub(super) fn local_time(&self, id: HostId) -> Instant {
        let host = &self.hosts[id.0];
        Instant::from_duration((self.now + host.clock).saturating_sub(host.stopped))
    }

    pub(super) fn handle(&mut self, id: HostId, input: Input) {
        let at = self.local_time(id);
        let Some(node) = &mut self.hosts[id.0].node else {
            return;
        };
        // A copy for the observer is cheap: messages are shared.
        let seen = input.clone();
        let outcome = node.handle(at, input);
        debug_assert!(outcome.is_ok(), "{id:?}: {outcome:?} for {seen:?}");
        self.observer.handled(self.now, id, &seen, node);
    }

    /// Carries out the node's effects until it waits.
    pub(super) fn drain(&mut self, id: HostId) {
        loop {
            let Some(node) = &mut self.hosts[id.0].node else {
                return;
            };
            let effect = node.poll();
            self.observer.effect(self.now, id, &effect, node);
            match effect {
                Effect::Send { link, bytes } => {
                    self.send(id, link.get(), bytes);
                    self.handle(id, Input::Sent { link });
                }
                Effect::Dial { dial, target } => self.dial(id, dial, &target),
                Effect::Close { link, .. } => self.close(id, link.get()),
                Effect::Event(event) => self.observer.event(self.now, id, &event),
                Effect::WaitUntil(deadline) => {
                    self.schedule_wake(id, deadline);
                    break;
                }
            }
        }
        self.update_view(id);
    }

    pub(super) fn schedule_wake(&mut self, id: HostId, deadline: Option<Instant>) {
        let host = &mut self.hosts[id.0];
        let at = deadline.map(|d| {
            let at = d.as_duration() + host.stopped;
            at.saturating_sub(host.clock).max(self.now)
        });
        if at.is_none_or(|at| at > self.now) {
            host.spins = 0;
        }
        host.wake_at = at;
        self.queue_wake(id);
    }

    /// A wake waits in the queue until its time, and is put off then: most are, many times, and the
    /// queue would be full of those that have been.
    fn queue_wake(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0];
        let Some(at) = host.wake_at else {
            return;
        };
        if host.queued_wake.is_none_or(|queued| queued > at) {
            host.queued_wake = Some(at);
            let life = host.life;
            self.queue.push(at, What::Wake { host: id, life });
        }
    }

    fn send(&mut self, from: HostId, end: EndId, bytes: Bytes) {
        let (Some(rewrite), Some(link)) = (&mut self.rewrite, self.links.get(&(end / 2))) else {
            return self.send_one(from, end, bytes);
        };
        let (_, to) = ends(link, end);
        for bytes in rewrite(from, to, bytes) {
            self.send_one(from, end, bytes);
        }
    }

    /// Sends these bytes over a link that the first host has to the second, as if its node had: so a
    /// member can be tried that does not keep to the protocol. False where they have none.
    pub fn say(&mut self, from: HostId, to: HostId, bytes: Bytes) -> bool {
        let links = self.hosts[from.0].links.iter();
        let linked = links.filter_map(|number| Some((*number, self.links.get(number)?)));
        let end = linked
            .map(|(number, link)| (2 * number + u64::from(link.acceptor == from), link))
            .find(|(end, link)| is_open(link, *end) && ends(link, *end).1 == to)
            .map(|(end, _)| end);
        if let Some(end) = end {
            self.send_one(from, end, bytes);
        }
        end.is_some()
    }

    fn send_one(&mut self, from: HostId, end: EndId, bytes: Bytes) {
        self.messages += 1;
        self.bytes += bytes.len() as u64;
        self.trace.write_u64(self.now.as_nanos() as u64);
        self.trace.write_u64(end);
        self.trace.write(&bytes);
        let Some(link) = self.links.get(&(end / 2)) else {
            return;
        };
        let (_, to) = ends(link, end);
        self.observer.sent(self.now, from, to, &bytes);
        if self.is_cut(from, to, link.protocol) {
            self.counts.partitioned += 1;
            return;
        }
        let faults = self.setup.faults;
        if self.random.chance(faults.loss) {
            self.counts.lost += 1;
            return;
        }
        if self.random.chance(faults.duplicate) {
            self.counts.duplicated += 1;
            self.transmit(end, bytes.clone());
        }
        self.transmit(end, bytes);
    }

    fn transmit(&mut self, end: EndId, bytes: Bytes) {
        let faults = self.setup.faults;
        let Some(link) = self.links.get(&(end / 2)) else {
            return;
        };
        let mut at = self.now + self.latency(link.dialler, link.acceptor);
        let late = self.random.chance(faults.reorder);
        if late {
            self.counts.reordered += 1;
            let most = (faults.latency * 10).as_nanos() as usize;
            at += Duration::from_nanos(self.random.below(most) as u64);
        }
        let Some(link) = self.links.get_mut(&(end / 2)) else {
            return;
        };
        let slow = self.hosts[ends(link, end).1.0].slow;
        if !slow.is_zero() {
            at += Duration::from_nanos(self.random.below(slow.as_nanos() as usize) as u64);
        }
        let last = if end % 2 == 0 {
            &mut link.arrives.0
        } else {
            &mut link.arrives.1
        };
        if !late {
            at = at.max(*last);
            *last = at;
        }
        self.queue.push(
            at,
            What::Message {
                end: end ^ 1,
                bytes,
            },
        );
    }

    fn close(&mut self, host: HostId, end: EndId) {
        let Some(link) = self.links.get_mut(&(end / 2)) else {
            return;
        };
        let between = (link.dialler, link.acceptor);
        close_end(link, end);
        let last = if end % 2 == 0 {
            link.arrives.0
        } else {
            link.arrives.1
        };
        let at = last.max(self.now + self.latency(between.0, between.1));
        self.queue.push(
            at,
            What::Down {
                end: end ^ 1,
                orderly: true,
            },
        );
        self.prune(end / 2, host);
    }

    /// Forgets a link both ends of which are closed.
    fn prune(&mut self, number: u64, host: HostId) {
        let Some(link) = self.links.get(&number) else {
            return;
        };
        if link.dialler != link.acceptor {
            self.hosts[host.0].links.remove(&number);
        }
        if link.open == (false, false) {
            for host in [link.dialler, link.acceptor] {
                self.hosts[host.0].links.remove(&number);
            }
            self.links.remove(&number);
        }
    }

    pub(super) fn update_view(&mut self, id: HostId) {
        let Some(node) = &self.hosts[id.0].node else {
            return;
        };
        let view = (node.fingerprint(), node.peer_count());
        if self.hosts[id.0].seen == Some(view) {
            return;
        }
        self.forget_view(id);
        self.hosts[id.0].seen = Some(view);
        *self.views.entry(view).or_default() += 1;
        self.known += view.1 as u64;
    }

    pub(super) fn forget_view(&mut self, id: HostId) {
        let Some(view) = self.hosts[id.0].seen.take() else {
            return;
        };
        self.known -= view.1 as u64;
        if let Some(n) = self.views.get_mut(&view) {
            *n -= 1;
            if *n == 0 {
                self.views.remove(&view);
            }
        }
    }
}

fn ends(link: &Link, end: EndId) -> (HostId, HostId) {
    if end % 2 == 0 {
        (link.dialler, link.acceptor)
    } else {
        (link.acceptor, link.dialler)
    }
}

fn link_life(link: &Link, end: EndId) -> u32 {
    if end % 2 == 0 {
        link.lives.0
    } else {
        link.lives.1
    }
}

fn is_open(link: &Link, end: EndId) -> bool {
    if end % 2 == 0 {
        link.open.0
    } else {
        link.open.1
    }
}

pub(super) fn close_end(link: &mut Link, end: EndId) {
    *if end % 2 == 0 {
        &mut link.open.0
    } else {
        &mut link.open.1
    } = false;
}
