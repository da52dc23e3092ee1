//! `peerx check`, run as people run it: on files, judged by its exit code and what it prints.

mod bad_input;
mod configuration;
mod field;
mod formats;
mod matching;
mod topologies;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Files on disk for one test.
struct Tree(TempDir);

/// What one run printed, and its exit code.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Tree {
    /// Writes files, given as (path, content); a path that ends in `/` is an empty directory.
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(TempDir::new().unwrap());
        for (path, content) in files {
            tree.write(path, content);
        }
        tree
    }

    /// One RKE2 host each, given as (name, content of its config.yaml).
    fn hosts(hosts: &[(&str, &str)]) -> Self {
        let tree = Self::new(&[]);
        for (name, content) in hosts {
            tree.write(&format!("{name}/config.yaml"), content);
        }
        tree
    }

    fn write(&self, path: &str, content: &str) {
        let full = self.path().join(path);
        if path.ends_with('/') {
            std::fs::create_dir_all(full).unwrap();
            return;
        }
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, content).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Runs `peerx check` in the tree.
    fn check(&self, args: &[&str]) -> Run {
        run(&self.path(), args)
    }

    /// The JSON report on the whole tree, with the exit code.
    fn report(&self) -> (i32, Value) {
        self.report_on(&["."])
    }

    fn report_on(&self, paths: &[&str]) -> (i32, Value) {
        let run = self.check(&[&["--json"], paths].concat());
        let report = serde_json::from_str(&run.stdout);
        (
            run.code,
            report.unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr)),
        )
    }
}

fn run(directory: &Path, args: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_peerx"))
        .arg("check")
        .args(args)
        .current_dir(directory)
        .output()
        .unwrap();
    Run {
        code: output.status.code().expect("an exit code, not a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The three files of the problem: server2 joined server1, server3 joined server2, then server1 was pointed at server3.
fn reproduction() -> Tree {
    Tree::hosts(&[
        ("server1", "token: secret\nserver: https://server3:9345\n"),
        ("server2", "token: secret\nserver: https://server1:9345\n"),
        ("server3", "token: secret\nserver: https://server2:9345\n"),
    ])
}

/// The edges of a report as pairs.
fn edges(report: &Value) -> Vec<(&str, &str)> {
    let edges = report["edges"].as_array().unwrap().iter();
    edges
        .map(|edge| (edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap()))
        .collect()
}
