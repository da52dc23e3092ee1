//! YAML, and JSON with it, as a tree whose parts know their lines.

use crate::input::InputError;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Budget, DuplicateKeyPolicy, Options, Spanned};
use std::fmt;
use std::path::Path;

/// What a host's file should hold, for messages.
pub(super) const EXPECTED: &str =
    "a YAML mapping of RKE2 or K3s settings, such as `server: https://server1:9345`";

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    /// Every scalar as text: those programs make flags of them.
    Text(String),
    List(Vec<Item>),
    /// In file order; a repeated key is there twice.
    Map(Vec<Entry>),
}

/// One item of a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) line: u64,
    pub(super) value: Tree,
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands, counted from 1.
    pub(super) line: u64,
    /// Where the value begins.
    pub(super) value_line: u64,
    pub(super) value: Tree,
}

impl Tree {
    /// The last value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Item] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads one document.
pub(super) fn tree(path: &Path, text: &str, first_line: u64) -> Result<Tree, InputError> {
    let tree: Tree = document(path, text, first_line)?;
    Ok(tree)
}

/// Reads the first document of a text, whose first line has this number in its file, as whatever type.
pub(super) fn document<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    first_line: u64,
) -> Result<T, InputError> {
    let mut bytes = text.as_bytes();
    let mut documents = serde_saphyr::read_with_options::<_, Option<T>>(&mut bytes, options(text));
    match documents.next() {
        Some(Ok(Some(value))) => return Ok(value),
        Some(Err(error)) => return Err(describe(path, text, first_line, &error)),
        Some(Ok(None)) | None => {}
    }
    // An empty document: whatever the type makes of nothing.
    serde_saphyr::from_str("~").map_err(|error| describe(path, text, first_line, &error))
}

fn options(text: &str) -> Options {
    let mut budget = Budget::default();
    // Limits by the size of the text, which is itself limited; what aliases add is not.
    budget.max_events += text.len();
    budget.max_nodes += text.len();
    budget.max_total_scalar_bytes += text.len();
    serde_saphyr::options! {
        // As those programs do; a later value of a key wins.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        leading_zero_numbers_as_strings: true,
        budget: Some(budget),
    }
}

/// The library's message without what it quotes: that may be a password.
fn describe(path: &Path, text: &str, first_line: u64, error: &serde_saphyr::Error) -> InputError {
    let full = error.without_snippet().to_string();
    let what = full
        .lines()
        .next()
        .unwrap_or("not YAML")
        .trim_end_matches(':');
    let what = if what.contains(['"', '\'', '`']) {
        "not valid YAML"
    } else {
        what
    };
    let template = ["{{", "{%"].into_iter().find(|mark| text.contains(mark));
    let problem = match template {
        Some(mark) => format!(
            "a template that is not filled in (`{mark}`): give the file as it is on the host; expected {EXPECTED}"
        ),
        None => format!("{what}; expected {EXPECTED}"),
    };
    // The parser may notice at the end of the file, one line behind the last.
    let last = (text.lines().count() as u64).max(1);
    let line = match error.location() {
        Some(location) if location.line() > 0 => location.line().min(last),
        _ => last,
    };
    InputError::line(path, first_line + line - 1, problem)
}

/// The documents of a stream, each with the number of its first line.
pub(super) fn documents(text: &str) -> Vec<(u64, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    // What belongs to the document that follows: directives; what holds nothing is dropped.
    let (mut holds, mut directive) = (false, false);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let begins = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if begins && holds {
            documents.push((first_line, &text[start..offset]));
            (start, first_line, holds) = (offset, number, false);
        } else if begins && !directive {
            (start, first_line) = (offset, number);
        }
        directive = line.starts_with('%') || directive && !begins;
        let content = if begins {
            line[3..].trim()
        } else {
            line.trim()
        };
        holds |= !(content.is_empty() || content.starts_with(['#', '%']));
        offset += line.len();
    }
    if holds || documents.is_empty() {
        documents.push((first_line, &text[start..]));
    }
    documents
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

macro_rules! scalars {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, value: $type) -> Result<Tree, E> {
            Ok(Tree::Text(value.to_string()))
        })*
    };
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    scalars!(
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128,
        visit_f64: f64, visit_str: &str
    );

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Tree>>()? {
            items.push(Item {
                line: item.referenced.line(),
                value: item.value,
            });
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<Tree>>()? {
            let value = map.next_value::<Spanned<Tree>>()?;
            if let Tree::Text(text) = key.value {
                entries.push(Entry {
                    key: text,
                    line: key.referenced.line(),
                    value_line: value.referenced.line(),
                    value: value.value,
                });
            }
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_with_their_lines() {
        let text = "---\na: 1\n--- # x\n\n---\nb: |\n  c\n";
        let found = documents(text);
        assert_eq!(found, [(1, "---\na: 1\n"), (5, "---\nb: |\n  c\n")]);
        assert_eq!(documents(""), [(1, "")]);
        assert_eq!(documents("%YAML 1.2\n---\na\n").len(), 1);
        let tree = tree(Path::new("x"), found[1].1, 5).unwrap();
        assert_eq!(tree.get("b").and_then(Tree::text), Some("c\n"));
    }

    #[test]
    fn a_message_quotes_nothing() {
        for text in [
            "a: *secretalias\n",
            "a: [secretalias\n",
            "a: \"\\secretalias\"\n",
            "secretalias: {]\n",
        ] {
            let error = tree(Path::new("x"), text, 1).unwrap_err().to_string();
            assert!(
                !error.contains("secretalias") && error.starts_with("x:"),
                "{error}"
            );
        }
    }
}
