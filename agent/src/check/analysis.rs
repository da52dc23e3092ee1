//! What is wrong with a cluster, and what to do about it.

use super::advice::{self, Advice, Change};
use super::component::{Component, Work, components};
use super::cycles::{Cycles, cycles};
use super::feedback::{Feedback, feedback};
use super::model::{Cluster, Edge};
use std::collections::HashSet;

/// Edges to look at in all searches together: some tenths of a second.
const WORK: u64 = 20_000_000;

/// A component whose hosts ask each other in circles. Numbers are the cluster's.
pub(super) struct Circle {
    pub(super) hosts: Vec<u32>,
    /// How many edges lead from one of them to another.
    pub(super) edges: usize,
    /// By length, then by name.
    pub(super) cycles: Vec<Vec<u32>>,
    /// There are more than `cycles`, which then holds a shortest one through each edge as far as the limit allows.
    pub(super) more: bool,
    /// Edges without which no cycle is left.
    pub(super) feedback: Vec<Edge>,
    /// Whether no smaller set exists.
    pub(super) exact: bool,
    pub(super) advice: Advice,
}

/// Everything that was found.
pub(super) struct Findings {
    /// By their first host's name.
    pub(super) circles: Vec<Circle>,
    pub(super) self_references: Vec<Edge>,
    /// What to do, each a sentence of its own.
    pub(super) suggestions: Vec<String>,
}

impl Findings {
    /// Whether there is anything to change.
    pub(super) fn any(&self) -> bool {
        !self.circles.is_empty() || !self.self_references.is_empty()
    }

    /// Analyses a cluster.
    pub(super) fn of(cluster: &Cluster) -> Self {
        let pairs = cluster.edges.iter().map(|edge| (edge.from, edge.to));
        let edges: Vec<(u32, u32)> = pairs.filter(|(from, to)| from != to).collect();
        let components = components(cluster.hosts.len(), &edges);
        drop(edges);

        // Small ones first: a large one must not use up the work that they need.
        let mut order: Vec<usize> = (0..components.len()).collect();
        order.sort_by_key(|&index| components[index].graph.edge_count());
        let work = Work::new(WORK);
        let mut numbered: Vec<(usize, Circle)> = order
            .iter()
            .map(|&index| (index, circle(cluster, &components[index], &work)))
            .collect();
        numbered.sort_unstable_by_key(|(index, _)| *index);
        let circles: Vec<Circle> = numbered.into_iter().map(|(_, circle)| circle).collect();

        let self_references = cluster
            .edges
            .iter()
            .filter(|edge| edge.from == edge.to)
            .copied()
            .collect();
        let mut findings = Self {
            circles,
            self_references,
            suggestions: Vec::new(),
        };
        findings.suggestions = findings.suggest(cluster);
        findings
    }

    /// The index of each host's circle, if it is in one.
    pub(super) fn circle_of_hosts(&self, hosts: usize) -> Vec<Option<u32>> {
        let mut circle_of = vec![None; hosts];
        for (circle, index) in self.circles.iter().zip(0..) {
            for &host in &circle.hosts {
                circle_of[host as usize] = Some(index);
            }
        }
        circle_of
    }

    fn suggest(&self, cluster: &Cluster) -> Vec<String> {
        let mut suggestions = Vec::new();
        for circle in &self.circles {
            suggestions.push(arrangement(cluster, circle));
            suggestions.push(smallest_change(cluster, circle));
        }
        let circle_of = self.circle_of_hosts(cluster.hosts.len());
        let alone = |edge: &&Edge| circle_of[edge.from as usize].is_none();
        suggestions.extend(self.self_references.iter().filter(alone).map(|&edge| {
            let change = Change {
                edge,
                instead: None,
            }
            .describe(cluster);
            let name = cluster.name(edge.from);
            format!("{name} asks itself: {change}, or name another host there")
        }));
        suggestions
    }
}

fn arrangement(cluster: &Cluster, circle: &Circle) -> String {
    const LISTED: usize = 20;
    let changes = &circle.advice.changes;
    let mut lines: Vec<String> = changes
        .iter()
        .take(LISTED)
        .map(|change| change.describe(cluster))
        .collect();
    if changes.len() > LISTED {
        lines.push(format!("and {} more changes", changes.len() - LISTED));
    }
    format!("{}: {}", circle.advice.describe(cluster), lines.join("; "))
}

/// The feedback set in a sentence.
pub(super) fn smallest_change(cluster: &Cluster, circle: &Circle) -> String {
    const LISTED: usize = 10;
    let mut edges: Vec<String> = circle
        .feedback
        .iter()
        .take(LISTED)
        .map(|edge| {
            let setting = cluster.setting(*edge);
            let place = setting.map(|setting| advice::place(setting.file, setting.line));
            let (from, to) = (cluster.name(edge.from), cluster.name(edge.to));
            format!("{from} must not ask {to} ({})", place.unwrap_or_default())
        })
        .collect();
    if circle.feedback.len() > LISTED {
        edges.push(format!("and {} more", circle.feedback.len() - LISTED));
    }
    let count = match circle.feedback.len() {
        1 => "1 edge".into(),
        count => format!("{count} edges"),
    };
    let quality = if circle.exact {
        "the smallest change that leaves no cycle"
    } else {
        "a small change that leaves no cycle, approximate"
    };
    format!("{quality}: {count}: {}", edges.join("; "))
}

fn circle(cluster: &Cluster, component: &Component, work: &Work) -> Circle {
    let hosts = &component.hosts;
    let named = |node: u32| hosts[node as usize];
    let Cycles { found, more } = cycles(component, work);
    let hub = advice::hub(cluster, component);
    let Feedback { edges, exact } = feedback(component, hub, work);

    let members: HashSet<u32> = hosts.iter().copied().collect();
    let asks = hosts.iter().flat_map(|&host| cluster.asks(host));
    let inner: Vec<Edge> = asks
        .filter(|edge| members.contains(&edge.to))
        .copied()
        .collect();
    let removed: HashSet<(u32, u32)> = edges
        .into_iter()
        .map(|(from, to)| (named(from), named(to)))
        .collect();
    Circle {
        edges: component.graph.edge_count(),
        cycles: found
            .into_iter()
            .map(|cycle| cycle.into_iter().map(named).collect())
            .collect(),
        more,
        feedback: inner
            .iter()
            .filter(|edge| removed.contains(&(edge.from, edge.to)))
            .copied()
            .collect(),
        exact,
        advice: advice::advice(cluster, hosts, named(hub), &inner),
        hosts: hosts.clone(),
    }
}
