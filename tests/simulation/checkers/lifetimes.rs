//! R2: a record's remaining lifetime falls by at least a second with every hop, and for one
//! sequence a node's deadline moves neither later nor earlier.

use std::collections::HashMap;
use std::time::Duration;

use peer_exchange::{Instant, NodeId, Sequence};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What, records};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Lifetimes {
    /// The latest end that a host was told.
    told: HashMap<(HostId, NodeId, Sequence), Duration>,
    /// The deadline that a node keeps, by its own clock.
    kept: HashMap<(HostId, u32, NodeId), (Sequence, Instant)>,
}

impl Checker for Lifetimes {
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints) {
        let (What::Sent { message, .. } | What::Received { message, .. }) = &step.what else {
            return;
        };
        let all = records(message).map(|r| (r.node, r.sequence, r.remaining_s));
        let own = step.facts.id();
        for (node, sequence, remaining_s) in all {
            let end = step.now + Duration::from_secs(u64::from(remaining_s));
            let key = (step.host, node, sequence);
            if matches!(step.what, What::Received { .. }) {
                let told = self.told.entry(key).or_default();
                *told = end.max(*told);
                self.keeps(step, node, complaints);
                continue;
            }
            let authored = world.end_of(node, sequence);
            // The sender of its own record was told by nobody.
            let told = match node == own {
                true => authored,
                false => self.told.get(&key).copied(),
            };
            complaints.expect(told.is_some_and(|told| end < told), "R2", || {
                format!("{node:?} {sequence:?} relayed until {end:?}, told until {told:?}")
            });
            complaints.expect(authored.is_some_and(|last| end < last), "R2", || {
                format!("{node:?} {sequence:?} until {end:?}, authored until {authored:?}")
            });
        }
    }
}

impl Lifetimes {
    fn keeps(&mut self, step: &Step<'_>, node: NodeId, complaints: &mut Complaints) {
        let Some((sequence, deadline)) = step.facts.held(&node) else {
            return;
        };
        let key = (step.host, step.life, node);
        let before = self.kept.insert(key, (sequence, deadline));
        if let Some((same, kept)) = before.filter(|(s, _)| *s == sequence) {
            complaints.expect(deadline == kept, "R2", || {
                format!("the deadline of {node:?} {same:?} moves from {kept:?} to {deadline:?}")
            });
        }
    }
}

mod bites {
    use super::Lifetimes;
    use crate::forge::{Stage, bites, id, rumour, seq, silent};
    use peer_exchange::Instant;

    #[test]
    fn at_a_relay_that_takes_no_second_off() {
        let mut stage = Stage::<Lifetimes>::new();
        let said = rumour(0, seq(1, 0), 59);
        silent(&stage.sends(0, 1, &said));
        silent(&stage.receives(1, 0, &said));
        silent(&stage.sends(1, 2, &rumour(0, seq(1, 0), 58)));
        bites(&stage.sends(1, 2, &said), "R2");
    }

    #[test]
    fn at_an_author_that_rounds_up() {
        let mut stage = Stage::<Lifetimes>::new();
        bites(&stage.sends(0, 1, &rumour(0, seq(1, 0), 60)), "R2");
    }

    #[test]
    fn at_time_that_is_not_taken_off() {
        let mut stage = Stage::<Lifetimes>::new();
        silent(&stage.receives(1, 0, &rumour(0, seq(1, 0), 59)));
        bites(&stage.at(20).sends(1, 2, &rumour(0, seq(1, 0), 58)), "R2");
    }

    #[test]
    fn at_a_deadline_that_moves_either_way() {
        for seconds in [58, 60] {
            let mut stage = Stage::<Lifetimes>::new();
            let until = |s: u64| (seq(1, 0), Instant::from_millis(s * 1_000));
            stage.nodes[1].held.insert(id(0), until(59));
            silent(&stage.receives(1, 0, &rumour(0, seq(1, 0), 59)));
            silent(&stage.receives(1, 2, &rumour(0, seq(1, 0), 50)));
            stage.nodes[1].held.insert(id(0), until(seconds));
            bites(&stage.receives(1, 2, &rumour(0, seq(1, 0), 50)), "R2");
        }
    }
}
