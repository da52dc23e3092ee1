//! The command: its processes, their limits, the table, the plot.

use std::path::PathBuf;
use std::process::Command;

use peers::case::{Candidate, Case};
use peers::cluster::Topology;
use peers::measure::{Outcome, measure};
use peers::process::Measured;
use peers::table::{markdown, replaced};

use super::case;

#[test]
fn prints_the_table_and_draws_the_plot() {
    let plot = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("comparison.svg");
    let output = Command::new(env!("CARGO_BIN_EXE_peers"))
        .args([
            "--quick",
            "--filter",
            "2.0.0, 3 ring",
            "--filter",
            "exchange, 3 ring",
            "--plot",
        ])
        .arg(&plot)
        .output()
        .expect("the command starts");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for row in [
        "| 3 ring | foca 2.0.0 | **2 ms** |",
        "| 3 ring | peer-exchange |",
    ] {
        assert!(table.contains(row), "no {row} in {table}");
    }
    let svg = std::fs::read_to_string(&plot).expect("the plot is there");
    assert!(svg.starts_with("<svg") && svg.contains("foca 2.0.0"));
}

#[test]
fn what_is_saved_is_not_measured_again() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rows.jsonl");
    let _ = std::fs::remove_file(&file);
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_peers"))
            .args(["--filter", "2.0.0, 3 star, seed", "--save"])
            .arg(&file)
            .args([
                "--plot",
                concat!(env!("CARGO_TARGET_TMPDIR"), "/nothing.svg"),
            ])
            .output()
            .expect("the command starts");
        assert!(output.status.success(), "{output:?}");
        let progress = String::from_utf8_lossy(&output.stderr)
            .matches("] foca")
            .count();
        (output.stdout, progress)
    };
    let (table, measured) = run();
    assert_eq!(measured, 3);
    assert_eq!(run(), (table, 0));
    let _ = std::fs::remove_file(&file);
}

#[test]
fn refuses_what_it_does_not_know() {
    let output = Command::new(env!("CARGO_BIN_EXE_peers"))
        .args(["--filter", "nobody"])
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: no row's name contains nobody\n"
    );
}

#[test]
fn a_row_beyond_its_cpu_time_says_so() {
    let case = Case {
        cpu_seconds: 0,
        ..case(Candidate::Foca, Topology::Ring, 100)
    };
    let outcome = measure(&case);
    assert_eq!(outcome.cold, None);
    assert_eq!(outcome.stopped.as_deref(), Some("not within 0 s of CPU"));
    let table = markdown(&[(case, outcome)]);
    assert!(
        table.contains("| foca 2.0.0 | not within 0 s of CPU; "),
        "{table}"
    );
}

#[test]
fn a_row_beyond_its_memory_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_peers"))
        .args([
            "--filter",
            "chitchat 0.13.0, 100 ring, seed 1",
            "--memory-gb",
            "0",
        ])
        .args([
            "--plot",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/nothing.svg"),
        ])
        .output()
        .expect("the command starts");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(
        table.contains("| 100 ring | chitchat 0.13.0 | ended with signal: "),
        "{output:?}"
    );
}

#[test]
fn medians_and_the_best_in_bold() {
    let measured = |candidate, seed, all_ms| -> Measured {
        let mut outcome = Outcome::default();
        outcome.cold.get_or_insert_default().all_ms = all_ms;
        (
            Case {
                seed,
                ..case(candidate, Topology::Ring, 3)
            },
            outcome,
        )
    };
    let table = markdown(&[
        measured(Candidate::Foca, 1, 10.0),
        measured(Candidate::Foca, 2, 900.0),
        measured(Candidate::Foca, 3, 20.0),
        measured(Candidate::Chitchat, 1, 2_000.0),
        // Two of three have not finished: no median.
        measured(Candidate::IrohGossip, 1, 1.0),
        (
            case(Candidate::IrohGossip, Topology::Ring, 3),
            Outcome::default(),
        ),
        (
            case(Candidate::IrohGossip, Topology::Ring, 3),
            Outcome::default(),
        ),
    ]);
    for row in [
        "| 3 ring | foca 2.0.0 | **20 ms** |",
        "| 3 ring | chitchat 0.13.0 | 2.0 s |",
        "| 3 ring | iroh-gossip 0.101.0 | – |",
    ] {
        assert!(table.contains(row), "no {row} in {table}");
    }
}

#[test]
fn a_document_keeps_what_stands_before_the_table() {
    let document = "# Before\n\n<!-- table -->\n\nold\n";
    let expected = "# Before\n\n<!-- table -->\n\nnew\n";
    assert_eq!(replaced(document, "new\n\n").as_deref(), Some(expected));
    assert_eq!(replaced("no mark", "new"), None);
}
