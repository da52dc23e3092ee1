//! Every command is one that exists.

use crate::blocks::{Shown, commands};
use crate::{file, read};
use std::process::Command;

/// The arguments of a `peerx` command, however it is started; `None` for other commands.
fn peerx(command: &str) -> Option<Vec<&str>> {
    // What is behind a pipe or a redirection is the shell's.
    let command = command.split(['|', '>']).next().unwrap_or_default();
    let mut words: Vec<_> = command.split_whitespace().collect();
    if words.first() == Some(&"peerx") {
        return Some(words.split_off(1));
    }
    let cargo = words.starts_with(&["cargo", "run"]) && command.contains("-p peerx -- ");
    let at = words
        .iter()
        .position(|word| *word == "--")
        .filter(|_| cargo)?;
    Some(words.split_off(at + 1))
}

/// What is wrong with the arguments, if anything: `--help` ends the parsing before anything is done.
fn problem(args: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_peerx"))
        .args(args)
        .arg("--help")
        .output()
        .expect("peerx");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(said)
}

#[test]
fn every_peerx_command_parses() {
    let mut count = 0;
    for shown in commands() {
        if let Some(args) = peerx(&shown.command) {
            count += 1;
            assert_eq!(problem(&args), None, "{}", shown.at());
        }
    }
    assert!(count >= 10, "{count} commands");
}

#[test]
fn a_wrong_command_does_not_parse() {
    for wrong in [
        "peerx cheque cluster/",
        "peerx sim --node 3",
        "peerx demo --nodes x",
    ] {
        let args = peerx(wrong).expect("peerx");
        assert!(problem(&args).is_some(), "{wrong}");
    }
}

/// Commands of cargo: each is in `.ci/run`, or a part of what is.
fn is_run(command: &str, ci: &str) -> bool {
    let words: Vec<_> = command.split_whitespace().collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| *word == flag)?;
        words.get(at + 1).copied()
    };
    if ci.contains(command) || ci.contains(&command.replace(" --release", " --release --quiet")) {
        return true;
    }
    match words[..] {
        // `cargo test --workspace` has it, if there is such a test.
        ["cargo", "test", ..] => {
            let test = after("--test").expect("a test by name");
            let (core, agent) = (format!("tests/{test}"), format!("agent/tests/{test}"));
            let dir = [core, agent].into_iter().find(|dir| file(dir).is_dir());
            let dir = dir.unwrap_or_else(|| panic!("no test {test}"));
            let module = words.last().filter(|word| **word != test);
            module.is_none_or(|module| file(&format!("{dir}/{module}.rs")).is_file())
        }
        ["cargo", "run", .., "--example", example] => {
            file(&format!("examples/{example}.rs")).is_file() && ci.contains("--example")
        }
        ["cargo", "bench", ..] => {
            let bench = after("--bench").expect("a bench by name");
            ci.contains(&format!("--bench {bench}"))
        }
        _ => false,
    }
}

/// A configuration file that is shown is one.
#[test]
fn every_file_that_is_shown_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut count = 0;
    for shown in commands() {
        if !is_shown_file(&shown.command) {
            continue;
        }
        count += 1;
        let path = dir.path().join("peerx.toml");
        // What it names is on the reader's machine.
        let mut check = Command::new(env!("CARGO_BIN_EXE_peerx"));
        check.args(["check", "--copied"]);
        std::fs::write(&path, shown.output.join("\n")).expect("a file");
        let output = check.arg(&path).output().expect("peerx");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // 3: one file does not tell where its upstreams lead.
        let good = matches!(output.status.code(), Some(0 | 3));
        assert!(good, "{}: {said}", shown.at());
    }
    assert!(count > 0);
}

fn is_shown_file(command: &str) -> bool {
    command.starts_with("cat ") && command.ends_with(".toml")
}

#[test]
fn every_other_command_runs_in_ci() {
    let ci = read(".ci/run");
    for shown in commands() {
        let Shown { command, run, .. } = &shown;
        if is_shown_file(command) {
            continue;
        }
        if peerx(command).is_none() || command.starts_with("cargo") {
            assert!(
                *run || is_run(command, &ci),
                "{} is run nowhere",
                shown.at()
            );
        }
    }
}
