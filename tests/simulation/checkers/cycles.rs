//! R12 and R13: reported cycles are real ones, and traces keep to their way.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use peer_exchange::wire::Message;
use peer_exchange::{Event, NodeId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Cycles {
    /// When a node has reported a cycle, by its own clock.
    reported: HashMap<(HostId, u32, Vec<NodeId>), Duration>,
    /// Traces that a host has received.
    traces: HashSet<(HostId, u64, Vec<NodeId>)>,
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
        match &step.what {
            What::Event(Event::LoopDetected { path }) => {
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
            What::Received {
                message: Message::Trace(m),
                ..
            } => {
                self.traces.insert((step.host, m.id, m.path.clone()));
            }
            What::Sent {
                to,
                message: Message::Trace(m),
                ..
            } => {
                complaints.expect(world.asks(&me, to), "R12", || {
                    format!("a trace to {to:?}, which is no upstream")
                });
                let (before, last) = m.path.split_at(m.path.len().saturating_sub(1));
                complaints.expect(last == [me], "R12", || "not signed by its sender".into());
                let own = before.is_empty();
                let came = || self.traces.contains(&(step.host, m.id, before.to_vec()));
                complaints.expect(own || came(), "R12", || {
                    format!("{:?} is not the way on which it came", m.path)
                });
                complaints.expect(own || m.path[0] < me, "R12", || {
                    format!("the trace of a higher node goes on: {:?}", m.path)
                });
            }
            What::Sent {
                to,
                message: Message::LoopFound(m),
                ..
            } => {
                complaints.expect(is_real(world, &m.path), "R13", || {
                    format!("{:?} is told of and no cycle", m.path)
                });
                let at = m.path.iter().position(|n| *n == me);
                let next = at.map(|at| m.path[(at + 1) % m.path.len()]);
                complaints.expect(next == Some(*to), "R13", || {
                    format!("told to {to:?}, which is not the next on {:?}", m.path)
                });
            }
            _ => {}
        }
    }
}

mod bites {
    use super::Cycles;
    use crate::forge::{Stage, bites, id, silent};
    use crate::step::What;
    use peer_exchange::wire::{LoopFound, Message, Trace};
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

    fn trace(hosts: &[usize]) -> Message {
        Message::Trace(Trace {
            id: 5,
            path: path(hosts),
            fresh: false,
        })
    }

    #[test]
    fn at_traces_off_their_way() {
        let mut stage = Stage::<Cycles>::new();
        silent(&stage.sends(1, 2, &trace(&[1])));
        bites(&stage.sends(1, 3, &trace(&[1])), "R12");
        bites(&stage.sends(1, 2, &trace(&[0, 1])), "R12");
        silent(&stage.receives(1, 0, &trace(&[0])));
        silent(&stage.sends(1, 2, &trace(&[0, 1])));
        silent(&stage.receives(0, 3, &trace(&[3])));
        bites(&stage.sends(0, 1, &trace(&[3, 0])), "R12");
    }

    #[test]
    fn at_a_report_told_to_another_than_the_next() {
        let mut stage = Stage::<Cycles>::new();
        let told = Message::LoopFound(LoopFound {
            path: path(&[0, 1, 2, 3]),
            hops: 3,
        });
        silent(&stage.sends(0, 1, &told));
        bites(&stage.sends(0, 2, &told), "R13");
    }
}
