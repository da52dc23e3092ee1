//! Who answers to what. A host's own settings and the name of its directory tell for certain; a name in its
//! certificate only when no other host has it and nothing speaks against it.

use crate::address::{Address, HostKey};
use crate::check::declared::Declared;
use crate::check::model::{Cluster, HostConfig, HostsLine, Kind};
use std::collections::{HashMap, HashSet};

type Claims<K> = HashMap<K, Vec<u32>>;

/// Everything that hosts claim.
#[derive(Default)]
pub(super) struct Evidence {
    /// Addresses with a port, which peerx nodes advertise; several nodes may share a machine.
    pub(super) exact: Claims<Address>,
    /// Machines of advertised addresses, whatever the port.
    pub(super) machines: Claims<HostKey>,
    /// A host's own names and addresses; names of files where a host does not call itself otherwise.
    pub(super) own: Claims<HostKey>,
    /// Names of files, of all hosts.
    pub(super) file_names: Claims<HostKey>,
    pub(super) tls_sans: Claims<HostKey>,
    /// First labels of full names, and names of one label.
    pub(super) labels: Claims<String>,
    pub(super) bare: Claims<String>,
    /// Names that stand for one another, by what the hosts' own copies of /etc/hosts and `--hosts` say.
    pub(super) same: HashMap<HostKey, Vec<HostKey>>,
    /// The domains under which each first label is asked for.
    pub(super) domains: HashMap<String, HashSet<String>>,
    /// Hosts that ask a name or address.
    pub(super) askers: HashMap<HostKey, HashSet<u32>>,
}

fn claim<K: std::hash::Hash + Eq>(claims: &mut Claims<K>, key: K, host: u32) {
    let hosts = claims.entry(key).or_default();
    // Hosts come in order.
    if hosts.last() != Some(&host) {
        hosts.push(host);
    }
}

/// The first label of a name, and the domain behind it.
pub(super) fn label(key: &HostKey) -> Option<(&str, Option<&str>)> {
    match key {
        HostKey::Ip(_) => None,
        HostKey::Name(name) => Some(match name.split_once('.') {
            Some((label, domain)) => (label, Some(domain)),
            None => (name, None),
        }),
    }
}

impl Evidence {
    /// Collects what all hosts say.
    pub(super) fn new(cluster: &Cluster, declared: &Declared) -> Self {
        let mut evidence = Self::default();
        for (host, number) in cluster.hosts.iter().zip(0..) {
            match &host.config {
                Some(config) => evidence.add(config, number),
                None => claim(&mut evidence.own, HostKey::new(&host.name), number),
            }
        }
        evidence.add_same(&declared.hosts);
        evidence.add_copies(cluster);
        evidence.add_lines(&declared.hosts);
        evidence
    }

    fn add(&mut self, config: &HostConfig, host: u32) {
        let file_names: Vec<HostKey> = config
            .file_names
            .iter()
            .map(|name| HostKey::new(name))
            .collect();
        let named = config.node_name.as_deref().map(HostKey::new);
        let otherwise = named
            .as_ref()
            .is_some_and(|name| !file_names.contains(name));
        for key in &file_names {
            claim(&mut self.file_names, key.clone(), host);
            if !otherwise {
                claim(&mut self.own, key.clone(), host);
            }
        }
        for key in &config.own {
            claim(&mut self.own, key.clone(), host);
        }
        for address in &config.advertised {
            claim(&mut self.exact, address.clone(), host);
            claim(&mut self.machines, address.host.clone(), host);
        }
        for key in &config.tls_sans {
            claim(&mut self.tls_sans, key.clone(), host);
        }
        for key in config.own.iter().chain(&file_names) {
            match label(key) {
                Some((label, Some(_))) => claim(&mut self.labels, label.to_owned(), host),
                Some((label, None)) => claim(&mut self.bare, label.to_owned(), host),
                None => {}
            }
        }
        for upstream in &config.upstreams {
            let key = &upstream.address.host;
            self.askers.entry(key.clone()).or_default().insert(host);
            if let Some((label, Some(domain))) = label(key) {
                self.domains
                    .entry(label.to_owned())
                    .or_default()
                    .insert(domain.to_owned());
            }
        }
    }

    /// Names on one line stand for one another.
    fn add_same(&mut self, lines: &[HostsLine]) {
        for line in lines.iter().filter(|line| !line.ip.is_own_machine()) {
            let all: Vec<HostKey> = line.names.iter().chain([&line.ip]).cloned().collect();
            for key in &all {
                let same = self.same.entry(key.clone()).or_default();
                same.extend(all.iter().filter(|other| *other != key).cloned());
            }
        }
    }

