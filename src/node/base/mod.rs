//! The lower tier: everything by which a node knows, speaks and dials. It sees no exchange.
//!
//! [`Base`] composes the machines that it owns; each file here is one thing that takes several of
//! them: reading, composing a message, saying it, dialling, keeping the own record, and what goes
//! round cycles.

mod accuse;
mod compose;
mod cycles;
mod dial;
mod own;
mod push_half;
mod read;
mod speak;
mod standing;
mod tree;

use crate::config::Identity;
use crate::effect::Event;
use crate::node::cx::Cx;
use crate::node::state::cycles::Cycles;
use crate::node::state::dialer::Dialer;
use crate::node::state::hints::Hints;
use crate::node::state::links::Links;
use crate::node::state::own::Own;
use crate::node::state::pace::Pace;
use crate::node::state::peers::Peers;
use crate::node::state::reports::Reports;
use crate::node::state::standing::Standing;
use crate::node::state::traces::Traces;
use crate::node::state::tree::Tree;
use crate::node::state::upstreams::Upstreams;
use crate::ring::RingKey;
use crate::seal::Sealer;
use crate::table::{Due, Table};

/// What a node is without the exchanges that it has under way.
pub(crate) struct Base {
    pub(crate) cx: Cx,
    pub(crate) table: Table,
    pub(crate) sealer: Sealer,
    pub(crate) own: Own,
    pub(crate) links: Links,
    pub(crate) peers: Peers,
    pub(crate) dialer: Dialer,
    pub(crate) hints: Hints,
    pub(crate) upstreams: Upstreams,
    pub(crate) pace: Pace,
    pub(crate) standing: Standing,
    pub(crate) tree: Tree,
    pub(crate) traces: Traces,
    pub(crate) cycles: Cycles,
    pub(crate) reports: Reports,
}

impl Base {
    pub(crate) fn new(mut cx: Cx, identity: Identity, sealer: Sealer, seed: &[u8; 32]) -> Self {
        Self {
            table: Table::new(
                cx.id,
                cx.config.capacity,
                seed,
                RingKey::new(&cx.config.cluster),
            ),
            sealer,
            own: Own::new(identity.addresses, identity.metadata),
            links: Links::default(),
            peers: Peers::default(),
            dialer: Dialer::default(),
            hints: Hints::default(),
            upstreams: Upstreams::new(&mut cx),
            pace: Pace::new(cx.config.round),
            standing: Standing::default(),
            tree: Tree::new(seed),
            traces: Traces::default(),
            cycles: Cycles::default(),
            reports: Reports::default(),
            cx,
        }
    }

    /// What has reached the end of its life; and whether a renewal has not come by.
    pub(crate) fn expire(&mut self) -> bool {
        let mut overdue = false;
        while let Some(due) = self.table.pop_due(self.cx.now) {
            let Due::Ended(entry) = due else {
                overdue = true;
                continue;
            };
            self.cx.stats.records_expired += 1;
            if !entry.is_tombstone() {
                self.cx.event(Event::PeerExpired { node: entry.node });
                self.add_hint(entry.node, entry.addresses(self.cx.config.local));
            }
        }
        overdue
    }

    /// After every record that the table took in: who had to make room for it.
    pub(crate) fn report_evicted(&mut self) {
        if let Some(node) = self.table.take_evicted() {
            self.cx.stats.records_evicted += 1;
            self.cx.event(Event::PeerEvicted { node });
        }
    }
}
