//! One upstream after another: to one host, to a balancer, outside, or to nobody for certain.

use super::build::nearness;
use super::evidence::{Evidence, label};
use crate::address::HostKey;
use crate::check::declared::{Declared, host_key};
use crate::check::model::{Balancer, Cluster, Edge, HostConfig, Kind, Open, Origin, Upstream, Why};
use std::collections::{BTreeMap, HashSet};

/// Ports at which an RKE2 or K3s server itself listens; behind others may be a local load balancer.
const RANCHER_PORTS: [u16; 2] = [9345, 6443];

/// Where an upstream leads.
enum Target {
    Host(u32),
    Outside,
    /// One of these, by a balancer that was declared.
    Declared(HostKey),
    /// One of these, perhaps; nothing where that was found before.
    OneOf(Why, Vec<u32>),
    Open(Why),
}

/// Resolves the upstreams of a cluster.
pub(super) struct Resolver<'a> {
    cluster: &'a Cluster,
    declared: &'a Declared,
    evidence: Evidence,
    edges: Vec<Edge>,
    open: Vec<Open>,
    outside: Vec<(u32, u32)>,
    balancers: BTreeMap<HostKey, Balancer>,
    used: HashSet<HostKey>,
}

/// What was found.
pub(super) struct Resolved {
    edges: Vec<Edge>,
    open: Vec<Open>,
    outside: Vec<(u32, u32)>,
    balancers: Vec<Balancer>,
    used: HashSet<HostKey>,
}

impl Resolved {
    /// Puts it into the cluster; returns the declared names that were asked for.
    pub(super) fn into_cluster(self, cluster: &mut Cluster) -> HashSet<HostKey> {
        cluster.edges.extend(self.edges);
        cluster.open = self.open;
        cluster.outside = self.outside;
        cluster.balancers = self.balancers;
        self.used
    }
}

impl<'a> Resolver<'a> {
    pub(super) fn new(cluster: &'a Cluster, declared: &'a Declared) -> Self {
        Self {
            cluster,
            declared,
            evidence: Evidence::new(cluster, declared),
            edges: Vec::new(),
            open: Vec::new(),
            outside: Vec::new(),
            balancers: BTreeMap::new(),
            used: HashSet::new(),
        }
    }

    pub(super) fn run(mut self) -> Resolved {
        for (host, number) in self.cluster.hosts.iter().zip(0..) {
            let Some(config) = &host.config else { continue };
            for (upstream, index) in config.upstreams.iter().zip(0..) {
                let target = self.find(number, config, upstream);
                self.take(number, index, upstream, target);
            }
        }
        for balancer in self.balancers.values_mut() {
            balancer.behind.sort_unstable();
            balancer.behind.dedup();
            balancer.askers.sort_unstable();
            balancer.askers.dedup();
        }
        Resolved {
            edges: self.edges,
            open: self.open,
            outside: self.outside,
            balancers: self.balancers.into_values().collect(),
            used: self.used,
        }
    }

    fn take(&mut self, from: u32, index: u32, upstream: &Upstream, target: Target) {
        match target {
            Target::Host(to) => self.edges.push(Edge {
                from,
                to,
                origin: Origin::Upstream(index),
            }),
            Target::Outside => self.outside.push((from, index)),
            Target::Declared(key) => self.declared_balancer(from, index, key),
            Target::OneOf(why, hosts) => {
                self.balancer(upstream.address.host.clone(), from, &hosts, false);
                self.open.push(Open {
                    host: from,
                    upstream: index,
                    why,
                });
            }
            Target::Open(why) => self.open.push(Open {
                host: from,
                upstream: index,
                why,
            }),
        }
    }

    fn balancer(&mut self, key: HostKey, asker: u32, behind: &[u32], declared: bool) {
        let name = shown(&key);
        let balancer = self.balancers.entry(key).or_insert_with(|| Balancer {
            name,
            declared,
            behind: Vec::new(),
            askers: Vec::new(),
        });
        if balancer.behind.len() < behind.len() {
            balancer.behind.extend_from_slice(behind);
        }
        balancer.askers.push(asker);
    }

    fn declared_balancer(&mut self, from: u32, index: u32, key: HostKey) {
        let vip = &self.declared.vips[&key];
        let mut behind = Vec::new();
        for name in &vip.behind {
            let one = host_key(name);
            let kind = self
                .cluster
                .config(from)
                .map_or(Kind::Rancher, |config| config.kind);
            let keys = self.keys(&one, None);
            let mut found = self.candidates(&keys, kind);
            if found.is_empty() {
                found.extend(self.by_label(&one, kind));
            }
            if found.is_empty() && !self.declared.outside.contains_key(&one) {
                let why = Why::Behind(name.clone());
                self.open.push(Open {
                    host: from,
                    upstream: index,
                    why,
                });
            }
            self.used.insert(one);
            behind.extend(found);
        }
        behind.sort_unstable();
        behind.dedup();
        match behind[..] {
            // Nothing but another name of that host.
            [to] if vip.behind.len() == 1 => self.edges.push(Edge {
                from,
                to,
                origin: Origin::Upstream(index),
            }),
            _ => self.balancer(key, from, &behind, true),
        }
    }

