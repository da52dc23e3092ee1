//! Replays the committed corpus of the fuzz targets on stable: what once broke, or led to a new
//! place in the code, stays covered by a plain `cargo test`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use peer_exchange::wire::{Decoded, decode};

#[path = "../fuzz/src/lib.rs"]
#[allow(
    unreachable_pub,
    reason = "a crate of its own there, a module of a test here"
)]
mod bodies;

fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let entries = std::fs::read_dir(folder.join(target)).expect("the corpus is committed");
    let mut files: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a readable file");
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

/// Names the input on which a body panics.
struct Playing<'a>(&'a Path);

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("while playing {}", self.0.display());
        }
    }
}

fn replay(target: &str, body: fn(&[u8])) {
    let inputs = inputs(target);
    assert!(inputs.len() >= 10, "{target}: {} inputs", inputs.len());
    for (path, bytes) in &inputs {
        let _playing = Playing(path);
        body(bytes);
    }
}

#[test]
fn decode_holds_on_its_corpus() {
    replay("decode", bodies::decode);
}

#[test]
fn round_trip_holds_on_its_corpus() {
    replay("round_trip", bodies::round_trip);
}

#[test]
fn page_holds_on_its_corpus() {
    replay("page", bodies::page);
}

#[test]
fn filter_holds_on_its_corpus() {
    replay("filter", bodies::filter);
}

#[test]
fn picks_holds_on_its_corpus() {
    replay("picks", bodies::picks);
}

#[test]
fn node_ops_holds_on_its_corpus() {
    replay("node_ops", bodies::node_ops);
}

#[test]
fn snapshot_holds_on_its_corpus() {
    replay("snapshot", bodies::snapshot);
}

#[test]
fn the_corpus_has_messages_of_every_kind() {
    let kinds: BTreeSet<_> = inputs("decode")
        .into_iter()
        .map(|(_, bytes)| match decode(Bytes::from(bytes)) {
            Ok(Decoded::Message(message)) => message.kind().name(),
            Ok(Decoded::UnknownKind) => "unknown kind",
            Err(error) => error.reason(),
        })
        .collect();
    let expected = BTreeSet::from([
        "columns",
        "goodbye",
        "hello",
        "malformed",
        "node_id",
        "page",
        "path",
        "request",
        "response",
        "shows",
        "too_long",
        "unknown kind",
        "update",
    ]);
    let missing: Vec<_> = expected.difference(&kinds).collect();
    assert!(missing.is_empty(), "no input for {missing:?}");
}
