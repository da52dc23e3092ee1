//! The commands in README.md and docs/: each parses with the real binary or runs in `.ci/run`, and
//! what is shown of those that are marked `console run` is what they print.
#![forbid(unsafe_code)]
// The agents are processes at addresses of 127.0.0.0/8.
#![cfg(target_os = "linux")]

#[path = "../agents/harness/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "another test binary's; a part is enough here"
)]
mod harness;

mod blocks;
mod links;
mod parse;
mod run;
mod stage;

use std::path::PathBuf;

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder whose names end so, in their order.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let dir = std::fs::read_dir(file(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = dir.map(|entry| entry.expect("an entry").file_name());
    let paths = names.map(|name| format!("{folder}/{}", name.to_string_lossy()));
    let paths = paths.map(|path| path.trim_start_matches('/').to_owned());
    let mut paths: Vec<_> = paths.filter(|path| path.ends_with(ending)).collect();
    paths.sort();
    paths
}

/// The documents for users, by path.
fn documents() -> Vec<(String, String)> {
    let mut paths = files("docs", ".md");
    paths.insert(0, "README.md".to_owned());
    let text = |path: String| {
        let text = read(&path);
        (path, text)
    };
    paths.into_iter().map(text).collect()
}
