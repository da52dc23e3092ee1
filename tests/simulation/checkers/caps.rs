//! R22: every collection within its cap, every index in agreement.

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Caps {
    steps: u64,
}

/// The indexes are compared with the records at one in so many transitions: it costs a walk over
/// the table.
const SAMPLE: u64 = 16;

impl Checker for Caps {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        if !matches!(step.what, What::Waits) {
            return;
        }
        for (what, size, cap) in step.facts.sizes() {
            complaints.expect(size <= cap, "R22", || format!("{what}: {size} > {cap}"));
        }
        self.steps += 1;
        if self.steps % SAMPLE == 0 {
            step.facts.check();
        }
    }
}

mod bites {
    use super::Caps;
    use crate::forge::{Stage, bites, silent};
    use crate::step::What;

    #[test]
    fn at_a_collection_beyond_its_cap() {
        let mut stage = Stage::<Caps>::new();
        stage.nodes[0].sizes = vec![("links", 4, 4), ("walks", 3, 4)];
        silent(&stage.see(0, What::Waits));
        stage.nodes[0].sizes[1].1 = 5;
        bites(&stage.see(0, What::Waits), "R22");
    }
}
