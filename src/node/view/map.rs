//! The map of the topology: who asks whom, as records say (R47).

use alloc::vec::Vec;

use crate::id::{NodeId, Prefix};
use crate::node::Node;
use crate::record;

/// Whom a live node asks, as its record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AskerView {
    /// Who.
    pub node: NodeId,
    /// Its metadata.
    pub metadata: Vec<u8>,
    /// The nodes that have answered at its upstreams, in the order of its configuration.
    pub upstreams: Vec<NamedUpstream>,
    /// It has more upstreams than a record names
    /// ([`contract::UPSTREAMS_NAMED`](crate::contract::UPSTREAMS_NAMED)), and names none.
    pub many: bool,
}

/// An upstream that a record names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedUpstream {
    /// A live node of which there is a record here.
    Known(NodeId),
    /// There is none here: it is down or has left, or this node's table is full. These are the first
    /// bytes of its ID.
    Unknown([u8; 8]),
}

impl Node {
    /// Who asks whom among the live nodes, this one included: as far as their records are known here,
    /// those that a full table keeps beyond its capacity too (see [`is_crowded`](Self::is_crowded)).
    /// In the order of their IDs. It takes a copy of what all records say of it.
    #[must_use]
    pub fn topology(&self) -> Vec<AskerView> {
        let mut living: Vec<_> = self.base.table.living().collect();
        living.sort_unstable_by_key(|entry| entry.node);
        let nodes: Vec<NodeId> = living.iter().map(|entry| entry.node).collect();
        let upstream = |prefix: Prefix| {
            let at = nodes.partition_point(|node| node.prefix() < prefix);
            match nodes.get(at) {
                Some(node) if node.prefix() == prefix => NamedUpstream::Known(*node),
                _ => NamedUpstream::Unknown(prefix.0),
            }
        };
        let view = |body: &[u8], node| AskerView {
            node,
            metadata: record::metadata(body).to_vec(),
            upstreams: record::upstreams(body).map(upstream).collect(),
            many: record::has_many_upstreams(body),
        };
        living.iter().map(|e| view(e.body(), e.node)).collect()
    }

    /// More nodes are known of than the table has room for ([`Config::capacity`](crate::Config::capacity)):
    /// it has a choice of them (R22), which lasts until it is half empty.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.base.table.is_crowded()
    }
}
