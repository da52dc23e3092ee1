//! `agent/dashboard.json`: every query against what an agent exports, and the structure of Grafana.

use crate::queries;
use crate::{exported, read};
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema of Grafana 12.
const SCHEMA: u64 = 41;

fn dashboard() -> Value {
    serde_json::from_str(&read("agent/dashboard.json")).expect("JSON")
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().expect("panels");
    panels.iter().collect()
}

/// A query as Prometheus gets it: Grafana puts in the variables first.
fn filled_in(query: &str) -> String {
    let filled = query
        .replace("$__rate_interval", "1m")
        .replace("$instance", ".+")
        .replace("$job", ".+");
    assert!(!filled.contains('$'), "an unknown variable in {query}");
    filled
}

#[test]
fn every_metric_and_label_of_a_query_is_exported() {
    let dashboard = dashboard();
    let mut metrics = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().expect("a title");
        let targets = panel["targets"].as_array();
        for target in targets.into_iter().flatten() {
            let query = target["expr"].as_str().expect("a query");
            assert!(
                query.contains("instance=~\"$instance\""),
                "{title}: {query}"
            );
            let uses = queries::check(&filled_in(query));
            for label in legend(target) {
                let known = uses.has_label(label, exported::metrics());
                assert!(known, "{title}: {label}");
            }
            metrics.extend(uses.metrics());
        }
    }
    for list in dashboard["annotations"]["list"].as_array().expect("a list") {
        if let Some(query) = list["expr"].as_str() {
            metrics.extend(queries::check(&filled_in(query)).metrics());
        }
    }
    // And the other way round: nothing is exported that nobody sees, but for constants and the like.
    let unseen: Vec<_> = exported::metrics()
        .keys()
        .filter(|name| !metrics.contains(*name))
        .collect();
    assert!(unseen.is_empty(), "on no panel: {unseen:?}");
}

/// Names in `{{name}}`.
fn legend(target: &Value) -> impl Iterator<Item = &str> {
    let legend = target["legendFormat"].as_str().unwrap_or_default();
    let names = legend.split("{{").skip(1);
    names.map(|rest| rest.split("}}").next().unwrap_or_default())
}

#[test]
fn its_variables_come_from_what_is_exported() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().expect("a list");
    let names: Vec<_> = variables
        .iter()
        .filter_map(|v| v["name"].as_str())
        .collect();
    assert_eq!(names, ["datasource", "job", "instance"]);
    for variable in &variables[1..] {
        let query = variable["definition"].as_str().expect("a query");
        assert_eq!(variable["query"]["query"].as_str(), Some(query));
        let inner = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'));
        let (metric, label) = inner
            .and_then(|inner| inner.rsplit_once(", "))
            .expect("a label");
        let uses = queries::check(&filled_in(metric));
        assert!(uses.has_label(label, exported::metrics()), "{query}");
    }
}

#[test]
fn its_structure_is_that_of_grafana() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"].as_u64(), Some(SCHEMA));
    assert_eq!(dashboard["uid"], "peerx");
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{title} is off the grid");
        for cell in cells(at("x")..at("x") + at("w"), at("y")..at("y") + at("h")) {
            assert!(taken.insert(cell), "{title} lies on another panel");
        }
        let kind = panel["type"].as_str().expect("a type");
        assert!(["row", "stat", "table", "timeseries"].contains(&kind));
        if kind == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let refs: Vec<_> = panel["targets"]
            .as_array()
            .expect("targets")
            .iter()
            .map(|t| t["refId"].as_str().expect("a name"))
            .collect();
        let distinct: BTreeSet<_> = refs.iter().collect();
        assert_eq!(distinct.len(), refs.len(), "{title}");
    }
}

fn cells(
    columns: std::ops::Range<u64>,
    rows: std::ops::Range<u64>,
) -> impl Iterator<Item = (u64, u64)> {
    columns.flat_map(move |x| rows.clone().map(move |y| (x, y)))
}
