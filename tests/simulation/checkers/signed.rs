//! R50: nobody passes on what its author has not signed like that.

use std::collections::{HashMap, HashSet};

use peer_exchange::{NodeId, Sequence, Signature};

use super::{Checker, Complaints};
use crate::step::{Step, What, records};
use crate::world::World;

/// A body and its signature, if it has one.
type Word = (Vec<u8>, Option<Signature>);

#[derive(Default)]
pub(crate) struct Signed {
    said: HashMap<(NodeId, Sequence), HashSet<Word>>,
}

impl Checker for Signed {
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints) {
        let What::Sent { message, .. } = step.what else {
            return;
        };
        for record in records(message) {
            let (node, sequence) = (record.node, record.sequence);
            complaints.expect(record.signature.is_some() == world.signed, "R50", || {
                format!("{node:?} at {sequence:?}: signed is {}", !world.signed)
            });
            if !world.signed {
                // Beats come without the record, too.
                continue;
            }
            let word = (record.body.to_vec(), record.signature.copied());
            if node == step.facts.id() {
                self.said.entry((node, sequence)).or_default().insert(word);
            } else {
                let said = self.said.get(&(node, sequence));
                let ok = said.is_some_and(|words| words.contains(&word));
                complaints.expect(ok, "R50", || {
                    format!("{node:?} has not signed that at {sequence:?}")
                });
            }
        }
    }
}

mod bites {
    use super::Signed;
    use crate::forge::{Stage, bites, body, rumour_of, seq, signed_page, silent};

    fn stage() -> Stage<Signed> {
        let mut stage = Stage::new();
        stage.world.signed = true;
        stage
    }

    #[test]
    fn at_a_relay_that_strips_or_forges_a_signature() {
        let of = |signature| rumour_of(signed_page(0, seq(1, 0), &body(1), signature));
        let mut stage = stage();
        silent(&stage.sends(0, 1, &of(Some(&[1; 64]))));
        silent(&stage.sends(1, 2, &of(Some(&[1; 64]))));
        bites(&stage.sends(1, 2, &of(Some(&[2; 64]))), "R50");
        bites(&stage.sends(1, 2, &of(None)), "R50");
    }

    #[test]
    fn at_a_beat_that_its_node_has_not_signed() {
        let of = |beat| rumour_of(signed_page(0, seq(1, beat), &body(1), Some(&[1; 64])));
        let mut stage = stage();
        silent(&stage.sends(0, 1, &of(0)));
        bites(&stage.sends(1, 2, &of(1)), "R50");
    }
}
