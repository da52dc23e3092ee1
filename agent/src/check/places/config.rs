//! `config.yaml` and the files beside it: each key is a flag without its dashes.

use super::{Key, Level, Setting, Text, Value};
use crate::check::yaml::{Entry, Tree};

/// The settings of one file, in its order.
pub(in crate::check) fn settings(tree: &Tree, place: &Text<'_>, level: Level) -> Vec<Setting> {
    let setting = |entry: &Entry| {
        let (name, append) = match entry.key.strip_suffix('+') {
            Some(name) => (name, true),
            None => (entry.key.as_str(), false),
        };
        Some(Setting {
            key: Key::of_flag(name).filter(|_| !name.starts_with('-'))?,
            value: value(&entry.value),
            append,
            spelled: entry.key.clone(),
            level,
            source: "configuration file",
            file: place.file.clone(),
            line: place.line(entry.line),
        })
    };
    tree.entries().iter().filter_map(setting).collect()
}

fn value(tree: &Tree) -> Value {
    match tree {
        Tree::Null => Value::Texts(vec![String::new()]),
        Tree::Text(text) => Value::Texts(vec![text.clone()]),
        Tree::Map(_) => Value::Mapping,
        Tree::List(items) => {
            let mut texts = Vec::new();
            for item in items {
                if let Value::Texts(found) = value(&item.value) {
                    texts.extend(found);
                }
            }
            Value::Texts(texts)
        }
    }
}
