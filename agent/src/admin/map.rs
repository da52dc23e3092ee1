//! `/v1/topology`: who asks whom, as their records say.

use super::listing::{Listing, Place};
use super::pages;
use crate::live::Agent;
use crate::names;
use peer_exchange::driver::Stopped;
use peer_exchange::{AskerView, NamedUpstream, NodeId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// The whole map.
#[derive(Serialize, Debug)]
pub(crate) struct Map {
    /// The table has room for all nodes that this one knows of. Otherwise some are not on the map,
    /// except the nearest to which its own upstreams lead.
    complete: bool,
    /// Sorted by name. Those that are down or have left are not on it. Of a part (`?limit=`) with more
    /// behind it, `next` follows: what to ask next.
    nodes: Vec<Asker>,
}

/// One live node.
#[derive(Serialize, Debug)]
struct Asker {
    node: String,
    name: Option<String>,
    /// In the order of its configuration, as far as they have answered.
    asks: Vec<Asked>,
    /// It has more upstreams than it can name, and names none.
    asks_many: bool,
}

/// One of its upstreams.
#[derive(Serialize, Debug)]
struct Asked {
    /// Its ID; where it is not `known`, the first 16 of the 64 digits.
    node: String,
    name: Option<String>,
    /// It is on this map.
    known: bool,
}

impl Map {
    pub(super) async fn listing(agent: Arc<Agent>) -> Result<Listing, Stopped> {
        let read = agent
            .handle
            .read(|node| (node.topology(), !node.is_crowded()));
        let (askers, complete) = read.await?;
        let place = |asker: &Asker| Place::new(asker.name.as_deref(), &asker.node);
        pages::listed(move || {
            let names = askers.iter().map(|a| (a.node, names::name(&a.metadata)));
            let names: BTreeMap<NodeId, Option<String>> = names.collect();
            let nodes = askers.iter().map(|a| Asker::of(a, &names)).collect();
            let empty = Self {
                complete,
                nodes: Vec::new(),
            };
            Listing::new("/v1/topology", &empty, nodes, place)
        })
        .await
    }
}

impl Asker {
    fn of(view: &AskerView, names: &BTreeMap<NodeId, Option<String>>) -> Self {
        let name = |node: &NodeId| names.get(node).cloned().flatten();
        let asked = |upstream: &NamedUpstream| match upstream {
            NamedUpstream::Known(node) => Asked {
                node: node.to_string(),
                name: name(node),
                known: true,
            },
            NamedUpstream::Unknown(beginning) => Asked {
                node: hex(beginning),
                name: None,
                known: false,
            },
        };
        Self {
            node: view.node.to_string(),
            name: name(&view.node),
            asks: view.upstreams.iter().map(asked).collect(),
            asks_many: view.many,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
