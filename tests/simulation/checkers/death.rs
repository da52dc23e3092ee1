//! R3: what has expired stays dead; R35: what is down comes back by a higher sequence alone.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use peer_exchange::{Event, Input, NodeId, Sequence};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What, is_tombstone, records};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Death {
    /// The highest sequence that a host has reported or relayed in this life.
    had: HashMap<(HostId, u32, NodeId), Sequence>,
    /// What had expired, left or was down at a host: nothing at or below it may come back.
    gone: HashMap<(HostId, u32, NodeId), Sequence>,
    /// Nodes that have left, whose tables stand still.
    left: HashSet<(HostId, u32)>,
}

impl Death {
    fn has(&mut self, step: &Step<'_>, node: NodeId, sequence: Sequence) {
        let had = self.had.entry((step.host, step.life, node)).or_default();
        *had = sequence.max(*had);
    }

    fn is_back(&self, step: &Step<'_>, node: NodeId, sequence: Sequence) -> bool {
        let gone = self.gone.get(&(step.host, step.life, node));
        gone.is_some_and(|gone| sequence <= *gone)
    }
}

impl Checker for Death {
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints) {
        match &step.what {
            What::Sent { message, .. } => {
                for record in records(message) {
                    let (node, sequence) = (record.node, record.sequence);
                    let life = match is_tombstone(record.body) {
                        true => world.tombstone(),
                        false => world.lifetime,
                    };
                    let quiet = Duration::from_secs(2).max(life / 500);
                    let end = world.end_of(node, sequence);
                    let fresh = end.is_some_and(|end| step.now + quiet < end);
                    complaints.expect(fresh, "R3", || {
                        format!("{node:?} {sequence:?} relayed in its last moments: {end:?}")
                    });
                    let back = self.is_back(step, node, sequence) && !is_tombstone(record.body);
                    complaints.expect(!back, "R3", || {
                        format!("{node:?} {sequence:?} relayed after its end here")
                    });
                }
            }
            What::Event(Event::PeerUp { node } | Event::PeerChanged { node }) => {
                let Some((sequence, _)) = step.facts.held(node) else {
                    return;
                };
                self.has(step, *node, sequence);
                let end = world.end_of(*node, sequence);
                complaints.expect(end.is_some_and(|end| step.now < end), "R3", || {
                    format!("{node:?} {sequence:?} reported, which ended at {end:?}")
                });
                complaints.expect(!self.is_back(step, *node, sequence), "R3", || {
                    format!("{node:?} {sequence:?} is back")
                });
            }
            What::Event(
                Event::PeerExpired { node } | Event::PeerLeft { node } | Event::PeerDown { node },
            ) => {
                let key = (step.host, step.life, *node);
                let had = self.had.get(&key).copied().unwrap_or_default();
                self.gone.insert(key, had);
            }
            What::Received { message, .. } => {
                for node in records(message).map(|r| r.node) {
                    if let Some((sequence, _)) = step.facts.held(&node) {
                        self.has(step, node, sequence);
                    }
                }
            }
            What::Input(Input::Leave | Input::Shutdown) => {
                self.left.insert((step.host, step.life));
            }
            What::Waits if !self.left.contains(&(step.host, step.life)) => {
                for node in step.facts.peers() {
                    let ended = step.facts.held(&node).is_some_and(|(sequence, _)| {
                        let end = world.end_of(node, sequence);
                        end.is_none_or(|end| end < step.now)
                    });
                    complaints.expect(!ended, "R3", || format!("{node:?} is still known"));
                }
            }
            _ => {}
        }
    }
}

mod bites {
    use super::Death;
    use crate::forge::{Stage, bites, id, rumour, seq, silent};
    use crate::step::What;
    use peer_exchange::{Event, Instant};

    const UP: Event = Event::PeerUp {
        node: peer_exchange::NodeId::new([1; 32]),
    };

    #[test]
    fn at_a_record_relayed_in_its_last_moments() {
        let mut stage = Stage::<Death>::new();
        silent(&stage.at(57).sends(1, 2, &rumour(0, seq(1, 0), 1)));
        bites(&stage.at(58).sends(1, 2, &rumour(0, seq(1, 0), 1)), "R3");
    }

    #[test]
    fn at_a_dead_record_reported_or_still_known() {
        let mut stage = Stage::<Death>::new();
        let held = (seq(1, 0), Instant::from_millis(99_000));
        stage.nodes[1].held.insert(id(0), held);
        silent(&stage.at(59).see(1, What::Event(&UP)));
        bites(&stage.at(61).see(1, What::Event(&UP)), "R3");
        bites(&stage.see(1, What::Waits), "R3");
    }

    #[test]
    fn at_what_comes_back_after_its_end() {
        let mut stage = Stage::<Death>::new();
        let held = (seq(1, 0), Instant::from_millis(30_000));
        stage.nodes[1].held.insert(id(0), held);
        silent(&stage.see(1, What::Event(&UP)));
        silent(&stage.see(1, What::Event(&Event::PeerLeft { node: id(0) })));
        bites(&stage.see(1, What::Event(&UP)), "R3");
        bites(&stage.sends(1, 2, &rumour(0, seq(1, 0), 30)), "R3");
    }

    #[test]
    fn at_what_is_down_and_comes_back_by_what_others_have() {
        let mut stage = Stage::<Death>::new();
        let held = (seq(1, 0), Instant::from_millis(30_000));
        stage.nodes[1].held.insert(id(0), held);
        silent(&stage.see(1, What::Event(&UP)));
        silent(&stage.see(1, What::Event(&Event::PeerDown { node: id(0) })));
        bites(&stage.see(1, What::Event(&UP)), "R3");
        bites(&stage.sends(1, 2, &rumour(0, seq(1, 0), 30)), "R3");
    }
}
