//! Two nodes with one link, over which encoded messages pass without delay.

use std::time::Duration;

use peer_exchange::{Input, LinkId, Node};

use super::build::id;
use super::rig::Rig;

pub(crate) struct Pair {
    pub(crate) a: Rig,
    pub(crate) b: Rig,
    on_a: LinkId,
    on_b: LinkId,
}

impl Pair {
    /// Links the two; `a` counts as the dialler. They may run already.
    pub(crate) fn new(mut a: Rig, mut b: Rig) -> Self {
        let now = a.now.max(b.now);
        (a.now, b.now) = (now, now);
        let (on_a, on_b) = (up(&mut a, b.node.id()), up(&mut b, a.node.id()));
        let mut pair = Self { a, b, on_a, on_b };
        pair.settle();
        pair
    }

    /// Passes messages until there are none.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let (to_b, to_a) = (self.a.take(self.on_a), self.b.take(self.on_b));
            if to_a.is_empty() && to_b.is_empty() {
                return;
            }
            to_b.into_iter().for_each(|m| self.b.message(self.on_b, m));
            to_a.into_iter().for_each(|m| self.a.message(self.on_a, m));
        }
        panic!("the two never come to rest");
    }

    /// Lets time pass for both, in the order of their deadlines.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.a.now + time;
        loop {
            let next = self.a.wake.into_iter().chain(self.b.wake).min();
            let at = next.unwrap_or(end).max(self.a.now).min(end);
            for rig in [&mut self.a, &mut self.b] {
                rig.now = at;
                rig.input(Input::Wake);
                rig.fail_dials();
            }
            self.settle();
            if at == end {
                return;
            }
        }
    }

    /// Whether each has the other's record as its author has it.
    pub(crate) fn agree(&self) -> bool {
        let has = |x: &Node, y: &Node| {
            x.peer(&y.id())
                .is_some_and(|v| v.sequence.version == y.sequence().version)
        };
        has(&self.a.node, &self.b.node) && has(&self.b.node, &self.a.node)
    }
}

fn up(rig: &mut Rig, node: peer_exchange::NodeId) -> LinkId {
    let link = rig.next_link();
    rig.input(Input::LinkUp {
        link,
        node,
        remote: None,
        dial: None,
    });
    link
}

/// A third party that tells `rig` something.
pub(crate) fn stranger(rig: &mut Rig, n: u32) -> LinkId {
    assert_ne!(rig.node.id(), id(n));
    rig.link(n)
}
