//! Every system does the work on every topology, so that the rows compare like with like.

use peers::case::{Candidate, Case};
use peers::cluster::Topology;
use peers::measure::{LEAST_RECORD, measure};

use super::case;

fn rows() -> impl Iterator<Item = Case> {
    let pairs = Candidate::ALL.into_iter().flat_map(|candidate| {
        let of = move |topology| (candidate, topology);
        Topology::ALL.into_iter().map(of)
    });
    pairs.flat_map(|(candidate, topology)| [3, 12].map(|size| case(candidate, topology, size)))
}

#[test]
fn all_know_all_then_a_change_then_it_is_quiet() {
    for case in rows() {
        let label = case.label();
        let outcome = measure(&case);
        assert_eq!(outcome.stopped, None, "{label}");
        let cold = outcome
            .cold
            .unwrap_or_else(|| panic!("{label}: no cold start"));
        assert!(cold.most_ms <= cold.all_ms, "{label}: {cold:?}");
        // Nobody learns of anybody without a message, nor with less than what a record is.
        let pairs = u64::from(case.size * (case.size - 1));
        assert!(cold.all_ms >= 1.0, "{label}: {cold:?}");
        // chitchat compresses: an ID of 32 characters may take less.
        let least = if case.candidate == Candidate::Chitchat {
            24
        } else {
            LEAST_RECORD
        };
        assert!(cold.bytes >= pairs * least, "{label}: {cold:?}");
        let change = outcome
            .change
            .unwrap_or_else(|| panic!("{label}: no change"));
        assert!(
            change.messages >= u64::from(case.size - 1),
            "{label}: {change:?}"
        );
        let steady = outcome
            .steady
            .unwrap_or_else(|| panic!("{label}: no quiet time"));
        assert!(steady.seconds >= 60.0, "{label}: {steady:?}");
    }
}

#[test]
fn all_know_all_although_messages_are_lost() {
    for case in rows() {
        for streams in [false, true] {
            if !streams && case.candidate == Candidate::IrohGossip {
                continue;
            }
            let case = Case {
                loss: 0.1,
                streams,
                size: 12,
                ..case.clone()
            };
            let outcome = measure(&case);
            assert!(outcome.cold.is_some(), "{}: {outcome:?}", case.label());
            assert!(outcome.lost > 0, "{}: nothing was lost", case.label());
        }
    }
}
