//! An in-process transport over channels, in real time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peer_exchange::{Effect, Event, Input, Instant, LinkId, NodeId, Target};

/// Inputs that wait for one node; beyond it, whoever sends loses its link.
const QUEUE: usize = 4096;

/// Connects the nodes of one process. Cloning gives another handle of the same hub.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    members: Mutex<HashMap<SocketAddr, Member>>,
    next_link: AtomicU64,
}

#[derive(Clone, Debug)]
struct Member {
    node: NodeId,
    inputs: SyncSender<Input>,
}

/// One node's place at a [`Hub`]: what arrives for it, and the hands that carry out its effects.
#[derive(Debug)]
pub struct Endpoint {
    hub: Hub,
    address: SocketAddr,
    own: Member,
    arriving: Receiver<Input>,
    /// The other end of each link: where its inputs go, and the link's number there.
    links: HashMap<LinkId, (Member, LinkId)>,
}

/// What is left to do after [`Endpoint::carry_out`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Carried {
    /// Nothing: poll the node again.
    Done,
    /// Give this input to the node.
    Input(Input),
    /// The node has reported an event.
    Event(Event),
    /// Wait for input until then.
    Wait(Option<Instant>),
}

impl Hub {
    /// A hub without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Joins as the node that answers at `address`, in place of whoever did before.
    #[must_use]
    pub fn join(&self, node: NodeId, address: SocketAddr) -> Endpoint {
        let (inputs, arriving) = sync_channel(QUEUE);
        let own = Member { node, inputs };
        self.members().insert(address, own.clone());
        Endpoint {
            hub: self.clone(),
            address,
            own,
            arriving,
            links: HashMap::new(),
        }
    }

    fn members(&self) -> MutexGuard<'_, HashMap<SocketAddr, Member>> {
        // A panic elsewhere leaves the map whole.
        self.inner
            .members
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of the two ends of a new link: an even one and the next.
    fn next_link(&self) -> (LinkId, LinkId) {
        let even = self.inner.next_link.fetch_add(2, Ordering::Relaxed);
        (LinkId::new(even), LinkId::new(even + 1))
    }
}

impl Endpoint {
    /// Waits for the next input, at most so long; `None` if there was none.
    pub fn receive(&mut self, wait: Option<Duration>) -> Option<Input> {
        let input = match wait {
            None => self.arriving.recv().ok(),
            Some(wait) => self.arriving.recv_timeout(wait).ok(),
        };
        self.accept(input)
    }

    /// The next input if there is one already.
    pub fn try_receive(&mut self) -> Option<Input> {
        let input = self.arriving.try_recv().ok();
        self.accept(input)
    }

    /// Carries out one effect of this endpoint's node.
    pub fn carry_out(&mut self, effect: Effect) -> Carried {
        match effect {
            Effect::Send { link, bytes } => self.send(link, bytes),
            Effect::Dial { dial, target } => Carried::Input(match self.dial(&target) {
                Some((link, node, remote)) => Input::LinkUp {
                    link,
                    node,
                    remote: Some(remote),
                    dial: Some(dial),
                },
                None => Input::DialFailed { dial },
            }),
            Effect::Close { link, .. } => {
                if let Some((peer, theirs)) = self.links.remove(&link) {
                    let down = Input::LinkDown {
                        link: theirs,
                        orderly: true,
                    };
                    // Whoever is gone has no use for it.
                    let _ = peer.inputs.try_send(down);
                }
                Carried::Done
            }
            Effect::Event(event) => Carried::Event(event),
            Effect::WaitUntil(deadline) => Carried::Wait(deadline),
        }
    }

    fn send(&mut self, link: LinkId, bytes: bytes::Bytes) -> Carried {
        let Some((peer, theirs)) = self.links.get(&link) else {
            return Carried::Done;
        };
        let message = Input::Message {
            link: *theirs,
            bytes,
        };
        if peer.inputs.try_send(message).is_ok() {
            return Carried::Input(Input::Sent { link });
        }
        self.links.remove(&link);
        Carried::Input(Input::LinkDown {
            link,
            orderly: false,
        })
    }

    fn dial(&mut self, target: &Target) -> Option<(LinkId, NodeId, SocketAddr)> {
        let (addresses, expected) = (target.addresses(), target.node());
        addresses
            .iter()
            .filter_map(|a| a.socket_addr())
            .find_map(|address| {
                let peer = self.hub.members().get(&address).cloned()?;
                if expected.is_some_and(|node| node != peer.node) {
                    return None;
                }
                let (ours, theirs) = self.hub.next_link();
                let handshake = Handshake {
                    link: theirs,
                    from: self.own.clone(),
                    back: ours,
                };
                handshake.send(&peer, self.address)?;
                let node = peer.node;
                self.links.insert(ours, (peer, theirs));
                Some((ours, node, address))
            })
    }

    /// Learns the way back of a link that another endpoint has made.
    fn accept(&mut self, input: Option<Input>) -> Option<Input> {
        match &input {
            Some(Input::LinkUp {
                link,
                node,
                remote: Some(remote),
                dial: None,
            }) => {
                let peer = self.hub.members().get(remote).cloned()?;
                if peer.node == *node {
                    // The two ends have an even number and the next.
                    self.links
                        .insert(*link, (peer, LinkId::new(link.get() ^ 1)));
                }
            }
            Some(Input::LinkDown { link, .. }) => {
                self.links.remove(link);
            }
            _ => {}
        }
        input
    }
}

struct Handshake {
    link: LinkId,
    from: Member,
    back: LinkId,
}

impl Handshake {
    fn send(&self, peer: &Member, remote: SocketAddr) -> Option<()> {
        debug_assert_eq!(self.link.get(), self.back.get() ^ 1);
        let up = Input::LinkUp {
            link: self.link,
            node: self.from.node,
            remote: Some(remote),
            dial: None,
        };
        peer.inputs.try_send(up).ok()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let mut members = self.hub.members();
        let is_own = |m: &Member| m.node == self.own.node;
        if members.get(&self.address).is_some_and(is_own) {
            members.remove(&self.address);
        }
        drop(members);
        for (peer, theirs) in self.links.values() {
            let _ = peer.inputs.try_send(Input::LinkDown {
                link: *theirs,
                orderly: false,
            });
        }
    }
}
