//! Objects of Kubernetes: nodes, each a host; everything else is named by its kind.

use super::Reader;
use super::group::{Rank, Started};
use super::locate::Located;
use super::recognise::Reason;
use crate::address::HostKey;
use crate::check::places::{NodeObject, Text, from_json, from_yaml, node_args_lines};
use crate::check::yaml;
use crate::input::InputError;
use std::collections::BTreeMap;
use std::path::PathBuf;

const NODES_INSTEAD: &str = "of the objects of Kubernetes only nodes tell how a host was started: give what `kubectl get nodes -o json` prints, or each host's own files";

/// Whether a text holds such objects.
pub(super) fn is_objects(text: &str) -> bool {
    if is_json(text) {
        return text.contains("\"kind\"") && text.contains("\"apiVersion\"");
    }
    yaml::documents(text)
        .iter()
        .any(|(_, document)| is_object(document))
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn is_object(document: &str) -> bool {
    let has = |key: &str| {
        document
            .lines()
            .any(|line| line.strip_prefix("- ").unwrap_or(line).starts_with(key))
    };
    has("apiVersion:") && has("kind:")
}

/// The same without what makes lists of nodes long and tells nothing here, line for line: YAML is slow to parse.
fn without_bulk(text: &str) -> String {
    const BULK: [&str; 4] = ["images:", "managedFields:", "conditions:", "volumesInUse:"];
    let mut short = String::with_capacity(text.len() / 8);
    // How far the key is indented whose lines are left out.
    let mut left_out: Option<usize> = None;
    for line in text.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        let inside = |key: usize| {
            content.is_empty() || indent > key || indent == key && content.starts_with("- ")
        };
        left_out = left_out.filter(|key| inside(*key));
        if left_out.is_none() && BULK.contains(&content.trim_end()) {
            left_out = Some(indent);
        }
        if left_out.is_none() {
            short.push_str(line);
        }
        short.push('\n');
    }
    short
}

/// Nodes, and how many there are of each other kind.
#[derive(Default)]
struct Found {
    nodes: Vec<NodeObject>,
    others: BTreeMap<String, usize>,
}

impl Found {
    fn add(&mut self, object: NodeObject, listed: Option<&str>) {
        let kind = object.kind.as_deref().or(listed).unwrap_or_default();
        match kind {
            // Objects of a typed list do not repeat their kind.
            "NodeList" => object
                .items
                .into_iter()
                .for_each(|item| self.add(item, Some("Node"))),
            "List" => object
                .items
                .into_iter()
                .for_each(|item| self.add(item, None)),
            "Node" => self.nodes.push(object),
            kind => *self.others.entry(kind.to_owned()).or_default() += 1,
        }
    }
}

impl Reader {
    /// Takes every node of a text.
    pub(super) fn objects(&mut self, text: &Text<'_>) -> Result<(), InputError> {
        let mut found = Found::default();
        if is_json(text.text) {
            for object in from_json(&text.file, text.text)? {
                found.add(object, None);
            }
        } else {
            let short = without_bulk(text.text);
            for (line, document) in yaml::documents(&short) {
                if document
                    .trim_start_matches("---")
                    .trim_start()
                    .starts_with('-')
                {
                    for object in from_yaml::<Vec<NodeObject>>(&text.file, document, line)? {
                        found.add(object, None);
                    }
                } else {
                    found.add(from_yaml(&text.file, document, line)?, None);
                }
            }
        }
        let lines = node_args_lines(text.text);
        let with_args = found.nodes.iter().filter(|node| node.has_args()).count();
        for (kind, count) in &found.others {
            let kind = if kind.is_empty() { "no kind" } else { kind };
            let what = match count {
                1 => format!("an object of Kubernetes, kind {kind}"),
                _ => format!("{count} objects of Kubernetes, kind {kind}"),
            };
            self.skip(&text.file, None, Reason::instead(what, NODES_INSTEAD));
        }
        let mut number = 0;
        for node in found.nodes {
            // Lines are only certain where each node has one.
            let line = if lines.len() == with_args {
                lines.get(number).copied()
            } else {
                None
            };
            number += usize::from(node.has_args());
            self.node(&node, text, line.unwrap_or(1))?;
        }
        Ok(())
    }

    fn node(&mut self, node: &NodeObject, text: &Text<'_>, line: u64) -> Result<(), InputError> {
        let name = node.name().unwrap_or_default();
        let Some(launch) = node.launch(text, line)?.filter(|_| !name.is_empty()) else {
            let what = format!(
                "node {name}: without the annotation k3s.io/node-args or rke2.io/node-args, by which RKE2 and K3s tell their flags"
            );
            self.skip(&text.file, None, Reason::new(what));
            return Ok(());
        };
        let located = Located {
            root: text.file.to_path_buf(),
            stem: Some(name.to_owned()),
            inside: PathBuf::new(),
            base: None,
        };
        let file = text.file.clone();
        let group = self.group(&located);
        group.names = vec![name.to_owned()];
        group.own.push(HostKey::new(name));
        group.own.extend(node.own().map(HostKey::new));
        group.started.push(Started {
            rank: Rank::Node,
            launch,
            file,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_leaves_its_lines() {
        let text =
            "a:\n  images:\n  - b: 1\n    c: 2\n\n  d: 3\nimages: x\nconditions:\n- e\nf: 4\n";
        let short = without_bulk(text);
        assert_eq!(short, "a:\n\n\n\n\n  d: 3\nimages: x\n\n\nf: 4\n");
        assert_eq!(short.lines().count(), text.lines().count());
    }
}
