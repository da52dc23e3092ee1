//! The reports: for people, for scripts, for Graphviz; and the help.

use super::{Tree, reproduction, run};
use serde_json::Value;

#[test]
fn json_is_one_object_with_the_fields_scripts_rely_on() {
    let tree = reproduction();
    let run = tree.check(&["--format", "json", "."]);
    assert_eq!(run.code, 1);
    assert_eq!(run.stderr, "");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    for field in [
        "hosts",
        "edges",
        "cycles",
        "possible_cycles",
        "self_references",
        "unknown_upstreams",
        "skipped",
        "suggestions",
    ] {
        assert!(report[field].is_array(), "{field}");
    }
    assert_eq!(report, tree.report().1, "--json is --format json");
    assert_eq!(report["verdict"], "CYCLE");
    let source = &report["edges"][0]["source"];
    assert_eq!(source["file"], "./server1/config.yaml");
    assert_eq!(source["line"], 2);
    assert_eq!(source["place"], "config.yaml");
    let change = &report["components"][0]["changes"][1];
    assert_eq!(change["file"], "./server3/config.yaml");
    assert_eq!(change["line"], 2);
    assert_eq!(change["key"], "server");
    assert_eq!(change["new_value"], "https://server1:9345");
    assert_eq!(tree.check(&["--json", "--format", "dot", "."]).code, 2);
}

/// What a DOT file says: statements between the braces, with quoted strings read as Graphviz reads them.
fn statements(dot: &str) -> Vec<(Vec<String>, String)> {
    let body = dot
        .strip_prefix("digraph cluster {\n")
        .unwrap()
        .strip_suffix("}\n")
        .unwrap();
    let lines = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"));
    lines
        .map(|line| statement(line.strip_suffix(';').expect(line)))
        .collect()
}

/// The node names of one statement, and its attributes.
fn statement(line: &str) -> (Vec<String>, String) {
    let (mut nodes, mut rest) = (Vec::new(), line);
    while let Some(quoted) = rest.strip_prefix('"') {
        let mut name = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next().expect(line) {
                (_, '\\') => name.push(chars.next().expect(line).1),
                (end, '"') => break end,
                (_, c) => name.push(c),
            }
        };
        nodes.push(name);
        rest = quoted[end + 1..].trim_start();
        rest = rest.strip_prefix("-> ").unwrap_or(rest);
    }
    (nodes, rest.to_owned())
}

#[test]
fn dot_has_red_cycles_dashed_unknowns_and_escaped_names() {
    let odd = r#"od"d\name"#;
    let tree = Tree::new(&[
        ("a.yaml", "server: https://b:9345\n"),
        ("b.yaml", "server: https://a:9345\n"),
        ("c.yaml", "server: https://a:9345\n"),
        ("d.yaml", "server: https://lb:9345\n"),
        ("e.yaml", "server: https://e:9345\n"),
        ("list.txt", &format!("{odd} a\n")),
    ]);
    let run = tree.check(&["--format", "dot", ".", "list.txt"]);
    assert_eq!(run.code, 1);
    let found = statements(&run.stdout);
    let edge = |from: &str, to: &str| {
        let nodes = [from.to_owned(), to.to_owned()];
        let edges: Vec<_> = found.iter().filter(|(found, _)| *found == nodes).collect();
        assert_eq!(edges.len(), 1, "{from} -> {to} in {}", run.stdout);
        edges[0].1.clone()
    };
    for (from, to) in [("a", "b"), ("b", "a"), ("e", "e")] {
        assert!(edge(from, to).contains("color=red"), "{from} -> {to}");
    }
    assert_eq!(edge("c", "a"), "");
    assert_eq!(edge(odd, "a"), "");
    let unknown = "unknown https://lb:9345";
    assert_eq!(edge("d", unknown), "[style=dashed]");
    let node = found.iter().find(|(nodes, _)| *nodes == [unknown]).unwrap();
    assert_eq!(node.1, "[label=\"https://lb:9345\", style=dashed]");
    assert_eq!(
        found.iter().filter(|(nodes, _)| nodes.len() == 1).count(),
        7
    );
}

#[test]
fn dot_has_balancers_and_what_is_outside() {
    let tree = Tree::hosts(&[
        ("a", "server: https://lb:9345\n"),
        ("b", "server: https://hub:9345\n"),
    ]);
    let args = [
        "--vip",
        "lb=a,b",
        "--outside",
        "hub",
        "--format",
        "dot",
        ".",
    ];
    let run = tree.check(&args);
    assert_eq!(run.code, 3);
    let found = statements(&run.stdout);
    let has = |nodes: &[&str], attribute: &str| {
        let mut found = found.iter().filter(|(names, _)| names == nodes);
        assert!(
            found.any(|(_, rest)| rest.contains(attribute)),
            "{nodes:?} in {}",
            run.stdout
        );
    };
    has(&["balancer lb"], "shape=ellipse");
    has(&["a", "balancer lb"], "orange");
    has(&["balancer lb", "b"], "orange");
    has(&["b", "outside https://hub:9345"], "dotted");
}

#[test]
fn a_report_has_an_end_however_large_the_cluster() {
    let ring = (0..2000).fold(String::new(), |list, i| {
        list + &format!(
            "r{i} r{}\np{i} q{i}\nq{i} p{i}\ns{i} s{i}\n",
            (i + 1) % 2000
        )
    });
    let text = Tree::new(&[("big.txt", &ring)]).check(&["big.txt"]);
    assert_eq!(text.code, 1);
    assert!(
        text.stdout.lines().count() < 200,
        "{}",
        text.stdout.lines().count()
    );
    assert!(text.stdout.lines().all(|line| line.len() < 1000));
    assert!(
        text.stdout
            .contains("1991 more groups of hosts have cycles"),
        "{}",
        text.stdout
    );
    assert!(
        text.stdout.contains("1990 more hosts ask themselves"),
        "{}",
        text.stdout
    );
}

#[test]
fn help_has_an_example() {
    let here = Tree::new(&[]);
    let help = run(&here.path(), &["--help"]);
    assert_eq!(help.code, 0);
    assert!(
        help.stdout.contains("Examples:\n  peerx check "),
        "{}",
        help.stdout
    );
}
