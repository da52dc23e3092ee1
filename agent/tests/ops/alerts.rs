//! `agent/alerts.yml` and its tests.

use crate::queries::{self, Uses};
use crate::{exported, file, read, tools};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(rename = "name")]
    _name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    _for: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: Annotations,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    description: String,
    runbook_url: String,
}

/// As much of the unit tests as is compared here.
#[derive(Deserialize, Debug)]
struct Tests {
    tests: Vec<Test>,
}

#[derive(Deserialize, Debug)]
struct Test {
    name: String,
    input_series: Vec<Series>,
}

#[derive(Deserialize, Debug)]
struct Series {
    series: String,
}

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(&read("agent/alerts.yml")).expect("rules");
    rules.groups.into_iter().flat_map(|g| g.rules).collect()
}

/// Names in `{{ $labels.NAME }}`.
fn labels_shown(text: &str) -> impl Iterator<Item = &str> {
    text.split("$labels.").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn every_metric_and_label_of_a_rule_is_exported() {
    for rule in rules() {
        let uses = queries::check(&rule.expr);
        let text = [rule.annotations.summary, rule.annotations.description].concat();
        for label in labels_shown(&text) {
            let known = uses.has_label(label, exported::metrics());
            assert!(known, "{}: {label}", rule.alert);
        }
    }
}

#[test]
fn a_rule_says_how_bad_it_is_and_what_to_do() {
    let runbook = read("docs/runbook.md");
    let mut names = BTreeSet::new();
    for rule in rules() {
        let Rule { alert, labels, .. } = &rule;
        assert!(names.insert(alert.clone()), "{alert} twice");
        let severity = labels["severity"].as_str();
        assert!(["warning", "critical"].contains(&severity), "{alert}");
        let anchor = alert.to_lowercase();
        let link = &rule.annotations.runbook_url;
        let end = format!("/docs/runbook.md#{anchor}");
        assert!(link.ends_with(&end), "{alert}: {link}");
        let section = format!("\n## {alert}\n");
        assert!(runbook.contains(&section), "{alert} in docs/runbook.md");
        assert!(rule.annotations.description.len() > 60, "{alert}");
    }
    let sections = runbook.lines().filter_map(|l| l.strip_prefix("## Peerx"));
    for section in sections {
        assert!(names.contains(&format!("Peerx{section}")), "{section}");
    }
}

/// The series of the unit tests are those of an agent, and every rule is among what they expect.
#[test]
fn the_unit_tests_are_about_what_is_exported() {
    let text = read("agent/alerts_test.yml");
    let tests: Tests = serde_saphyr::from_str(&text).expect("tests");
    for test in &tests.tests {
        for input in &test.input_series {
            let problems = Uses::of(&input.series).problems(exported::metrics());
            assert!(problems.is_empty(), "{}: {problems:?}", test.name);
        }
    }
    for rule in rules() {
        let severity = &rule.labels["severity"];
        let fires = format!(
            "ALERTS{{alertname=\"{}\",alertstate=\"firing\",severity=\"{severity}\"",
            rule.alert
        );
        assert!(
            text.contains(&fires),
            "{} never fires in a test",
            rule.alert
        );
    }
}

#[test]
fn promtool_agrees() {
    for (what, path) in [
        ("check", "agent/alerts.yml"),
        ("test", "agent/alerts_test.yml"),
    ] {
        let mut promtool = Command::new(tools::promtool());
        promtool.args([what, "rules"]).arg(file(path));
        if let Some(output) = tools::run(&mut promtool) {
            tools::expect_success(&output);
        }
    }
}
