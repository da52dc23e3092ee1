//! cloud-config: the files that cloud-init writes on a host, and the commands that it runs.

use crate::check::yaml::{Entry, Tree};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use std::io::Read;

/// A file is small, and may unpack to no more.
const MAX_BYTES: u64 = 4 << 20;

/// One file, or one command.
pub(super) struct Part {
    /// Where the host has it; nothing for a command.
    pub(super) path: Option<String>,
    pub(super) text: String,
    /// Where it begins, and whether its lines are those of the document.
    pub(super) line: u64,
    pub(super) exact: bool,
}

/// The files and commands of a document, and what of it cannot be read, with its line.
pub(super) fn parts(tree: &Tree, text: &str) -> (Vec<Part>, Vec<(u64, String)>) {
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    for item in tree.get("write_files").map_or(&[][..], Tree::items) {
        let path = item.value.get("path").and_then(Tree::text);
        let (Some(path), Some(content)) = (path, item.value.entry("content")) else {
            continue;
        };
        let encoding = item
            .value
            .get("encoding")
            .and_then(Tree::text)
            .unwrap_or_default();
        match decoded(content, encoding) {
            Ok(decoded) => {
                let exact = encoding.is_empty() && is_block(text, content.line);
                parts.push(Part {
                    path: Some(path.to_owned()),
                    text: decoded,
                    line: if exact {
                        content.line + 1
                    } else {
                        content.line
                    },
                    exact,
                });
            }
            Err(fault) => faults.push((content.line, format!("`content` of {path} {fault}"))),
        }
    }
    for key in ["bootcmd", "runcmd"] {
        for item in tree.get(key).map_or(&[][..], Tree::items) {
            let text = match &item.value {
                Tree::Text(text) => text.clone(),
                Tree::List(words) => words
                    .iter()
                    .filter_map(|word| Some(quoted(word.value.text()?)))
                    .collect::<Vec<_>>()
                    .join(" "),
                _ => continue,
            };
            parts.push(Part {
                path: None,
                text,
                line: item.line,
                exact: false,
            });
        }
    }
    (parts, faults)
}

/// The names that it gives to the host.
pub(super) fn names(tree: &Tree) -> impl Iterator<Item = &str> {
    ["hostname", "fqdn"]
        .into_iter()
        .filter_map(|key| tree.get(key)?.text())
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Whether the value of the key on this line is a block of lines below it.
fn is_block(text: &str, line: u64) -> bool {
    let line = text
        .lines()
        .nth(line.saturating_sub(1) as usize)
        .unwrap_or_default();
    line.trim_end().trim_end_matches(['-', '+']).ends_with('|')
}

fn decoded(content: &Entry, encoding: &str) -> Result<String, String> {
    let text = match &content.value {
        Tree::Text(text) => text.as_str(),
        Tree::Null => "",
        _ => return Err("is no text".into()),
    };
    let encoding = encoding.to_ascii_lowercase();
    let mut bytes = text.as_bytes().to_vec();
    if encoding.contains("b64") || encoding.contains("base64") {
        let packed: String = text.split_whitespace().collect();
        bytes = STANDARD
            .decode(packed)
            .map_err(|_| "is no base64".to_owned())?;
    }
    if encoding.contains("gz") {
        let mut unpacked = Vec::new();
        let read = GzDecoder::new(bytes.as_slice())
            .take(MAX_BYTES + 1)
            .read_to_end(&mut unpacked);
        if read.is_err() || unpacked.len() as u64 > MAX_BYTES {
            return Err(format!("does not unpack to at most {MAX_BYTES} bytes"));
        }
        bytes = unpacked;
    }
    String::from_utf8(bytes).map_err(|_| "is no text".into())
}
