//! What operators take from this repository: alert rules, the dashboard, `deploy/`.
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

mod alerts;
mod dashboard;
mod exported;
mod image;
mod kubernetes;
mod log_lines;
mod policy;
mod queries;
mod spegel;
mod tools;
mod unit;

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
