//! R8 and R10: how far a request may go.

use std::collections::{HashMap, HashSet};

use peer_exchange::wire::{Message, Request};
use peer_exchange::{NodeId, RequestId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

/// Hop limit and path of a request as it came.
type Came = (u8, Vec<NodeId>);
type Walked = (NodeId, RequestId);

#[derive(Default)]
pub(crate) struct Walks {
    /// Requests that a host has received: hop limit and path so far.
    received: HashMap<(HostId, u32, Walked), Vec<Came>>,
    forwarded: HashSet<(HostId, u32, Walked)>,
    /// Messages that one request has caused.
    caused: HashMap<Walked, usize>,
}

const MOST_HOPS: u8 = 64;

impl Checker for Walks {
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints) {
        match &step.what {
            What::Received {
                from,
                message: Message::Request(m),
                ..
            } if !m.is_fetch() => {
                let path = m.walk.as_ref().map_or(vec![*from], |w| w.path.clone());
                let key = (step.host, step.life, (path[0], m.id));
                let hops = m.hop_limit.min(MOST_HOPS);
                self.received.entry(key).or_default().push((hops, path));
            }
            What::Sent {
                to,
                message: Message::Request(m),
                ..
            } if m.walk.is_some() => self.forwards(step, world, *to, m, complaints),
            _ => {}
        }
    }
}

impl Walks {
    fn forwards(
        &mut self,
        step: &Step<'_>,
        world: &World,
        to: NodeId,
        m: &Request,
        complaints: &mut Complaints,
    ) {
        let Some(walk) = &m.walk else { return };
        let me = step.facts.id();
        let walked = (walk.origin, m.id);
        let key = (step.host, step.life, walked);
        let mut expect = |ok, what: &str| {
            complaints.expect(ok, "R10", || format!("{what}: {walk:?} to {to:?}"));
        };
        expect(self.forwarded.insert(key), "forwarded twice");
        expect(world.asks(&me, &to), "not to a configured upstream");
        expect(
            walk.path.first() == Some(&walk.origin),
            "does not begin with its origin",
        );
        let (before, last) = walk.path.split_at(walk.path.len().saturating_sub(1));
        expect(last == [me], "does not end with its sender");
        expect(!before.contains(&me), "passes a node twice");
        let came = self.received.get(&key).map(Vec::as_slice);
        let as_told = |(hops, path): &Came| {
            path == before && hops.checked_sub(1).is_some_and(|left| m.hop_limit <= left)
        };
        expect(
            came.unwrap_or_default().iter().any(as_told),
            "not as it came, one hop less",
        );
        let cold = step.facts.peers().iter().all(|n| walk.path.contains(n));
        expect(cold, "forwarded by one who knows others");
        let caused = self.caused.entry(walked).or_default();
        *caused += 1;
        expect(
            *caused <= world.edges(),
            "more messages than configured edges",
        );
    }
}

mod bites {
    use super::Walks;
    use crate::forge::{Stage, bites, id, request, seq, silent};
    use peer_exchange::Instant;
    use peer_exchange::wire::{Message, Walk};

    fn walk(path: &[usize], hops: u8) -> Message {
        let mut request = request(1);
        request.hop_limit = hops;
        let path: Vec<_> = path.iter().map(|i| id(*i)).collect();
        let origin = path[0];
        request.walk = Some(Walk { origin, path });
        Message::Request(request)
    }

    fn asked() -> Stage<Walks> {
        let mut stage = Stage::new();
        silent(&stage.receives(1, 0, &Message::Request(request(1))));
        stage
    }

    #[test]
    fn at_a_second_forward() {
        let mut stage = asked();
        silent(&stage.sends(1, 2, &walk(&[0, 1], 15)));
        bites(&stage.sends(1, 2, &walk(&[0, 1], 15)), "R10");
    }

    #[test]
    fn at_a_hop_limit_that_does_not_fall() {
        bites(&asked().sends(1, 2, &walk(&[0, 1], 16)), "R10");
    }

    #[test]
    fn at_a_path_without_its_sender() {
        bites(&asked().sends(1, 2, &walk(&[0], 15)), "R10");
    }

    #[test]
    fn at_a_walk_through_a_node_twice() {
        let mut stage = Stage::<Walks>::new();
        silent(&stage.receives(1, 0, &walk(&[1, 0], 10)));
        bites(&stage.sends(1, 2, &walk(&[1, 0, 1], 9)), "R10");
    }

    #[test]
    fn at_one_who_is_no_upstream() {
        bites(&asked().sends(1, 3, &walk(&[0, 1], 15)), "R10");
    }

    #[test]
    fn at_a_warm_node_that_forwards() {
        let mut stage = asked();
        let held = (seq(1, 0), Instant::from_millis(50_000));
        stage.nodes[1].held.insert(id(3), held);
        bites(&stage.sends(1, 2, &walk(&[0, 1], 15)), "R10");
    }

    #[test]
    fn at_a_request_that_nobody_made() {
        let mut stage = Stage::<Walks>::new();
        bites(&stage.sends(1, 2, &walk(&[0, 1], 15)), "R10");
    }
}
