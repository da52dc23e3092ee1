//! What a node keeps across restarts, as bytes (R29).

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::addr::Multiaddr;
use crate::config::{Config, Identity};
use crate::contract;
use crate::effect::Event;
use crate::error::{SnapshotError, StartError};
use crate::id::NodeId;
use crate::limits::caps;
use crate::node::Node;
use crate::node::base::Base;
use crate::node::state::hints::Kept;
use crate::record::{BodyInfo, Sequence, check_body, usable_addresses, write_body};
use crate::rng;
use crate::table::{Merged, Word, certificate_life};
use crate::time::Instant;
use crate::wire::{RecordsBuilder, RefusalsBuilder, SavedDown, Snapshot, WireRecord};

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

/// What a hint is worth, its failures and what is left of it travel as version, beat and life.
fn push_hint(hints: &mut RecordsBuilder, node: NodeId, addresses: &[Multiaddr], kept: Kept) {
    let body = write_body(addresses, &[], contract::DEFAULT_LIFETIME);
    let hint = WireRecord {
        node,
        sequence: Sequence {
            version: kept.worth,
            beat: kept.failures,
        },
        remaining_s: kept.left.as_secs() as u32,
        body: &body,
        signature: None,
    };
    hints.push(hint, usize::MAX);
}

/// As [`push_hint`] has written it, so much later.
fn kept(hint: WireRecord<'_>, elapsed: Option<Duration>) -> Kept {
    if hint.remaining_s == 0 {
        return Kept::default();
    }
    let left = Duration::from_secs(u64::from(hint.remaining_s));
    Kept {
        worth: hint.sequence.version,
        failures: hint.sequence.beat,
        left: left.saturating_sub(elapsed.unwrap_or_default()),
    }
}

impl Node {
    /// The table, the own record and its sequence, the dead certificates and the dial hints, as bytes to be
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
        for entry in base.table.entries() {
            if let Some(mut record) = entry.to_wire(now) {
                if base.sealer.is_off() {
                    // Nobody has checked it: what reads this later would take it for proof.
                    record.signature = None;
                }
                records.push(record, usize::MAX);
                continue;
            }
            if entry.node == base.cx.id {
                continue;
            }
            let life = certificate_life(entry.lifetime());
            dead.push(&entry.node, entry.sequence(), life);
            let addresses = entry.addresses(base.cx.config.local);
            if !addresses.is_empty() {
                push_hint(&mut hints, entry.node, &addresses, Kept::default());
            }
        }
        for (node, sequence, until) in base.table.certificates() {
            dead.push(&node, sequence, until.saturating_since(now));
        }
        let mut downs = Vec::new();
        for down in base.table.downs() {
            let (node, left) = (down.last.node, down.until().saturating_since(now));
            if left.is_zero() {
                let life = certificate_life(contract::DEFAULT_LIFETIME);
                dead.push(&node, down.at, life);
                continue;
            }
            downs.push(SavedDown {
                node,
                at: down.at,
                remaining_s: left.as_secs() as u32,
                body: Bytes::copy_from_slice(down.last.entry().body()),
                accused_by: down.by.clone(),
            });
        }
        for (node, addresses, kept) in base.hints.iter(now) {
            push_hint(&mut hints, *node, addresses, kept);
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
            downs,
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
        let own_cluster = snapshot.cluster == rng::cluster_hash(&base.cx.config.cluster);
        let elapsed = elapsed.filter(|_| own_cluster);
        base.resume_own(&snapshot, elapsed);
        if base.own.is_published() {
            base.publish_own()?;
            base.schedule_renewal();
        }
        for hint in snapshot.hints.iter() {
            base.hint_from(hint, kept(hint, elapsed));
        }
        let Some(elapsed) = elapsed else {
            let own = base.cx.id;
            let others = snapshot.records.iter().filter(|r| r.node != own);
            let records = others.take(caps::HINTS);
            let downs = snapshot.downs.iter().take(caps::HINTS);
            for record in records.chain(downs.map(SavedDown::record)) {
                base.hint_from(record, Kept::default());
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
        for down in snapshot.downs.into_iter().take(caps::DOWNS) {
            base.restore_down(down, elapsed);
        }
        Ok(node)
    }
}

impl SavedDown {
    fn record(&self) -> WireRecord<'_> {
        WireRecord {
            node: self.node,
            sequence: self.at,
            remaining_s: self.remaining_s,
            body: &self.body,
            signature: None,
        }
    }
}

/// What is left of a life, in seconds, when so much more has passed.
fn left_after(remaining_s: u32, elapsed: Duration) -> u32 {
    let passed = elapsed.as_secs().saturating_add(1);
    u64::from(remaining_s).saturating_sub(passed) as u32
}

impl Base {
    /// Goes on above the own sequence, or at it where the record would be the same.
    fn resume_own(&mut self, snapshot: &Snapshot, elapsed: Option<Duration>) {
        self.own.resume(snapshot.own, snapshot.longest_life);
        let own = snapshot.records.iter().find(|r| r.node == self.cx.id);
        if let Some((own, elapsed)) = own.zip(elapsed) {
            let left = Duration::from_secs(left_after(own.remaining_s, elapsed).into());
            let until = self.cx.now + left;
            self.own
                .keep_earlier(own.sequence, own.body.to_vec(), until);
        }
    }

    fn hint_from(&mut self, record: WireRecord<'_>, kept: Kept) {
        let addresses = usable_addresses(record.body, self.cx.config.local);
        self.restore_hint(record.node, addresses, kept);
    }

    /// What was down is down still, unless its record has ended since.
    fn restore_down(&mut self, down: SavedDown, elapsed: Duration) {
        let left = left_after(down.remaining_s, elapsed);
        let record = WireRecord {
            remaining_s: left,
            ..down.record()
        };
        if left == 0 {
            let life = contract::DEFAULT_LIFETIME;
            self.table.bury(self.cx.now, down.node, down.at, life);
        } else {
            let by = down.accused_by.iter().take(caps::ACCUSERS).cloned();
            self.table.restore_down(self.cx.now, record, by.collect());
        }
    }

    /// A record that has ended since is a hint: its certificate says that it stays dead.
    fn restore_record(&mut self, record: WireRecord<'_>, elapsed: Duration) {
        let node = record.node;
        if node == self.cx.id {
            return;
        }
        if record.signature.is_none() && self.sealer.is_required() {
            self.hint_from(record, Kept::default());
            return;
        }
        let left = left_after(record.remaining_s, elapsed);
        if left == 0 {
            let life = check_body(record.body).map_or(contract::TOMBSTONE_LIFETIME, BodyInfo::life);
            self.table.bury(self.cx.now, node, record.sequence, life);
            self.hint_from(record, Kept::default());
            return;
        }
        let record = WireRecord {
            remaining_s: left,
            signature: record.signature.filter(|_| !self.sealer.is_off()),
            ..record
        };
        let merged = self
            .table
            .merge(self.cx.now, record, None, &|_| false, Word::Own);
        self.report_evicted();
        if let Merged::New(slot) = merged {
            if self.table.get(slot).is_some_and(|e| !e.is_tombstone()) {
                self.cx.event(Event::PeerUp { node });
            }
        }
    }
}
