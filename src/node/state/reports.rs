//! Reports of cycles on their way round: what could not be sent yet, and what may be lost (R13).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::time::Instant;
use crate::wire::LoopFound;

/// For so long a link may be about to go, and what was sent on it with it.
const SENT_AGAIN: Duration = Duration::from_secs(5);

/// A report, and the node that is to hear it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Report {
    pub(crate) next: NodeId,
    pub(crate) found: LoopFound,
    /// When it was sent first.
    pub(crate) at: Instant,
}

#[derive(Default)]
pub(crate) struct Reports {
    /// Those whose next node is not linked: its link is just being replaced.
    unsent: Vec<Report>,
    /// The last that were sent: a link that is replaced may have lost them.
    sent: VecDeque<(LinkId, Report)>,
}

impl Reports {
    pub(crate) fn sent(&mut self, link: LinkId, report: Report) {
        if self.sent.len() >= caps::HELD_TRACES {
            self.sent.pop_front();
        }
        self.sent.push_back((link, report));
    }

    pub(crate) fn could_not_send(&mut self, report: Report) {
        if self.unsent.len() < caps::HELD_TRACES {
            self.unsent.push(report);
        }
    }

    /// Those to be sent now that another link is up: what could not be, and what went out a moment
    /// ago on a link that is gone.
    pub(crate) fn take_unsent(
        &mut self,
        now: Instant,
        is_up: impl Fn(LinkId) -> bool,
    ) -> Vec<Report> {
        let mut due = core::mem::take(&mut self.unsent);
        due.iter_mut().for_each(|report| report.at = now);
        for (link, report) in core::mem::take(&mut self.sent) {
            if now.saturating_since(report.at) >= SENT_AGAIN {
                continue;
            }
            if is_up(link) {
                self.sent.push_back((link, report));
            } else {
                due.push(report);
            }
        }
        due
    }

    /// The next trace finds the cycles that are still there anew.
    pub(crate) fn forget_unsent(&mut self) {
        self.unsent.clear();
    }

    /// The larger of the two collections, which share a cap.
    pub(crate) fn len(&self) -> usize {
        self.unsent.len().max(self.sent.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{at, node};

    const GONE: LinkId = LinkId::new(1);
    const UP: LinkId = LinkId::new(2);

    /// A report for this node, first sent at this time.
    fn report(next: u32, seconds: u64) -> Report {
        let path = [next, 100].map(node).to_vec();
        Report {
            next: node(next),
            found: LoopFound { path, hops: 1 },
            at: at(seconds),
        }
    }

    /// What is due when only [`UP`] is there.
    fn take_unsent(reports: &mut Reports, seconds: u64) -> Vec<Report> {
        reports.take_unsent(at(seconds), |link| link == UP)
    }

    /// R13: what could not be sent goes out over the next link, as if it were found then.
    #[test]
    fn what_could_not_be_sent_is_due_with_the_next_link() {
        let mut reports = Reports::default();
        reports.could_not_send(report(3, 100));
        reports.could_not_send(report(4, 101));
        let due = take_unsent(&mut reports, 160);
        assert_eq!(due, [report(3, 160), report(4, 160)]);
        assert_eq!(take_unsent(&mut reports, 161), []);
    }

    /// R13: a link that is replaced may have lost what was sent on it in its last five seconds.
    #[test]
    fn what_was_just_sent_on_a_link_that_is_gone_is_sent_again() {
        let mut reports = Reports::default();
        reports.sent(GONE, report(3, 99));
        reports.sent(GONE, report(4, 100));
        assert_eq!(take_unsent(&mut reports, 104), [report(4, 100)]);
        assert_eq!(take_unsent(&mut reports, 104), []);
    }

    /// R13: sending it again does not make it new, so that it is not sent for ever.
    #[test]
    fn what_is_sent_again_and_again_ends_with_its_five_seconds() {
        let mut reports = Reports::default();
        reports.sent(GONE, report(3, 100));
        for report in take_unsent(&mut reports, 103) {
            reports.sent(GONE, report);
        }
        assert_eq!(take_unsent(&mut reports, 105), []);
    }

    /// R13.
    #[test]
    fn what_was_sent_on_a_link_that_is_up_is_kept_until_it_goes() {
        let mut reports = Reports::default();
        reports.sent(UP, report(3, 100));
        assert_eq!(take_unsent(&mut reports, 102), []);
        let due = reports.take_unsent(at(104), |_| false);
        assert_eq!(due, [report(3, 100)]);
    }

    /// R12: the next trace finds it anew; what was just sent may still be lost.
    #[test]
    fn with_the_next_trace_what_is_unsent_is_forgotten() {
        let mut reports = Reports::default();
        reports.could_not_send(report(3, 100));
        reports.sent(GONE, report(4, 100));
        reports.forget_unsent();
        assert_eq!(take_unsent(&mut reports, 101), [report(4, 100)]);
    }

    /// R22: of what is unsent the first are kept, of what was sent the last.
    #[test]
    fn both_collections_are_bounded() {
        let cap = caps::HELD_TRACES as u32;
        let mut reports = Reports::default();
        for n in 0..=cap {
            reports.could_not_send(report(n, 100));
        }
        assert_eq!(reports.len(), caps::HELD_TRACES);
        let unsent = take_unsent(&mut reports, 100);
        let expected: Vec<_> = (0..cap).map(|n| report(n, 100)).collect();
        assert_eq!(unsent, expected);
        for n in 0..=cap {
            reports.sent(GONE, report(n, 100));
        }
        assert_eq!(reports.len(), caps::HELD_TRACES);
        let sent = take_unsent(&mut reports, 100);
        let expected: Vec<_> = (1..=cap).map(|n| report(n, 100)).collect();
        assert_eq!(sent, expected);
    }
}
