//! From a line of the log to its rule in one hop: the table of `docs/runbook.md`.

use crate::{file, read};
use std::collections::BTreeMap;

/// The pieces of lines in the first column of the table.
fn pieces(runbook: &str) -> Vec<&str> {
    let heading = "\n## What a line of the log stands for\n";
    let (_, section) = runbook.split_once(heading).expect("the section");
    let section = section.split("\n## ").next().unwrap_or(section);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let first = rows.filter_map(|row| row.split(" | ").next());
    first
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// The format strings of `warn!`.
fn warnings(source: &str) -> Vec<String> {
    let calls = source.split("warn!(").skip(1);
    let literal = |call: &str| {
        let text = call.trim_start().strip_prefix('"').expect("a literal");
        let mut kept = String::new();
        let mut chars = text.chars();
        loop {
            match chars.next().expect("its end") {
                '"' => return kept,
                '\\' => kept.extend(chars.next()),
                c => kept.push(c),
            }
        }
    };
    calls.map(literal).collect()
}

/// The rules of `docs/protocol.md`, each with the anchor of its heading.
fn rules(protocol: &str) -> BTreeMap<&str, String> {
    let mut anchor = String::new();
    let mut rules = BTreeMap::new();
    for line in protocol.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            anchor = heading.to_lowercase().replace(' ', "-");
        }
        let rule = line.strip_prefix("- **").and_then(|l| l.split_once("**"));
        if let Some((rule, _)) = rule {
            rules.insert(rule, anchor.clone());
        }
    }
    rules
}

/// What `[R…](protocol.md#…)` says, each with the anchor.
fn links(text: &str) -> Vec<(&str, &str)> {
    let links = text.split("[R").skip(1);
    let parts = links.map(|link| {
        let (number, rest) = link.split_once("](protocol.md#").expect("a link to a rule");
        (number, rest.split(')').next().unwrap_or(rest))
    });
    parts.collect()
}

fn sources() -> String {
    let folder = file("agent/src/run").read_dir().expect("a folder");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let rust = paths.filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.map(|path| std::fs::read_to_string(path).expect("a source"))
        .collect()
}

#[test]
fn every_piece_of_the_table_is_logged() {
    let (runbook, sources) = (read("docs/runbook.md"), sources());
    let pieces = pieces(&runbook);
    assert!(pieces.len() >= 14, "{pieces:?}");
    for piece in pieces {
        assert!(sources.contains(piece), "nothing logs `{piece}`");
    }
}

#[test]
fn every_warning_about_others_is_in_the_table() {
    let (runbook, events) = (read("docs/runbook.md"), read("agent/src/run/events.rs"));
    let (pieces, warnings) = (pieces(&runbook), warnings(&events));
    assert!(warnings.len() >= 10, "{warnings:?}");
    for warning in warnings {
        let found = pieces.iter().any(|piece| warning.contains(piece));
        assert!(found, "no row of docs/runbook.md for \"{warning}\"");
    }
}

#[test]
fn every_rule_that_the_runbook_names_is_where_the_link_leads() {
    let (runbook, protocol) = (read("docs/runbook.md"), read("docs/protocol.md"));
    let (links, rules) = (links(&runbook), rules(&protocol));
    assert!(links.len() >= 30 && rules.len() >= 29);
    for (number, anchor) in links {
        let heading = rules.get(format!("R{number}").as_str());
        let leads = heading.is_some_and(|heading| heading == anchor);
        assert!(leads, "R{number} is under {heading:?}, not #{anchor}");
    }
}

/// The readers above read what they are for.
#[test]
fn an_escape_a_second_piece_and_another_heading_are_read() {
    let source = "warn!(\n    \"a \\\"b\\\" {x}\",\n    1\n); info!(\"c\"); warn!(\"d\");";
    assert_eq!(warnings(source), ["a \"b\" {x}", "d"]);
    let runbook = "# R\n\n## What a line of the log stands for\n\n| in | rules |\n|---|---|\n\
        | `e`, `f` | `g` |\n\n## More\n\n| `h` | |\n";
    assert_eq!(pieces(runbook), ["e", "f"]);
    let rules = rules("## A b\n\n- **R1** It is.\n\n## C\n\n- **R2** So.\n");
    assert_eq!(
        rules,
        BTreeMap::from([("R1", "a-b".into()), ("R2", "c".into())])
    );
    assert_eq!(links("[R1](protocol.md#c), x"), [("1", "c")]);
}
