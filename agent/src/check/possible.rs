//! Cycles that may happen: through a balancer, or a name that may be that of several hosts.

use super::graph::{Component, Cycles, Work, components, cycles};
use super::model::Cluster;

/// More of them help nobody.
const MAX_CYCLES: usize = 1000;
/// Edges to look at: a fraction of a second.
const WORK: u64 = 2_000_000;

/// Hosts among which a request may go round, depending on where a balancer leads it.
pub(super) struct Possible {
    /// Indices into the cluster's balancers.
    pub(super) through: Vec<u32>,
    pub(super) hosts: Vec<u32>,
    /// Each once, as far as `MAX_CYCLES` goes; of one host, where it may be led to itself.
    pub(super) cycles: Vec<Vec<u32>>,
}

/// Finds all groups of such hosts.
pub(super) fn possible(cluster: &Cluster) -> Vec<Possible> {
    if cluster.balancers.is_empty() {
        return Vec::new();
    }
    // A balancer is a node: its askers ask it, it asks those behind it.
    let hosts = cluster.hosts.len() as u32;
    let certain = cluster.edges.iter().map(|edge| (edge.from, edge.to));
    let mut edges: Vec<(u32, u32)> = certain.filter(|(from, to)| from != to).collect();
    for (balancer, node) in cluster.balancers.iter().zip(hosts..) {
        edges.extend(balancer.askers.iter().map(|&asker| (asker, node)));
        edges.extend(balancer.behind.iter().map(|&host| (node, host)));
    }
    edges.sort_unstable();
    edges.dedup();
    let nodes = cluster.hosts.len() + cluster.balancers.len();
    let found = components(nodes, &edges);
    let through =
        |component: &&Component| component.hosts.last().is_some_and(|node| *node >= hosts);
    let work = Work::new(WORK);
    found
        .iter()
        .filter(through)
        .map(|component| of(cluster, component, &work))
        .collect()
}

fn of(cluster: &Cluster, component: &Component, work: &Work) -> Possible {
    let hosts = cluster.hosts.len() as u32;
    let (members, through): (Vec<u32>, Vec<u32>) =
        component.hosts.iter().partition(|node| **node < hosts);
    let through: Vec<u32> = through.into_iter().map(|node| node - hosts).collect();
    let mut all: Vec<Vec<u32>> = Vec::new();
    for &index in &through {
        let balancer = &cluster.balancers[index as usize];
        let both = balancer
            .askers
            .iter()
            .filter(|host| balancer.behind.binary_search(host).is_ok());
        let both: Vec<u32> = both.copied().collect();
        match both[..] {
            [host] => all.push(vec![host]),
            // Each of two may be led to the other.
            _ => {
                let pairs = both
                    .iter()
                    .enumerate()
                    .flat_map(|(at, &a)| both[at + 1..].iter().map(move |&b| vec![a, b]));
                all.extend(pairs.take(MAX_CYCLES.saturating_sub(all.len())));
            }
        }
    }
    let Cycles { found, .. } = cycles(component, work);
    for cycle in found {
        let nodes = || cycle.iter().map(|&node| component.hosts[node as usize]);
        let named: Vec<u32> = nodes().filter(|node| *node < hosts).collect();
        if nodes().any(|node| node >= hosts) && named.len() > 1 {
            all.push(from_smallest(named));
        }
    }
    all.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    all.dedup();
    all.truncate(MAX_CYCLES);
    Possible {
        through,
        hosts: members,
        cycles: all,
    }
}

/// A cycle begins at its smallest host.
fn from_smallest(mut cycle: Vec<u32>) -> Vec<u32> {
    let smallest = cycle.iter().enumerate().min_by_key(|(_, host)| **host);
    let at = smallest.map_or(0, |(at, _)| at);
    cycle.rotate_left(at);
    cycle
}
