//! Replays the committed corpus of the fuzz targets on stable: what once broke, or led to a new
//! place in the code, stays covered by a plain `cargo test`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use peer_exchange::wire::{Decoded, decode};
use peer_exchange::{Config, DecodeError, Identity, Instant, Kind, Node, NodeId, PeerFault, Stats};

#[path = "../fuzz/src/lib.rs"]
#[allow(
    unreachable_pub,
    reason = "a crate of its own there, a module of a test here"
)]
mod bodies;

use bodies::{Reached, counters, variant};

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

/// What there is of each group, by the names of the code: a variant that is new is missing until an
/// input of the corpus reaches it.
fn there_is() -> Vec<(&'static str, Vec<String>)> {
    let kinds = || -> Vec<String> { Kind::ALL.iter().map(|k| k.name().into()).collect() };
    let goodbyes = || variants("src/wire/message.rs", "GoodbyeReason");
    let shows = || variants("src/wire/message.rs", "Shows");
    let faults = PeerFault::REASONS.iter().map(|&r| r.into()).collect();
    let counters = counters(&Stats::default())
        .into_iter()
        .map(|(name, _)| name);
    vec![
        ("input", variants("src/input.rs", "Input")),
        ("misuse", variants("src/error.rs", "UsageError")),
        ("received", kinds()),
        ("blame", faults),
        ("own record", variants("src/record/mod.rs", "RecordError")),
        ("record", variants("src/table/merge.rs", "Merged")),
        ("full", names("bytes graves places")),
        (
            "admission",
            with(variants("src/node/guard.rs", "Admission"), BEYOND),
        ),
        ("throttled", kinds()),
        ("shown to it", shows()),
        ("shown by it", shows()),
        ("asked", list(ASKED)),
        ("answer", list(ANSWERS)),
        ("answered", list(ANSWERS)),
        ("exchange", list(EXCHANGES)),
        ("sent", kinds()),
        ("goodbye received", goodbyes()),
        ("goodbye sent", goodbyes()),
        ("mismatch", variants("src/effect.rs", "Mismatch")),
        ("close", variants("src/effect.rs", "CloseReason")),
        ("dial", variants("src/effect.rs", "Target")),
        ("event", variants("src/effect.rs", "Event")),
        ("peer", variants("src/node/view/types.rs", "PeerState")),
        ("kept", kept()),
        ("counter", with(counters.collect(), "detection")),
        (
            "snapshot",
            with(
                variants("src/wire/snapshot.rs", "SnapshotError"),
                "restored",
            ),
        ),
        ("decoded", decoded_names()),
    ]
}

const BEYOND: &str = "beyond its subnet's share";
const ASKED: &[&str] = &["brief", "fetch", "for another", "whole"];
const ANSWERS: &[&str] = &[
    "an estimate",
    "busy",
    "cut",
    "names",
    "records",
    "refusals",
    "renewals",
    "the same",
];
const EXCHANGES: &[&str] = &[
    "a fetch",
    "a late fetch",
    "two of one key are told",
    "what it promised is told",
    "what it wanted has come",
    "what was promised has come",
    "what was wanted is given",
];

/// What these inputs do not reach, and why.
const OUT_OF_REACH: &[(&str, &str, &str)] = &[
    (
        "misuse",
        "NotPolled",
        "each input is followed by polls until there is nothing left",
    ),
    (
        "throttled",
        "hello",
        "it is paid for, and none but the first has an effect",
    ),
    ("throttled", "goodbye", "it ends its link"),
    (
        "throttled",
        "other",
        "it has no effect; beyond the limits it is a flood",
    ),
    (
        "sent",
        "other",
        "a node sends nothing that it does not know",
    ),
    ("goodbye sent", "Unspecified", "a node always says why"),
    (
        "counter",
        "sketches_untold",
        "takes a hundred records, a beat that differs and an answer to just that sketch: no input has \
         found it yet; tests/rules/sketches.rs has it",
    ),
];

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}

fn names(names: &str) -> Vec<String> {
    names.split(' ').map(Into::into).collect()
}

fn with(mut names: Vec<String>, one_more: &str) -> Vec<String> {
    names.push(one_more.into());
    names
}

