//! What is wrong with a cluster, and what to do about it.

use super::advice::{self, Advice, Change};
use super::graph::{Component, Cycles, Feedback, Work, components, cycles, feedback};
use super::hints::hints;
use super::model::{Cluster, Edge};
use super::possible::{Possible, possible};
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

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Cycle,
    AsksItself,
    /// An upstream leads to no host for certain, or through a balancer that may lead back.
    Undecided,
    /// Every upstream leads to a host given, or outside, and there is no cycle.
    Ok,
}

impl Verdict {
    /// As reports call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cycle => "CYCLE",
            Self::AsksItself => "ASKS ITSELF",
            Self::Undecided => "UNDECIDED",
            Self::Ok => "OK",
        }
    }
}

/// Everything that was found.
pub(super) struct Findings {
    pub(super) verdict: Verdict,
    /// By their first host's name.
    pub(super) circles: Vec<Circle>,
    /// Likewise.
    pub(super) possible: Vec<Possible>,
    pub(super) self_references: Vec<Edge>,
    /// What to do, each a sentence of its own.
    pub(super) suggestions: Vec<String>,
}

impl Findings {
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

        let selves = cluster.edges.iter().filter(|edge| edge.from == edge.to);
        let self_references: Vec<Edge> = selves.copied().collect();
        let possible = possible(cluster);
        let undecided =
            !cluster.open.is_empty() || !possible.is_empty() || cluster.gaps().next().is_some();
        let verdict = if !circles.is_empty() {
            Verdict::Cycle
        } else if !self_references.is_empty() {
            Verdict::AsksItself
        } else if undecided {
            Verdict::Undecided
        } else {
            Verdict::Ok
        };
        let mut findings = Self {
            verdict,
            possible,
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
        suggestions.extend(hints(cluster));
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
            let (file, line) = cluster.place(*edge);
            let place = advice::place(file, line);
            let (from, to) = (cluster.name(edge.from), cluster.name(edge.to));
            format!("{from} must not ask {to} ({place})")
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
