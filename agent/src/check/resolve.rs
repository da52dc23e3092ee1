//! Which host each upstream means.
//!
//! A host answers, in this order, to its node name, IP addresses and advertised addresses; to the name of its file
//! or directory; to the names in its certificate; and, where nobody else could be meant, to a first DNS label. A name
//! in several certificates belongs to none of the hosts: it is the load balancer in front of them.

use super::inputs::Inputs;
use super::model::{Cluster, Edge, Host, HostConfig, Kind, Origin, Upstream};
use crate::address::{Address, HostKey};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

/// Ports at which an RKE2 or K3s server itself listens; behind others may be a local load balancer.
const RANCHER_PORTS: [u16; 2] = [9345, 6443];
/// How many names a message lists.
const NAMED: usize = 5;

/// Builds the cluster: hosts by name, and each upstream that a host answers to as an edge.
pub(super) fn cluster(inputs: Inputs) -> Cluster {
    let Inputs {
        hosts,
        edge_lists,
        warnings,
        ..
    } = inputs;
    let mut hosts = named(hosts);
    let mut edges = Vec::new();
    let mut files = Vec::new();
    add_edge_lists(edge_lists, &mut hosts, &mut edges, &mut files);
    renumber_by_name(&mut hosts, &mut edges);

    let mut cluster = Cluster {
        hosts,
        edges,
        edge_lists: files,
        unknown: Vec::new(),
        warnings,
    };
    resolve(&mut cluster);
    cluster.edges.sort_unstable();
    cluster.edges.dedup_by_key(|edge| (edge.from, edge.to));
    cluster
}

/// Gives every configuration a name of its own: what people call it, and of namesakes the later ones their file too.
fn named(mut configs: Vec<HostConfig>) -> Vec<Host> {
    configs.sort_by(|a, b| (a.name(), &a.file).cmp(&(b.name(), &b.file)));
    let mut hosts: Vec<Host> = Vec::with_capacity(configs.len());
    for config in configs {
        let previous = hosts.last().and_then(|host| host.config.as_deref());
        let name = match previous {
            Some(previous) if previous.name() == config.name() => {
                format!("{} ({})", config.name(), config.file.display())
            }
            _ => config.name().to_owned(),
        };
        hosts.push(Host {
            name: name.into(),
            config: Some(config.into()),
        });
    }
    hosts
}

/// Adds hosts and edges of edge lists; a name that is already there is that host.
fn add_edge_lists(
    lists: Vec<(PathBuf, crate::edges::EdgeList)>,
    hosts: &mut Vec<Host>,
    edges: &mut Vec<Edge>,
    files: &mut Vec<PathBuf>,
) {
    let mut known: HashMap<Box<str>, u32> = HashMap::new();
    if lists.len() > 1 || !hosts.is_empty() {
        known.extend(
            hosts
                .iter()
                .zip(0..)
                .map(|(host, number)| (host.name.clone(), number)),
        );
    }
    let lists_to_come = lists.len();
    for (index, (file, list)) in lists.into_iter().enumerate() {
        // A single list, the usual case, has no use for the map: its names are distinct.
        let share = lists_to_come > 1 || !known.is_empty();
        let mut numbers = Vec::with_capacity(list.names.len());
        for name in list.names {
            let number = known.get(&name).copied().unwrap_or(hosts.len() as u32);
            if number as usize == hosts.len() {
                if share {
                    known.insert(name.clone(), number);
                }
                hosts.push(Host { name, config: None });
            }
            numbers.push(number);
        }
        let origin = Origin::EdgeList(index as u32);
        edges.extend(list.edges.iter().map(|&(from, to)| Edge {
            from: numbers[from as usize],
            to: numbers[to as usize],
            origin,
        }));
        files.push(file);
    }
}

