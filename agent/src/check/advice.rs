//! What to change: a star, or for many hosts a tree, in place of a component with cycles.

use super::graph::Component;
use super::model::{Cluster, Edge, HostConfig, Kind, Origin, Upstream};
use super::places::{Level, Product};
use petgraph::Direction::Incoming;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// With more hosts than this, all asking one would be a burden to it: a tree of two levels.
const STAR_HOSTS: usize = 100;

/// A better arrangement of a component.
pub(super) struct Advice {
    /// Whom the others ask; asks nobody of the component.
    pub(super) hub: u32,
    /// Who asks the hub.
    pub(super) first: Vec<u32>,
    /// Who asks one of those; nobody in a star.
    pub(super) second: Vec<(u32, u32)>,
    pub(super) changes: Vec<Change>,
}

/// One setting to change, or to remove.
pub(super) struct Change {
    pub(super) edge: Edge,
    /// Whom to ask instead, and how to write it.
    pub(super) instead: Option<(u32, String)>,
}

/// The node of a component on which all others depend least badly: the one that founded the cluster, else the one
/// that most others ask already, else the first by name.
pub(super) fn hub(cluster: &Cluster, component: &Component) -> u32 {
    let founder = |host: u32| {
        cluster
            .config(host)
            .is_some_and(|config: &HostConfig| config.cluster_init)
    };
    let rank = |node: u32| {
        let askers = component
            .graph
            .neighbors_directed(NodeIndex::from(node), Incoming)
            .count();
        (founder(component.hosts[node as usize]), askers)
    };
    let mut nodes = 0..component.hosts.len() as u32;
    let first = nodes.next().unwrap_or_default();
    let best = nodes.fold((rank(first), first), |best, node| {
        let rank = rank(node);
        if rank > best.0 { (rank, node) } else { best }
    });
    best.1
}

/// Arranges the hosts of a component around `hub`. `inner` are its edges, self-references of its hosts included.
pub(super) fn advice(cluster: &Cluster, hosts: &[u32], hub: u32, inner: &[Edge]) -> Advice {
    let (first, second) = arrange(hosts, hub, inner);
    let parents: HashMap<u32, u32> = first
        .iter()
        .map(|&host| (host, hub))
        .chain(second.iter().copied())
        .collect();
    let spellings = spellings(cluster, inner);

    let mut changes = Vec::new();
    for edges in inner.chunk_by(|a, b| a.from == b.from) {
        let host = edges[0].from;
        let parent = parents.get(&host).copied();
        let mut wanted = parent.filter(|parent| edges.iter().all(|edge| edge.to != *parent));
        for &edge in edges.iter().filter(|edge| Some(edge.to) != parent) {
            let instead = wanted
                .take()
                .map(|parent| (parent, spelling(cluster, &spellings, edge, parent)));
            changes.push(Change { edge, instead });
        }
    }
    Advice {
        hub,
        first,
        second,
        changes,
    }
}

/// Who asks the hub, and who asks one of those.
fn arrange(hosts: &[u32], hub: u32, inner: &[Edge]) -> (Vec<u32>, Vec<(u32, u32)>) {
    let others = || hosts.iter().copied().filter(|host| *host != hub);
    if hosts.len() <= STAR_HOSTS {
        return (others().collect(), Vec::new());
    }
    // About as many below the hub as below each of those; whoever asks the hub today goes on.
    let width = hosts.len().isqrt();
    let asks_hub =
        |host: u32| inner.binary_search_by_key(&(host, hub), |edge| (edge.from, edge.to));
    let (near, far): (Vec<u32>, Vec<u32>) = others().partition(|host| asks_hub(*host).is_ok());
    let mut order = near.into_iter().chain(far);
    let mut first: Vec<u32> = order.by_ref().take(width).collect();
    first.sort_unstable();
    let mut rest: Vec<u32> = order.collect();
    rest.sort_unstable();
    let second = rest
        .into_iter()
        .zip(first.iter().copied().cycle())
        .collect();
    (first, second)
}

type Spellings = BTreeMap<(u32, bool), String>;

/// How each host is addressed today, by program: certain to reach it.
fn spellings(cluster: &Cluster, inner: &[Edge]) -> Spellings {
    let mut spellings = Spellings::new();
    for &edge in inner {
        if let (Origin::Upstream(index), Some(config)) = (edge.origin, cluster.config(edge.from))
            && let Some(upstream) = config.upstreams.get(index as usize)
        {
            let key = (edge.to, config.kind == Kind::Rancher);
            spellings
                .entry(key)
                .or_insert_with(|| upstream.setting.text.clone());
        }
    }
    spellings
}

