//! Seeing to it that enough others watch this node (R30).

use crate::contract;
use crate::id::NodeId;
use crate::node::base::Base;
use crate::node::detector::Detector;
use crate::node::state::dialer::Reason;
use crate::wire::Ask;

/// So many watchers are enough; where there are fewer others, all of them.
const ENOUGH: usize = 3;

impl Detector {
    /// After every input: whether enough watch this node.
    pub(super) fn count_watchers(&mut self, base: &Base) {
        let named = self.false_accusers.named_count(base.cx.now);
        let others = base.table.others().saturating_sub(named);
        let enough = self.good_watchers(base) >= ENOUGH.min(others);
        let detection = base.cx.config.detection.unwrap_or_default();
        self.invitations.counted(enough, detection, base.cx.now);
    }

    /// Those whose word about this node counts (R33).
    fn good_watchers(&self, base: &Base) -> usize {
        let (named, now) = (&self.false_accusers, base.cx.now);
        let watchers = self.watchers.iter();
        watchers.filter(|node| !named.is_named(node, now)).count()
    }

    /// Asks the nearest before this one to watch it, too. Those that are not linked are dialled
    /// first: they may not be able to dial this node.
    pub(super) fn invite(&self, base: &mut Base) {
        let watchers = &self.watchers;
        let missing = ENOUGH.saturating_sub(self.good_watchers(base));
        let before = base
            .table
            .preceding(ENOUGH + watchers.len() + contract::NAMED);
        let (named, now) = (&self.false_accusers, base.cx.now);
        let may = |node: &NodeId| !watchers.contains(node) && !named.is_named(node, now);
        let others = before.into_iter().filter(may);
        for node in others.take(missing) {
            if base.links.is_linked(&node) {
                let invite = true;
                base.send_ask(
                    &node,
                    Ask {
                        invite,
                        ..self.ask_of(&node)
                    },
                );
            } else {
                base.dial_peer(node, Reason::News);
            }
        }
    }
}
