//! The metrics that an agent really exports: two agents, of which one asks the other.

use crate::harness::{self, Lab};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Labels of a metric, each with the values that were seen.
pub(crate) type Labels = BTreeMap<String, BTreeSet<String>>;

/// Metrics by name, with those of Prometheus itself.
pub(crate) fn metrics() -> &'static BTreeMap<String, Labels> {
    static METRICS: OnceLock<BTreeMap<String, Labels>> = OnceLock::new();
    METRICS.get_or_init(|| {
        let lab = Lab::new();
        let mut agents = lab.ring(2);
        harness::start(&mut agents);
        let (_, page) = agents[0].get("/metrics").expect("it answers");
        let mut metrics = parse(&page);
        metrics.insert("up".to_owned(), Labels::new());
        metrics
    })
}

/// The text format, as far as this page uses it: `name{label="value",…} number`.
fn parse(page: &str) -> BTreeMap<String, Labels> {
    let mut metrics = BTreeMap::<String, Labels>::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').expect("a brace")),
            None => (series, ""),
        };
        let known = metrics.entry(name.to_owned()).or_default();
        for pair in labels.split("\",").filter(|pair| !pair.is_empty()) {
            let (label, value) = pair.split_once("=\"").expect("a label");
            let value = value.trim_end_matches('"').to_owned();
            known.entry(label.to_owned()).or_default().insert(value);
        }
    }
    metrics
}

#[test]
fn every_metric_has_the_prefix_and_every_counter_its_suffix() {
    let metrics = metrics();
    assert!(metrics.len() > 30, "{:?}", metrics.keys());
    for name in metrics.keys().filter(|name| *name != "up") {
        assert!(name.starts_with("peer_exchange_"), "{name}");
    }
    let outcomes = &metrics["peer_exchange_handshakes_total"]["outcome"];
    assert!(outcomes.contains("wrong_token"));
    assert!(metrics["peer_exchange_upstream_up"].contains_key("upstream"));
}