/// What to write in place of `edge` to ask `parent`.
fn spelling(cluster: &Cluster, spellings: &Spellings, edge: Edge, parent: u32) -> String {
    let name = cluster.name(parent);
    let (Origin::Upstream(index), Some(config)) = (edge.origin, cluster.config(edge.from)) else {
        return format!("{} {name}", cluster.name(edge.from));
    };
    if let Some(text) = spellings.get(&(parent, config.kind == Kind::Rancher)) {
        return text.clone();
    }
    let old = config.upstreams.get(index as usize);
    let port = old.and_then(|upstream| upstream.address.port);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    match config.kind {
        Kind::Rancher => format!("https://{name}{port}"),
        Kind::Peerx => format!("{name}{port}"),
    }
}

impl Change {
    /// One line of instruction: where, what, and what instead.
    pub(super) fn describe(&self, cluster: &Cluster) -> String {
        let (file, line) = cluster.place(self.edge);
        let place = place(file, line);
        let new = self.instead.as_ref().map(|(_, text)| text.as_str());
        let Some(upstream) = cluster.edge_upstream(self.edge) else {
            let (from, to) = (cluster.name(self.edge.from), cluster.name(self.edge.to));
            return match new {
                Some(new) => format!("{place}: change the line `{from} {to}` to `{new}`"),
                None => format!("{place}: remove the line `{from} {to}`"),
            };
        };
        let setting = &upstream.setting;
        let old = &setting.text;
        // What `kubectl` prints is changed where the node is started.
        let place = match setting.source.starts_with("annotation") {
            true => format!("on {} (as {place} tells)", cluster.name(self.edge.from)),
            false => place,
        };
        match (setting.level, new) {
            (None, Some(new)) => {
                format!(
                    "{place}: in `{}` change \"{old}\" to \"{new}\"",
                    setting.spelled
                )
            }
            (None, None) => format!("{place}: from `{}` remove \"{old}\"", setting.spelled),
            (Some(_), Some(new)) => {
                let (old, new) = (setting.written(old), setting.written(new));
                format!("{place}: change `{old}` to `{new}`")
            }
            (Some(_), None) => {
                let config = cluster.config(self.edge.from);
                let removed = setting.written(old);
                let rest = config.map_or(String::new(), |config| after_removal(config, upstream));
                format!("{place}: remove `{removed}`{rest}")
            }
        }
    }
}

/// What to mind when a server shall ask nobody any more: without data it would found a cluster of its own.
fn after_removal(config: &HostConfig, upstream: &Upstream) -> String {
    let mut text = String::new();
    let flag = |level| match level {
        Some(Level::Flag) => "as a flag",
        Some(Level::Environment) => "in the environment",
        _ => "in a file",
    };
    let others = upstream
        .overridden
        .iter()
        .filter(|setting| !setting.text.is_empty());
    for other in others.take(3) {
        let (at, written) = (
            place(&other.file, Some(other.line)),
            other.written(&other.text),
        );
        text += &format!(
            ", and {at}: `{written}`, which counts without it ({})",
            flag(other.level)
        );
    }
    let data = match config.product {
        Product::Rke2 => "/var/lib/rancher/rke2/server/db/etcd",
        Product::K3s => "/var/lib/rancher/k3s/server/db",
        Product::Unknown => "server/db in its data directory",
    };
    let keep = if config.product != Product::Rke2 && config.cluster_init {
        " (`cluster-init: true` may stay)"
    } else {
        ""
    };
    text + &format!(
        "{keep}; only on a server that has joined, with its data in {data}: an empty one would found a second cluster"
    )
}

/// `file:line`, as editors and terminals understand it.
pub(super) fn place(file: &Path, line: Option<u64>) -> String {
    match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    }
}

impl Advice {
    /// The arrangement in a sentence.
    pub(super) fn describe(&self, cluster: &Cluster) -> String {
        let hub = cluster.name(self.hub);
        let first = listed(cluster, &self.first);
        if self.second.is_empty() {
            return format!("star: point {first} at {hub}, and let {hub} ask none of them");
        }
        format!(
            "tree: point {first} at {hub}, each of the other {} hosts at one of those, and let {hub} ask none of them",
            self.second.len()
        )
    }
}

/// `a, b and c`, or the first few and a count.
pub(super) fn listed(cluster: &Cluster, hosts: &[u32]) -> String {
    const NAMED: usize = 8;
    let name = |host: &u32| cluster.name(*host);
    match hosts {
        [] => "nobody".into(),
        [host] => name(host).into(),
        [rest @ .., last] if hosts.len() <= NAMED => {
            let rest: Vec<&str> = rest.iter().map(name).collect();
            format!("{} and {}", rest.join(", "), name(last))
        }
        _ => {
            let some: Vec<&str> = hosts[..NAMED - 1].iter().map(name).collect();
            format!("{} and {} more", some.join(", "), hosts.len() - some.len())
        }
    }
}
