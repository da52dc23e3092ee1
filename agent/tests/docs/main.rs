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

/// The documents for users, by path.
fn documents() -> Vec<(String, String)> {
    let dir = std::fs::read_dir(file("docs")).expect("docs/");
    let names = dir.map(|entry| entry.expect("an entry").file_name());
    let mut paths: Vec<_> = names
        .map(|name| format!("docs/{}", name.to_string_lossy()))
        .filter(|path| path.ends_with(".md"))
        .collect();
    paths.sort();
    paths.insert(0, "README.md".to_owned());
    let text = |path: String| {
        let text = read(&path);
        (path, text)
    };
    paths.into_iter().map(text).collect()
}
