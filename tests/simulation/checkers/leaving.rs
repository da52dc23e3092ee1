//! R4: a leaver's last word is a tombstone of a higher version, and whoever has it says nothing
//! older.

use std::collections::HashMap;

use peer_exchange::{Input, NodeId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What, is_tombstone, records};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Leaving {
    /// The version that a host had when it was told to leave.
    left: HashMap<(HostId, u32), u64>,
    /// Tombstones that a host has.
    tombstones: HashMap<(HostId, u32, NodeId), u64>,
    /// Messages that a host has counted and not taken: crossed and throttled ones.
    dropped: HashMap<(HostId, u32), u64>,
}

impl Checker for Leaving {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        let me = (step.host, step.life);
        match &step.what {
            What::Input(Input::Leave) => {
                let version = step.facts.sequence().version;
                self.left.insert(me, version);
            }
            What::Received { message, .. } => {
                let stats = step.facts.stats();
                let dropped = stats.requests_crossed + stats.requests_throttled;
                if self.dropped.insert(me, dropped).unwrap_or_default() < dropped {
                    return;
                }
                for record in records(message).filter(|r| is_tombstone(r.body)) {
                    let key = (step.host, step.life, record.node);
                    let known = self.tombstones.entry(key).or_default();
                    *known = record.sequence.version.max(*known);
                }
            }
            What::Sent { message, .. } => {
                for record in records(message) {
                    let version = record.sequence.version;
                    let buried = is_tombstone(record.body);
                    if record.node == step.facts.id() {
                        let before = self.left.get(&me);
                        let ok = before.is_none_or(|before| buried && version > *before);
                        complaints.expect(ok, "R4", || "a leaver says it is here".into());
                        complaints.expect(before.is_some() || !buried, "R4", || {
                            "a tombstone of a node that has not left".into()
                        });
                        continue;
                    }
                    let tombstone = self.tombstones.get(&(step.host, step.life, record.node));
                    let older = tombstone.is_some_and(|t| version < *t);
                    complaints.expect(!older, "R4", || {
                        format!("{:?} relayed beside its tombstone", record.node)
                    });
                }
            }
            _ => {}
        }
    }
}

mod bites {
    use super::Leaving;
    use crate::forge::{Stage, bites, page, rumour, rumour_of, seq, silent};
    use crate::step::What;
    use peer_exchange::Input;

    #[test]
    fn at_a_leaver_without_a_tombstone() {
        let mut stage = Stage::<Leaving>::new();
        silent(&stage.see(0, What::Input(&Input::Leave)));
        bites(&stage.sends(0, 1, &rumour(0, seq(2, 0), 59)), "R4");
        let same_version = rumour_of(page(0, seq(1, 0), 3_800, &[]));
        bites(&stage.sends(0, 1, &same_version), "R4");
        silent(&stage.sends(0, 1, &rumour_of(page(0, seq(2, 0), 3_800, &[]))));
    }

    #[test]
    fn at_a_tombstone_of_a_healthy_node() {
        let mut stage = Stage::<Leaving>::new();
        let tombstone = rumour_of(page(0, seq(2, 0), 3_800, &[]));
        bites(&stage.sends(0, 1, &tombstone), "R4");
    }

    #[test]
    fn not_at_one_who_has_not_taken_the_tombstone() {
        let mut stage = Stage::<Leaving>::new();
        let tombstone = rumour_of(page(0, seq(2, 0), 3_800, &[]));
        stage.nodes[1].stats.requests_throttled = 1;
        silent(&stage.receives(1, 0, &tombstone));
        silent(&stage.sends(1, 2, &rumour(0, seq(1, 0), 30)));
    }

    #[test]
    fn at_a_live_record_relayed_beside_its_tombstone() {
        let mut stage = Stage::<Leaving>::new();
        let tombstone = rumour_of(page(0, seq(2, 0), 3_800, &[]));
        silent(&stage.receives(1, 0, &tombstone));
        bites(&stage.sends(1, 2, &rumour(0, seq(1, 0), 30)), "R4");
    }
}
