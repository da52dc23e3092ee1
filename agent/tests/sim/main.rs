//! `peerx sim` as a command: its report, and what it refuses.
#![forbid(unsafe_code)]

use serde_json::Value;
use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerx"));
    command.arg("sim").args(arguments).output().unwrap()
}

fn report(arguments: &[&str]) -> Value {
    let output = sim(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// R32, N10: nobody is told, and everybody finds out.
#[test]
fn crashes_are_found_out_by_all_survivors() {
    let arguments = ["--nodes", "30", "--loss", "0.05", "--crash", "3"];
    let report = report(&arguments);
    let crash = &report["crash"];
    // The survivors of each.
    assert_eq!(crash["pairs"], 29 + 28 + 27, "{crash}");
    assert_eq!(
        (&crash["missing"], &crash["false_downs"]),
        (&0.into(), &0.into())
    );
    let time = |key: &str| crash[key].as_f64().unwrap();
    assert!(1_000.0 < time("median_ms") && time("median_ms") <= time("p99_ms"));
    assert!(
        time("p99_ms") <= time("max_ms") && time("max_ms") < 5_000.0,
        "{crash}"
    );
    let again = report_of_crash(&arguments);
    assert_eq!(&again, crash, "equal arguments, equal runs");
}

fn report_of_crash(arguments: &[&str]) -> Value {
    report(arguments)["crash"].clone()
}

/// R28, R35, N12.
#[test]
fn halves_have_each_other_as_down_and_then_up() {
    let report = report(&["--nodes", "30", "--partition", "60"]);
    let partition = &report["partition"];
    let time = |key: &str| partition[key].as_f64().unwrap();
    assert!(
        time("down_ms") > 1_000.0 && time("down_ms") < 60_000.0,
        "{partition}"
    );
    assert!(time("heal_ms") > 0.0, "{partition}");
    assert_eq!(report.get("crash"), None);
}

#[test]
fn the_text_says_the_same() {
    let output = sim(&["--nodes", "10", "--crash", "1", "--partition", "30"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "halves apart      each has the other as down after ",
        "1 crash           down for the median survivor after ",
        "9 pairs, 0 never; 0 alive taken for down",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    for (arguments, part) in [
        (&["--crash", "2", "--nodes", "3"][..], "at most 1"),
        (&["--crash", "1", "--detection", "off"], "need detection"),
        (&["--detection", "2"], "from 3 to 60, or off"),
        (
            &["--partition", "9", "--capacity", "5"],
            "cannot be used with",
        ),
    ] {
        let output = sim(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}
