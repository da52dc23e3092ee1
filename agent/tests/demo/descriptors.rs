//! Within the number of files that the process may open.

use super::{Run, run};
use std::process::Command;

/// Under both limits, set by a shell.
fn limited(limits: &str, arguments: &str) -> Run {
    let peerx = env!("CARGO_BIN_EXE_peerx");
    let script = format!("ulimit {limits} && exec \"$0\" demo --seconds 0 {arguments}");
    run(Command::new("sh").args(["-c", &script, peerx]))
}

#[test]
fn the_soft_limit_is_raised() {
    let run = limited("-Sn 100", "--nodes 50");
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn links_are_fewer_when_the_limit_is_low() {
    // Without that, fifty nodes open more than a thousand sockets.
    let run = limited("-n 1000", "--nodes 50 --transport tcp");
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_limit_that_does_not_suffice_is_named() {
    let run = limited("-n 100", "--nodes 50 --transport tcp");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    for part in ["50 nodes", "100", "ulimit -n ", "--transport quic"] {
        assert!(run.stderr.contains(part), "{part:?} in {}", run.stderr);
    }
}
