//! `--json`: exactly the documented fields, over every transport.

use super::{TRANSPORTS, demo};
use serde_json::{Value, json};

const FIELDS: [&str; 11] = [
    "bytes",
    "converged",
    "converged_ms",
    "cpu_percent_per_node",
    "crash",
    "loops",
    "messages",
    "messages_per_node_per_s",
    "nodes",
    "topology",
    "transport",
];

fn summary(arguments: &[&str]) -> Value {
    summary_of(&[arguments, &["--no-crash"]].concat())
}

fn summary_of(arguments: &[&str]) -> Value {
    let run = demo(&[arguments, &["--json"]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn three_in_a_ring_over_every_transport() {
    for transport in TRANSPORTS {
        let summary = summary_of(&["--transport", transport, "--seconds", "1"]);
        let mut fields: Vec<_> = summary.as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, FIELDS, "{transport}");
        assert_eq!(summary["nodes"], 3);
        assert_eq!(summary["topology"], "ring");
        assert_eq!(summary["transport"], transport);
        assert_eq!(summary["converged"], true);
        assert_eq!(summary["loops"], json!([["n0", "n1", "n2"]]), "{transport}");
        for positive in ["converged_ms", "messages", "bytes"] {
            assert!(summary[positive].as_f64().unwrap() > 0.0, "{summary:#}");
        }
        let crash = &summary["crash"];
        assert_eq!(crash["node"], "n2");
        let others = crash["others"].as_array().unwrap();
        let names: Vec<_> = others.iter().map(|other| &other["node"]).collect();
        assert_eq!(names, ["n0", "n1"]);
        for known in others.iter().chain([crash]) {
            for time in ["down_ms", "up_ms"] {
                assert!(known[time].as_f64().unwrap() >= 0.0, "{summary:#}");
            }
        }
        for measured in ["messages_per_node_per_s", "cpu_percent_per_node"] {
            assert!(summary[measured].as_f64().unwrap() >= 0.0, "{summary:#}");
        }
    }
}

#[test]
fn quic_is_the_default() {
    assert_eq!(summary(&["--seconds", "0"])["transport"], "quic");
}

#[test]
fn no_cycle_is_reported_where_there_is_none() {
    for transport in TRANSPORTS {
        let line = ["--topology", "line", "--nodes", "8", "--seconds", "0"];
        let summary = summary(&[&line, &["--transport", transport][..]].concat());
        assert_eq!(summary["loops"], json!([]), "{transport}");
        assert_eq!(summary["nodes"], 8);
    }
}

#[test]
fn a_node_alone_finds_itself() {
    for transport in TRANSPORTS {
        let summary = summary(&["--nodes", "1", "--seconds", "0", "--transport", transport]);
        assert_eq!(summary["loops"], json!([["n0"]]), "{transport}");
        assert_eq!(summary["converged_ms"], 0.0);
    }
}

#[test]
fn names_of_an_edge_list() {
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "a b\nb c\nc a\nd a\n").unwrap();
    let path = list.path().to_str().unwrap();
    let summary = summary(&["--topology", path, "--seconds", "0"]);
    assert_eq!(summary["nodes"], 4);
    assert_eq!(summary["topology"], path);
    assert_eq!(summary["loops"], json!([["a", "b", "c"]]));
}
