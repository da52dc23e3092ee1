//! From configurations and edge lists to one cluster of numbered hosts.

use super::resolve::Resolver;
use crate::address::HostKey;
use crate::check::declared::Declared;
use crate::check::model::{Cluster, Edge, Host, HostConfig, Origin};
use crate::check::read::Inputs;
use crate::edges::EdgeList;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Builds the cluster: hosts by name, and each upstream resolved as far as it can be.
pub(in crate::check) fn cluster(inputs: Inputs, declared: &Declared) -> Cluster {
    let mut cluster = Cluster {
        skipped: inputs.skipped,
        warnings: inputs.warnings,
        ..Cluster::default()
    };
    cluster.hosts = named(inputs.hosts);
    add_edge_lists(inputs.edge_lists, &mut cluster);
    renumber_by_name(&mut cluster);
    let mut used: HashSet<HostKey> = HashSet::new();
    if cluster.hosts.iter().any(|host| host.config.is_some()) {
        used = Resolver::new(&cluster, declared)
            .run()
            .into_cluster(&mut cluster);
    }
    cluster.warnings.extend(declared.unused(&used));
    cluster.edges.sort_unstable();
    cluster.edges.dedup_by_key(|edge| (edge.from, edge.to));
    cluster
}

/// Gives every configuration a name of its own: what people call it, and namesakes so much of their path as differs.
fn named(mut configs: Vec<HostConfig>) -> Vec<Host> {
    configs.sort_by(|a, b| (a.name(), &a.file).cmp(&(b.name(), &b.file)));
    let mut hosts: Vec<Host> = Vec::with_capacity(configs.len());
    let mut taken: HashSet<String> = HashSet::new();
    let names: Vec<String> = configs
        .iter()
        .map(|config| config.name().to_owned())
        .collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *count.entry(name).or_default() += 1;
    }
    for (config, name) in configs.into_iter().zip(&names) {
        let site = config
            .site
            .file_name()
            .map(|site| site.to_string_lossy().into_owned());
        let mut shown = match site {
            Some(site) if count[name.as_str()] > 1 => format!("{site}/{name}"),
            _ => name.clone(),
        };
        if !taken.insert(shown.clone()) {
            shown = format!("{name} ({})", config.file.display());
            taken.insert(shown.clone());
        }
        hosts.push(Host {
            name: shown.into(),
            config: Some(config.into()),
        });
    }
    hosts
}

/// Adds hosts and edges of edge lists; a name that is already there is that host.
fn add_edge_lists(lists: Vec<(PathBuf, EdgeList)>, cluster: &mut Cluster) {
    let Cluster {
        hosts,
        edges,
        edge_lists: files,
        ..
    } = cluster;
    let mut known: HashMap<Box<str>, u32> = HashMap::new();
    if lists.len() > 1 || !hosts.is_empty() {
        let named = hosts.iter().zip(0..);
        known.extend(named.map(|(host, number)| (host.name.clone(), number)));
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
fn renumber_by_name(cluster: &mut Cluster) {
    let mut old: Vec<(Host, u32)> = std::mem::take(&mut cluster.hosts)
        .into_iter()
        .zip(0..)
        .collect();
    old.sort_unstable_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let mut new = vec![0; old.len()];
    for ((_, number), position) in old.iter().zip(0..) {
        new[*number as usize] = position;
    }
    cluster.hosts.extend(old.into_iter().map(|(host, _)| host));
    for edge in &mut cluster.edges {
        edge.from = new[edge.from as usize];
        edge.to = new[edge.to as usize];
    }
}

/// How many directories two sites have in common.
pub(super) fn nearness(a: &Path, b: &Path) -> usize {
    a.components()
        .zip(b.components())
        .take_while(|(a, b)| a == b)
        .count()
}
