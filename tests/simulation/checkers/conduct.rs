//! N8: nodes that keep to the rules are never blamed for breaking them.

use peer_exchange::{Event, PeerFault};

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Conduct;

impl Checker for Conduct {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        let What::Event(event) = step.what else {
            return;
        };
        if let Event::Blamed { fault, .. } = event {
            // A busy answer may be lost, and an upstream gone when the report comes round.
            let honest = matches!(fault, PeerFault::IgnoredRetryAfter);
            complaints.expect(honest, "N8", || {
                format!("an honest node is blamed: {fault}")
            });
        }
        let conflict = matches!(
            event,
            Event::Conflict { .. } | Event::DuplicateIdentity { .. }
        );
        complaints.expect(!conflict, "R1", || format!("nobody is twice: {event:?}"));
    }
}

mod bites {
    use super::Conduct;
    use crate::forge::{LINK, Stage, bites, id, silent};
    use crate::step::What;
    use peer_exchange::{Event, PeerFault};

    #[test]
    fn at_blame_for_honest_answers() {
        let mut stage = Stage::<Conduct>::new();
        let blamed = |fault| Event::Blamed {
            link: LINK,
            node: id(1),
            fault,
        };
        silent(&stage.see(0, What::Event(&blamed(PeerFault::IgnoredRetryAfter))));
        bites(
            &stage.see(0, What::Event(&blamed(PeerFault::Unsolicited))),
            "N8",
        );
    }

    #[test]
    fn at_a_conflict_without_a_second_author() {
        let mut stage = Stage::<Conduct>::new();
        bites(
            &stage.see(0, What::Event(&Event::DuplicateIdentity { at: None })),
            "R1",
        );
    }
}
