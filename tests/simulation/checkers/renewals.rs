//! R26: a renewal is applied to exactly the version that it names.

use std::collections::HashMap;

use peer_exchange::wire::Message;
use peer_exchange::{Instant, NodeId, Sequence};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What, records, renewals};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Renewed {
    held: HashMap<(HostId, u32, NodeId), (Sequence, Instant)>,
}

impl Checker for Renewed {
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints) {
        let What::Received { message, .. } = &step.what else {
            return;
        };
        self.judge(step, world, message, complaints);
        let renewed = renewals(message).into_iter().flat_map(|r| r.iter());
        let renewed = renewed.filter_map(|r| world.by_prefix(r.prefix));
        for node in renewed.chain(records(message).map(|r| r.node)) {
            let key = (step.host, step.life, node);
            match step.facts.held(&node) {
                Some(held) => self.held.insert(key, held),
                None => self.held.remove(&key),
            };
        }
    }
}

impl Renewed {
    fn judge(
        &self,
        step: &Step<'_>,
        world: &World,
        message: &Message,
        complaints: &mut Complaints,
    ) {
        for renewal in renewals(message).into_iter().flat_map(|r| r.iter()) {
            let Some(node) = world.by_prefix(renewal.prefix) else {
                continue;
            };
            // What the record itself brings is no renewal.
            if records(message).any(|r| r.node == node) {
                continue;
            }
            let before = self.held.get(&(step.host, step.life, node));
            let (Some((before, _)), Some((after, _))) = (before, step.facts.held(&node)) else {
                let appeared = before.is_none() && step.facts.held(&node).is_some();
                // Known before this checker looked: a snapshot. A renewal makes no record.
                complaints.expect(!appeared || step.life > 1, "R26", || {
                    format!("{node:?} appears with a renewal")
                });
                continue;
            };
            if after == *before {
                continue;
            }
            let exact = renewal.sequence.version == before.version && after == renewal.sequence;
            complaints.expect(exact && after > *before, "R26", || {
                format!("{before:?} becomes {after:?} by {renewal:?}")
            });
        }
    }
}

mod bites {
    use super::Renewed;
    use crate::forge::{Stage, bites, id, renewal, rumour, seq, silent};
    use peer_exchange::{Instant, Sequence};

    fn holds(stage: &mut Stage<Renewed>, sequence: Sequence) {
        let held = (sequence, Instant::from_millis(50_000));
        stage.nodes[1].held.insert(id(0), held);
    }

    fn told() -> Stage<Renewed> {
        let mut stage = Stage::new();
        holds(&mut stage, seq(1, 0));
        silent(&stage.receives(1, 0, &rumour(0, seq(1, 0), 50)));
        stage
    }

    #[test]
    fn at_a_renewal_of_another_version() {
        let mut stage = told();
        holds(&mut stage, seq(1, 3));
        bites(&stage.receives(1, 0, &renewal(0, seq(2, 3))), "R26");
    }

    #[test]
    fn at_a_renewal_that_brings_a_version() {
        let mut stage = told();
        holds(&mut stage, seq(2, 3));
        bites(&stage.receives(1, 0, &renewal(0, seq(2, 3))), "R26");
    }

    #[test]
    fn at_a_renewal_that_makes_a_record() {
        let mut stage = Stage::<Renewed>::new();
        holds(&mut stage, seq(1, 1));
        bites(&stage.receives(1, 0, &renewal(0, seq(1, 1))), "R26");
    }

    #[test]
    fn not_at_the_version_it_names() {
        let mut stage = told();
        holds(&mut stage, seq(1, 1));
        silent(&stage.receives(1, 0, &renewal(0, seq(1, 1))));
    }
}
