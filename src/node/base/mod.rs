//! The lower tier: everything by which a node knows, speaks and dials. It sees no exchange.
//!
//! [`Base`] composes the machines that it owns; each file here is one thing that takes several of
//! them: reading, composing a message, saying it, dialling, keeping the own record, and
//! finding cycles.

mod accuse;
mod addresses;
mod ahead;
mod blocked;
mod compose;
mod cycles;
pub(crate) mod dial;
mod first_hand;
mod own;
mod read;
mod speak;
mod standing;
mod tree;

use core::time::Duration;

use crate::config::Identity;
use crate::effect::Event;
use crate::node::cx::Cx;
use crate::node::state::ahead::Ahead;
use crate::node::state::blocked::Blocked;
use crate::node::state::claims::Claims;
use crate::node::state::clones::Clones;
use crate::node::state::contact::Contact;
use crate::node::state::cycles::Cycles;
use crate::node::state::dial_backs::DialBacks;
use crate::node::state::dialer::Dialer;
use crate::node::state::hints::Hints;
use crate::node::state::links::Links;
use crate::node::state::mirrors::Mirrors;
use crate::node::state::named::Named;
use crate::node::state::occupants::Occupants;
use crate::node::state::outbox::Outbox;
use crate::node::state::own::Own;
use crate::node::state::own_addresses::OwnAddresses;
use crate::node::state::pace::Pace;
use crate::node::state::peers::Peers;
use crate::node::state::standing::Standing;
use crate::node::state::targets::Targets;
use crate::node::state::tree::Tree;
use crate::node::state::upstreams::Upstreams;
use crate::node::state::wall::Wall;
use crate::ring::RingKey;
use crate::seal::Sealer;
use crate::table::{Due, Gone, Table};

/// Who was known for less is no hint when it is pushed out (R28).
const HELD: Duration = Duration::from_secs(60);

/// What a node is without the exchanges that it has under way.
pub(crate) struct Base {
    pub(crate) cx: Cx,
    pub(crate) table: Table,
    pub(crate) sealer: Sealer,
    pub(crate) own: Own,
    pub(crate) own_addresses: OwnAddresses,
    pub(crate) dial_backs: DialBacks,
    pub(crate) links: Links,
    pub(crate) peers: Peers,
    pub(crate) dialer: Dialer,
    pub(crate) hints: Hints,
    pub(crate) occupants: Occupants,
    pub(crate) targets: Targets,
    pub(crate) upstreams: Upstreams,
    pub(crate) contact: Contact,
    pub(crate) mirrors: Mirrors,
    pub(crate) claims: Claims,
    pub(crate) clones: Clones,
    pub(crate) blocked: Blocked,
    pub(crate) wall: Wall,
    pub(crate) pace: Pace,
    pub(crate) standing: Standing,
    pub(crate) tree: Tree,
    pub(crate) outbox: Outbox,
    pub(crate) cycles: Cycles,
    pub(crate) ahead: Ahead,
    pub(crate) named: Named,
}

impl Base {
    pub(crate) fn new(mut cx: Cx, identity: Identity, sealer: Sealer, seed: &[u8; 32]) -> Self {
        let upstreams = Upstreams::new(&identity.addresses, &mut cx);
        let ring = RingKey::new(&cx.config.cluster);
        let mut table = Table::new(cx.id, cx.config.capacity, seed, ring);
        table.disarm(cx.config.disarmed());
        Self {
            table,
            sealer,
            own_addresses: OwnAddresses::new(identity.addresses.clone(), identity.listening, &cx),
            dial_backs: DialBacks::default(),
            own: Own::new(identity.addresses, identity.metadata),
            links: Links::default(),
            peers: Peers::default(),
            dialer: Dialer::default(),
            hints: Hints::new(&cx),
            occupants: Occupants::default(),
            targets: Targets::default(),
            upstreams,
            contact: Contact::default(),
            mirrors: Mirrors::default(),
            claims: Claims::default(),
            clones: Clones::default(),
            blocked: Blocked::default(),
            wall: Wall::default(),
            pace: Pace::new(cx.config.round),
            standing: Standing::default(),
            tree: Tree::new(seed),
            outbox: Outbox::default(),
            cycles: Cycles::default(),
            ahead: Ahead::default(),
            named: Named::default(),
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
                self.add_hint(entry.entry());
            }
        }
        overdue
    }

    /// After every record that the table took in: who had to make room for it.
    pub(crate) fn report_evicted(&mut self) {
        for entry in self.table.take_evicted() {
            self.report_one_evicted(entry);
        }
    }

    fn report_one_evicted(&mut self, entry: Gone) {
        self.cx.stats.records_evicted += 1;
        self.cx.event(Event::PeerEvicted { node: entry.node });
        // Where a table is full, most come and go within moments.
        if self.cx.now.saturating_since(entry.first_seen()) >= HELD {
            self.add_hint(entry.entry());
        }
        self.table.keep_evicted(entry);
    }
}