    /// What the hosts' own copies of /etc/hosts agree on.
    fn add_copies(&mut self, cluster: &Cluster) {
        let mut address_of: HashMap<&HostKey, HashSet<&HostKey>> = HashMap::new();
        let configs = || {
            cluster
                .hosts
                .iter()
                .filter_map(|host| host.config.as_deref())
        };
        let lines = || {
            configs()
                .flat_map(|config| &config.hosts_file)
                .filter(|line| !line.ip.is_own_machine())
        };
        for line in lines() {
            for name in &line.names {
                address_of.entry(name).or_default().insert(&line.ip);
            }
        }
        let mut agreed: HashSet<(HostKey, Vec<HostKey>)> = HashSet::new();
        for line in lines() {
            let names = line.names.iter().filter(|name| address_of[name].len() == 1);
            let names: Vec<HostKey> = names.cloned().collect();
            if !names.is_empty() {
                agreed.insert((line.ip.clone(), names));
            }
        }
        let lines: Vec<HostsLine> = agreed
            .into_iter()
            .map(|(ip, names)| HostsLine { ip, names })
            .collect();
        self.add_same(&lines);
    }

    /// What `--hosts` says of a host that is given is that host's own.
    fn add_lines(&mut self, lines: &[HostsLine]) {
        for line in lines {
            let all = || line.names.iter().chain([&line.ip]);
            let mut hosts: Vec<u32> = all()
                .filter_map(|key| self.own.get(key))
                .flatten()
                .copied()
                .collect();
            if hosts.is_empty() {
                hosts = line
                    .names
                    .iter()
                    .filter_map(|key| self.file_names.get(key))
                    .flatten()
                    .copied()
                    .collect();
            }
            hosts.sort_unstable();
            hosts.dedup();
            for host in hosts {
                for key in all() {
                    claim(&mut self.own, key.clone(), host);
                }
            }
        }
    }

    /// The hosts whose own `key` is, of `kind` where there are any.
    pub(super) fn owners(&self, cluster: &Cluster, key: &HostKey, kind: Kind) -> Vec<u32> {
        let of_kind = |hosts: &[u32]| -> Vec<u32> {
            let same = |host: &&u32| {
                cluster
                    .config(**host)
                    .is_none_or(|config| config.kind == kind)
            };
            let found: Vec<u32> = hosts.iter().filter(same).copied().collect();
            if found.is_empty() {
                hosts.to_vec()
            } else {
                found
            }
        };
        let own = self.own.get(key).map_or(&[][..], Vec::as_slice);
        if !own.is_empty() {
            return of_kind(own);
        }
        of_kind(self.file_names.get(key).map_or(&[][..], Vec::as_slice))
    }

    /// Why a name or address in the certificate of `host` alone may yet not be that host's, if it may not.
    pub(super) fn doubt(
        &self,
        config: &HostConfig,
        host: u32,
        key: &HostKey,
    ) -> Option<&'static str> {
        let mine = |other: &HostKey| {
            let owners = self.own.get(other).or_else(|| self.file_names.get(other));
            owners.map(|owners| owners.contains(&host))
        };
        let resembles = label(key).is_some_and(|(asked, _)| {
            let names = config
                .file_names
                .iter()
                .map(String::as_str)
                .chain(config.node_name.as_deref());
            names
                .into_iter()
                .any(|name| label(&HostKey::new(name)).is_some_and(|(own, _)| own == asked))
        });
        if resembles {
            return None;
        }
        if config
            .upstreams
            .iter()
            .any(|upstream| upstream.address.host == *key)
        {
            return Some("and asks it: a host does not ask itself on purpose");
        }
        if config
            .tls_sans
            .iter()
            .any(|other| mine(other) == Some(false))
        {
            return Some("with names or addresses of other hosts");
        }
        let family = |ip: &HostKey| match ip {
            HostKey::Ip(ip) => Some(ip.is_ipv4()),
            HostKey::Name(_) => None,
        };
        let unproven = |other: &&HostKey| {
            mine(other).is_none() && family(other).is_some() && family(other) == family(key)
        };
        if config.tls_sans.iter().filter(unproven).count() > 1 {
            return Some("with other addresses, which cannot all be its own");
        }
        let askers = self.askers.get(key).map_or(0, HashSet::len);
        if askers > 1 {
            return Some("and several hosts ask it, as they would a balancer or virtual address");
        }
        None
    }
}
