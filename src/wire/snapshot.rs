//! The encoded form of a snapshot.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use super::generated as pb;
use crate::id::NodeId;
use crate::record::Sequence;
use crate::seal::Accuser;
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
    pub(crate) downs: Vec<SavedDown>,
}

/// A node that is down.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SavedDown {
    pub(crate) node: NodeId,
    pub(crate) at: Sequence,
    pub(crate) remaining_s: u32,
    pub(crate) body: Bytes,
    pub(crate) accused_by: Vec<Accuser>,
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
            downs: self.downs.into_iter().map(SavedDown::encode).collect(),
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
            downs: decode_downs(m.downs).map_err(SnapshotError::Inconsistent)?,
        })
    }
}

fn decode_downs(downs: Vec<pb::Down>) -> Result<Vec<SavedDown>, decode::DecodeError> {
    downs.into_iter().map(SavedDown::decode).collect()
}

fn saved(by: Accuser) -> pb::Accuser {
    let signature = by.signature.as_deref().map_or(&[][..], |s| &s[..]);
    pb::Accuser {
        node: encode::path(&[by.node]),
        signature: Bytes::copy_from_slice(signature),
    }
}

fn accuser(m: &pb::Accuser) -> Option<Accuser> {
    let signature = match m.signature.len() {
        0 => None,
        _ => Some(Box::new(m.signature[..].try_into().ok()?)),
    };
    Some(Accuser {
        node: NodeId::from_slice(&m.node)?,
        signature,
    })
}

impl SavedDown {
    fn encode(self) -> pb::Down {
        pb::Down {
            node: encode::path(&[self.node]),
            version: self.at.version,
            beat: self.at.beat,
            remaining: self.remaining_s,
            body: self.body,
            accused_by: self.accused_by.into_iter().map(saved).collect(),
        }
    }

    fn decode(m: pb::Down) -> Result<Self, decode::DecodeError> {
        let wrong = || decode::DecodeError::NodeId("downs");
        let accused_by = m.accused_by.iter().map(accuser);
        Ok(Self {
            node: NodeId::from_slice(&m.node).ok_or_else(wrong)?,
            at: Sequence {
                version: m.version,
                beat: m.beat,
            },
            remaining_s: m.remaining,
            body: m.body,
            accused_by: accused_by.collect::<Option<_>>().ok_or_else(wrong)?,
        })
    }
}
