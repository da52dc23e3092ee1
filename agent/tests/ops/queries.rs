//! What a query of Prometheus uses, compared with what an agent exports.

use crate::exported::{self, Labels};
use promql_parser::label::MatchOp;
use promql_parser::parser::{self, AggregateExpr, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use std::collections::{BTreeMap, BTreeSet};

/// What Prometheus adds to every series of a target.
const TARGET: [&str; 2] = ["job", "instance"];
/// Labels whose values are a fixed set, so that a wrong one is a mistake.
const FIXED: [&str; 5] = ["outcome", "kind", "direction", "transport", "reason"];

/// Metrics and labels of one query.
#[derive(Default, Debug)]
pub(crate) struct Uses {
    selectors: Vec<VectorSelector>,
    /// Those by which series are grouped or matched.
    groupings: BTreeSet<String>,
}

impl ExprVisitor for Uses {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(matrix) => self.selectors.push(matrix.vs.clone()),
            Expr::Aggregate(AggregateExpr {
                modifier: Some(modifier),
                ..
            }) => self.grouping(modifier),
            Expr::Binary(binary) => {
                let modifier = binary.modifier.as_ref();
                if let Some(matching) = modifier.and_then(|m| m.matching.as_ref()) {
                    self.grouping(matching);
                }
                if let Some(labels) = modifier.and_then(|m| m.card.labels()) {
                    self.groupings.extend(labels.labels.iter().cloned());
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Uses {
    pub(crate) fn of(query: &str) -> Self {
        let expr = parser::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let mut uses = Self::default();
        let Ok(_) = walk_expr(&mut uses, &expr);
        uses
    }

    fn grouping(&mut self, modifier: &LabelModifier) {
        self.groupings
            .extend(modifier.labels().labels.iter().cloned());
    }

    /// Names of the metrics, which have to be exported.
    pub(crate) fn metrics(&self) -> BTreeSet<String> {
        let name = |s: &VectorSelector| s.name.clone().expect("a metric by name");
        self.selectors.iter().map(name).collect()
    }

    /// Whether one of its metrics has this label.
    pub(crate) fn has_label(&self, label: &str, exported: &BTreeMap<String, Labels>) -> bool {
        let has = |name: &String| exported.get(name).is_some_and(|l| l.contains_key(label));
        TARGET.contains(&label) || self.metrics().iter().any(has)
    }

    /// What does not exist of it.
    pub(crate) fn problems(&self, exported: &BTreeMap<String, Labels>) -> Vec<String> {
        let mut problems = Vec::new();
        for selector in &self.selectors {
            let name = selector.name.as_deref().unwrap_or_default();
            let Some(labels) = exported.get(name) else {
                problems.push(format!("no metric {name}"));
                continue;
            };
            for matcher in &selector.matchers.matchers {
                let label = matcher.name.as_str();
                if TARGET.contains(&label) {
                    continue;
                }
                let Some(values) = labels.get(label) else {
                    problems.push(format!("{name} has no label {label}"));
                    continue;
                };
                let exact = matches!(matcher.op, MatchOp::Equal | MatchOp::NotEqual);
                if exact && FIXED.contains(&label) && !values.contains(&matcher.value) {
                    problems.push(format!("{name}: {label} is never {}", matcher.value));
                }
            }
        }
        for label in &self.groupings {
            if !self.has_label(label, exported) {
                problems.push(format!("no metric here has the label {label}"));
            }
        }
        problems
    }
}

/// Every metric and label of a query exists.
pub(crate) fn check(query: &str) -> Uses {
    let uses = Uses::of(query);
    let problems = uses.problems(exported::metrics());
    assert!(problems.is_empty(), "{query}: {problems:?}");
    assert!(!uses.selectors.is_empty(), "{query} asks for nothing");
    uses
}

#[test]
fn what_does_not_exist_is_found() {
    let metrics = exported::metrics();
    for wrong in [
        "peer_exchange_peer",
        "peer_exchange_requests",
        "rate(peer_exchange_requests_total{result=\"answered\"}[5m])",
        "peer_exchange_requests_total{outcome=\"answerd\"}",
        "sum by (kind) (peer_exchange_requests_total)",
        "peer_exchange_peers and on (upstream) peer_exchange_links",
        "peer_exchange_peers * on (instance) group_left (zone) peer_exchange_build_info",
        "max(max_over_time(peer_exchange_nothing[1h:5m]))",
    ] {
        let problems = Uses::of(wrong).problems(metrics);
        assert_eq!(problems.len(), 1, "{wrong}: {problems:?}");
    }
}