/// Sorts hosts by name, so that from here on the order of numbers is the order of names.
fn renumber_by_name(hosts: &mut Vec<Host>, edges: &mut [Edge]) {
    let mut old: Vec<(Host, u32)> = std::mem::take(hosts).into_iter().zip(0..).collect();
    old.sort_unstable_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let mut new = vec![0; old.len()];
    for ((_, number), position) in old.iter().zip(0..) {
        new[*number as usize] = position;
    }
    hosts.extend(old.into_iter().map(|(host, _)| host));
    for edge in edges {
        edge.from = new[edge.from as usize];
        edge.to = new[edge.to as usize];
    }
}

/// Turns every upstream into an edge or an unknown one.
fn resolve(cluster: &mut Cluster) {
    if cluster.hosts.iter().all(|host| host.config.is_none()) {
        return;
    }
    let mut directory = Directory::new(&cluster.hosts);
    for (host, number) in cluster.hosts.iter().zip(0..) {
        let Some(config) = &host.config else { continue };
        for (upstream, index) in config.upstreams.iter().zip(0..) {
            match directory.find(number, config.kind, upstream) {
                Some(to) => {
                    let origin = Origin::Upstream(index);
                    cluster.edges.push(Edge {
                        from: number,
                        to,
                        origin,
                    });
                }
                None => cluster.unknown.push((number, index)),
            }
        }
    }
    let warnings = directory.warnings(&cluster.hosts);
    cluster.warnings.extend(warnings);
}

type Claims<K> = HashMap<K, Vec<u32>>;

/// Who answers to what.
#[derive(Default)]
struct Directory {
    /// Addresses with a port, which peerx nodes advertise; several nodes may share a machine.
    exact: Claims<Address>,
    /// Machines of advertised addresses, whatever the port.
    machines: Claims<HostKey>,
    names: Claims<HostKey>,
    file_names: Claims<HostKey>,
    tls_sans: Claims<HostKey>,
    /// Bare labels, and the first label of longer names.
    bare: Claims<String>,
    labels: Claims<String>,
    /// Shared names that somebody asked for, with those who have them.
    shared: BTreeMap<HostKey, BTreeSet<u32>>,
}

fn claim<K: std::hash::Hash + Eq>(claims: &mut Claims<K>, key: K, host: u32) {
    let hosts = claims.entry(key).or_default();
    if hosts.last() != Some(&host) {
        hosts.push(host);
    }
}

impl Directory {
    fn new(hosts: &[Host]) -> Self {
        let mut directory = Self::default();
        for (host, number) in hosts.iter().zip(0..) {
            match &host.config {
                Some(config) => directory.add(config, number),
                None => claim(&mut directory.names, HostKey::new(&host.name), number),
            }
        }
        directory
    }

    fn add(&mut self, config: &HostConfig, host: u32) {
        let file_name = HostKey::new(&config.file_name);
        let node_name = config.node_name.as_deref().map(HostKey::new);
        for key in node_name.iter().chain(&config.ips) {
            claim(&mut self.names, key.clone(), host);
        }
        for address in &config.advertised {
            claim(&mut self.exact, address.clone(), host);
            claim(&mut self.machines, address.host.clone(), host);
        }
        for key in &config.tls_sans {
            claim(&mut self.tls_sans, key.clone(), host);
        }
        for key in node_name.iter().chain([&file_name]).chain(&config.tls_sans) {
            let HostKey::Name(name) = key else { continue };
            match name.split_once('.') {
                Some((label, _)) => claim(&mut self.labels, label.to_owned(), host),
                None => claim(&mut self.bare, name.clone(), host),
            }
        }
        claim(&mut self.file_names, file_name, host);
    }