    /// The names and addresses that stand for this one, to whoever asks.
    fn keys(&self, key: &HostKey, asker: Option<&HostConfig>) -> Vec<HostKey> {
        let mut keys = vec![key.clone()];
        // A host looks into its own file before it asks anybody.
        let own = asker.map_or(&[][..], |config| &config.hosts_file);
        let lines = own.iter().filter(|line| line.names.contains(key));
        let mut local = false;
        for line in lines {
            local = true;
            keys.push(line.ip.clone());
            keys.extend(line.names.iter().cloned());
        }
        if !local {
            let mut next = 0;
            // Lines that have a name in common tell of one host.
            while next < keys.len() && keys.len() < 64 {
                let same = self
                    .evidence
                    .same
                    .get(&keys[next])
                    .map_or(&[][..], Vec::as_slice);
                for other in same {
                    if !keys.contains(other) {
                        keys.push(other.clone());
                    }
                }
                next += 1;
            }
        }
        keys
    }

    /// The hosts whose own one of these is.
    fn candidates(&self, keys: &[HostKey], kind: Kind) -> Vec<u32> {
        let mut found: Vec<u32> = keys
            .iter()
            .flat_map(|key| self.evidence.owners(self.cluster, key, kind))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn find(&mut self, asker: u32, config: &HostConfig, upstream: &Upstream) -> Target {
        let asked = &upstream.address.host;
        let keys = self.keys(asked, Some(config));
        if let Some(key) = keys.iter().find(|key| self.declared.vips.contains_key(key)) {
            self.used.insert(key.clone());
            return Target::Declared(key.clone());
        }
        if let Some(key) = keys
            .iter()
            .find(|key| self.declared.outside.contains_key(key))
        {
            self.used.insert(key.clone());
            return Target::Outside;
        }
        if let Some(exact) = self.evidence.exact.get(&upstream.address) {
            return self.one_of(exact.clone(), config, asked);
        }
        if keys.iter().any(HostKey::is_own_machine) {
            let port = upstream.address.port;
            let own = config.kind == Kind::Rancher
                && port.is_none_or(|port| RANCHER_PORTS.contains(&port));
            return if own {
                Target::Host(asker)
            } else {
                Target::Open(Why::Nobody)
            };
        }
        let owners = self.candidates(&keys, config.kind);
        if !owners.is_empty() {
            return self.one_of(owners, config, asked);
        }
        // Another port of one's own machine is some other program, not oneself.
        if let Some(&[found]) = self.evidence.machines.get(asked).map(Vec::as_slice)
            && found != asker
        {
            return Target::Host(found);
        }
        // A short name of one host is better evidence than a list that another host keeps.
        match self.by_short_name(asker, config, asked) {
            Target::Host(host) => Target::Host(host),
            other => self.by_certificate(&keys).unwrap_or(other),
        }
    }

    /// The one that is meant of several namesakes: by the domain that is asked, or as the asker's neighbour.
    fn one_of(&self, mut found: Vec<u32>, asker: &HostConfig, asked: &HostKey) -> Target {
        if found.len() > 1
            && let Some(one) = self.nearest(&found, asker, asked)
        {
            return Target::Host(one);
        }
        match found[..] {
            [one] => Target::Host(one),
            _ => {
                found.sort_unstable();
                Target::OneOf(Why::Several, found)
            }
        }
    }

    fn nearest(&self, found: &[u32], asker: &HostConfig, asked: &HostKey) -> Option<u32> {
        let best = |rank: &dyn Fn(&HostConfig) -> usize| {
            let mut ranked: Vec<(usize, u32)> = found
                .iter()
                .map(|&host| (self.cluster.config(host).map_or(0, rank), host))
                .collect();
            ranked.sort_unstable_by(|a, b| b.cmp(a));
            match ranked[..] {
                [(first, host), (second, _), ..] if first > second => Some(host),
                _ => None,
            }
        };
        if let Some((_, Some(domain))) = label(asked) {
            let in_path = |config: &HostConfig| {
                let parts: Vec<String> = config
                    .site
                    .components()
                    .map(|part| part.as_os_str().to_string_lossy().to_lowercase())
                    .collect();
                domain
                    .split('.')
                    .filter(|part| parts.iter().any(|name| name == part))
                    .count()
            };
            return best(&in_path);
        }
        if asker.site.as_os_str().is_empty() {
            return None;
        }
        // Neighbours lie in the same directory; a common root far above means nothing.
        let near = |config: &HostConfig| {
            usize::from(config.site == asker.site) * nearness(&config.site, &asker.site)
        };
        best(&near).or_else(|| {
            let own = asker.domain()?.to_owned();
            best(&|config: &HostConfig| usize::from(config.domain() == Some(own.as_str())))
        })
    }

    /// By a name in a certificate.
    fn by_certificate(&self, keys: &[HostKey]) -> Option<Target> {
        let asked = &keys[0];
        if keys.len() == 1 && self.balancers.contains_key(asked) {
            return Some(Target::OneOf(Why::InCertificates, Vec::new()));
        }
        let mut holders: Vec<u32> = keys
            .iter()
            .filter_map(|key| self.evidence.tls_sans.get(key))
            .flatten()
            .copied()
            .collect();
        holders.sort_unstable();
        holders.dedup();
        Some(match holders[..] {
            [] => return None,
            [host] => {
                let holds = |key: &&HostKey| self.evidence.tls_sans.contains_key(key);
                let key = keys.iter().find(holds).unwrap_or(asked);
                let holder = self.cluster.config(host);
                match holder.and_then(|holder| self.evidence.doubt(holder, host, key)) {
                    None => Target::Host(host),
                    Some(doubt) => Target::Open(Why::OneCertificate(host, doubt)),
                }
            }
            _ => Target::OneOf(Why::InCertificates, holders),
        })
    }

    fn by_short_name(&self, asker: u32, config: &HostConfig, asked: &HostKey) -> Target {
        let found = self.by_label(asked, config.kind);
        let Some((name, domain)) = label(asked).filter(|_| !found.is_empty()) else {
            return Target::Open(Why::Nobody);
        };
        match self.one_of(found, config, asked) {
            Target::Host(host) => {
                // The same first label under another domain is another host.
                let several = self
                    .evidence
                    .domains
                    .get(name)
                    .is_some_and(|domains| domains.len() > 1);
                let by_path = domain.is_some_and(|domain| self.is_in(host, domain));
                let unsure = domain.is_some()
                    && !by_path
                    && (several || host == asker && !self.shares_domain(asker, asked));
                if unsure {
                    Target::Open(Why::Label(host))
                } else {
                    Target::Host(host)
                }
            }
            other => other,
        }
    }

    /// Whether a part of this domain is a directory above the host.
    fn is_in(&self, host: u32, domain: &str) -> bool {
        let Some(config) = self.cluster.config(host) else {
            return false;
        };
        let part = |name: &std::path::Component<'_>| {
            let name = name.as_os_str().to_string_lossy().to_lowercase();
            domain.split('.').any(|part| part == name)
        };
        config.site.components().any(|name| part(&name))
    }

