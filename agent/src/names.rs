//! Names of nodes: each agent puts its name and labels into its record's metadata.
//!
//! The metadata is text, one `key=value` a line, `name` first. What other programs put there is
//! nobody's name. What is read there is shown with everything in it seen, and nodes of one name are told
//! apart by their IDs.

use crate::visible;
use peer_exchange::{Node, NodeId};
use std::collections::{BTreeMap, HashMap};

/// The metadata of a node with this name.
pub(crate) fn metadata(name: &str, labels: &BTreeMap<String, String>) -> Vec<u8> {
    let mut text = format!("name={name}");
    for (key, value) in labels {
        text += &format!("\n{key}={value}");
    }
    text.into_bytes()
}

/// The name in a record's metadata, made safe to be shown.
pub(crate) fn name(metadata: &[u8]) -> Option<String> {
    let (_, value) = lines(metadata).find(|(key, _)| *key == "name")?;
    let name: String = value
        .chars()
        .filter(|c| !c.is_control())
        .take(128)
        .collect();
    (!name.trim().is_empty()).then(|| visible::shown(&name))
}

/// The labels in a record's metadata.
pub(crate) fn labels(metadata: &[u8]) -> BTreeMap<String, String> {
    lines(metadata)
        .filter(|(key, _)| *key != "name")
        .map(|(key, value)| (visible::shown(key), visible::shown(value)))
        .collect()
}

fn lines(metadata: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let text = std::str::from_utf8(metadata).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('='))
}

/// What a node is called in messages: its name and the start of its ID, or the ID's start alone.
pub(crate) fn shown(node: &NodeId, metadata: Option<&[u8]>) -> String {
    match metadata.and_then(name) {
        Some(name) => format!("{name} ({node:?})"),
        None => format!("{node:?}"),
    }
}

/// How many nodes have which name. Where the ID is not beside it, a name that more than one of all that
/// are known has is followed by the start of the ID.
#[derive(Default)]
pub(crate) struct Namesakes(HashMap<String, usize>);

impl Namesakes {
    /// Of all these, each the name of one node.
    pub(crate) fn among(names: impl IntoIterator<Item = String>) -> Self {
        let mut count = HashMap::new();
        for name in names {
            *count.entry(name).or_default() += 1;
        }
        Self(count)
    }

    /// Of all that a node knows, those that are down or have left among them, and itself.
    pub(crate) fn known_to(node: &Node, own: &str) -> Self {
        let others = node.members().filter_map(|peer| name(&peer.metadata));
        Self::among(others.chain([own.to_owned()]))
    }

    /// How many nodes have this name, where it is more than one.
    pub(crate) fn several(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied().filter(|count| *count > 1)
    }

    /// What to call the node whose ID starts like this.
    pub(crate) fn call(&self, name: &str, id: &str) -> String {
        match self.several(name) {
            None => name.to_owned(),
            Some(_) => format!("{name} ({id})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_labels_are_read_as_written() {
        let zone = BTreeMap::from([("zone".to_owned(), "a=b".to_owned())]);
        let bytes = metadata("server1", &zone);
        assert_eq!(name(&bytes).as_deref(), Some("server1"));
        assert_eq!(labels(&bytes), zone);
    }

    #[test]
    fn what_others_write_there_is_harmless() {
        for metadata in [&b"\xff\xfe"[..], b"", b"name=", b"name=\x1b\x07", b"x"] {
            assert_eq!(name(metadata), None, "{metadata:?}");
        }
        assert_eq!(name(b"name=a\x1b[2Jb").as_deref(), Some("a[2Jb"));
        let turned = "name=a\u{202e}b\nz\u{200b}=\u{2066}".as_bytes();
        assert_eq!(name(turned).as_deref(), Some("a\\u202eb"));
        let label = ("z\\u200b".to_owned(), "\\u2066".to_owned());
        assert_eq!(labels(turned), BTreeMap::from([label]));
    }

    #[test]
    fn nodes_of_one_name_are_told_apart() {
        let names = ["a", "b", "a"].map(str::to_owned);
        let namesakes = Namesakes::among(names);
        assert_eq!(namesakes.call("a", "01"), "a (01)");
        assert_eq!(namesakes.several("a"), Some(2));
        assert_eq!(namesakes.several("b"), None);
        assert_eq!(namesakes.call("b", "02"), "b");
        assert_eq!(namesakes.call("c", "03"), "c");
    }
}
