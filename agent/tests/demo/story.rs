//! The story for people.

use super::{TRANSPORTS, demo};

#[test]
fn it_is_told_over_every_transport() {
    for transport in TRANSPORTS {
        let run = demo(&["--transport", transport, "--seconds", "1"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
        for part in [
            "3 nodes, topology ring, over ",
            "n2 is told to ask n0",
            "n1 is connected to its upstream n2",
            " (2 of 2)",
            "Everybody knows everybody: ",
            "CYCLE in the configuration: n0 → n1 → n2 → n0 ",
            "What does that cost in 1 s?",
            " exchanges a node",
            " messages a node and second",
            " % of a core a node",
            "n2 is killed.",
            "n0 has n2 as down",
            "2 of 2 have it as down",
            "n2 is back.",
            "n1 has n2 as up again",
            "2 of 2 have it as up again",
            "`peerx check`",
        ] {
            assert!(run.stdout.contains(part), "{part:?} in {}", run.stdout);
        }
        // No colour but on a terminal.
        assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout);
    }
}

#[test]
fn many_nodes_are_told_in_numbers() {
    let run = demo(&["--nodes", "12", "--seconds", "0", "--no-crash"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for part in [
        "all 12 upstreams are connected",
        "50 % of all there is to know is known",
        "CYCLE in the configuration: n0 → n1 → ",
    ] {
        assert!(run.stdout.contains(part), "{part:?} in {}", run.stdout);
    }
    assert!(!run.stdout.contains("n0 knows"), "{}", run.stdout);
    assert!(!run.stdout.contains("cost"), "{}", run.stdout);
}

#[test]
fn those_who_cannot_meet_are_no_success() {
    // Two islands.
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "a b\nc d\n").unwrap();
    let topology = list.path().to_str().unwrap();
    let run = demo(&["--seconds", "0", "--topology", topology]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    for part in ["4 of 12 pairs", "in parts that no edge joins"] {
        assert!(run.stdout.contains(part), "{part:?} in {}", run.stdout);
    }
}