    /// Whether other hosts ask within the same domain, so that it is the domain of all.
    fn shares_domain(&self, asker: u32, asked: &HostKey) -> bool {
        let Some((_, Some(domain))) = label(asked) else {
            return false;
        };
        self.evidence.askers.iter().any(|(key, askers)| {
            label(key).is_some_and(|(_, other)| other == Some(domain))
                && askers.iter().any(|host| *host != asker)
        })
    }

    /// `server1` for `server1.example.com`, and the other way round.
    fn by_label(&self, asked: &HostKey, kind: Kind) -> Vec<u32> {
        let Some((label, domain)) = label(asked) else {
            return Vec::new();
        };
        let claims = if domain.is_some() {
            &self.evidence.bare
        } else {
            &self.evidence.labels
        };
        let found = claims.get(label).map_or(&[][..], Vec::as_slice);
        let same = |host: &&u32| {
            self.cluster
                .config(**host)
                .is_none_or(|config| config.kind == kind)
        };
        let of_kind: Vec<u32> = found.iter().filter(same).copied().collect();
        if of_kind.is_empty() {
            found.to_vec()
        } else {
            of_kind
        }
    }
}

impl HostConfig {
    /// The domain of a host that has a full name.
    fn domain(&self) -> Option<&str> {
        let names = self
            .file_names
            .iter()
            .map(String::as_str)
            .chain(self.node_name.as_deref());
        let is_name = |name: &&str| matches!(HostKey::new(name), HostKey::Name(_));
        names
            .into_iter()
            .filter(is_name)
            .find_map(|name| Some(name.split_once('.')?.1))
    }
}

fn shown(key: &HostKey) -> String {
    match key {
        HostKey::Ip(ip) => ip.to_string(),
        HostKey::Name(name) => name.clone(),
    }
}