/// The variants of an enum, as rustfmt writes them.
fn variants(file: &str, of: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).expect("a source file");
    let head = format!("enum {of} {{");
    let body = text.lines().skip_while(|line| !line.ends_with(&head));
    let body = body.skip(1).take_while(|line| *line != "}");
    let name = |line: &str| {
        let line = line.strip_prefix("    ")?;
        let is_one = line.starts_with(|c: char| c.is_ascii_uppercase());
        let end = line.find(|c: char| !c.is_alphanumeric());
        is_one.then(|| line[..end.unwrap_or(line.len())].to_owned())
    };
    let names: Vec<_> = body.filter_map(name).collect();
    assert!(!names.is_empty(), "{file} has no {of}");
    names
}

/// The collections of a node.
fn kept() -> Vec<String> {
    let identity = Identity::new(NodeId::new([1; 32]));
    let node = Node::new(Config::default(), identity, [1; 32], Instant::ZERO);
    let sizes = node.expect("the default configuration").sizes();
    sizes.into_iter().map(|(what, _, _)| what.into()).collect()
}

fn decoded_names() -> Vec<String> {
    let messages = variants("src/wire/message.rs", "Message");
    let errors = variants("src/wire/decode.rs", "DecodeError");
    let pages = variants("src/wire/page/mod.rs", "PageError");
    let pages = pages.into_iter().map(|name| format!("Page({name})"));
    let errors = errors.into_iter().filter(|name| name != "Page");
    let all = messages.into_iter().chain(errors).chain(pages);
    with(all.collect(), "UnknownKind")
}

fn decoded(bytes: Vec<u8>) -> String {
    match decode(Bytes::from(bytes)) {
        Ok(Decoded::Message(message)) => variant(&message),
        Ok(Decoded::UnknownKind) => "UnknownKind".into(),
        Err(DecodeError::Page(error)) => format!("Page({})", variant(&error)),
        Err(error) => variant(&error),
    }
}

/// By the whole corpus.
fn reached() -> Reached {
    let mut all = Reached::default();
    for (path, bytes) in inputs("node_ops") {
        let _playing = Playing(&path);
        all.add_all(&bodies::reached_by(&bytes));
    }
    for (path, bytes) in inputs("snapshot") {
        let _playing = Playing(&path);
        all.add_all(&bodies::reached_by_snapshot(&bytes));
    }
    for (_, bytes) in inputs("decode") {
        all.add("decoded", decoded(bytes), 1);
    }
    all
}

/// One line of the table of a group.
fn line(group: &str, of_it: &BTreeMap<&str, u64>) -> String {
    let counts: Vec<_> = of_it
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    format!("| {group} | {} |", counts.join(", "))
}

/// What is reached, and not in the table there.
fn missing_in_readme(reached: &Reached) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/README.md");
    let text = std::fs::read_to_string(path).expect("it is there");
    let is_listed = |group: &str, name: &str| {
        let head = format!("| {group} | ");
        let line = text.lines().find_map(|line| line.strip_prefix(&head));
        let names = line.into_iter().flat_map(|line| line.split(", "));
        let mut names =
            names.map(|one| one.trim_end_matches(|c: char| !c.is_alphabetic() && c != ')'));
        names.any(|one| one == name)
    };
    let missing = reached
        .iter()
        .filter(|(group, name, _)| !is_listed(group, name));
    missing
        .map(|(group, name, _)| format!("fuzz/README.md: {group} lacks {name}"))
        .collect()
}

/// Prints the table that is in `fuzz/README.md`; its counts are of whatever commit wrote them, its
/// names are compared.
#[test]
fn whatever_there_is_is_reached() {
    let reached = reached();
    let mut by_group: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (group, name, n) in reached.iter() {
        by_group.entry(group).or_default().insert(name, n);
    }
    let mut wrong = Vec::new();
    for (group, names) in there_is() {
        let of_it = by_group.remove(group).unwrap_or_default();
        println!("{}", line(group, &of_it));
        for name in &names {
            let is_out = OUT_OF_REACH
                .iter()
                .any(|(g, n, _)| (*g, *n) == (group, name));
            match (of_it.contains_key(name.as_str()), is_out) {
                (false, false) => wrong.push(format!("{group}: nothing reaches {name}")),
                (true, true) => wrong.push(format!("{group}: {name} is reached after all")),
                _ => {}
            }
        }
        let unknown = of_it
            .keys()
            .filter(|n| !names.iter().any(|name| name == *n));
        wrong.extend(unknown.map(|name| format!("{group}: what is {name}?")));
    }
    wrong.extend(by_group.keys().map(|group| format!("what is {group}?")));
    wrong.extend(missing_in_readme(&reached));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
