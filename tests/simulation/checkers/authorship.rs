//! R1: one content under one (node, version), and only the node itself raises its sequence.

use std::collections::HashMap;

use peer_exchange::NodeId;
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What, records};
use crate::world::World;

/// Contents that a node has written, and in which life of which host.
type Written = Vec<(HostId, u32, Vec<u8>)>;

#[derive(Default)]
pub(crate) struct Authorship {
    contents: HashMap<(NodeId, u64), Written>,
}

impl Checker for Authorship {
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints) {
        let What::Sent { message, .. } = step.what else {
            return;
        };
        for record in records(message) {
            let (node, sequence) = (record.node, record.sequence);
            complaints.expect(sequence <= world.highest(&node), "R1", || {
                format!("{node:?} has never raised its sequence to {sequence:?}")
            });
            let known = self.contents.entry((node, sequence.version)).or_default();
            if node != step.facts.id() {
                let ok = known.iter().any(|(_, _, body)| body == record.body);
                complaints.expect(ok, "R1", || format!("not written by {node:?} itself"));
                continue;
            }
            let here = |w: &&(HostId, u32, Vec<u8>)| (w.0, w.1) == (step.host, step.life);
            match known.iter().find(here) {
                Some((_, _, body)) => complaints.expect(body == record.body, "R1", || {
                    format!("two contents under version {}", sequence.version)
                }),
                None => known.push((step.host, step.life, record.body.to_vec())),
            }
        }
    }
}

mod bites {
    use super::Authorship;
    use crate::forge::{Stage, bites, body, page, rumour, rumour_of, seq, silent};

    #[test]
    fn at_two_contents_of_one_version() {
        let mut stage = Stage::<Authorship>::new();
        silent(&stage.sends(0, 1, &rumour(0, seq(1, 0), 59)));
        let other = rumour_of(page(0, seq(1, 0), 59, &body(2)));
        bites(&stage.sends(0, 1, &other), "R1");
    }

    #[test]
    fn at_a_relay_that_edits() {
        let mut stage = Stage::<Authorship>::new();
        silent(&stage.sends(0, 1, &rumour(0, seq(1, 0), 59)));
        silent(&stage.sends(1, 2, &rumour(0, seq(1, 0), 58)));
        let edited = rumour_of(page(0, seq(1, 0), 58, &body(2)));
        bites(&stage.sends(1, 2, &edited), "R1");
    }

    #[test]
    fn at_a_sequence_raised_by_another() {
        let mut stage = Stage::<Authorship>::new();
        silent(&stage.sends(0, 1, &rumour(0, seq(1, 0), 59)));
        bites(&stage.sends(1, 2, &rumour(0, seq(1, 1), 58)), "R1");
    }
}
