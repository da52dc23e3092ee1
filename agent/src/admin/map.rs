//! `/v1/topology`: who asks whom, as their records say.

use super::listing::{Listing, Place};
use super::pages;
use crate::live::Agent;
use crate::names::{self, Namesakes};
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
    /// So many nodes on this map have this name, if more than one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_of: Option<usize>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    one_of: Option<usize>,
    /// It is on this map.
    known: bool,
}

impl Map {
    pub(super) async fn listing(agent: Arc<Agent>) -> Result<Listing, Stopped> {
        let read = agent
            .handle
            .read(|node| (node.topology(), !node.is_crowded()));
        let (askers, complete) = read.await?;
        pages::listed(move || {
            let names = askers.iter().map(|a| (a.node, names::name(&a.metadata)));
            let names: BTreeMap<NodeId, Option<String>> = names.collect();
            let namesakes = Namesakes::among(names.values().flatten().cloned());
            let name = |node: &NodeId| {
                let name = names.get(node)?.clone()?;
                let one_of = namesakes.several(&name);
                Some((name, one_of))
            };
            let place = |asker: &AskerView| {
                let name = names.get(&asker.node).and_then(Option::as_deref);
                Place::new(name, &asker.node.to_string())
            };
            let empty = Self {
                complete,
                nodes: Vec::new(),
            };
            Listing::new("/v1/topology", &empty, askers, place, |asker| {
                Asker::of(&asker, &name)
            })
        })
        .await
    }
}

impl Asker {
    /// `name`: what a node calls itself, and how many have that name, where it is several.
    fn of(view: &AskerView, name: &impl Fn(&NodeId) -> Option<(String, Option<usize>)>) -> Self {
        let asked = |upstream: &NamedUpstream| {
            let (node, named, known) = match upstream {
                NamedUpstream::Known(node) => (node.to_string(), name(node), true),
                NamedUpstream::Unknown(beginning) => (hex(beginning), None, false),
            };
            let (name, one_of) = named.unzip();
            Asked {
                node,
                name,
                one_of: one_of.flatten(),
                known,
            }
        };
        let (own, one_of) = name(&view.node).unzip();
        Self {
            node: view.node.to_string(),
            name: own,
            one_of: one_of.flatten(),
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
