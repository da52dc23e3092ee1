//! Equal seeds, equal runs: who has sent how much to whom, and when.

use peers::case::{Candidate, Case};
use peers::cluster::Topology;
use peers::measure::{Outcome, measure};

use super::case;

/// What does not depend on the machine.
fn facts(outcome: &Outcome) -> impl PartialEq + std::fmt::Debug + use<> {
    let spread = |of: &Option<peers::measure::Spread>| {
        let of = of.as_ref();
        of.map(|spread| (spread.all_ms, spread.messages, spread.bytes))
    };
    (
        outcome.trace,
        spread(&outcome.cold),
        spread(&outcome.change),
        outcome.lost,
    )
}

#[test]
fn equal_seeds_give_equal_runs_and_others_others() {
    for candidate in Candidate::ALL
        .into_iter()
        .filter(|candidate| candidate.is_seeded())
    {
        for (topology, loss) in [
            (Topology::Ring, 0.0),
            (Topology::Line, 0.1),
            (Topology::Star, 0.0),
        ] {
            let case = Case {
                loss,
                ..case(candidate, topology, 40)
            };
            let first = measure(&case);
            assert_eq!(facts(&first), facts(&measure(&case)), "{}", case.label());
            let other = Case {
                seed: 2,
                ..case.clone()
            };
            assert_ne!(first.trace, measure(&other).trace, "{}", case.label());
        }
    }
}
