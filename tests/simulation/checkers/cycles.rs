//! R13: reported cycles are real ones.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use peer_exchange::{Event, NodeId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Cycles {
    /// When a node has reported a cycle, by its own clock.
    reported: HashMap<(HostId, u32, Vec<NodeId>), Duration>,
}

/// Whether it is a cycle of configured upstreams.
fn is_real(world: &World, path: &[NodeId]) -> bool {
    let next = |i: usize| &path[(i + 1) % path.len()];
    let distinct: HashSet<_> = path.iter().collect();
    distinct.len() == path.len() && (0..path.len()).all(|i| world.asks(&path[i], next(i)))
}

impl Checker for Cycles {
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints) {
        let me = step.facts.id();
        if let What::Event(Event::LoopDetected { path }) = &step.what {
            complaints.expect(is_real(world, path), "R13", || {
                format!("{path:?} is no cycle of configured upstreams")
            });
            complaints.expect(path.contains(&me), "R13", || {
                format!("reported by one who is not on {path:?}")
            });
            complaints.expect(path.first() == path.iter().min(), "R13", || {
                format!("{path:?} does not begin with the smallest")
            });
            let now = step.facts.now().as_duration();
            let key = (step.host, step.life, path.clone());
            let last = self.reported.insert(key, now);
            let due = last.is_none_or(|last| now >= last + world.report_interval);
            complaints.expect(due, "R13", || format!("{path:?} again, too soon"));
        }
    }
}

mod bites {
    use super::Cycles;
    use crate::forge::{Stage, bites, id, silent};
    use crate::step::What;
    use peer_exchange::{Event, NodeId};

    fn path(hosts: &[usize]) -> Vec<NodeId> {
        hosts.iter().map(|i| id(*i)).collect()
    }

    fn reports(stage: &mut Stage<Cycles>, host: usize, hosts: &[usize]) -> Vec<String> {
        let path = path(hosts);
        stage.see(host, What::Event(&Event::LoopDetected { path }))
    }

    #[test]
    fn at_a_cycle_that_is_none() {
        let mut stage = Stage::new();
        bites(&reports(&mut stage, 0, &[0, 2]), "R13");
        bites(&reports(&mut stage, 0, &[0]), "R13");
        silent(&reports(&mut stage, 0, &[0, 1, 2, 3]));
    }

    #[test]
    fn at_another_rotation_and_at_one_who_is_not_on_it() {
        let mut stage = Stage::new();
        bites(&reports(&mut stage, 0, &[1, 2, 3, 0]), "R13");
        bites(&reports(&mut stage, 3, &[0, 1]), "R13");
    }

    #[test]
    fn at_a_report_that_comes_too_soon() {
        let mut stage = Stage::new();
        silent(&reports(&mut stage, 0, &[0, 1, 2, 3]));
        bites(&reports(stage.at(29), 0, &[0, 1, 2, 3]), "R13");
        silent(&reports(stage.at(59), 0, &[0, 1, 2, 3]));
    }
}
