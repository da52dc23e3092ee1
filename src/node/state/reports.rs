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