    /// The host that answers to an upstream of `asker`.
    fn find(&mut self, asker: u32, kind: Kind, upstream: &Upstream) -> Option<u32> {
        let Address { host, port } = &upstream.address;
        let first = |found: Option<&Vec<u32>>| found.and_then(|hosts| hosts.first().copied());
        if let Some(found) = first(self.exact.get(&upstream.address)) {
            return Some(found);
        }
        if host.is_own_machine() {
            let own =
                kind == Kind::Rancher && port.is_none_or(|port| RANCHER_PORTS.contains(&port));
            return own.then_some(asker);
        }
        if let Some(found) = first(self.names.get(host)).or(first(self.file_names.get(host))) {
            return Some(found);
        }
        // Another port of one's own machine is some other program, not oneself.
        if let Some(&[found]) = self.machines.get(host).map(Vec::as_slice)
            && found != asker
        {
            return Some(found);
        }
        self.only(host, self.tls_sans.get(host).cloned().unwrap_or_default())
            .or_else(|| self.by_label(host))
    }

    /// The one host that is meant; several are noted.
    fn only(&mut self, asked: &HostKey, found: Vec<u32>) -> Option<u32> {
        match found.as_slice() {
            [host] => return Some(*host),
            [] => {}
            _ => self.shared.entry(asked.clone()).or_default().extend(found),
        }
        None
    }

    /// `server1` for `server1.example.com`, and the other way round.
    fn by_label(&mut self, asked: &HostKey) -> Option<u32> {
        let HostKey::Name(name) = asked else {
            return None;
        };
        let found = match name.split_once('.') {
            Some((label, _)) => self.bare.get(label),
            None => self.labels.get(name),
        };
        self.only(asked, found.cloned().unwrap_or_default())
    }

    /// What several hosts claim, where it could matter.
    fn warnings(&self, hosts: &[Host]) -> Vec<String> {
        let config = |host: u32| hosts[host as usize].config.as_deref();
        let configured = |claimants: &[u32]| {
            claimants
                .iter()
                .filter(|&&host| config(host).is_some())
                .nth(1)
                .is_some()
        };
        // Directories may share a name when the hosts in them say who they are.
        let unnamed = |claimants: &[u32]| {
            claimants
                .iter()
                .any(|&host| config(host).is_some_and(|host| host.node_name.is_none()))
        };
        let twice = |claims: &Claims<HostKey>, matters: &dyn Fn(&[u32]) -> bool| {
            let several = |claimants: &[u32]| claimants.len() > 1 && matters(claimants);
            let found = claims.iter().filter(|(_, claimants)| several(claimants));
            found
                .map(|(key, claimants)| duplicate(hosts, shown(key), claimants))
                .collect()
        };
        let mut warnings: Vec<String> = twice(&self.names, &configured);
        warnings.extend::<Vec<_>>(twice(&self.file_names, &unnamed));
        let exact = self
            .exact
            .iter()
            .filter(|(_, claimants)| claimants.len() > 1);
        warnings.extend(exact.map(|(address, claimants)| {
            let port = address
                .port
                .map(|port| format!(" port {port}"))
                .unwrap_or_default();
            duplicate(hosts, shown(&address.host) + &port, claimants)
        }));
        // Hash maps have no order of their own.
        warnings.sort();
        warnings.extend(self.shared.iter().map(|(key, claimants)| {
            let (names, key) = (names(hosts, claimants.iter()), shown(key));
            format!("{names} all answer to {key}: taken for a load balancer in front of them, behind which a host may meet itself")
        }));
        warnings
    }
}

fn duplicate(hosts: &[Host], key: String, claimants: &[u32]) -> String {
    let (names, first) = (
        names(hosts, claimants.iter()),
        &hosts[claimants[0] as usize].name,
    );
    format!("{names} all claim {key}; an upstream that names it is taken to mean {first}")
}

fn shown(key: &HostKey) -> String {
    match key {
        HostKey::Ip(ip) => ip.to_string(),
        HostKey::Name(name) => name.clone(),
    }
}

fn names<'a>(hosts: &[Host], mut numbers: impl ExactSizeIterator<Item = &'a u32>) -> String {
    let listed: Vec<&str> = numbers
        .by_ref()
        .take(NAMED)
        .map(|&host| &*hosts[host as usize].name)
        .collect();
    let more = match numbers.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", listed.join(", "))
}
