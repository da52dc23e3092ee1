//! What a node keeps across restarts, as bytes (R29).

use alloc::vec::Vec;
use core::time::Duration;

use crate::addr::Multiaddr;
use crate::config::{Config, Identity};
use crate::contract;
use crate::effect::Event;
use crate::error::{SnapshotError, StartError};
use crate::id::NodeId;
use crate::limits::caps;
use crate::node::Node;
use crate::node::base::Base;
use crate::record::{BodyInfo, Sequence, check_body, usable_addresses, write_body};
use crate::rng;
use crate::table::{Merged, Via, certificate_life};
use crate::time::Instant;
use crate::wire::{RecordsBuilder, RefusalsBuilder, Snapshot, WireRecord};

/// Certificates on their way into a snapshot.
#[derive(Default)]
struct Dead {
    list: RefusalsBuilder,
    lifetimes: Vec<u32>,
}

impl Dead {
    fn push(&mut self, node: &NodeId, sequence: Sequence, left: Duration) {
        self.list.push(node, sequence);
        self.lifetimes.push(left.as_secs() as u32);
    }
}

fn push_hint(hints: &mut RecordsBuilder, node: NodeId, addresses: &[Multiaddr]) {
    let body = write_body(addresses, &[], contract::DEFAULT_LIFETIME);
    let hint = WireRecord {
        node,
        sequence: Sequence::default(),
        remaining_s: 0,
        body: &body,
        signature: None,
    };
    hints.push(hint, usize::MAX);
}

impl Node {
    /// The table, the own sequence, the dead certificates and the dial hints, as bytes to be
    /// given to [`restore`](Self::restore). The embedder stores them, with the wall clock's time
    /// and a checksum.
    ///
    /// Lifetimes are as of `now`, however long ago the node was given its last input: a record
    /// that has ended since is not in it as a live one.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Vec<u8> {
        let base = &self.base;
        let now = base.cx.now.max(now);
        let mut records = RecordsBuilder::default();
        let mut dead = Dead::default();
        let mut hints = RecordsBuilder::default();
        for entry in base.table.entries().filter(|e| e.node != base.cx.id) {
            if let Some(mut record) = entry.to_wire(now) {
                if base.sealer.is_off() {
                    // Nobody has checked it: what reads this later would take it for proof.
                    record.signature = None;
                }
                records.push(record, usize::MAX);
                continue;
            }
            let life = certificate_life(entry.lifetime());
            dead.push(&entry.node, entry.sequence(), life);
            let addresses = entry.addresses(base.cx.config.local);
            if !addresses.is_empty() {
                push_hint(&mut hints, entry.node, &addresses);
            }
        }
        for (node, sequence, until) in base.table.certificates() {
            dead.push(&node, sequence, until.saturating_since(now));
        }
        for (node, addresses) in base.hints.iter() {
            push_hint(&mut hints, *node, addresses);
        }
        let snapshot = Snapshot {
            node: base.cx.id,
            own: base.own.sequence(),
            longest_life: base.own.longest_life(),
            records: records.finish(),
            dead: dead.list.finish(),
            dead_lifetimes: dead.lifetimes,
            hints: hints.finish(),
            cluster: rng::cluster_hash(&base.cx.config.cluster),
        };
        snapshot.encode()
    }

    /// A node that goes on from a snapshot, `elapsed` after it was taken.
    ///
    /// When `elapsed` is not known (`None`: a clock that cannot be trusted), its records are dial
    /// hints only, neither relayed nor reported: they might raise the dead (R29). So are those of a
    /// cluster of another name and, where records have to be signed, those that are not. The
    /// signatures were checked when the records came; they are not checked again (R50).
    ///
    /// # Errors
    /// Like [`new`](Self::new), and when the bytes are no snapshot of this node.
    pub fn restore(
        config: Config,
        identity: Identity,
        seed: [u8; 32],
        now: Instant,
        snapshot: &[u8],
        elapsed: Option<Duration>,
    ) -> Result<Self, StartError> {
        let snapshot = Snapshot::decode(snapshot)?;
        if snapshot.node != identity.node {
            return Err(SnapshotError::OtherNode.into());
        }
        let mut node = Self::new(config, identity, seed, now)?;
        let base = &mut node.base;
        base.own.resume(snapshot.own, snapshot.longest_life);
        base.publish_own()?;
        for hint in snapshot.hints.iter() {
            base.restore_hint(hint);
        }
        let own_cluster = snapshot.cluster == rng::cluster_hash(&base.cx.config.cluster);
        let Some(elapsed) = elapsed.filter(|_| own_cluster) else {
            for record in snapshot.records.iter().take(caps::HINTS) {
                base.restore_hint(record);
            }
            return Ok(node);
        };
        let longest = certificate_life(contract::TOMBSTONE_LIFETIME);
        for ((dead, sequence), left) in snapshot.dead.iter().zip(snapshot.dead_lifetimes) {
            let left = Duration::from_secs(u64::from(left)).min(longest);
            if left > elapsed {
                let until = now + (left - elapsed);
                base.table.restore_certificate(dead, sequence, until);
            }
        }
        for record in snapshot.records.iter() {
            base.restore_record(record, elapsed);
        }
        base.pace.set_may_be_stale();
        Ok(node)
    }
}

impl Base {
    fn restore_hint(&mut self, record: WireRecord<'_>) {
        if record.node != self.cx.id {
            let addresses = usable_addresses(record.body, self.cx.config.local);
            self.add_hint(record.node, addresses);
        }
    }

    /// A record that has ended since is a hint: its certificate says that it stays dead.
    fn restore_record(&mut self, record: WireRecord<'_>, elapsed: Duration) {
        let node = record.node;
        if node == self.cx.id {
            return;
        }
        if record.signature.is_none() && self.sealer.is_required() {
            self.restore_hint(record);
            return;
        }
        let passed = elapsed.as_secs().saturating_add(1);
        let left = u64::from(record.remaining_s).saturating_sub(passed);
        if left == 0 {
            let life = check_body(record.body).map_or(contract::TOMBSTONE_LIFETIME, BodyInfo::life);
            self.table.bury(self.cx.now, node, record.sequence, life);
            self.restore_hint(record);
            return;
        }
        let record = WireRecord {
            remaining_s: left as u32,
            signature: record.signature.filter(|_| !self.sealer.is_off()),
            ..record
        };
        let merged = self
            .table
            .merge(self.cx.now, record, Via::default(), &|_| false, true);
        self.report_evicted();
        if let Merged::New(slot) = merged {
            if self.table.get(slot).is_some_and(|e| !e.is_tombstone()) {
                self.cx.event(Event::PeerUp { node });
            }
        }
    }
}
