//! The encoded form of a snapshot.

use alloc::vec::Vec;
use core::time::Duration;

use prost::Message as _;

use super::generated as pb;
use crate::id::NodeId;
use crate::record::Sequence;
use crate::wire::columns::Refusals;
use crate::wire::page::Records;
use crate::wire::{decode, encode};

/// What a node keeps across restarts.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Snapshot {
    pub(crate) node: NodeId,
    pub(crate) own: Sequence,
    /// The longest life that the node has announced, in whole seconds.
    pub(crate) longest_life: Duration,
    pub(crate) records: Records,
    pub(crate) dead: Refusals,
    pub(crate) dead_lifetimes: Vec<u32>,
    pub(crate) hints: Records,
    /// A hash of the cluster's name.
    pub(crate) cluster: u64,
}

/// Bytes that are no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// They do not parse.
    #[error("the snapshot does not parse: {0}")]
    Malformed(decode::Malformed),
    /// A format that this version does not read.
    #[error("the snapshot has format {0}, this version reads 1")]
    Version(u32),
    /// It names no node, or another than the one that is restored.
    #[error("the snapshot is that of another node")]
    OtherNode,
    /// Its lists do not fit together.
    #[error("the snapshot is inconsistent: {0}")]
    Inconsistent(decode::DecodeError),
}

const FORMAT: u32 = 1;

impl Snapshot {
    pub(crate) fn encode(self) -> Vec<u8> {
        pb::Snapshot {
            version: FORMAT,
            node: encode::path(&[self.node]),
            own_version: self.own.version,
            own_beat: self.own.beat,
            longest_lifetime: self.longest_life.as_secs() as u32,
            records: encode::records(&self.records),
            dead: encode::refusals(self.dead),
            dead_lifetimes: self.dead_lifetimes,
            hints: encode::records(&self.hints),
            cluster: self.cluster,
        }
        .encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let m =
            pb::Snapshot::decode(bytes).map_err(|error| SnapshotError::Malformed(error.into()))?;
        if m.version != FORMAT {
            return Err(SnapshotError::Version(m.version));
        }
        Ok(Self {
            node: NodeId::from_slice(&m.node).ok_or(SnapshotError::OtherNode)?,
            own: Sequence {
                version: m.own_version,
                beat: m.own_beat,
            },
            longest_life: Duration::from_secs(u64::from(m.longest_lifetime)),
            records: decode::records(&m.records).map_err(SnapshotError::Inconsistent)?,
            dead: decode::refusals(m.dead).map_err(SnapshotError::Inconsistent)?,
            dead_lifetimes: m.dead_lifetimes,
            hints: decode::records(&m.hints).map_err(SnapshotError::Inconsistent)?,
            cluster: m.cluster,
        })
    }
}
