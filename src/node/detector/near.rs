//! Whose accusations count: of those near the subject, who have been up for a while (R32, R39).

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::node::base::Base;
use crate::node::detector::Detector;
use crate::ring::Places;
use crate::table::KNOWN;
use crate::wire::Accusation;

/// Fewer than so many nodes that are up stand between whoever accuses and whom it accuses.
const NEAR: usize = 8;

impl Detector {
    /// Whether an accusation counts.
    pub(super) fn counts(&mut self, base: &Base, said: &Accusation) -> bool {
        if base.table.live() <= 2 {
            return true;
        }
        let changes = base.table.ring_changes();
        let places = match self.places.take().filter(|(of, _)| *of == changes) {
            Some((_, places)) => places,
            None => base.table.places(|_| true),
        };
        let near = is_near(base, &places, &said.by, &said.subject);
        self.places = Some((changes, places));
        near && self.is_believed(base, &said.by)
    }

    /// It has been up for a while, or for as long as this node. A table that had to choose whom to
    /// keep lacks most of those who accuse. [Had they to be known, nobody with room for a quarter of
    /// the cluster knew of a crash.]
    fn is_believed(&self, base: &Base, by: &NodeId) -> bool {
        let crowded = base.table.is_crowded();
        let Some(entry) = base.table.lookup(by) else {
            return *by == base.cx.id || crowded;
        };
        if crowded {
            // In and out it goes there: since when it is in says nothing. [Of two accusers one was
            // believed less for being known.]
            return !entry.is_tombstone();
        }
        // Who is back was known before. [For a minute after a partition nobody from beyond was
        // believed, and a crash there was not known.]
        let early = entry.first_seen() <= self.started + KNOWN;
        !entry.is_tombstone() && early || entry.is_known_for(KNOWN, base.cx.now)
    }

    /// Those that did not count do, where all but a few of those between are accused, too (R39).
    pub(super) fn reconsider(&mut self, base: &Base) {
        let now = base.cx.now;
        let accusations = &self.accusations;
        let places = base.table.places(|node| !accusations.is_accused(node));
        for subject in self.accusations.open() {
            let kept = self.accusations.kept(&subject).map(|by| by.node);
            let near: Vec<NodeId> = kept
                .filter(|by| is_near(base, &places, by, &subject) && self.is_believed(base, by))
                .collect();
            let takes = self.takes(base, &subject, Self::hold(base));
            self.accusations
                .reconsider(&subject, |by| near.contains(by), takes, now);
        }
    }
}

fn is_near(base: &Base, places: &Places, by: &NodeId, subject: &NodeId) -> bool {
    let (by, subject) = (base.table.position_of(by), base.table.position_of(subject));
    places.between(by, subject) < NEAR
}
